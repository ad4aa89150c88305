"""What a fresh run of the same code may show, told from the cases of an earlier one: by order statistics, and by the tail.

The cases of a cell are independent draws, so those of another seed are as likely to come in any order among them as in any other.

**Median.** Of a sample x_1 ≤ … ≤ x_n and a fresh one y_1 ≤ … ≤ y_k of the same distribution, the number J of x's below y_m has

    P(J = j) = C(j + m - 1, j) C(n - j + k - m, n - j) / C(n + k, n),

whatever that distribution is (Fligner and Wolfe, "Some applications of sample analogues to the probability integral transformation and a
coverage property", Amer. Statist. 30 (1976); David and Nagaraja, *Order Statistics*, 3rd ed., §7.3). So y_m lies outside [x_i, x_l] with a
probability that can be computed. Ties make it less likely still, and so does a draw in strata, such as distances from zero that are taken
in turn: the number of fresh cases below a fixed x is then a sum of independent indicators with unequal chances, which is never
more spread than a binomial one (Hoeffding, "On the distribution of the number of successes in independent trials", Ann. Math. Statist. 27 (1956)).

**How many.** Of r cases in n that were refused, k fresh ones have x with the probability of x marked ones among k of n + k, r + x marked (hypergeometric).

**How many, by a model.** Where each of n cases is marked with probability p at most, x of them are with the binomial probability (the expected bound's).

**Largest.** No order statistic bounds the largest of a fresh sample. Its margin is *probabilistic*: errors that are sums of many independent
roundings are sub-Gaussian (``docs/decisions/0009``), so the largest square of error over bound among many entries has an exponential
tail. Beyond a threshold u that k of n squares exceed, by β̂ on average, a fresh square exceeds u + t with probability
(k/n)(1 + t/(kβ̂))^-k: an excess over the mean of k of its like has the F distribution with 2 and 2k degrees of freedom, so that β̂ is itself
an estimate is accounted for. A true bound caps it at 1.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TAIL = 32
"""k, of the largest squares: more of them make the limit closer, and are less of a tail."""


def median_place(size: int) -> int:
    """Which of the sorted values, from 1, is the median: the lower one of two."""
    return (size - 1) // 2 + 1


def median_interval(sample: Sequence[float] | NDArray[np.float64], fresh: int, chance: float) -> tuple[float, float]:
    """Two values outside which the median of a fresh sample lies with at most that chance on either side; infinite where no value is far enough.

    sample: any order, may hold infinities, no NaN; fresh: its size, positive.
    """
    values = np.sort(np.asarray(sample, dtype=np.float64))
    low, high = _places(len(values), fresh, chance)
    return float(values[low - 1]) if low else -math.inf, float(values[high - 1]) if high <= len(values) else math.inf


def order_kept(sample: Sequence[float] | NDArray[np.float64], chance: float) -> list[tuple[int, float]]:
    """Those values of a sample, each with its place among all, from 1, that ``order_interval`` needs for fresh samples of as many or fewer."""
    values = np.sort(np.asarray(sample, dtype=np.float64))
    n = len(values)
    fresh = {max(1, n * eighths // 8) for eighths in EIGHTHS}
    places = {place for size in fresh for place in _places(n, size, chance, size // 2 + 1) if 1 <= place <= n}
    return [(place, float(values[place - 1])) for place in sorted(places)]


EIGHTHS = (8, 7, 4, 2, 1)
"""Sizes of fresh samples, in eighths, whose margins are kept to the place; between them that of the next smaller one is taken, which is wider."""


def order_interval(kept: Sequence[tuple[int, float]], n: int, fresh: int, chance: float) -> tuple[float, float]:
    """Two values outside which the median of a fresh sample lies with at most that chance on either side, by what ``order_kept`` kept of one of n.

    Of an even number it may be either middle value, or lie between them.
    """
    low, high = _places(n, fresh, chance, fresh // 2 + 1)
    return max((value for place, value in kept if place <= low), default=-math.inf), min((value for place, value in kept if place >= high), default=math.inf)


@lru_cache
def _places(n: int, fresh: int, chance: float, upper: int | None = None) -> tuple[int, int]:
    """Which of n sorted values, from 1, the interval ends at; 0 and n + 1 where none is far enough.  upper: the upper middle value, if it may be the median."""
    chances = _counted_below(n, fresh, median_place(fresh))
    below = np.cumsum(chances)  # P(J ≤ j) and P(J ≥ j), each added up from its small terms
    above = np.cumsum((chances if upper is None else _counted_below(n, fresh, upper))[::-1])[::-1]
    # y < x_i means J ≤ i - 1; y > x_l means J ≥ l.
    return int((below <= chance).sum()), next((place for place in range(1, n + 1) if above[place] <= chance), n + 1)


@lru_cache
def count_limit(marked: int, size: int, fresh: int, chance: float) -> int:
    """The most of a fresh sample that may be marked, where ``marked`` of ``size`` were: more are seen with at most that chance.

    One more among the fresh ones is always less likely, so the first that is too unlikely is found by halving.
    """
    share = marked * fresh // max(size, 1)
    return share + bisect_left(range(share, fresh), True, key=lambda found: _at_least(found + 1, marked, size, fresh) <= chance)


@lru_cache
def binomial_limit(size: int, share: float, chance: float) -> int:
    """The most of ``size`` cases that may be marked, where each is with at most that probability: more are seen with at most that chance."""
    if not 0 < share < 1:
        return size if share >= 1 else 0
    marked = np.arange(size + 1)
    log = _log_choose(np.full_like(marked, size), marked) + marked * math.log(share) + (size - marked) * math.log1p(-share)
    beyond = np.cumsum(np.exp(log)[::-1])[::-1]  # P(x or more), added up from its small terms
    return next((int(x) - 1 for x in marked[1:] if beyond[x] <= chance), size)


def worst_limit(ratios: Sequence[float] | NDArray[np.float64], fresh: int, chance: float) -> float:
    """What the largest of a fresh sample of errors over bounds exceeds with at most that chance, by the tail; no less than the largest here.

    ratios: finite and not negative, any order. No larger than 1 unless one of them is, since a true bound is never passed; with too few
    of them for a tail that is the only limit.
    """
    n, tail = len(ratios), tail_of(ratios)
    largest = float(max(ratios)) if n else 0.0
    return max(1.0, largest) if tail is None else max(tail_limit(tail, n, fresh, chance), largest)


def tail_of(ratios: Sequence[float] | NDArray[np.float64]) -> tuple[float, float] | None:
    """Of the squares of a sample, the threshold u and the mean excess over it; None where there are too few."""
    squares = np.sort(np.asarray(ratios, dtype=np.float64)) ** 2
    if len(squares) <= TAIL:
        return None
    threshold = squares[len(squares) - TAIL - 1]
    return float(threshold), float((squares[len(squares) - TAIL :] - threshold).mean())


def tail_limit(tail: tuple[float, float], n: int, fresh: int, chance: float) -> float:
    """What the largest of ``fresh`` cases exceeds with at most that chance, by the tail of n; at most 1, since a true bound is never passed."""
    threshold, excess = tail
    beyond = TAIL * excess * (max(fresh * TAIL / (n * chance), 1.0) ** (1 / TAIL) - 1)
    return float(min(math.sqrt(threshold + beyond), 1.0))


def _counted_below(n: int, fresh: int, m: int) -> NDArray[np.float64]:
    """P(J = j) for j = 0 … n."""
    j = np.arange(n + 1)
    log = _log_choose(j + m - 1, j) + _log_choose(n - j + fresh - m, n - j) - _log_choose(np.array([n + fresh]), np.array([n]))
    return np.exp(log)


def _at_least(x: int, marked: int, size: int, fresh: int) -> float:
    """P(x or more of the fresh ones), were marked + x of all of them."""
    total = marked + x
    top = min(fresh, total)
    found = np.arange(x, top + 1)
    log = _log_choose(np.full_like(found, fresh), found) + _log_choose(np.full_like(found, size), total - found)
    return float(np.exp(log - _log_choose(np.array([size + fresh]), np.array([total]))).sum())


def _log_choose(n: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.float64]:
    """log C(n, k), -∞ where there is no choice."""
    lgamma = np.frompyfunc(math.lgamma, 1, 1)
    possible = (k >= 0) & (k <= n)
    n, k = np.where(possible, n, 0), np.where(possible, k, 0)
    log = np.asarray(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1), dtype=np.float64)
    return np.where(possible, log, -np.inf)
