"""The rows of comparisons and of what follows from them: x̂ the value, r its radius.

x < y, ...       decided where |x̂ - ŷ| > r_x + r_y, and where both are exact; otherwise undecided
x ≠ 0            decided where |x̂| > r_x, and where x is exact
a and b, a or b  decided where both are; and where one is, and decides alone
where(c, x, y)   the radius of the one that came out; where c is in doubt the exact result is the one or the other, so max(r of that, |x̂ - ŷ| + r of the other)

Truth values have no radius; where one is not decided it is in doubt, and so is whatever it decides the shape of.
"""

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.operator_rules.again import placed
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt, doubts_over, joint_doubts, marked
from numeric.operator_rules.moves import decides_the_shape
from numeric.rules import down, up


def _truth(call: OperatorCall, undecided: Tensor | None, *doubts: Tensor | None) -> Bounded:
    shape = call.result.shape
    return Bounded(torch.zeros(shape, dtype=torch.float64, device=call.result.device), joint_doubts([undecided, *doubts], shape))


def compared(call: OperatorCall) -> list[Bounded]:
    """gt, ge, lt, le, eq, ne."""
    x, y = call.given["self"], call.given["other"]
    dtype = torch.result_type(x, y)  # type: ignore[call-overload]
    a, b = (_read(call, each, dtype) for each in (x, y))
    apart = (a.value - b.value).abs()
    if isinstance(x, Tensor) and isinstance(y, Tensor) and _the_same(x, y):  # x == x, as ``isfinite`` asks: of whatever number x is
        return [_truth(call, None, a.doubts)]
    decided = (down(apart) > up(a.radius + b.radius)) | (a.radius + b.radius == 0)
    return [_truth(call, marked(~decided, Doubt.UNDECIDED), a.doubts, b.doubts)]


def _the_same(x: Tensor, y: Tensor) -> bool:
    return x.data_ptr() == y.data_ptr() and (x.dtype, x.shape, x.stride()) == (y.dtype, y.shape, y.stride())


def _read(call: OperatorCall, x: object, dtype: torch.dtype) -> Entries:
    return call.entries_of(x, dtype) if dtype.is_floating_point else placed(call, x, dtype)


def _truths(call: OperatorCall, name: str) -> tuple[Tensor, Tensor | None]:
    """Whether each entry of an operand is not 0, and where that is in doubt."""
    x = call.tensor(name)
    size, radius = x.double().abs(), call.entries_of(x, x.dtype).radius if x.is_floating_point() else call.radius(x)
    undecided = marked((radius > 0) & ~(size > radius), Doubt.UNDECIDED)
    return x != 0, joint_doubts([undecided, call.doubts(x)], x.shape)


def negated(call: OperatorCall) -> list[Bounded]:
    """logical_not; bitwise_not of truth values."""
    return [_truth(call, _truths(call, "self")[1])]


def both(call: OperatorCall) -> list[Bounded]:
    """logical_and; bitwise_and of truth values."""
    return [_joint(call, decides=False)]


def either(call: OperatorCall) -> list[Bounded]:
    """logical_or; bitwise_or of truth values."""
    return [_joint(call, decides=True)]


def one_of_two(call: OperatorCall) -> list[Bounded]:
    """logical_xor; bitwise_xor of truth values."""
    return [_joint(call, decides=None)]


def _joint(call: OperatorCall, *, decides: bool | None) -> Bounded:
    (x, a), (y, b) = _truths(call, "self"), _truths(call, "other")
    if "bitwise" in call.step.operator.name() and not (call.tensor("self").dtype == call.tensor("other").dtype == torch.bool):
        return _truth(call, a, b)
    if decides is not None:  # an operand that decides alone, and is itself in no doubt, leaves none of the other's
        alone = [(each == decides) & (torch.ones_like(each) if doubts is None else doubts == 0) for each, doubts in ((x, a), (y, b))]
        settled = torch.logical_or(*alone)
        a, b = (None if each is None else torch.where(settled, 0, each.expand(settled.shape)).to(torch.uint8) for each in (a, b))
    return _truth(call, a, b)


def any_of(call: OperatorCall) -> list[Bounded]:
    """any, along axes or of all: one that is surely true decides it."""
    return [_over(call, decides=True)]


def all_of(call: OperatorCall) -> list[Bounded]:
    """all, along axes or of all: one that is surely false decides it."""
    return [_over(call, decides=False)]


def _over(call: OperatorCall, *, decides: bool) -> Bounded:
    truth, doubts = _truths(call, "self")
    if doubts is None:
        return _truth(call, None)
    given = call.given.get("dim")
    dims = list(given) if isinstance(given, list | tuple) else [] if given is None else [int(call.number("dim"))]
    dims, keep = dims or list(range(truth.dim())), bool(call.given.get("keepdim", False))
    if not truth.dim():
        return _truth(call, doubts)
    settled = ((truth == decides) & (doubts == 0)).any(tuple(dims), keepdim=keep)
    union = doubts_over(doubts, dims, keepdim=keep)
    assert union is not None
    return _truth(call, torch.where(settled, 0, union).to(torch.uint8))


def is_a_number(call: OperatorCall) -> list[Bounded]:
    """isfinite, isnan, isinf: the exact entry is a number; what came out as none is in doubt already, if it was not given so."""
    return [_truth(call, call.doubts(call.tensor("self")))]


def chosen_by_condition(call: OperatorCall) -> list[Bounded]:
    """where."""
    return [_one_of(call, call.tensor("condition"), call.given["self"], call.given["other"])]


def masked(call: OperatorCall) -> list[Bounded]:
    """masked_fill."""
    value = call.given["value"]  # read as a number, also where it is a tensor
    return [_one_of(call, call.tensor("mask"), call.entries_of(value) if call.result.is_floating_point() else value, call.given["self"])]


def _one_of(call: OperatorCall, condition: Tensor, first: object, second: object) -> Bounded:
    shape = call.result.shape
    x, y = (each if isinstance(each, Entries) else placed(call, each, call.result.dtype) for each in (first, second))
    takes = (condition != 0).expand(shape)
    doubts = joint_doubts([call.doubts(condition)], shape)
    came, other = (torch.where(takes, *pair) for pair in ((x.radius, y.radius), (y.radius, x.radius)))
    own = joint_doubts([_where(takes, x), _where(~takes, y)], shape)
    if doubts is None:
        return Bounded(came, own)
    unsure = doubts != 0
    apart = up((x.value - y.value).abs().nan_to_num(nan=torch.inf)).expand(shape)
    radius = torch.where(unsure, torch.maximum(came, outward(apart + other, 1)), came)
    left = torch.where(torch.isfinite(radius), doubts & ~int(Doubt.UNDECIDED) & 0xFF, doubts)
    return Bounded(radius, joint_doubts([own, left, _where(unsure, x), _where(unsure, y)], shape))


def _where(places: Tensor, x: Entries) -> Tensor | None:
    return None if x.doubts is None else torch.where(places, x.doubts.expand(places.shape), 0).to(torch.uint8)


def nonzero(call: OperatorCall) -> list[Bounded]:
    """nonzero: where anything is in doubt, so is how many there are, and every index."""
    return [_truth(call, decides_the_shape(call, _truths(call, "self")[1]))]
