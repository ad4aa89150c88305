"""The part of the table for sums, choices and moves."""

from numeric.operator_rules import accumulations, casts, choices, comparisons, mixtures, moves, running_products, sums, variances
from numeric.operator_rules.call import OperatorRow
from numeric.operator_rules.steps import STEPS

OF_SUMS: dict[str, OperatorRow] = {
    **dict.fromkeys(("sum.default", "sum.dim_IntList"), sums.total),
    **dict.fromkeys(("mean.default", "mean.dim"), sums.mean),
    "cumsum.default": sums.running_total,
    "linalg_vector_norm.default": sums.norm,
    **dict.fromkeys(("var.correction", "var_mean.correction"), variances.variance),
    **dict.fromkeys(("std.correction", "std_mean.correction"), variances.standard_deviation),
    **dict.fromkeys(("prod.default", "prod.dim_int"), running_products.product_of_all),
    "cumprod.default": running_products.running_product,
    "index_add.default": accumulations.index_added,
    "scatter_add.default": accumulations.scatter_added,
    **dict.fromkeys(("index_put.default", "_unsafe_index_put.default", "_index_put_impl.default"), accumulations.index_put),
    "put.default": accumulations.put_flat,
    "addcmul.default": mixtures.added_product,
    "addcdiv.default": mixtures.added_quotient,
    **dict.fromkeys(("lerp.Scalar", "lerp.Tensor"), mixtures.between),
}
"""What adds."""

OF_CHOICES: dict[str, OperatorRow] = {
    **dict.fromkeys(("amax.default", "max.default"), choices.largest),
    **dict.fromkeys(("amin.default", "min.default"), choices.smallest),
    "aminmax.default": choices.both_extremes,
    "max.dim": choices.largest_and_where,
    "min.dim": choices.smallest_and_where,
    "argmax.default": choices.place_of_largest,
    "argmin.default": choices.place_of_smallest,
    **dict.fromkeys(("sort.default", "sort.stable"), choices.ordered),
    "topk.default": choices.largest_few,
    "kthvalue.default": choices.kth,
    **dict.fromkeys((f"{name}.{form}" for name in ("gt", "ge", "lt", "le", "eq", "ne") for form in ("Tensor", "Scalar")), comparisons.compared),
    **dict.fromkeys(("logical_not.default", "bitwise_not.default"), comparisons.negated),
    **dict.fromkeys(("logical_and.default", "bitwise_and.Tensor"), comparisons.both),
    **dict.fromkeys(("logical_or.default", "bitwise_or.Tensor"), comparisons.either),
    **dict.fromkeys(("logical_xor.default", "bitwise_xor.Tensor"), comparisons.one_of_two),
    **dict.fromkeys((f"any.{form}" for form in ("default", "dim", "dims")), comparisons.any_of),
    **dict.fromkeys((f"all.{form}" for form in ("default", "dim", "dims")), comparisons.all_of),
    **dict.fromkeys((f"{name}.default" for name in ("isnan", "isinf", "isposinf", "isneginf")), comparisons.is_a_number),
    "where.self": comparisons.chosen_by_condition,
    **dict.fromkeys(("masked_fill.Scalar", "masked_fill.Tensor"), comparisons.masked),
    "nonzero.default": comparisons.nonzero,
    "masked_select.default": moves.masked_selected,
    **STEPS,
}
"""What chooses and compares."""

_SAME = ("clone", "alias_copy", "detach_copy", "lift_fresh_copy", "view_copy", "_unsafe_view", "_reshape_copy")
_COPIES = (
    *("flip", "roll", "rot90", "repeat", "tril", "triu", "diag_embed", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "split_with_sizes_copy"),
    *("diagonal_copy", "expand_copy", "permute_copy", "t_copy", "unsqueeze_copy", "unfold_copy", "squeeze_copy", "narrow_copy"),
)
_EMPTY = ("zeros_like", "ones_like", "empty_like", "new_zeros", "new_ones", "new_empty", "new_empty_strided")
SHAPES_ALONE = frozenset(f"{name}.default" for name in _EMPTY)
"""What reads of a tensor its shape, and none of its numbers."""
_OTHER_COPIES = ("transpose_copy.int", "select_copy.int", "slice_copy.Tensor", "squeeze_copy.dim", "squeeze_copy.dims", "split_copy.Tensor", "unbind_copy.int")

OF_MOVES: dict[str, OperatorRow] = {
    **dict.fromkeys((f"{name}.default" for name in _SAME), moves.copied),
    **dict.fromkeys((f"{name}.default" for name in _COPIES), moves.moves("self")),
    **dict.fromkeys(_OTHER_COPIES, moves.moves("self")),
    "as_strided_copy.default": moves.lain_out,
    "constant_pad_nd.default": moves.moves("self", "value"),
    **dict.fromkeys(("cat.default", "stack.default", "block_diag.default"), moves.moves("tensors")),
    **dict.fromkeys(("slice_scatter.default", "select_scatter.default", "diagonal_scatter.default"), moves.moves("self", "src")),
    "masked_scatter.default": moves.moves("self", "source"),
    **dict.fromkeys(("gather.default", "take.default"), moves.read_at_index),
    "index_select.default": moves.selected,
    "embedding.default": moves.embedded,
    **dict.fromkeys(("index.Tensor", "_unsafe_index.Tensor"), moves.read_by_indices),
    "scatter.src": moves.scattered,
    **dict.fromkeys(("scatter.value", "index_fill.int_Scalar", "index_fill.int_Tensor"), moves.scattered_number),
    "index_copy.default": moves.index_copied,
    **dict.fromkeys(("fill.Scalar", "fill.Tensor", "full_like.default", "new_full.default"), moves.filled),
    **dict.fromkeys(("zero.default", *(f"{name}.default" for name in _EMPTY)), moves.made),
    "_to_copy.default": casts.cast_copy,
    "copy.default": casts.written,
}
"""What moves numbers, or makes others beside them."""
