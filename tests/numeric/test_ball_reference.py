"""The reference against exact rationals and against mpmath; and a reference that lies is not used."""

from fractions import Fraction

import mpmath
import pytest
import torch
from flint import arb

from numeric import balls
from numeric.balls import UnusableReference, ball, certify, check_reference
from numeric.variants import VARIANTS, Variant, variants_named
from symbolic import formulas

D, M = 4, 3


def operands(seed: int) -> tuple[list[list[float]], list[float], list[float], list[float]]:
    generator = torch.Generator().manual_seed(seed)
    W, b, z, a = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((M, D), (M,), (D,), (D,)))
    return W.tolist(), b.tolist(), z.tolist(), a.tolist()


def exact_left(W: list[list[float]], b: list[float], z: list[float]) -> list[Fraction]:
    return [sum((Fraction(w) * Fraction(x) for w, x in zip(row, z, strict=True)), Fraction(c)) for row, c in zip(W, b, strict=True)]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
@pytest.mark.parametrize("seed", range(12))
def test_the_certified_error_is_above_the_exact_one_and_next_to_it(seed: int, variant: Variant) -> None:
    W, b, z, a = operands(seed)
    truth = exact_left(W, b, z)
    left, right = [float(y) for y in truth], [float(y) * (1 + 2.0**-40) for y in truth]
    errors = [max(abs(Fraction(x) - y) for x, y in zip(side, truth, strict=True)) for side in (left, right)]
    found = certify(ball(W), ball([[x] for x in b]), z, a, variant, left, right, [1.0] * M, [1.0] * M)
    for certified, error in zip((found.left, found.right), errors, strict=True):
        assert error <= Fraction(certified) <= error * (1 + Fraction(1, 2**50))
    assert found.inside
    # The planted negative: radii a little below the exact error.
    short = [float(errors[1] * Fraction(999, 1000))] * M
    assert not certify(ball(W), ball([[x] for x in b]), z, a, variant, left, right, [1.0] * M, short).inside


@pytest.mark.parametrize("variant_id", ["formula", "scaled"])
def test_the_update_agrees_with_mpmath(variant_id: str) -> None:
    """(Wδ)aᵀ/‖a‖² by mpmath at 400 bits lies within 2^-250 of the ball's, entry by entry."""
    W, _, z, a = operands(5)
    variant = variants_named([variant_id])[0]
    za, aa = ball([[x] for x in z]), ball([[x] for x in a])
    saved, balls.ctx.prec = balls.ctx.prec, balls.BITS
    try:
        found = variant.update(ball(W), formulas.context_vector(za, aa), aa).entries()
        with mpmath.workprec(400):
            delta = mpmath.matrix(z) - mpmath.matrix(a)
            v, column = mpmath.matrix(W) * delta, mpmath.matrix(a)
            expected = v * column.T / mpmath.fsum(mpmath.mpf(x) ** 2 for x in a)
            texts = [mpmath.nstr(expected[i, j], 110) for i in range(M) for j in range(D)]
        for entry, text in zip(found, texts, strict=True):
            assert abs(entry - arb(text)) < arb(2) ** -250
            assert not abs(entry * (1 + arb(2) ** -200) - arb(text)) < arb(2) ** -250
    finally:
        balls.ctx.prec = saved


def test_both_exact_sides_must_agree() -> None:
    """A wrong update is caught by the reference even if the measured sides agree and every radius is wide."""
    W, b, z, a = operands(0)
    left = [float(y) for y in exact_left(W, b, z)]
    wrong = Variant("z for a", "z for a", lambda W, delta, a: formulas.rank_one_update(W, delta, a + delta))
    wide = [100.0] * M
    for variant, inside in ((VARIANTS[0], True), (wrong, False)):
        assert certify(ball(W), ball([[x] for x in b]), z, a, variant, left, left, wide, wide).inside is inside


def test_a_bound_that_is_no_number_contains_nothing() -> None:
    W, b, z, a = operands(0)
    left = [float(y) for y in exact_left(W, b, z)]
    nan = [float("nan")] * M
    assert not certify(ball(W), ball([[x] for x in b]), z, a, VARIANTS[0], left, left, nan, [1.0] * M).inside


def test_the_reference_of_this_machine_passes_its_own_test(monkeypatch: pytest.MonkeyPatch) -> None:
    check_reference()
    monkeypatch.setattr(balls, "version", lambda name: "0.8.0")
    with pytest.raises(UnusableReference, match=r"0\.8\.0 is too old"):
        check_reference()


@pytest.mark.parametrize("lie", [lambda x: arb(x) + 1, lambda x: arb(x, 1), lambda x: arb(abs(x))], ids=["shifted", "all too wide", "without its sign"])
def test_a_reference_that_lies_is_found(lie, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balls, "arb", lie)
    with pytest.raises(UnusableReference, match="self-test"):
        check_reference()
