"""The table: one row for each overload of ATen's operators, from what it read to what is known of what it returned."""

from torch._ops import OpOverload

from numeric.operator_rules import arithmetic, products
from numeric.operator_rules.call import NoRule, OperatorRow
from numeric.operator_rules.table_of_moves import OF_CHOICES, OF_MOVES, OF_SUMS

ROWS: dict[str, OperatorRow] = {
    **dict.fromkeys(("mm.default", "addmm.default"), products.matrix_product),
    **dict.fromkeys(("bmm.default", "baddbmm.default"), products.batched_product),
    **dict.fromkeys(("mv.default", "addmv.default", "dot.default"), products.matrix_vector),
    **dict.fromkeys(("add.Tensor", "add.Scalar", "sub.Tensor", "sub.Scalar"), arithmetic.addition),
    **dict.fromkeys(("rsub.Tensor", "rsub.Scalar"), arithmetic.reversed_subtraction),
    **dict.fromkeys(("mul.Tensor", "mul.Scalar"), arithmetic.product),
    **dict.fromkeys(("div.Tensor", "div.Scalar", "div.Tensor_mode", "div.Scalar_mode"), arithmetic.quotient),
    "reciprocal.default": arithmetic.reciprocal,
    "neg.default": arithmetic.negation,
    **OF_SUMS,
    **OF_CHOICES,
    **OF_MOVES,
}
"""By the overload's name without ``aten.``; an in-place form, ``add_.Tensor``, has the row of the form that it writes back."""


def row_of(operator: OpOverload) -> OperatorRow:
    """The row of an overload.  Raises NoRule."""
    name, overload = operator._schema.name.removeprefix("aten::"), operator._overloadname
    plain = name.removesuffix("_") if operator._schema.is_mutable else name
    row = ROWS.get(f"{plain}.{overload}") if operator.namespace == "aten" else None
    if row is None:
        raise NoRule(f"{operator} has no row")
    return row
