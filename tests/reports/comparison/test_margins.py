"""Margins for another seed: against every order that two samples can come in, counted one by one, and against draws whose law is known."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.comparison.margins import binomial_limit, count_limit, median_interval, median_place, worst_limit


def orders(n: int, fresh: int) -> list[tuple[int, ...]]:
    """The places of the fresh ones among all, in each of the equally likely orders."""
    return list(combinations(range(n + fresh), fresh))


def outside(n: int, fresh: int, low: float, high: float) -> tuple[Fraction, Fraction]:
    """The share of orders in which the fresh median lies below the low-th, or above the high-th, of the sample's values 1 … n."""
    below = above = 0
    every = orders(n, fresh)
    for places in every:
        smaller = places[median_place(fresh) - 1] - (median_place(fresh) - 1)  # values of the sample below the fresh median
        below += smaller < low
        above += smaller >= high
    return Fraction(below, len(every)), Fraction(above, len(every))


@pytest.mark.parametrize(("n", "fresh"), [(9, 9), (10, 7), (7, 10), (12, 5), (11, 1)])
@pytest.mark.parametrize("chance", [0.02, 0.1, 0.3])
def test_the_median_lies_outside_as_often_as_is_said_and_the_interval_is_no_wider_than_it_must_be(n: int, fresh: int, chance: float) -> None:
    low, high = median_interval(range(1, n + 1), fresh, chance)
    below, above = outside(n, fresh, max(low, 0), min(high, n + 1))
    assert below <= chance
    assert above <= chance
    # The planted negative: one place further in, and it lies outside too often.
    below, above = outside(n, fresh, max(low, 0) + 1, min(high, n + 1) - 1)
    assert below > chance
    assert above > chance


def test_ties_and_infinities_have_their_places() -> None:
    low, high = median_interval([1.0] * 500 + [math.inf] * 500, 1000, 1e-6)
    assert (low, high) == (1.0, math.inf)
    assert median_interval([3.0] * 400, 400, 1e-9) == (3.0, 3.0)
    assert median_interval([1.0, 2.0, 3.0], 3, 1e-9) == (-math.inf, math.inf), "three values say nothing with that certainty"


@pytest.mark.parametrize(("marked", "size", "fresh"), [(0, 6, 6), (2, 6, 5), (5, 7, 7), (3, 4, 8)])
@pytest.mark.parametrize("chance", [0.02, 0.2])
def test_so_many_are_marked_by_chance(marked: int, size: int, fresh: int, chance: float) -> None:
    """Of marked + x among all, x or more are fresh in this share of the orders."""

    def share(x: int) -> Fraction:
        every = list(combinations(range(size + fresh), marked + x))
        return Fraction(sum(sum(place < fresh for place in places) >= x for places in every), len(every))

    limit = count_limit(marked, size, fresh, chance)
    assert limit >= marked * fresh // size
    if limit < fresh:
        assert share(limit + 1) <= chance
    if limit > marked * fresh // size:
        assert share(limit) > chance


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.floats(2.0**-60, 0.5))
def test_no_limit_is_below_what_was_seen_or_above_what_a_true_bound_allows(ratios: list[float], chance: float) -> None:
    limit = worst_limit(ratios, len(ratios), chance)
    assert max(ratios) <= limit * (1 + 2.0**-50)
    assert limit <= 1.0
    assert worst_limit([*ratios, 3.0], len(ratios), chance) >= 3.0, "a known violation is no ground to allow for less"


def test_the_largest_of_another_seed_stays_within_its_limit() -> None:
    """Cases as they are measured: the largest of 128 entries, each a sum of roundings. At one in ten, the limit is passed no oftener, and not never."""
    generator = np.random.default_rng(5)
    samples = np.stack([np.abs(generator.normal(0, 0.1, (768, 128))).max(1) for _ in range(80)])
    limits = np.array([worst_limit(sample, 768, 1 / 10) for sample in samples])
    others = ~np.eye(len(samples), dtype=bool)  # no sample is held to itself
    passed = (samples.max(1)[None, :] > limits[:, None])[others].mean()
    assert 0 < passed <= 1 / 10
    assert (samples.max(1)[None, :] > samples.max(1)[:, None])[others].mean() > 0.4, "without a margin every other seed is beyond it"


@given(st.integers(1, 40), st.sampled_from([2.0**-10, 0.25, 0.5, 0.9]), st.sampled_from([2.0**-4, 2.0**-12]))
def test_so_many_are_marked_by_a_model(size: int, share: float, chance: float) -> None:
    """By the binomial distribution in whole numbers."""
    p = Fraction(share)

    def beyond(x: int) -> Fraction:
        return sum((math.comb(size, i) * p**i * (1 - p) ** (size - i) for i in range(x + 1, size + 1)), Fraction())

    limit = binomial_limit(size, share, chance)
    assert float(beyond(limit)) <= chance * (1 + 2.0**-30)
    assert limit == 0 or float(beyond(limit - 1)) > chance * (1 - 2.0**-30)


def test_a_model_that_marks_none_or_all_has_no_limit_between() -> None:
    assert (binomial_limit(9, 0.0, 0.5), binomial_limit(9, 1.0, 0.5)) == (0, 9)


@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 40), st.sampled_from([0.31, 0.0131, 1.3e-6]))
def test_a_limit_is_the_first_that_is_too_unlikely(marked: int, size: int, fresh: int, chance: float) -> None:
    """Walked up to one by one."""
    marked = min(marked, size)

    def more(x: int) -> Fraction:
        total = marked + x
        return Fraction(sum(math.comb(fresh, i) * math.comb(size, total - i) for i in range(x, min(fresh, total) + 1)), math.comb(size + fresh, total))

    found = marked * fresh // size
    while found < fresh and float(more(found + 1)) > chance:
        found += 1
    assert count_limit(marked, size, fresh, chance) == found
