"""The rows of products of many numbers: x̂ the values, r their radii, u the roundoff with which a partial product is held.

    prod      Σ_i r_i ∏_(j<i)|x̂_j| ∏_(j>i)(|x̂_j| + r_j) + γ_(n-1) ∏|x̂| + (n - 1)η ∏max(1, |x̂|)(1 + γ_(n-1)) + η
    cumprod   the same of the first k of them

The first term is ∏(|x̂| + r) - ∏|x̂|, one number moved after the other; the second is of any order, Higham, Lemma 3.1 and §3.1. A partial product that underflows
loses η, which the factors after it multiply. The radius is that of a kernel that stores every partial product; one that stores the last alone loses less.
"""

import math

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import gamma
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import doubts_over
from numeric.operator_rules.norms import nothing
from numeric.operator_rules.sums import so_far


def product_of_all(call: OperatorCall) -> list[Bounded]:
    """prod, of all or along an axis."""
    shape, dim = call.result.shape, call.given.get("dim")
    if call.result.numel() == 0:
        return [nothing(call.result)]
    x = _entries(call)
    count = x.value.numel() if dim is None else x.value.movedim(int(call.number("dim")), -1).shape[-1] if x.value.dim() else 1

    def rows(t: Tensor) -> Tensor:
        return (t if dim is None or not t.dim() else t.movedim(int(call.number("dim")), -1)).reshape(-1, count)

    doubts = None if x.doubts is None or not x.doubts.numel() else doubts_over(rows(x.doubts), (-1,), keepdim=False)
    doubts = None if doubts is None else doubts.reshape(shape)
    if not call.result.is_floating_point() or count == 0:
        return [Bounded(torch.zeros(shape, dtype=torch.float64, device=call.result.device), doubts)]
    radius, passes = _running(call, Entries(rows(x.value), rows(x.radius), None))
    return [call.within(radius[:, -1].reshape(shape), passes[:, -1].reshape(shape), doubts)]


def running_product(call: OperatorCall) -> list[Bounded]:
    """cumprod."""
    shape = call.result.shape
    if call.result.numel() == 0:
        return [nothing(call.result)]
    x = _entries(call)
    dim = int(call.number("dim")) % max(len(shape), 1)
    doubts = so_far(x.doubts, dim)
    if not call.result.is_floating_point():
        return [Bounded(torch.zeros(shape, dtype=torch.float64, device=call.result.device), doubts)]

    def rows(t: Tensor) -> Tensor:
        return t.reshape(1, 1) if not shape else t.movedim(dim, -1).reshape(-1, shape[dim])

    moved = () if not shape else (*(size for axis, size in enumerate(shape) if axis != dim), shape[dim])
    radius, passes = (each.reshape(moved) for each in _running(call, Entries(rows(x.value), rows(x.radius), None)))
    if shape:
        radius, passes = radius.movedim(-1, dim), passes.movedim(-1, dim)
    return [call.within(radius, passes, doubts)]


def _entries(call: OperatorCall) -> Entries:
    if call.result.is_floating_point():
        return call.entries("self")
    x = call.tensor("self")
    return Entries(x.double(), call.radius(x), call.doubts(x))


def _running(call: OperatorCall, x: Entries) -> tuple[Tensor, Tensor]:
    """The radii of the products of the first k numbers of each row, and where one could pass the largest number on the way.  x: (rows, n)."""
    n, u = call.model, call.model.elementwise_roundoff
    unit = n.elementwise_underflow + n.opmath.half_subnormal + (n.storage.smallest_normal if n.elementwise_flushes else 0.0)
    radii, passes = [], []
    size, moved, most = (torch.full_like(x.value[:, 0], each) for each in (1.0, 0.0, 1.0))
    for place in range(x.value.shape[-1]):
        a, r = x.size[:, place], x.radius[:, place]
        moved = outward(moved * outward(a + r, 1) + size * r, 3)
        size, most = outward(size * a, 1), outward(most * outward(a + r, 1).clamp_min(1.0), 1)
        share = gamma(place, u)
        underflow = place * unit * outward(most * (1.0 + share), 2) + (unit if place else 0.0)
        own = outward(share * size + underflow, 3) if place else torch.full_like(size, n.storage.smallest_normal if n.elementwise_flushes else 0.0)
        radii.append(outward(moved + own, 1))
        passes.append(~(outward(most * (1.0 + share), 2) < n.storage.largest))
    if not math.isfinite(gamma(len(radii), u)):
        raise call.refuse("of so many numbers")
    beyond = torch.stack(passes, -1)
    return torch.stack(radii, -1), beyond
