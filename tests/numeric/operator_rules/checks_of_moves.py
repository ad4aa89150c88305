"""What each module of sums, choices and moves is held to when one of its terms is made another."""

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType

from tests.numeric.noticing import Check, checks_of
from tests.numeric.operator_rules import (
    test_casts_by_hand,
    test_doubts_move_on,
    test_moved_by_hand,
    test_stated_spreads,
    test_stated_sums,
    test_sums_at_the_ends,
)
from tests.numeric.operator_rules.own_moves import own
from tests.numeric.operator_rules.references_sums import REFERENCES
from tests.numeric.operator_rules.swept import of_ours, swept
from tests.numeric.operator_rules.test_sums_choices_moves import judged

EVERY = tuple((name, kind) for kind in ("plain", "edge", "tiny", "zeros", "huge", "apart") for name in ("fp32", "fp32-ftz", "bf16"))
BEYOND = (("fp32", "huge"), ("fp16", "huge"), ("fp64", "huge"))
"""Where a sum or a product passes the largest number: it has to be foretold."""


def check(name: str, format_name: str, kind: str, seeds: int) -> None:
    """Some draws of an overload."""
    for spread in (0.0, 1e-2):
        judged(swept(of_ours(own, name, format_name, (kind,), range(seeds)), REFERENCES, format_name, spreads=(spread,)), kind, spread, format_name)


def sweep(names: Sequence[str], seeds: int, turns: Sequence[tuple[str, str]], *others: ModuleType) -> Callable[[], list[Check]]:
    """The tests of some files, and draws of some overloads."""

    def made() -> list[Check]:
        return [*checks_of(*others), *(partial(check, name, format_name, kind, seeds) for format_name, kind in turns for name in names)]

    return made


MOVES = ("index.Tensor", "gather.default", "cat.default", "constant_pad_nd.default", "fill.Scalar", "fill.Tensor", "index_put.default", "scatter.src")
MOVES += ("embedding.default", "index_select.default", "masked_select.default", "index_copy.default", "index_fill.int_Scalar", "put.default")
ORDERS = ("amax.default", "amin.default", "max.dim", "argmin.default", "sort.default", "topk.default", "kthvalue.default")
TRUTHS = ("gt.Tensor", "le.Scalar", "eq.Tensor", "logical_and.default", "any.dim", "all.dim", "where.self", "masked_fill.Scalar")
SPREADS_OUT = ("var.correction", "std.correction", "var_mean.correction", "std_mean.correction")
SUMS = ("sum.dim_IntList", "mean.dim", "cumsum.default", "linalg_vector_norm.default")

OF_MODULES: dict[str, Callable[[], list[Check]]] = {
    "again": sweep((*MOVES[:8], "where.self", "_to_copy.default"), 1, EVERY[:6], test_doubts_move_on, test_moved_by_hand),
    "moves": sweep(MOVES, 1, EVERY[:6], test_doubts_move_on, test_moved_by_hand),
    "casts": sweep(("_to_copy.default", "copy.default"), 12, (*EVERY, ("fp64", "apart")), test_casts_by_hand, test_doubts_move_on),
    "choices": sweep(ORDERS, 2, EVERY[:10], test_doubts_move_on),
    "comparisons": sweep(TRUTHS, 2, EVERY[:10], test_doubts_move_on, test_moved_by_hand),
    "sums": sweep(SUMS, 4, BEYOND, test_stated_sums, test_sums_at_the_ends, test_doubts_move_on),
    "accumulations": sweep(("index_add.default", "scatter_add.default", "index_put.default", "put.default"), 4, BEYOND, test_stated_sums, test_doubts_move_on),
    "variances": sweep(SPREADS_OUT, 2, (*BEYOND, ("fp16", "plain"), ("fp32", "plain")), test_stated_spreads),
    "running_products": sweep(("prod.dim_int", "prod.default", "cumprod.default"), 2, (*BEYOND, ("fp16", "plain")), test_stated_spreads),
    "steps": sweep(("sign.default", "floor.default", "round.default", "trunc.default"), 2, EVERY[:6]),
    "mixtures": sweep(("addcmul.default", "addcdiv.default", "lerp.Scalar"), 2, (*BEYOND, ("fp32", "zeros")), test_stated_sums, test_sums_at_the_ends),
}
"""By the module of ``numeric/operator_rules``."""
