"""The rows of conversions: x̂ the value, r its radius, u the new format's roundoff.

to a wider format     r                      every number of the one is one of the other
to a narrower one     r + ω(ŷ) + η           one rounding, Higham (2.4), and two of them from fp64 to 16 bits, which may go by way of fp32
to whole numbers      0, if x̂ - r and x̂ + r are cut off to the same; otherwise undecided
to bool               the same of x ≠ 0

Where the arithmetic of one of the two formats flushes, so may the conversion.
"""

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import rounding_error
from numeric.operator_rules.call import Bounded, OperatorCall
from numeric.operator_rules.doubts import Doubt, joint_doubts, marked
from numeric.rules import down, up


def cast_copy(call: OperatorCall) -> list[Bounded]:
    """_to_copy."""
    return [conversion(call, call.tensor("self"))]


def written(call: OperatorCall) -> list[Bounded]:
    """copy_: what is overwritten is not read."""
    return [conversion(call, call.tensor("src"))]


def conversion(call: OperatorCall, x: Tensor) -> Bounded:
    """What is known of the result of which ``x`` was converted, and broadcast."""
    to, shape = call.result, call.result.shape
    radius, own = call.radius(x).expand(shape), call.doubts(x)
    doubts = None if own is None else own.expand(shape)
    if x.dtype == to.dtype:
        return Bounded(radius, doubts)
    if x.is_complex() or to.is_complex():
        raise call.refuse(f"from {x.dtype} to {to.dtype}")
    value = x.double().expand(shape)
    if not to.is_floating_point():
        return _whole(value, radius, doubts, to.dtype)
    n = call.model
    lost = torch.zeros((), dtype=torch.float64, device=x.device)
    if not _is_held(x.dtype, to.dtype):
        once = x.dtype == getattr(torch, n.opmath.dtype)
        lost = outward(rounding_error(to, n, once=once) + n.storage.half_subnormal + (0.0 if once else n.opmath.half_subnormal), 3)
    flushed = max(call.flushed_below(x.dtype), call.flushed_below(to.dtype))
    lost = torch.where(value.abs() < flushed, value.abs(), 0.0) + lost
    given = torch.isfinite(value)  # an infinity that was given is an infinity
    beyond = marked(given & ~(value.abs() < n.storage.largest), Doubt.OVERFLOW) if not _is_held(x.dtype, to.dtype) else None
    passed = marked(given & ~torch.isfinite(to), Doubt.NOT_FINITE)
    radius = torch.where(given & (lost > 0), outward(radius + lost, 2), radius)
    return Bounded(radius, joint_doubts([beyond, passed, doubts], shape))


def _is_held(narrow: torch.dtype, wide: torch.dtype) -> bool:
    """Whether every number of a dtype is one of another."""
    if not narrow.is_floating_point:
        return narrow == torch.bool or torch.iinfo(narrow).bits <= {torch.float64: 53, torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}.get(wide, 0)
    return torch.promote_types(narrow, wide) == wide


def _whole(value: Tensor, radius: Tensor, doubts: Tensor | None, to: torch.dtype) -> Bounded:
    low, high = (torch.where(radius > 0, end, value) for end in (down(value - radius), up(value + radius)))
    if to == torch.bool:
        decided = (low > 0) | (high < 0) | (radius == 0)
        beyond = None
    else:
        decided = torch.trunc(low) == torch.trunc(high)
        limits = torch.iinfo(to)
        inside = (low > float(limits.min) - 1.0) & (high < float(limits.max) + 1.0)
        beyond = marked(~inside, Doubt.OVERFLOW)
    return Bounded(torch.zeros_like(value), joint_doubts([marked(~decided, Doubt.UNDECIDED), beyond, doubts], value.shape))
