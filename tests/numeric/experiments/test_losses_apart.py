"""The one bound of Figure 1, in rationals: no less than what its two means can lie apart, and no more than is stated."""

from fractions import Fraction

import pytest
import torch

from numeric.experiments.paper_figures import losses_apart

U = Fraction(1, 2**52)
"""Twice what fp64 loses by rounding to nearest, as outward rounding counts."""
ROWS = {
    "a few": ([1.0, 2.0, 0.3], [0.7, 2.5, 0.1], [2.0**-20, 2.0**-18, 2.0**-19]),
    "one": ([3.0], [0.25], [1.0]),
    "many": (
        [1 + (7 * j % 512) / 512 for j in range(512)],
        [1 + (5 * j % 512) / 512 for j in range(512)],
        [2.0**-10 + j * 2.0**-16 for j in range(512)],
    ),
    "no radius": ([1.0, 2.0, 0.3, 0.1], [1.0, 2.0, 0.3, 0.1], [0.0] * 4),
}


@pytest.mark.parametrize("which", ROWS)
def test_the_bound_is_what_is_stated(which: str) -> None:
    """½·mean r(p + q), and twice the roundings of both means and of this one, of which n + 8 are counted: n - 1 sums, a square, a division, and seven spare."""
    p, q, r = ROWS[which]
    n = len(p)
    columns = list(zip(*([Fraction(t) for t in x] for x in (p, q, r)), strict=True))
    means = sum((x * x + y * y for x, y, _ in columns), Fraction(0)) / (2 * n)
    apart = sum((t * (x + y) for x, y, t in columns), Fraction(0)) / (2 * n)
    stated = apart + 2 * (n + 8) * U * means
    found = Fraction(losses_apart(*(torch.tensor(x, dtype=torch.float64) for x in (p, q, r))))
    rounded = 8 * (n + 8) * U * apart + 16 * (n + 8) * U * (2 * (n + 8) * U * means)
    assert stated - rounded <= found <= stated + rounded
    assert found >= apart + (n + 3) * U * means / 2, "of which the roundings that are proved are a part"
    assert found >= apart * (1 + (n + 3) * U / 2) or which == "no radius"
