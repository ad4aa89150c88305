"""From numbers to a verdict: each word is earned, and a number that is not one is never a pass."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from numeric.arithmetics import hazards
from numeric.sides import Sides, judge, judging
from numeric.sides.judging import Reason
from numeric.sides.one_side import MeasuredSide, Site
from symbolic.vocabulary import Verdict


def side(first: float, radius: float, output: float = 0.0, output_radius: float = 1.0) -> MeasuredSide:
    def column(x: float) -> torch.Tensor:
        return torch.tensor([[x, 0.0]], dtype=torch.float64)

    radii = (torch.full((1, 2), x, dtype=torch.float64) for x in (radius, output_radius))
    return MeasuredSide(*map(Site, (column(first), column(output)), radii))


def sides(
    left: MeasuredSide,
    right: MeasuredSide,
    *,
    effect: float = 1.0,
    a: float = 1.0,
    z: float = 1.0,
    overflow: bool = False,
    underflow: bool = False,
    lost: bool = False,
    output_effect: float | None = None,
    output_change: float = 1.0,
    moved: float = 0.0,
):
    found = hazards(1)
    found.overflow[0], found.underflow[0], found.not_finite[0] = overflow, underflow, lost
    skipped = None if output_effect is None else torch.full((1, 2), output_effect, dtype=torch.float64)
    wrong = replace(right, first_layer=replace(right.first_layer, value=right.first_layer.value + 1))
    effects, changed = (torch.full((1, 2), x, dtype=torch.float64) for x in (effect, output_change))
    both, move = torch.tensor([[a, a]]), torch.tensor([[moved, 0.0]], dtype=torch.float64)
    inside = torch.ones(1, dtype=torch.bool)
    return Sides(torch.tensor([[z, z]]), both, both, move, left, right, wrong, effects, changed, skipped, torch.ones_like(effects), inside, found)


def verdict(*args: object, **kwargs: object) -> tuple[str, str]:
    judged = judge(sides(*args, **kwargs))  # type: ignore[arg-type]
    return judged.verdict[0], judged.reason[0]


EARNED = {
    "inside a sharp bound": (Verdict.HOLDS, side(1.0, 0.1), side(1.15, 0.1)),
    "no error and no bound": (Verdict.HOLDS, side(1.0, 0.0), side(1.0, 0.0)),
    "outside the bound": (Verdict.VIOLATED, side(1.0, 0.1), side(1.25, 0.1)),
    "outside the bound at the output alone": (Verdict.VIOLATED, side(1.0, 0.1, 0.0, 0.1), side(1.0, 0.1, 0.25, 0.1)),
    "an infinite bound": (Verdict.VACUOUS, side(1.0, math.inf), side(1.0, 0.1)),
    "a bound that is no number": (Verdict.VACUOUS, side(1.0, math.nan), side(1.0, 0.1)),
}


@pytest.mark.parametrize("what", EARNED)
def test_a_word_is_earned(what: str) -> None:
    expected, left, right = EARNED[what]
    assert verdict(left, right) == (expected, "")


@pytest.mark.parametrize("effect", [0.2, 0.0])
def test_a_bound_as_wide_as_the_effect_is_vacuous(effect: float) -> None:
    assert verdict(side(1.0, 0.1), side(1.0, 0.1), effect=effect)[0] == Verdict.VACUOUS


@pytest.mark.parametrize(("moved", "expected", "noticed"), [(0.5, Verdict.HOLDS, True), (0.25, Verdict.VIOLATED, True), (-0.5, Verdict.VIOLATED, True)])
def test_what_is_predicted_to_move_is_taken_away(moved: float, expected: Verdict, noticed: bool) -> None:
    judged = judge(sides(side(1.0, 0.05), side(1.5, 0.05), moved=moved))
    assert judged.verdict[0] == expected
    assert judged.moved.tolist() == [abs(moved)]
    assert judged.move_noticed.tolist() == [noticed]
    assert not judge(sides(side(1.0, 0.1), side(1.15, 0.1), moved=0.1)).move_noticed[0]


def test_the_planted_wrong_update_is_judged_by_the_same_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that overlooks errors overlooks the planted one too, and the cell cannot hold."""
    one = sides(side(1.0, 0.1), side(1.15, 0.1))
    assert judge(one).wrong_noticed.tolist() == [True]
    monkeypatch.setattr(judging, "_verdicts", lambda site, output, not_finite, resolution, reason: np.array([Verdict.HOLDS.value], dtype=object))
    assert judge(one).wrong_noticed.tolist() == [False]


def test_an_output_that_could_not_show_a_wrong_update_is_told() -> None:
    """The verdict is the first layer's; what the output adds to it has a figure of its own."""
    for change, expected in ((1.0, 0.2), (0.1, 2.0), (0.0, math.inf)):
        judged = judge(sides(side(1.0, 0.1, 0.0, 0.1), side(1.0, 0.1, 0.0, 0.1), output_change=change))
        assert judged.output_resolution[0] == pytest.approx(expected)
        assert judged.verdict[0] == Verdict.HOLDS


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_result_that_is_not_finite_is_violated_unless_it_was_foretold(number: float) -> None:
    assert verdict(side(1.0, 0.1), side(number, 0.1)) == (Verdict.VIOLATED, "")
    assert verdict(side(1.0, 0.1), side(number, math.inf)) == (Verdict.VIOLATED, "")
    assert verdict(side(1.0, 0.1, number), side(1.0, 0.1)) == (Verdict.VIOLATED, "")
    assert verdict(side(1.0, 0.1), side(number, 0.1), overflow=True) == (Verdict.INCONCLUSIVE, Reason.UPDATE_OVERFLOW)


def test_an_infinity_that_a_later_step_hid_counts() -> None:
    """x/∞ = 0 is finite; that ‖a‖² overflowed is remembered."""
    assert verdict(side(1.0, 0.1), side(1.0, 0.1), lost=True) == (Verdict.VIOLATED, "")
    assert verdict(side(1.0, 0.1), side(1.0, 0.1), lost=True, overflow=True) == (Verdict.INCONCLUSIVE, Reason.UPDATE_OVERFLOW)


def test_an_overflow_that_was_foretold_and_did_not_come_is_judged() -> None:
    assert verdict(side(1.0, 0.1), side(1.15, 0.1), overflow=True) == (Verdict.HOLDS, "")
    assert verdict(side(1.0, 0.1), side(1.25, 0.1), overflow=True) == (Verdict.VIOLATED, "")


def test_what_is_refused_is_refused_by_name() -> None:
    right = side(1.0, 0.1), side(1.0, 0.1)
    assert verdict(*right, a=0.0) == (Verdict.INCONCLUSIVE, Reason.SINGULAR_UPDATE)
    assert verdict(*right, underflow=True) == (Verdict.INCONCLUSIVE, Reason.NORM_UNDERFLOW)
    assert verdict(*right, z=math.nan) == (Verdict.INCONCLUSIVE, Reason.NON_FINITE_INPUT)
    assert verdict(*right, a=math.inf) == (Verdict.INCONCLUSIVE, Reason.NON_FINITE_INPUT)


def test_with_a_skip_connection_the_output_must_be_sharp_too() -> None:
    """The output's bound is 2: it could not show that Δb′, worth 2, was left out."""
    assert verdict(side(1.0, 0.1), side(1.0, 0.1), output_effect=2.1) == (Verdict.HOLDS, "")
    assert verdict(side(1.0, 0.1), side(1.0, 0.1), output_effect=2.0) == (Verdict.VACUOUS, "")
    assert verdict(side(1.0, 0.1), side(1.0, 0.1), output_effect=0.0) == (Verdict.VACUOUS, "")
