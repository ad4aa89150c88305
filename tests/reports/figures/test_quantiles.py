"""Quantiles by leading bits are those of sorting, to within half of a bin; what is not a number is not hidden."""

import math

import numpy as np
import pytest

from reports.figures.quantiles import QuantileCounts

SHARES = (0.0, 0.1, 0.5, 0.9, 1.0)


def counted(*batches: np.ndarray) -> QuantileCounts:
    found = QuantileCounts()
    for batch in batches:
        found.add(batch)
    return found


@pytest.mark.parametrize("size", [1, 2, 10, 4001])
def test_they_are_those_of_sorting(size):
    numbers = np.exp(np.random.default_rng(size).normal(0, 40, size))
    by_sorting = np.quantile(numbers, SHARES, method="higher")
    assert counted(*np.array_split(numbers, 7)).at(SHARES) == pytest.approx(by_sorting, rel=2.0**-13, abs=0)


def test_another_share_is_another_number():
    """What would not be noticed if the bins were too wide, or the place were off by one."""
    numbers = 1 + np.arange(11) / 2**11
    found = counted(numbers)
    for place, number in enumerate(numbers):
        assert found.at([place / 10])[0] == pytest.approx(number, rel=2.0**-13, abs=0)
        assert found.at([place / 10])[0] != pytest.approx(number + 2.0**-11, rel=2.0**-13, abs=0)


def test_zero_and_infinity_stay_themselves():
    assert counted(np.array([0.0, -0.0, 1.0, math.inf])).at([0.0, 1.0]) == [0.0, math.inf]
    assert counted(np.array([5e-324])).at([0.5])[0] < 1e-300


def test_a_nan_is_not_hidden_and_nothing_has_no_quantile():
    assert all(math.isnan(number) for number in counted(np.ones(9), np.array([math.nan]), np.ones(9)).at(SHARES))
    assert math.isnan(QuantileCounts().at([0.5])[0])


def test_a_negative_number_is_a_bug():
    with pytest.raises(AssertionError, match="negative"):
        QuantileCounts().add(np.array([-1.0]))


def test_what_waits_is_merged(monkeypatch):
    monkeypatch.setattr("reports.figures.quantiles._MERGED_FROM", 50)
    batches = [np.random.default_rng(seed).random(20) for seed in range(30)]
    assert counted(*batches).at(SHARES) == pytest.approx(np.quantile(np.concatenate(batches), SHARES, method="higher"), rel=2.0**-13, abs=0)
