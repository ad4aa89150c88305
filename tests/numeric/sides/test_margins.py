"""The numbers of a judged case against rationals, and the float64 roundings that a verdict must not be made of."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import hazards
from numeric.sides import Judged, Sides, judge
from numeric.sides.one_side import MeasuredSide, Site
from symbolic.vocabulary import Verdict

CASES, M = 40, 5
U = Fraction(1, 2**53)


def column(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def sides(left: Tensor, right: Tensor, radii: tuple[Tensor, Tensor], moved: Tensor, **others: Tensor | None) -> Sides:
    """Sides whose output is as their first layer, unless it is given."""
    cases = len(left)
    wrong = right + others.get("wrong", torch.zeros_like(right))  # type: ignore[operator]
    output = others.get("output")
    outputs = [torch.zeros_like(left), torch.zeros_like(right) if output is None else output]
    out_radii = others.get("output_radii")
    wide = torch.ones_like(left) if out_radii is None else out_radii

    def side(value: Tensor, radius: Tensor, at_output: Tensor) -> MeasuredSide:
        return MeasuredSide(Site(value, radius), Site(at_output, wide))

    return Sides(
        others.get("z") if others.get("z") is not None else torch.ones_like(others["a"] if others.get("a") is not None else torch.ones(cases, 3).double()),  # type: ignore[arg-type]
        others.get("a") if others.get("a") is not None else torch.ones(cases, 3, dtype=torch.float64),  # type: ignore[arg-type]
        torch.ones(cases, 3, dtype=torch.float64),
        moved,
        side(left, radii[0], outputs[0]),
        side(right, radii[1], outputs[1]),
        side(wrong, radii[1], outputs[1]),
        others.get("effect") if others.get("effect") is not None else torch.full_like(left, 4.0),  # type: ignore[arg-type]
        torch.full_like(left, 8.0),
        others.get("output_effect"),
        torch.full_like(left, 2.0),
        torch.ones(cases, dtype=torch.bool),
        hazards(cases),
    )


def test_a_difference_that_float64_rounds_up_is_no_violation() -> None:
    """1 + 2^-53 + 2^-105 is rounded to 1 + 2^-52; once 1 is taken away the difference is twice what it was, and twice its bound.

    Half of the widening is enough here, as at all operands: one of two roundings of float64 loses 2^-53 of the larger number at most.
    """
    small = 2.0**-53 + 2.0**-105
    one = sides(column([1.0]), column([-small]), (column([small]), column([0.0])), column([-1.0]))
    judged = judge(one)
    assert judged.verdict[0] == Verdict.HOLDS
    assert judged.ratio[0] <= 1
    more = sides(column([1.0]), column([-4 * small]), (column([small]), column([0.0])), column([-1.0]))
    assert judge(more).verdict[0] == Verdict.VIOLATED, "the widening hides no more than roundings"


@pytest.mark.parametrize("seed", range(3))
def test_no_case_within_its_exact_bound_is_violated(seed: int) -> None:
    """The exact difference is the exact bound, or just below it, whatever float64 makes of the two."""
    g = torch.Generator().manual_seed(seed)
    left, right, moved = (torch.randn((CASES, M), generator=g, dtype=torch.float64) for _ in range(3))
    apart = [
        [abs(Fraction(x) - Fraction(y) + Fraction(m)) for x, y, m in zip(*rows, strict=True)]
        for rows in zip(left.tolist(), right.tolist(), moved.tolist(), strict=True)
    ]
    first = column(*[[float(e) * 0.25 for e in row] for row in apart])
    second = column(*[[_above(e - Fraction(f)) for e, f in zip(*rows, strict=True)] for rows in zip(apart, first.tolist(), strict=True)])
    judged = judge(sides(left, right, (first, second), moved, effect=torch.full_like(left, 64.0)))
    assert set(judged.verdict) == {Verdict.HOLDS}
    assert all(r > 1 - 2.0**-48 for r in judged.ratio), "and it is as near as can be"


def _above(x: Fraction) -> float:
    near = float(x)
    return near if Fraction(near) >= x else math.nextafter(near, math.inf)


def test_the_numbers_of_a_case() -> None:
    g = torch.Generator().manual_seed(5)
    left, right, moved, effect, a, out = (torch.randn((CASES, M), generator=g, dtype=torch.float64) for _ in range(6))
    radii = tuple(torch.rand((CASES, M), generator=g, dtype=torch.float64) + 0.5 for _ in range(2))
    wide = torch.rand((CASES, M), generator=g, dtype=torch.float64) + 0.25
    scaled = a * torch.logspace(-200, 200, CASES, dtype=torch.float64).unsqueeze(-1)
    judged = judge(
        sides(left, right, radii, moved, effect=effect.abs(), a=scaled, output=out, output_radii=wide, output_effect=effect.abs() * 2)  # type: ignore[arg-type]
    )
    for case in range(CASES):
        rows = [[Fraction(v) for v in x[case].tolist()] for x in (left, right, moved, *radii, effect, scaled, out, wide)]
        errors = [abs(x - y + m) for x, y, m in zip(*rows[:3], strict=True)]
        bounds = [r + s for r, s in zip(*rows[3:5], strict=True)]
        size, total = max(abs(e) for e in rows[5]), max(bounds)
        _near(judged.error[case], max(errors), max(abs(x) + abs(y) for x, y in zip(*rows[:2], strict=True)))
        _near(judged.bound[case], total, total * 8)
        _near(judged.ratio[case], max(e / b for e, b in zip(errors, bounds, strict=True)), Fraction(64))
        _near(judged.effect[case], size, size)
        output = [abs(v) / (2 * w) for v, w in zip(*rows[7:9], strict=True)]
        _near(judged.output_ratio[case], max(output), 16 * max(output))
        at_output = 2 * max(rows[8])
        _near(judged.resolution[case], max(total / size, at_output / (2 * size)), 32 * (total / size + at_output / size))
        _near(judged.output_resolution[case], at_output / 8, 16 * at_output)
        _near(judged.expected[case], Fraction(2), Fraction(64))
        _near(judged.expected_ratio[case], max(errors) / 2, Fraction(64))
        _near(judged.moved[case], max(map(abs, rows[2])), Fraction(0))
        square, norm = sum(x * x for x in rows[6]), Fraction(judged.norm_a[case])
        assert abs(norm * norm - square) <= 16 * U * square


def _near(found: float, exact: Fraction, scale: Fraction) -> None:
    """Within as many roundings as ``scale`` says, beside the number."""
    assert abs(Fraction(found) - exact) <= 8 * U * scale


def test_where_nothing_was_expected_nothing_is_said() -> None:
    """A case of which the expected difference was not asked, beside one of which it was; either holds."""
    left = column([1.0, 2.0], [1.0, 2.0])
    both = sides(left, left, (torch.ones_like(left), torch.ones_like(left)), torch.zeros_like(left))
    judged = judge(replace(both, expected=column([math.nan, math.nan], [2.0, 2.0])))
    assert [math.isnan(x) for x in (*judged.expected, *judged.expected_ratio)] == [True, False] * 2
    assert set(judged.verdict) == {"HOLDS"}


def test_a_wrong_update_is_noticed_by_finite_numbers_outside() -> None:
    """An infinite error of the wrong one is no notice, and one that is inside is none."""
    left = column([1.0], [1.0], [1.0])
    wrong = column([4.0], [math.inf], [0.125])
    made = sides(left, left, (torch.full_like(left, 0.5),) * 2, torch.zeros_like(left), wrong=wrong)
    judged: Judged = judge(made)
    assert judged.wrong_noticed.tolist() == [True, False, False]


@pytest.mark.parametrize("at_output", [False, True])
def test_a_claim_of_the_output_is_judged_there(at_output: bool) -> None:
    """A parallel block: the first layer tests nothing, so its resolution and its wrong update are those of the output."""
    left = column([1.0], [1.0])
    radii = (torch.full_like(left, 2.0),) * 2
    made = sides(
        left, left, radii, torch.zeros_like(left), wrong=torch.full_like(left, 16.0), effect=torch.full_like(left, 1.0), output_effect=column([8.0], [0.0])
    )
    judged = judge(replace(made, at_output=at_output))
    assert judged.resolution.tolist() == pytest.approx([0.25 if at_output else 4.0, math.inf], rel=8 * 2.0**-52)
    assert judged.wrong_noticed.tolist() == [not at_output, not at_output]


def test_nothing_is_resolved_where_nothing_happens() -> None:
    """No effect, no change at the output, or a bound there that is infinite: whatever the other bounds."""
    left, nothing = column([1.0, 1.0], [1.0, 1.0], [1.0, 1.0]), torch.zeros((3, 2), dtype=torch.float64)
    effect = column([0.0, 0.0], [0.0, 4.0], [4.0, 4.0])
    wide = column([0.0, 0.0], [1.0, 1.0], [math.inf, 1.0])
    made = sides(left, left, (nothing, nothing), nothing, effect=effect, output_radii=wide)
    judged = judge(replace(made, output_change=column([0.0, 0.0], [1.0, 4.0], [1.0, 1.0])))
    assert judged.resolution.tolist() == [math.inf, 0.0, math.inf]
    assert judged.output_resolution[0] == math.inf
    assert judged.output_resolution[1] == pytest.approx(0.5, rel=8 * 2.0**-52)
    assert judge(replace(made, output_effect=nothing)).resolution.tolist() == [math.inf] * 3


def test_a_norm_of_numbers_far_apart() -> None:
    """Their squares leave float64's range on either side, and a column may be negative altogether."""
    left = column([1.0], [1.0], [1.0], [1.0])
    a = column([2.0**600, -(2.0**-600), 0.0], [-3.0, -4.0, 0.0], [-(2.0**-700), 0.0, 0.0], [-(2.0**600), -(2.0**600), -(2.0**600)])
    judged = judge(sides(left, left, (left, left), torch.zeros_like(left), a=a))
    assert judged.norm_a.tolist() == pytest.approx([2.0**600, 5.0, 2.0**-700, 2.0**600 * math.sqrt(3.0)], rel=8 * 2.0**-52)
