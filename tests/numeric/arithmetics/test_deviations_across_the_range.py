"""Standard deviations through a linear map, against plain loops over fractions, wherever in float64's range the map and its sources lie."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.arithmetics.sensitivities import LinearMap

CASES, N = 2, 3
CLOSE = 2.0**-40
"""Relative: a few dozen operations of float64, and a difference of squares that may cancel to a hundredth."""


def drawn(seed: int, parts: str, power: int) -> LinearMap:
    """A square map of these parts (identity, shared, outers), times a power of two."""
    generator = torch.Generator().manual_seed(seed)

    def positive(*shape: int) -> Tensor:  # of one sign, so that nothing cancels
        return torch.rand(*shape, generator=generator, dtype=torch.float64) + 0.5

    factor = 2.0**power
    identity = positive(CASES, 1, 1) * factor if "i" in parts else None
    shared = ((torch.ones(1, 1, 1, dtype=torch.float64), positive(N, N) * factor),) if "s" in parts else ()
    outers = tuple((positive(CASES, N, 1) * 2.0 ** (power // 2), positive(CASES, 1, N) * 2.0 ** (power - power // 2)) for _ in range(parts.count("o")))
    return LinearMap(identity, shared, outers)


def by_loops(of: LinearMap, sigma: Tensor, case: int, row: int) -> Fraction:
    """The variance of one entry."""
    total = Fraction(0)
    for j in range(N):
        entry = Fraction(0) if of.identity is None or row != j else Fraction(of.identity[case, 0, 0].item())
        entry += sum((Fraction(matrix[row, j].item()) for _, matrix in of.shared), Fraction(0))
        entry += sum((Fraction(col[case, row, 0].item()) * Fraction(line[case, 0, j].item()) for col, line in of.outers), Fraction(0))
        total += entry**2 * Fraction(sigma[case, j, 0].item()) ** 2
    return total


@pytest.mark.parametrize("parts", ["i", "s", "o", "oo", "so", "soo", "is", "io", "iso"])
def test_a_deviation_is_the_root_of_the_sum_of_squares(parts: str) -> None:
    @settings(max_examples=10, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(-480, 480), st.integers(-480, 480))
    def holds(seed: int, power: int, scale: int) -> None:
        of = drawn(seed, parts, power)
        sigma = (torch.rand(CASES, N, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5) * 2.0**scale
        found = of.deviation(sigma)
        for case in range(CASES):
            for row in range(N):
                # The exact variance, brought near 1 by a power of four, has a root that is a float.
                exact = math.sqrt(by_loops(of, sigma, case, row) / Fraction(4) ** (power + scale))
                assert abs(found[case, row, 0].item() / 2.0**power / 2.0**scale / exact - 1) <= CLOSE

    holds()


@pytest.mark.parametrize("power", [-600, 600])
def test_squares_that_leave_the_range_are_not_formed(power: int) -> None:
    """The planted negative: the square of such an entry is 0 or infinite."""
    of, one = drawn(0, "so", power), torch.ones(CASES, N, 1, dtype=torch.float64)
    assert of.shared[0][1].square().max().item() in (0.0, math.inf)
    assert torch.equal(of.deviation(one), drawn(0, "so", 0).deviation(one) * 2.0**power), "powers of two change no digit"


def test_a_map_of_nothing_hands_on_nothing() -> None:
    assert LinearMap().deviation(torch.ones(CASES, N, 1, dtype=torch.float64)).item() == 0.0
