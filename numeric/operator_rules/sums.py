"""The rows of sums, means and norms: x̂ the values, r their radii, u' the roundoff of the format in which the kernel adds, u the format's.

sum     Σ r + γ'_{n-1} Σ|x̂| + ω(ẑ)                     in any order: Higham (4.4) and §4.2
mean    (Σ r + γ'_{n-1} Σ|x̂|)/n + 2u'|ẑ| + ω(ẑ)        a division by n, or a product with 1/n
cumsum  the same of the first k of them, γ'_{k-1}
norm    ‖r‖ + min(√E, E/‖x̂‖) + ω(ẑ)                   E = γ'_{n+1} Σx̂² and an underflow a square: |√a - √b| is at most √|a - b| and |a - b|/√b,
                                                      and the root is 1-Lipschitz in the 2-norm; its own error is of the library's table

A sum of numbers of one format loses nothing by underflow: each partial sum is a multiple of the smallest subnormal number. Where the arithmetic flushes it
may lose a smallest normal number at each of n additions.

**What the kernels add in.** ATen adds 16-bit numbers in fp32 (its ``opmath_type``) and rounds to storage once, when all is added, along however many axes
and however the operand lies; ``mean`` divides before that. ``test_what_sums_add_in.py`` shows it with operands of which a 16-bit partial sum would give
another result. cumsum keeps its partial sum in ``acc_type``, fp32 or wider, on a CPU; elsewhere it has no row.
"""

import math

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import gamma, rounding_error
from numeric.machine import ErrorModel
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.choices import extreme_size
from numeric.operator_rules.doubts import doubts_over, joint_doubts
from numeric.rules import down, elementary_error, sqrt_below
from numeric.rules.enclosures import sqrt_above


class _Terms:
    """What is added up for each entry of the result."""

    def __init__(self, call: OperatorCall, x: Entries) -> None:
        """x: what is added, of the shape of the operand."""
        given, count = call.given.get("dim"), x.value.dim()
        chosen = [*given] if isinstance(given, list | tuple) else []
        self.shape, self.keep = call.result.shape, bool(call.given.get("keepdim", False))
        self.dims = tuple(sorted({each % count for each in chosen})) if chosen and count else tuple(range(count))
        self.count = math.prod(x.value.shape[each] for each in self.dims)
        self.size, self.spread, self.total = self.of(x.size), self.of(x.radius), self.of(x.value).abs()
        self.size, self.spread = outward(self.size, self.count), outward(self.spread, self.count)
        self.doubts = doubts_over(x.doubts, self.dims, keepdim=self.keep)

    def of(self, x: Tensor) -> Tensor:
        """The sums, float64; each in any order."""
        return x.sum(self.dims, keepdim=self.keep).reshape(self.shape)

    def ends(self, lost: Tensor) -> Tensor:
        """An upper bound of |Σ| as the kernel has it; of Σx̂ float64 knows n units in its own last place."""
        return outward(self.total + self.size * (2.0**-52 * self.count) + lost, 3)

    def lost(self, n: ErrorModel) -> Tensor:
        """|fl(Σx̂) - Σx̂|, but for the last rounding to storage."""
        lost = outward(gamma(max(self.count - 1, 0), n.opmath.unit_roundoff) * self.size, 2)
        return lost + (self.count * n.storage.smallest_normal if n.elementwise_flushes else 0.0)


def _whole(call: OperatorCall) -> list[Bounded]:
    """A sum of whole numbers is exact, if they are."""
    x = call.tensor("self")
    terms = _Terms(call, Entries(x.double(), call.radius(x), call.doubts(x)))
    return [Bounded(torch.zeros(call.result.shape, dtype=torch.float64, device=x.device), joint_doubts([terms.doubts], call.result.shape))]


def total(call: OperatorCall) -> list[Bounded]:
    """sum, of all or along axes."""
    if not call.result.is_floating_point():
        return _whole(call)
    return [_total(call, call.entries("self"))]


def _total(call: OperatorCall, entries: Entries) -> Bounded:
    terms, n = _Terms(call, entries), call.model
    lost = terms.lost(n)
    if n.opmath == n.storage:
        return call.within(outward(terms.spread + lost, 2), ~(outward(terms.size + lost, 1) < n.storage.largest), terms.doubts)
    last = rounding_error(call.result, n, once=True)
    passes = ~(outward(terms.size + lost, 1) < n.opmath.largest) | ~(terms.ends(lost) < n.storage.largest)
    return call.within(outward(terms.spread + lost + last, 3), passes, terms.doubts)


def mean(call: OperatorCall) -> list[Bounded]:
    """mean, of all or along axes."""
    terms, n = _Terms(call, call.entries("self")), call.model
    lost = terms.lost(n)
    if terms.count == 0:
        return [call.within(torch.full_like(lost, torch.inf), torch.ones_like(lost, dtype=torch.bool))]
    ends = outward(terms.ends(lost) / terms.count, 1)
    divided = ends * (2.0 * n.opmath.unit_roundoff) + n.elementwise_underflow + n.opmath.half_subnormal
    last = rounding_error(call.result, n, once=True) if n.opmath != n.storage else 0.0
    passes = ~(outward(terms.size + lost, 1) < n.opmath.largest) | ~(ends < n.storage.largest)
    return [call.within(outward(outward((terms.spread + lost) / terms.count, 2) + outward(divided, 2) + last, 3), passes, terms.doubts)]


def running_total(call: OperatorCall) -> list[Bounded]:
    """cumsum."""
    if call.result.device.type != "cpu":
        raise call.refuse("on other devices than a CPU")
    x = call.tensor("self")
    if not call.result.is_floating_point():
        return [Bounded(torch.zeros(x.shape, dtype=torch.float64), so_far(call.doubts(x), _axis(call)))]
    if not x.dim():
        return [call.rounded(call.entries("self").radius, call.entries("self").size, call.entries("self"), products=False)]
    read, n, dim = call.entries("self"), call.model, _axis(call)
    count = x.shape[dim]
    size, spread = (outward(each.cumsum(dim), max(count, 1)) for each in (read.size, read.radius))
    u = n.opmath.unit_roundoff
    if 2.0 * count * u > 1.0:
        raise call.refuse("of so many entries")
    before = torch.arange(count, dtype=torch.float64).reshape([-1 if axis == dim else 1 for axis in range(x.dim())])  # additions before each
    lost = outward(size * outward(before * u / (1.0 - before * u), 3), 1) + ((before + 1.0) * n.storage.smallest_normal if n.elementwise_flushes else 0.0)
    last = rounding_error(call.result, n, once=True) if n.opmath != n.storage else 0.0
    return [call.within(outward(spread + lost + last, 3), ~(outward(size + lost, 1) < n.storage.largest), so_far(read.doubts, dim))]


def _axis(call: OperatorCall) -> int:
    return int(call.number("dim")) % max(call.tensor("self").dim(), 1)


def so_far(doubts: Tensor | None, dim: int) -> Tensor | None:
    """The union of the doubts of an entry and of all before it."""
    if doubts is None or not doubts.dim():
        return doubts
    bits = [((doubts >> place) & 1).to(torch.int64).cumsum(dim).clamp_max(1) << place for place in range(8)]
    return torch.stack(bits).sum(0).to(torch.uint8)


def norm(call: OperatorCall) -> list[Bounded]:
    """linalg_vector_norm: the 2-norm, the sum of sizes and the largest or the smallest of them."""
    order, x = call.number("ord"), call.entries("self")
    if order == 2.0:
        return [_root_of_squares(call, x)]
    if order == 1.0:
        return [_total(call, Entries(x.size, x.radius, x.doubts))]
    if math.isinf(order):
        return [extreme_size(call, x, 1.0 if order > 0 else -1.0)]
    raise call.refuse(f"of order {order}")


def _root_of_squares(call: OperatorCall, x: Entries) -> Bounded:
    """The root of the smallest number is a normal one, so the root itself does not underflow."""
    n = call.model
    terms = _Terms(call, Entries(outward(x.value * x.value, 1), outward(x.radius * x.radius, 1), x.doubts))
    lost_each = n.opmath.half_subnormal + (n.storage.smallest_normal if n.elementwise_flushes else 0.0)
    squares = outward(terms.size * gamma(terms.count + 1, n.opmath.unit_roundoff) + 2.0 * terms.count * lost_each, 3)
    below = sqrt_below(down(terms.size * (1.0 - 2.0**-50 * (terms.count + 2))).clamp_min(0.0))
    moved = torch.minimum(sqrt_above(squares), torch.where(below > 0, outward(squares / below, 1), torch.inf))
    ends = outward(sqrt_above(terms.size) + moved, 1)
    root = outward(
        ends * (2.0 * elementary_error("sqrt", n.device, n.opmath.name).ulps * n.opmath.unit_roundoff), 2
    )  # of the smallest number it is a normal one
    last = outward(rounding_error(call.result, n, once=True) + n.elementwise_underflow, 1)
    passes = ~(outward(terms.size + squares, 1) < n.opmath.largest) | ~(outward(ends + root, 1) < n.storage.largest)
    return call.within(outward(sqrt_above(terms.spread) + moved + root + last, 5), passes, terms.doubts)
