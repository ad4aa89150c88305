"""The table: one row for each overload of ATen's operators, from what it read to what is known of what it returned."""

from functools import partial

from torch._ops import OpOverload

from numeric.operator_rules import arithmetic, attention, bends, convolutions, functions, gates, log_sums, norms, piecewise, powers, products
from numeric.operator_rules.call import NoOperatorRule, OperatorRow
from numeric.operator_rules.table_of_moves import OF_CHOICES, OF_MOVES, OF_SUMS
from numeric.rules.activations import SILU

OPERATOR_ROWS: dict[str, OperatorRow] = {
    **dict.fromkeys(("mm.default", "addmm.default"), products.matrix_product),
    **dict.fromkeys(("bmm.default", "baddbmm.default"), products.batched_product),
    **dict.fromkeys(("mv.default", "addmv.default", "dot.default"), products.matrix_vector),
    **dict.fromkeys(("add.Tensor", "add.Scalar", "sub.Tensor", "sub.Scalar"), arithmetic.addition),
    **dict.fromkeys(("rsub.Tensor", "rsub.Scalar"), arithmetic.reversed_subtraction),
    **dict.fromkeys(("mul.Tensor", "mul.Scalar"), arithmetic.product),
    **dict.fromkeys(("div.Tensor", "div.Scalar", "div.Tensor_mode", "div.Scalar_mode"), arithmetic.quotient),
    "reciprocal.default": arithmetic.reciprocal,
    "neg.default": arithmetic.negation,
    **{f"{each.name}.default": partial(functions.row_of_function, each) for each in functions.FUNCTIONS},
    "silu.default": partial(gates.gated_row, SILU),
    "gelu.default": gates.gelu_row,
    "glu.default": gates.glu_row,
    "mish.default": partial(gates.gated_row, gates.MISH),
    "softplus.default": bends.softplus,
    "log_sigmoid_forward.default": bends.log_sigmoid,
    "elu.default": bends.exponential_unit,
    "celu.default": bends.continuous_unit,
    "relu.default": piecewise.relu,
    "leaky_relu.default": piecewise.leaky_relu,
    "_prelu_kernel.default": piecewise.parametric_relu,
    "softshrink.default": piecewise.soft_shrink,
    "hardshrink.default": piecewise.hard_shrink,
    "nan_to_num.default": piecewise.numbers_alone,
    "threshold.default": piecewise.threshold,
    "hardswish.default": piecewise.hardswish,
    "hardsigmoid.default": piecewise.hardsigmoid,
    "abs.default": piecewise.absolute_value,
    **dict.fromkeys((f"{name}.{of}" for name in ("clamp", "clamp_min", "clamp_max") for of in ("default", "Tensor")), piecewise.clamp),
    "hardtanh.default": piecewise.clamp,
    **dict.fromkeys(("maximum.default", "fmax.default"), piecewise.maximum),
    **dict.fromkeys(("minimum.default", "fmin.default"), piecewise.minimum),
    **dict.fromkeys(("pow.Tensor_Scalar", "pow.Scalar", "pow.Tensor_Tensor", "pow.Tensor"), powers.power),  # the last as pow_.Tensor
    "convolution.default": convolutions.convolution,
    "_scaled_dot_product_flash_attention_for_cpu.default": attention.flash_attention,
    "_softmax.default": norms.softmax_row,
    "_safe_softmax.default": norms.safe_softmax_row,
    "_log_softmax.default": log_sums.log_softmax,
    "logsumexp.default": log_sums.log_sum_exp,
    "native_layer_norm.default": norms.layer_normalisation,
    "_fused_rms_norm.default": norms.root_mean_square,
    "native_group_norm.default": norms.group_normalisation,
    **dict.fromkeys(("native_batch_norm.default", "_native_batch_norm_legit.default"), norms.batch_normalisation),
    "_native_batch_norm_legit_no_training.default": norms.batch_normalisation,
    **OF_SUMS,
    **OF_CHOICES,
    **OF_MOVES,
}
"""By the overload's name without ``aten.``; an in-place form, ``add_.Tensor``, has the row of the form that it writes back."""


def operator_row(operator: OpOverload) -> OperatorRow:
    """The row of an overload.  Raises NoOperatorRule."""
    name, overload = operator._schema.name.removeprefix("aten::"), operator._overloadname
    plain = name.removesuffix("_") if operator._schema.is_mutable else name
    row = OPERATOR_ROWS.get(f"{plain}.{overload}") if operator.namespace == "aten" else None
    if row is None:
        raise NoOperatorRule(str(operator))
    return row
