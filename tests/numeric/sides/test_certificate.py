"""Certified errors lie above the exact ones and next to them, by fractions and by mpmath."""

from fractions import Fraction

import mpmath
import pytest
import torch
from flint import arb, ctx

from numeric.arithmetics import ball, balls, intervals
from numeric.sides import Variant, variants_named
from numeric.sides import certificate as certificate_of
from numeric.sides.certificate import Agreement, Certificate, Enclosure, ExactLayer, Operands, agreement, certify
from numeric.sides.variant import VARIANTS
from symbolic import formulas

D, M = 4, 3


def operands(seed: int) -> tuple[list[list[float]], list[float], list[float], list[float]]:
    generator = torch.Generator().manual_seed(seed)
    W, b, z, a = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((M, D), (M,), (D,), (D,)))
    return W.tolist(), b.tolist(), z.tolist(), a.tolist()


def certificate(W, b, z, a, variant: Variant, left, right, left_radius, right_radius) -> Certificate:
    layer = ExactLayer(ball(W), ball([[x] for x in b]))
    return certify(layer, Operands(z, a, a), variant, Enclosure(left, left_radius), Enclosure(right, right_radius))


def agreed(W, b, z, left, right, moved, left_radius, right_radius) -> Agreement:
    layer = ExactLayer(ball(W), ball([[x] for x in b]))
    sides = ([Enclosure(*each) for each in zip(*side, strict=True)] for side in ((left, left_radius), (right, right_radius)))
    return agreement(layer, z, *sides, moved)


def exact_left(W: list[list[float]], b: list[float], z: list[float]) -> list[Fraction]:
    return [sum((Fraction(w) * Fraction(x) for w, x in zip(row, z, strict=True)), Fraction(c)) for row, c in zip(W, b, strict=True)]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
@pytest.mark.parametrize("seed", range(12))
def test_the_certified_error_is_above_the_exact_one_and_next_to_it(seed: int, variant: Variant) -> None:
    W, b, z, a = operands(seed)
    truth = exact_left(W, b, z)
    left, right = [float(y) for y in truth], [float(y) * (1 + 2.0**-40) for y in truth]
    errors = [max(abs(Fraction(x) - y) for x, y in zip(side, truth, strict=True)) for side in (left, right)]
    found = certificate(W, b, z, a, variant, left, right, [1.0] * M, [1.0] * M)
    for certified, error in zip((found.left, found.right), errors, strict=True):
        assert error <= Fraction(certified) <= error * (1 + Fraction(1, 2**50))
    assert found.inside
    # The planted negative: radii a little below the exact error.
    short = [float(errors[1] * Fraction(999, 1000))] * M
    assert not certificate(W, b, z, a, variant, left, right, [1.0] * M, short).inside


@pytest.mark.parametrize("variant_id", ["formula", "scaled"])
def test_the_update_agrees_with_mpmath(variant_id: str) -> None:
    """(Wδ)aᵀ/‖a‖² by mpmath at 400 bits lies within 2^-250 of the ball's, entry by entry."""
    W, _, z, a = operands(5)
    variant = variants_named([variant_id])[0]
    za, aa = ball([[x] for x in z]), ball([[x] for x in a])
    with ctx.workprec(balls.BITS):
        found = variant.update(ball(W), formulas.context_vector(za, aa), aa).entries()
        with mpmath.workprec(400):
            delta = mpmath.matrix(z) - mpmath.matrix(a)
            v, column = mpmath.matrix(W) * delta, mpmath.matrix(a)
            expected = v * column.T / mpmath.fsum(mpmath.mpf(x) ** 2 for x in a)
            texts = [mpmath.nstr(expected[i, j], 110) for i in range(M) for j in range(D)]
        for entry, text in zip(found, texts, strict=True):
            assert abs(entry - arb(text)) < arb(2) ** -250
            assert not abs(entry * (1 + arb(2) ** -200) - arb(text)) < arb(2) ** -250


def test_both_exact_sides_must_agree() -> None:
    """A wrong update is caught by the reference even if the measured sides agree and every radius is wide."""
    W, b, z, a = operands(0)
    left = [float(y) for y in exact_left(W, b, z)]
    wrong = Variant("z for a", "z for a", lambda W, delta, a: formulas.rank_one_update(W, delta, a + delta))
    wide = [100.0] * M
    for variant, inside in ((VARIANTS[0], True), (wrong, False)):
        assert certificate(W, b, z, a, variant, left, left, wide, wide).inside is inside


def test_a_bound_that_is_no_number_contains_nothing() -> None:
    W, b, z, a = operands(0)
    left = [float(y) for y in exact_left(W, b, z)]
    nan = [float("nan")] * M
    assert not certificate(W, b, z, a, VARIANTS[0], left, left, nan, [1.0] * M).inside


def many(seed: int, cases: int = 6) -> dict[str, list[list[float]]]:
    """Cases whose sides err by known amounts; the second half was moved, too."""
    generator = torch.Generator().manual_seed(seed)
    W, b, _, _ = operands(seed)
    z = torch.randn((cases, D), generator=generator, dtype=torch.float64).tolist()
    moved = torch.randn((cases, M), generator=generator, dtype=torch.float64)
    moved[: cases // 2] = 0.0
    truth = [[float(y) for y in exact_left(W, b, row)] for row in z]
    left = [[y * (1 + 2.0**-30) for y in row] for row in truth]
    right = [[y * (1 - 2.0**-40) + move for y, move in zip(row, moves, strict=True)] for row, moves in zip(truth, moved.tolist(), strict=True)]
    return {"z": z, "left": left, "right": right, "moved": moved.tolist()}


def exact_errors(seed: int, sides: dict[str, list[list[float]]]) -> tuple[list[list[Fraction]], list[list[Fraction]]]:
    W, b, _, _ = operands(seed)
    truth = [exact_left(W, b, row) for row in sides["z"]]
    left = [[abs(Fraction(x) - y) for x, y in zip(*rows, strict=True)] for rows in zip(sides["left"], truth, strict=True)]
    right = [
        [abs(Fraction(x) - Fraction(move) - y) for x, move, y in zip(*rows, strict=True)] for rows in zip(sides["right"], sides["moved"], truth, strict=True)
    ]
    return left, right


def above(errors: list[list[Fraction]], factor: Fraction) -> list[list[float]]:
    return [[float(e * factor) for e in row] for row in errors]


@pytest.mark.parametrize("seed", range(4))
def test_many_cases_at_once_have_the_exact_errors(seed: int) -> None:
    W, b, _, _ = operands(seed)
    sides, more, less = many(seed), Fraction(1001, 1000), Fraction(999, 1000)
    left, right = exact_errors(seed, sides)
    found = agreed(W, b, **sides, left_radius=above(left, more), right_radius=above(right, more))
    assert (found.cases, found.inside) == (len(sides["z"]), True)
    for certified, errors in ((found.left, left), (found.right, right)):
        worst = max(max(row) for row in errors)
        assert worst <= Fraction(certified) <= worst * (1 + Fraction(1, 2**50))
    # The planted negatives: one radius of one entry of one case is short, on either side; or what was moved is left out.
    for side, errors in (("left_radius", left), ("right_radius", right)):
        for case in (0, -1):
            radii = {"left_radius": above(left, more), "right_radius": above(right, more)}
            radii[side][case][0] = float(errors[case][0] * less)
            assert not agreed(W, b, **sides, **radii).inside
    still = {**sides, "moved": [[0.0] * M for _ in sides["z"]]}
    assert not agreed(W, b, **still, left_radius=above(left, more), right_radius=above(right, more)).inside


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
def test_mpmath_seconds_what_the_balls_say(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    W, b, z, a = operands(3)
    left = [float(y) for y in exact_left(W, b, z)]

    def seconded() -> bool:
        return certificate(W, b, z, a, variant, left, left, [1.0] * M, [1.0] * M).seconded

    assert seconded()
    # The planted negative: intervals that are off by a hundredth of a billionth of a billionth.
    right = intervals.Interval.__matmul__
    monkeypatch.setattr(intervals.Interval, "__matmul__", lambda x, y: intervals.Interval([[e * (1 + 2.0**-52) for e in row] for row in right(x, y).rows]))
    assert not seconded()


@pytest.mark.parametrize("side", ["left", "right"])
def test_mpmath_is_asked_about_both_sides(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The left side has no quotient, and the right one begins with a sum of two matrices."""
    W, b, z, a = operands(3)
    left = [float(y) for y in exact_left(W, b, z)]
    if side == "right":
        right = intervals.Interval.__truediv__
        monkeypatch.setattr(intervals.Interval, "__truediv__", lambda x, y: intervals.Interval([[e * (1 + 2.0**-52) for e in row] for row in right(x, y).rows]))
    else:
        plain = formulas.first_layer
        calls = iter(range(100))

        def shifted(W, b, x):
            found = plain(W, b, x)
            return found + 2.0**-40 if isinstance(found, intervals.Interval) and next(calls) == 0 else found

        monkeypatch.setattr(formulas, "first_layer", shifted)
    found = certificate(W, b, z, a, VARIANTS[0], left, left, [1.0] * M, [1.0] * M)
    assert found.inside
    assert not found.seconded


def test_a_second_opinion_is_of_both_sides() -> None:
    """The planted one: a ball that lies elsewhere, on either side alone."""
    W, b, z, a = operands(3)
    layer = ExactLayer(ball(W), ball([[x] for x in b]))
    with ctx.workprec(balls.BITS):
        exact = arb(exact_left(W, b, z)[0].numerator) / exact_left(W, b, z)[0].denominator
        for sides, same in (((exact, exact), True), ((exact + 1, exact), False), ((exact, exact + 1), False)):
            assert certificate_of._seconded(layer, Operands(z, a, a), VARIANTS[0], 0, sides) is same
