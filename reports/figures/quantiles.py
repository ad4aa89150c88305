"""Quantiles of more numbers than fit into memory, from how many there are with each leading bits.

Of a positive float64 the exponent and the first twelve bits behind it are kept. Such a bin is a 4096th of its octave wide, so a quantile,
told as the middle of its bin, is right to within a relative 2⁻¹³: a quarter of the half of its third digit, at the worst. Read as whole
numbers, the bits of positive floats are in the order of the floats (IEEE 754-2019, section 5.10), and infinity comes last.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_DROPPED = 52 - 12
_MERGED_FROM = 2**17  # bins that wait to be merged: 2 MiB

_INFINITY = int(np.float64(np.inf).view(np.int64))


class QuantileCounts:
    """Counts numbers, batch by batch; it grows with how many bins they fall into and not with how many they are."""

    def __init__(self) -> None:
        self._bins: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._not_a_number = False

    def add(self, numbers: NDArray[np.float64]) -> None:
        """Count some more; none may be negative. A single NaN makes every quantile NaN."""
        if np.isnan(numbers).any():
            self._not_a_number = True
            return
        assert not (numbers < 0).any(), "the bits of negative floats run the other way"
        bins, counts = np.unique((numbers + 0.0).view(np.int64) >> _DROPPED, return_counts=True)  # + 0.0 turns -0.0 into 0.0
        self._bins.append((bins, counts.astype(np.int64)))
        if sum(len(waiting) for waiting, _ in self._bins) > _MERGED_FROM:
            self._bins = [self._merged()]

    def at(self, shares: Sequence[float]) -> list[float]:
        """The numbers below which such shares of all lie, rounded up to a counted one, as NumPy's "higher" does; NaN if one is NaN, or if there are none."""
        bins, counts = self._merged()
        if self._not_a_number or not len(bins):
            return [float("nan")] * len(shares)
        ends = np.cumsum(counts)
        places = np.searchsorted(ends, np.ceil(np.array(shares) * (ends[-1] - 1)).astype(np.int64), side="right")
        lower = bins[places] << _DROPPED
        inside = (lower > 0) & (lower < _INFINITY)
        return np.where(inside, lower + (1 << (_DROPPED - 1)), lower).view(np.float64).tolist()

    def _merged(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not self._bins:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        bins, place = np.unique(np.concatenate([waiting for waiting, _ in self._bins]), return_inverse=True)
        counts = np.zeros(len(bins), np.int64)
        np.add.at(counts, place, np.concatenate([number for _, number in self._bins]))
        return bins, counts
