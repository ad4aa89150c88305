"""What is marked of a case, and what follows of it, for every combination of marks."""

import itertools
import math

import pytest
import torch

from numeric.arithmetics import hazards
from numeric.arithmetics.hazard import Hazards, foretell_overflow
from numeric.formats import format_named

FLAGS = ("overflow", "underflow", "not_finite", "undecided", "hidden", "unforeseen")
FP32 = format_named("fp32")


@pytest.mark.parametrize("flag", ["overflow", "underflow", "hidden", "undecided", None])
def test_the_first_result_that_is_lost_decides(flag: str | None) -> None:
    found, lost = hazards(2), torch.tensor([[[1.0]], [[math.nan]]])
    if flag is not None:
        getattr(found, flag)[1] = True
    found.came_out(lost)
    foretell_overflow(found, lost.double(), format_named("fp32"))  # by what was lost itself
    found.came_out(lost)
    assert found.not_finite.tolist() == [False, True]
    assert found.unforeseen.tolist() == [False, flag is None]
    assert found.overflowed(torch.tensor([True, False])).tolist() == [False, flag is not None]


def marked(*which: str) -> Hazards:
    found = hazards(1)
    for name in which:
        getattr(found, name)[0] = True
    return found


@pytest.mark.parametrize("count", range(len(FLAGS) + 1))
def test_an_overflow_is_a_reason_where_it_was_foretold_and_met_or_could_hide(count: int) -> None:
    for which, finite in itertools.product(itertools.combinations(FLAGS, count), (True, False)):
        met = "overflow" in which and ("not_finite" in which or not finite)
        assert bool(marked(*which).overflowed(torch.tensor([finite]))[0]) is ("unforeseen" not in which and ("hidden" in which or met)), (which, finite)


@pytest.mark.parametrize("count", range(len(FLAGS) + 1))
@pytest.mark.parametrize("number", [1.0, math.nan, math.inf])
def test_a_lost_number_is_unforeseen_if_nothing_was_marked_before(count: int, number: float) -> None:
    for which in itertools.combinations(FLAGS, count):
        found = marked(*which)
        found.came_out(torch.tensor([[[1.0], [number]]]))
        lost, foretold = not math.isfinite(number), {"overflow", "underflow", "undecided", "hidden"} & set(which)
        assert bool(found.not_finite[0]) is (lost or "not_finite" in which)
        assert bool(found.unforeseen[0]) is ((lost and not foretold) or "unforeseen" in which)


@pytest.mark.parametrize("hides", [False, True])
@pytest.mark.parametrize(
    ("largest", "passes"), [(FP32.largest, True), (math.nextafter(FP32.largest, 0), False), (math.inf, True), (math.nan, True), (0.0, False)]
)
def test_an_overflow_is_foretold_from_the_largest_number_on(largest: float, passes: bool, hides: bool) -> None:
    found = marked("underflow")
    foretell_overflow(found, torch.tensor([[[largest]]], dtype=torch.float64), FP32, hides=hides)
    assert bool(found.overflow[0]) is passes
    assert bool(found.hidden[0]) is (passes and hides)
    assert bool(found.underflow[0])
