"""The rows of variances and standard deviations: x̂ the values, r their radii, n of them, c the correction, M = Σ(x̂ - μ)², X = max|x̂|, ε = 2⁻⁵³.

    var       (2√M ‖r‖ + ‖r‖²)/(n - c) + E/(n - c) + ω(ẑ)             centring is a projection, so √M moves by ‖r‖ at most
    std       (‖r‖ + min(√E, E/√M))/√(n - c) + ω(ẑ)                   |√a - √b| is at most √|a - b| and |a - b|/√b
    mean      Σr/n + 8nεX + ω(ẑ)

**What the kernels compute.** On a CPU, in float64 whatever the operand's format, by Welford's steps and by joining the results of parts (Chan, Golub and
LeVeque, The American Statistician 37 (1983)), in any order; if there is but one result, of fp32 or fp64, as Σ(x̂ - m̂)² with the m̂ of ``mean``. Elsewhere there
is no row.

*E by Welford.* A step moves the mean by δ/k with two roundings and adds, two parts join with four roundings and one: since |m̂| ≤ X and |δ| ≤ 2X, a part of k
has a mean within e_k = 7.1(k - 1)εX. A step adds (x - m)(x - m'), off by 2X(e_(k-1) + e_k + 4εX) and two roundings, and a join δ²k_a k_b/k, off by
4X(7.1kεX)k_a k_b/k and six roundings of at most 4X² k_a k_b/k; each sum, at most kX², is rounded. So E_k ≤ 24k²εX² by induction: 24(2k - 1) ≥ 29.4k, 48 ≥ 42.2.
*E of the one result.* Σ(x̂ - m̂)² = M + n(m̂ - μ)²; the squares and their sum are n + 3 roundings of that.
"""

import math

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import gamma, rounding_error
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt, doubts_over, joint_doubts, marked
from numeric.operator_rules.norms import nothing
from numeric.rules import sqrt_below
from numeric.rules.enclosures import lowered, sqrt_above

EPS = 2.0**-53
WELFORD, OF_MEAN = 24.0, 8.0
"""Of n²εX², and of nεX."""
MOST_NUMBERS = 2**20
"""Numbers at most: with more, terms of second order would count."""


def variance(call: OperatorCall) -> list[Bounded]:
    """var, and var_mean."""
    return _of_squares(call, root=False)


def standard_deviation(call: OperatorCall) -> list[Bounded]:
    """std, and std_mean."""
    return _of_squares(call, root=True)


def _of_squares(call: OperatorCall, *, root: bool) -> list[Bounded]:
    given, x, axes = call.given.get("dim"), call.entries("self"), range(call.tensor("self").dim())
    dims = sorted({each % len(axes) for each in given}) if isinstance(given, list | tuple) and given and axes else [*axes]
    kept = [axis for axis in axes if axis not in dims]
    count = math.prod(x.value.shape[each] for each in dims)
    if call.result.device.type != "cpu" or count > MOST_NUMBERS:
        raise call.refuse("on other devices than a CPU, or of so many numbers")
    if call.result.numel() == 0:
        return [nothing(each) for each in call.results]
    free = count - (1.0 if call.given.get("correction") is None else call.number("correction"))
    shape = call.result.shape

    def rows(t: Tensor) -> Tensor:
        return t.permute([*kept, *dims]).reshape(-1, count)

    doubts = doubts_over(None if x.doubts is None else rows(x.doubts), (-1,), keepdim=False)
    if count == 0 or not free > 0.0:
        unknown = torch.full(shape, torch.inf, dtype=torch.float64)
        return [call.exactly(unknown, joint_doubts([marked(torch.ones(shape), Doubt.UNDERFLOW), doubts], shape), at=at) for at in range(len(call.results))]
    of = _Squares(call, Entries(rows(x.value), rows(x.radius), None), free)
    radius, largest = of.root() if root else of.quotient()
    found = call.within(
        radius.reshape(shape), (of.beyond | ~(largest < call.model.storage.largest)).reshape(shape), None if doubts is None else doubts.reshape(shape)
    )
    return [found, *(_mean(call, of, doubts) for _ in call.results[1:])]


class _Squares:
    """Σ(x - μ)² of each row, and how far the machine's is from it."""

    def __init__(self, call: OperatorCall, x: Entries, free: float) -> None:
        """x: (rows, n); free: n - c."""
        self.call, self.free, self.count = call, free, x.value.shape[-1]
        n, self.n, value = self.count, call.model, x.value
        self.most = x.size.amax(-1)
        squares = (value - value.mean(-1, keepdim=True)).square().sum(-1)
        self.above = outward(squares, n + 4)
        apart = outward((n + 2.0) * EPS * self.most, 2)  # of float64's own mean
        self.below = (lowered(squares, n + 4) - outward(apart * apart, 1) * (n * (1.0 + 2.0**-50))).clamp_min(0.0)
        self.spread = sqrt_above(outward(x.radius.square().sum(-1), n))
        self.moved = outward(outward(x.radius.sum(-1), n) / n, 1)
        self.size = outward(x.size.sum(-1), n)
        self.beyond = torch.zeros_like(self.most, dtype=torch.bool)
        self.lost = outward(WELFORD * EPS * n * n * self.most * self.most, 3) + 8.0 * n * 2.0**-1074 * (1.0 + self.most)
        if call.result.numel() == 1 and self.n.opmath == self.n.storage:
            self.lost = torch.maximum(self.lost, self._of_one())
            self.beyond = ~(outward(self.size * (1.0 + gamma(n, self.n.opmath.unit_roundoff)), 2) < self.n.opmath.largest)  # in its mean

    def _of_one(self) -> Tensor:
        u, n = self.n.opmath.unit_roundoff, self.count
        flushed = self.n.storage.smallest_normal if self.n.elementwise_flushes else 0.0
        apart = outward((self.size / n) * (gamma(n - 1, u) * (1.0 + 2.0 * u) + 2.0 * u) + 2.0 * self.n.elementwise_underflow + 2.0 * flushed, 4)
        moved = outward(n * outward(apart * apart, 1), 1)
        return outward(moved + gamma(n + 3, EPS) * (self.above + moved) + n * 2.0**-1074 * (1.0 + self.most), 4)

    def quotient(self) -> tuple[Tensor, Tensor]:
        """The radius of M/(n - c), and an upper bound of its size."""
        propagated = outward(2.0 * outward(sqrt_above(self.above) * self.spread, 1) + outward(self.spread * self.spread, 1), 1)
        ends = outward((self.above + self.lost) / self.free, 2)
        return outward(outward((propagated + self.lost) / self.free, 2) + self._stored(self.call.result.reshape(-1), ends), 2), ends

    def root(self) -> tuple[Tensor, Tensor]:
        """The same of √(M/(n - c))."""
        below, free = sqrt_below(self.below), math.nextafter(math.sqrt(self.free), 0.0)
        own = torch.minimum(sqrt_above(self.lost), torch.where(below > 0, outward(self.lost / below, 1), torch.inf))
        ends = outward((sqrt_above(self.above) + own) / free, 2)
        return outward(outward((self.spread + own) / free, 2) + self._stored(self.call.result.reshape(-1), ends), 2), ends

    def _stored(self, value: Tensor, ends: Tensor) -> Tensor:
        """What float64's last two operations lose, and the rounding to storage."""
        last = rounding_error(value, self.n) + self.n.elementwise_underflow
        return outward(last + ends * (4.0 * EPS) + (self.n.storage.smallest_normal if self.n.elementwise_flushes else 0.0), 3)

    def mean(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """The radius of the mean, and an upper bound of its size."""
        lost = outward(OF_MEAN * EPS * self.count * self.most, 2)
        return outward(self.moved + lost + self._stored(value, self.most), 2), outward(self.most + lost, 1)


def _mean(call: OperatorCall, of: _Squares, doubts: Tensor | None) -> Bounded:
    value = call.results[1]
    radius, largest = of.mean(value.reshape(-1))
    passes = marked(~(largest < of.n.storage.largest), Doubt.OVERFLOW)
    found = joint_doubts([doubts, passes], largest.shape)
    return call.exactly(radius.reshape(value.shape), None if found is None else found.reshape(value.shape), at=1)
