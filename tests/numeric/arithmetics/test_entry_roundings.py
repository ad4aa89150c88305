"""The roundings of a matrix's own entries against plain loops over rationals."""

import itertools
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from numeric.arithmetics.entry_roundings import Roundings, absorbing
from numeric.arithmetics.sensitivities import LinearMap
from numeric.formats import format_named

P, Q, CASES = 3, 4, 2
BF16 = format_named("bf16")
CLOSE = Fraction(400, 2**53)
"""Relative, of a sum of squares: three roundings for each of the operations."""


def numbers(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outer(seed: int) -> LinearMap:
    return LinearMap(outers=((numbers(seed, CASES, P, 1), numbers(seed + 1, CASES, 1, Q)),))


def entry(of: LinearMap, case: int, i: int, j: int) -> Fraction:
    found = sum((Fraction(matrix[i, j].item()) for _, matrix in of.shared), Fraction(0))
    return found + sum((Fraction(col[case, i, 0].item()) * Fraction(row[case, 0, j].item()) for col, row in of.outers), Fraction(0))


def variance(of: Roundings, y: Tensor, case: int, i: int) -> Fraction:
    """Of Σ_j ε_ij y_j."""
    total = Fraction(0)
    for j in range(Q):
        square = sum((Fraction(factor) ** 2 * entry(matrix, case, i, j) ** 2 for factor, matrix in of.relative), Fraction(0))
        if of.absolute is not None:
            square += Fraction(of.absolute.expand(CASES, 1, 1)[case].item()) ** 2
        total += square * Fraction(y[case, j, 0].item()) ** 2
    return total


ONE, OTHER = outer(0), outer(10)
PATCHED = LinearMap(shared=((torch.ones((1, 1, 1), dtype=torch.float64), numbers(22, P, Q)),), outers=OTHER.outers)
KINDS = {
    "relative": Roundings(((0.25, ONE),)),
    "two": Roundings(((0.25, ONE), (3.0, OTHER))),
    "of a sum": Roundings(((0.5, PATCHED),)),
    "absolute": Roundings(absolute=numbers(20, CASES, 1, 1).abs()),
    "both": Roundings(((0.5, OTHER),), numbers(21, 1, 1, 1).abs()),
}


def right(of: Roundings, exact: list[list[Fraction]], y: Tensor) -> bool:
    found = of.deviation(y).expand(CASES, P, 1)
    pairs = [(Fraction(found[case, i, 0].item()) ** 2, exact[case][i]) for case, i in itertools.product(range(CASES), range(P))]
    return bool((found >= 0).all()) and all(abs(got - wanted) <= CLOSE * wanted for got, wanted in pairs)


@pytest.mark.parametrize("scale", [1.0, 2.0**-400])
@pytest.mark.parametrize("kind", KINDS)
def test_variances_of_a_product(kind: str, scale: float) -> None:
    """Of what is added, and of what is divided by a number of either sign, too."""
    of, y, divisor = KINDS[kind], numbers(30, CASES, Q, 1) * scale, torch.tensor([-1.75, 0.3], dtype=torch.float64).reshape(CASES, 1, 1)
    y[:, 0] = -y[:, 0].abs() * 2.0**550  # of all the rest the squares would leave float64's range
    plain = [[variance(of, y, case, i) for i in range(P)] for case in range(CASES)]
    assert right(of, plain, y)
    by = [Fraction(d) for d in divisor.flatten().tolist()]
    divided = of.divided(divisor)
    assert divided.absolute is None or bool((divided.absolute >= 0).all())
    assert right(divided, [[v / by[case] ** 2 for v in row] for case, row in enumerate(plain)], y)
    for other in KINDS.values():
        both = [[v + variance(other, y, case, i) for i, v in enumerate(row)] for case, row in enumerate(plain)]
        assert right(of.plus(other), both, y)


def test_nothing_is_rounded_of_nothing() -> None:
    assert not bool(Roundings().deviation(numbers(31, CASES, Q, 1)).any())
    assert Roundings().known(numbers(31, CASES, Q, 1)) is None
    assert Roundings().plus(Roundings()).divided(torch.ones((1, 1, 1), dtype=torch.float64)).absolute is None


def lost(W: Tensor, update: LinearMap, y: Tensor, case: int, i: int) -> Fraction:
    """-Σ_j of the updates of a row that do not change a bf16 number: those of at most u·ufp(W_ij), and u·λ where W_ij is smaller than λ."""
    u, normal, total = Fraction(BF16.unit_roundoff), Fraction(BF16.smallest_normal), Fraction(0)
    for j in range(Q):
        size, place = abs(Fraction(W[i, j].item())), normal
        while place * 2 <= size:
            place *= 2
        U = entry(update, case, i, j)
        total -= U * Fraction(y[case, j, 0].item()) if abs(U) <= u * place else 0
    return total


def absorbed(W: Tensor, update: LinearMap) -> Roundings:
    one = torch.ones((1, 1, 1), dtype=torch.float64)
    return Roundings(absorbed=absorbing(LinearMap(shared=((one, W),), outers=update.outers), BF16))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_absorbed_is_lost(seed: int) -> None:
    """Rows of large entries and of subnormal ones, updates near the thresholds and of both signs; the other of two is added."""
    W = numbers(seed, P, Q)
    W[2] = W[2].sign() * BF16.smallest_normal / 2
    scale = torch.tensor([1.0, 2.0, BF16.smallest_normal], dtype=torch.float64).reshape(1, P, 1) * BF16.unit_roundoff
    update = LinearMap(outers=((numbers(seed + 40, CASES, P, 1) * scale, numbers(seed + 50, CASES, 1, Q)),))
    y, of = numbers(seed + 60, CASES, Q, 1), absorbed(W, update)
    found, twice = of.known(y), of.plus(absorbed(W * 4, update)).known(y)
    assert found is not None
    assert twice is not None
    few = Fraction(16, 2**53)
    for case, i in itertools.product(range(CASES), range(P)):
        size = sum((abs(entry(update, case, i, j) * Fraction(y[case, j, 0].item())) for j in range(Q)), Fraction(0))
        exact, more = lost(W, update, y, case, i), lost(W * 4, update, y, case, i)
        assert abs(Fraction(found[case, i, 0].item()) - exact) <= few * size
        assert abs(Fraction(twice[case, i, 0].item()) - exact - more) <= 2 * few * size
    assert bool((found != 0).any())


def test_two_updates_that_cancel_are_absorbed_together() -> None:
    """Each is above the threshold, and their sum is not."""
    u = BF16.unit_roundoff
    col, row = torch.ones((1, 1, 1), dtype=torch.float64), torch.tensor([[[2 * u, 0.5 * u]]], dtype=torch.float64)
    update = LinearMap(outers=((col, row), (-col, row * 0.75)))
    found = absorbed(torch.ones((1, 2), dtype=torch.float64), update).known(torch.ones((1, 2, 1), dtype=torch.float64))
    assert found is not None
    assert found.item() == -0.25 * 2.5 * u


@pytest.mark.parametrize(("largest", "kept"), [(8.0, True), (8.5, False), (-8.0, True), (-8.5, False)])
def test_a_row_of_an_update_far_above_its_thresholds_is_left_out(largest: float, kept: bool) -> None:
    """Over 8 times the largest of them: then what is absorbed of its other entries is small beside it."""
    u = BF16.unit_roundoff
    for sign in (1.0, -1.0):
        W = torch.tensor([[1.0, 0.25]], dtype=torch.float64)
        update = LinearMap(outers=((torch.full((1, 1, 1), sign, dtype=torch.float64), torch.tensor([[[largest * u, 0.125 * u]]], dtype=torch.float64)),))
        found = absorbed(W, update).known(torch.tensor([[[1.0], [2.0]]], dtype=torch.float64))
        assert found is not None
        assert found.item() == (-sign * 0.25 * u if kept else 0.0)


def test_nothing_is_absorbed_without_a_weight_or_an_update() -> None:
    one = torch.ones((1, 1, 1), dtype=torch.float64)
    assert absorbing(ONE, BF16) == ()
    assert absorbing(LinearMap(shared=((one, numbers(0, P, Q)),)), BF16) == ()
