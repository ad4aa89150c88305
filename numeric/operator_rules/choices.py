"""The rows of operators that choose among entries: x̂ a value, r its radius, [x̂ - r, x̂ + r] its interval.

The p-th largest of some numbers moves by no more than they do and in the same direction, so with exact entries x:

    p-th largest of (x̂ - r)  ≤  p-th largest of x  ≤  p-th largest of (x̂ + r)

(of the p largest exact entries each is at most its own x̂ + r, and at least its own x̂ - r: Weyl's inequality of a diagonal matrix, Horn and Johnson,
"Matrix Analysis", Theorem 4.3.1). That bounds the values of max, amax, sort and topk, whatever was chosen. Which entry it is, is another question: the
index is decided if the interval of the chosen lies wholly below those that come before it and above those that come after it; otherwise it is in
doubt. Of exact entries the machine's choice is the exact one, ties included.
"""

import torch
from torch import Tensor

from numeric.operator_rules.call import Bounded, Entries, OperatorCall, came_out
from numeric.operator_rules.doubts import Doubt, doubts_over, joint_doubts, marked
from numeric.rules import down, up


def largest(call: OperatorCall) -> list[Bounded]:
    """amax, max without an axis."""
    return [_extreme(call, 1.0, 0)]


def smallest(call: OperatorCall) -> list[Bounded]:
    """amin, min without an axis."""
    return [_extreme(call, -1.0, 0)]


def both_extremes(call: OperatorCall) -> list[Bounded]:
    """aminmax."""
    return [_extreme(call, -1.0, 0), _extreme(call, 1.0, 1)]


def _extreme(call: OperatorCall, sign: float, at: int) -> Bounded:
    """The largest of ± the entries along some axes."""
    return _extreme_of(call, _operand(call), sign, at)


def extreme_size(call: OperatorCall, x: Entries, sign: float) -> Bounded:
    """The largest, or the smallest, size of an entry along some axes."""
    return _extreme_of(call, Entries(x.size, x.radius, x.doubts), sign, 0)


def _extreme_of(call: OperatorCall, x: Entries, sign: float, at: int) -> Bounded:
    dims, keep = _dims(call), bool(call.given.get("keepdim", False))
    low, high = _ends(x, sign)
    result = call.results[at]
    least, most = (end.amax(dims, keepdim=keep).reshape(result.shape) for end in (low, high))
    doubts = doubts_over(x.doubts, dims, keepdim=keep) if x.value.dim() else x.doubts
    return _between(result, least, most, sign, None if doubts is None else doubts.reshape(result.shape))


def _dims(call: OperatorCall) -> tuple[int, ...]:
    given, count = call.given.get("dim"), call.tensor("self").dim()
    dims = [] if given is None else list(given) if isinstance(given, list | tuple) else [int(call.number("dim"))]
    return tuple(sorted({each % max(count, 1) for each in dims})) if count and dims else tuple(range(count))


def _operand(call: OperatorCall) -> Entries:
    """What is chosen among: as it is, for nothing is computed."""
    x = call.tensor("self")
    return Entries(x.double(), call.radius(x), call.doubts(x))


def _as_compared(call: OperatorCall) -> Entries:
    """What is chosen among, as the choice reads it: where the arithmetic flushes, a small entry may be taken for zero."""
    x = call.tensor("self")
    return call.entries_of(x, x.dtype) if x.is_floating_point() else _operand(call)


def _ends(x: Entries, sign: float) -> tuple[Tensor, Tensor]:
    """The ends of the intervals of ± x; of an exact entry both are the entry."""
    value = x.value * sign
    low, high = (torch.where(x.radius > 0, end, value) for end in (down(value - x.radius), up(value + x.radius)))
    return low.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf), high.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _between(result: Tensor, least: Tensor, most: Tensor, sign: float, doubts: Tensor | None) -> Bounded:
    """What lies between two numbers, and came out as ± the result."""
    value = result.double() * sign
    above, below = (torch.where(end == value, 0.0, up(gap)) for end, gap in ((most, most - value), (least, value - least)))
    radius = torch.maximum(above, below).clamp_min(0.0).nan_to_num(nan=torch.inf, posinf=torch.inf)
    if not result.is_floating_point():
        return Bounded(torch.zeros_like(radius), doubts)
    known = came_out(result, doubts) if bool((radius > 0).any()) else doubts  # an infinity that was given is exact
    return Bounded(radius, known)


def largest_and_where(call: OperatorCall) -> list[Bounded]:
    """max along an axis."""
    return _extreme_and_where(call, 1.0)


def smallest_and_where(call: OperatorCall) -> list[Bounded]:
    """min along an axis."""
    return _extreme_and_where(call, -1.0)


def _extreme_and_where(call: OperatorCall, sign: float) -> list[Bounded]:
    return [_extreme(call, sign, 0), _place(call, sign, 1)]


def place_of_largest(call: OperatorCall) -> list[Bounded]:
    """argmax."""
    return [_place(call, 1.0, 0)]


def place_of_smallest(call: OperatorCall) -> list[Bounded]:
    """argmin."""
    return [_place(call, -1.0, 0)]


def _place(call: OperatorCall, sign: float, at: int) -> Bounded:
    """The index of the largest of ± the entries along an axis, or of all."""
    x, result = _as_compared(call), call.results[at]
    dim = None if call.given.get("dim") is None or not x.value.dim() else int(call.number("dim"))
    if dim is None:
        x, dim, index = _flat(x), 0, result.reshape(1)
    else:
        index = result if call.given.get("keepdim") else result.unsqueeze(dim)
    undecided = _in_doubt(x, sign, index, dim, ranked=True)
    doubts = joint_doubts([undecided, doubts_over(x.doubts, (dim,), keepdim=True)], index.shape)
    return Bounded(torch.zeros(result.shape, dtype=torch.float64, device=result.device), None if doubts is None else doubts.reshape(result.shape))


def _flat(x: Entries) -> Entries:
    return Entries(x.value.reshape(-1), x.radius.reshape(-1), None if x.doubts is None else x.doubts.reshape(-1))


def ordered(call: OperatorCall) -> list[Bounded]:
    """sort, stable or not."""
    sign = 1.0 if call.given.get("descending") else -1.0
    return _ordered(call, sign, int(call.number("dim")), ranked=True)


def largest_few(call: OperatorCall) -> list[Bounded]:
    """topk.  Unsorted, its order is no part of the result: which entries there are, is."""
    return _ordered(call, 1.0 if call.given["largest"] else -1.0, int(call.number("dim")), ranked=bool(call.given["sorted"]))


def kth(call: OperatorCall) -> list[Bounded]:
    """kthvalue: the k-th smallest along an axis."""
    x, dim, k = _operand(call), int(call.number("dim")), int(call.number("k"))
    value, place = call.results
    if not x.value.dim():
        return [Bounded(x.radius, x.doubts), Bounded(torch.zeros_like(x.radius), x.doubts)]
    low, high = (end.sort(dim, descending=False).values.select(dim, k - 1) for end in _ends(x, 1.0))
    index = place if call.given.get("keepdim") else place.unsqueeze(dim)
    doubts = doubts_over(x.doubts, (dim,), keepdim=True)
    own, shape = None if doubts is None else doubts.reshape(value.shape), value.shape
    undecided = joint_doubts([_apart(_as_compared(call), index, dim), doubts], index.shape)
    found = _between(value, low.reshape(shape), high.reshape(shape), 1.0, own)
    return [found, Bounded(torch.zeros_like(found.radius), None if undecided is None else undecided.reshape(shape))]


def _apart(x: Entries, index: Tensor, dim: int) -> Tensor | None:
    """Where the interval of an entry meets that of another one of its axis, while any of them is not exact."""
    low, high = _ends(x, 1.0)
    others = torch.ones_like(low).scatter(dim, index, 0.0) > 0
    meets = (others & (high >= low.gather(dim, index)) & (low <= high.gather(dim, index))).any(dim, keepdim=True)
    return marked(meets & (x.radius > 0).any(dim, keepdim=True), Doubt.UNDECIDED)


def _ordered(call: OperatorCall, sign: float, dim: int, *, ranked: bool) -> list[Bounded]:
    x, (values, index) = _operand(call), call.results
    if not x.value.dim():
        return [Bounded(x.radius, x.doubts), Bounded(torch.zeros_like(x.radius), x.doubts)]
    doubts, undecided = doubts_over(x.doubts, (dim,), keepdim=True), _in_doubt(_as_compared(call), sign, index, dim, ranked=ranked)
    chosen = joint_doubts([undecided, doubts], index.shape)
    if ranked:
        least, most = (end.sort(dim, descending=True).values.narrow(dim, 0, index.shape[dim]) for end in _ends(x, sign))
        own = joint_doubts([doubts], index.shape)
        found = _between(values, least, most, sign, own)
    else:
        found = Bounded(x.radius.gather(dim, index), chosen)
    return [found, Bounded(torch.zeros(index.shape, dtype=torch.float64, device=index.device), chosen)]


def _in_doubt(x: Entries, sign: float, index: Tensor, dim: int, *, ranked: bool) -> Tensor | None:
    """Where it is undecided which entry is chosen.  index: of the chosen along an axis, the largest first where they are ranked."""
    low, high = _ends(x, sign)
    left = torch.ones_like(low).scatter(dim, index, 0.0) > 0
    rest = torch.where(left, high, -torch.inf).amax(dim, keepdim=True) if low.shape[dim] else torch.full_like(index, -torch.inf, dtype=torch.float64)
    below, above = low.gather(dim, index), high.gather(dim, index)
    settled = below > rest
    if ranked:
        before = _shifted(below.cummin(dim).values, dim, 1, torch.inf)
        after = _shifted(above.flip(dim).cummax(dim).values.flip(dim), dim, -1, -torch.inf)
        settled = settled & (before > above) & (after < below)
    else:
        settled = settled.all(dim, keepdim=True).expand(index.shape)
    every = (x.radius > 0).any(dim, keepdim=True)
    return marked(~settled & every, Doubt.UNDECIDED)


def _shifted(x: Tensor, dim: int, by: int, filled: float) -> Tensor:
    """Moved along an axis by one; what comes in is filled."""
    count = x.shape[dim]
    end = torch.full_like(x.narrow(dim, 0, min(1, count)), filled)
    return torch.cat([end, x.narrow(dim, 0, count - 1)] if by > 0 else [x.narrow(dim, 1, count - 1), end], dim) if count else x
