"""The rows of functions that are pieced together of straight lines and parabolas.

    max, min            r_x where x̂ - r_x > ŷ + r_y, r_y the other way round, and max(r_x, r_y) where neither is larger for certain; nothing is rounded
    relu, clamp, ...    by these two
    |x|                 r_x
    leaky_relu          r_x·sup slope; for x̂ < 0 the product with s, and s as the machine holds it        Higham (2.4)
    prelu               the same, s a tensor with a radius r_s: |x̂|r_s more
    softshrink          r_x + r_λ, x ∓ λ being 1-Lipschitz in both; the difference, Higham (2.4)
    hardshrink          r_x outside of [-λ, λ] for certain, 0 inside, |x̂| + r_x where it is undecided
    nan_to_num          r_x; what is no number becomes one
    threshold           r_x or r_value; where it is undecided which, |x̂ - value| + max(r_x, r_value)
    hardswish           r_x·sup|2t + 3|/6 where the parabola is, γ_3|y|: t + 3, a product, a quotient       Higham, Lemma 3.1
    hardsigmoid         r_x/6, γ_2|y|

A sum is relatively right, so fl(t + 3) has t + 3's sign, and cutting off at 0 and 6 enlarges no error.
"""

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import gamma
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt, joint_doubts, marked
from numeric.operator_rules.functions import ends_of, flushed, nearest, overflowing
from numeric.rules import stored_error, up

SIXTH = 0.16666666666666669
"""Above 1/6."""


def maximum(call: OperatorCall) -> list[Bounded]:
    """maximum and fmax."""
    return [_chosen(call, _larger(call.entries("self"), call.entries("other")))]


def minimum(call: OperatorCall) -> list[Bounded]:
    """minimum and fmin."""
    return [_chosen(call, _smaller(call.entries("self"), call.entries("other")))]


def relu(call: OperatorCall) -> list[Bounded]:
    """max(x, 0)."""
    return [_chosen(call, _larger(call.entries("self"), call.entries_of(0.0)))]


def clamp(call: OperatorCall) -> list[Bounded]:
    """min(max(x, low), high), of which one may be missing: clamp, clamp_min, clamp_max and hardtanh."""
    low, high = (call.given.get(name, call.given.get(f"{name}_val")) for name in ("min", "max"))
    x = call.entries("self")
    if low is not None:
        x = _larger(x, call.entries_of(low))
    if high is not None:
        x = _smaller(x, call.entries_of(high))
    return [_chosen(call, x)]


def absolute_value(call: OperatorCall) -> list[Bounded]:
    """abs."""
    x = call.entries("self")
    return [call.exactly(x.radius, x.doubts)]


def _chosen(call: OperatorCall, x: Entries) -> Bounded:
    lost = flushed(call.model)
    return call.exactly((outward(x.radius + lost, 1) if lost else x.radius).expand(call.result.shape), x.doubts)


def _larger(x: Entries, y: Entries) -> Entries:
    (x_low, x_high), (y_low, y_high) = ends_of(x), ends_of(y)
    undecided = torch.where(y_low > x_high, y.radius, torch.maximum(x.radius, y.radius))
    value = torch.maximum(x.value, y.value)
    return Entries(value, torch.where(x_low > y_high, x.radius, undecided), joint_doubts([x.doubts, y.doubts], value.shape))


def _smaller(x: Entries, y: Entries) -> Entries:
    found = _larger(_minus(x), _minus(y))
    return _minus(found)


def _minus(x: Entries) -> Entries:
    return Entries(-x.value, x.radius, x.doubts)


def leaky_relu(call: OperatorCall) -> list[Bounded]:
    """x where x > 0, and sx elsewhere."""
    return [_bent_line(call, call.entries("self"), call.entries_of(call.given["negative_slope"]))]


def parametric_relu(call: OperatorCall) -> list[Bounded]:
    """_prelu_kernel: the same with slopes of the network's own."""
    return [_bent_line(call, call.entries("self"), call.entries("weight"))]


def _bent_line(call: OperatorCall, x: Entries, s: Entries) -> Bounded:
    n = call.model
    low, high = ends_of(x)
    slope = torch.where(low > 0, 1.0, torch.where(high < 0, s.above, s.above.clamp_min(1.0)))
    product = outward(x.size * s.above, 1)
    own = outward(x.size * s.radius + product * n.opmath.unit_roundoff + n.opmath.half_subnormal, 4) + flushed(n)
    own = outward(own + stored_error(call.result, n, flushed(n)), 2)
    own = torch.where(x.value > 0, flushed(n), own)
    largest = torch.where(x.value > 0, x.size, outward(product * (1.0 + n.elementwise_roundoff), 2))
    radius = outward(slope * x.radius + own, 2).expand(call.result.shape)
    return call.exactly(radius, x.doubts, s.doubts, overflowing(largest.expand(call.result.shape), n))


def soft_shrink(call: OperatorCall) -> list[Bounded]:
    """x moved by λ towards 0, and 0 on the way."""
    x, edge = call.entries("self"), call.entries("lambd")
    return [call.rounded(outward(x.radius + edge.radius, 1), x.above, x, products=False)]


def hard_shrink(call: OperatorCall) -> list[Bounded]:
    """x outside of [-λ, λ], and 0 inside."""
    x, edge = call.entries("self"), call.entries("lambd")
    low, high = ends_of(x)
    edge_low, edge_high = ends_of(edge)
    outside, inside = nearest(low, high) > edge_high, torch.maximum(-low, high) < edge_low
    exactly_on = (x.radius == 0) & (edge.radius == 0)
    inside = inside | (exactly_on & (x.size <= edge.value))
    return [_chosen(call, Entries(x.value, torch.where(outside, x.radius, torch.where(inside, 0.0, x.above)), x.doubts))]


def numbers_alone(call: OperatorCall) -> list[Bounded]:
    """nan_to_num.  A number near the largest may be an infinity of exact arithmetic, so it is in doubt."""
    x, n = call.entries("self"), call.model
    put = [None if call.given.get(name) is None else call.entries_of(call.given[name]) for name in ("nan", "posinf", "neginf")]
    rounded = max((float(each.radius) for each in put if each is not None), default=0.0)
    radius = torch.where(torch.isfinite(x.value), x.radius, rounded + flushed(n))
    near = marked(torch.isfinite(x.value) & (x.radius > 0) & ~(x.above < n.storage.largest), Doubt.UNDECIDED)
    return [_chosen(call, Entries(x.value, radius, joint_doubts([x.doubts, near], x.value.shape)))]


def threshold(call: OperatorCall) -> list[Bounded]:
    """x where it is larger than the threshold, and a number elsewhere."""
    x, at, other = call.entries("self"), call.entries("threshold"), call.entries("value")
    (low, high), (at_low, at_high) = ends_of(x), ends_of(at)
    either = outward((x.value - other.value).abs() + torch.maximum(x.radius, other.radius), 2)
    radius = torch.where(low > at_high, x.radius, torch.where(high <= at_low, other.radius, either))
    return [_chosen(call, Entries(x.value, radius, x.doubts))]


def hardswish(call: OperatorCall) -> list[Bounded]:
    """x·min(max(x + 3, 0), 6)/6."""
    x = call.entries("self")
    low, high = (each.clamp(-3.0, 3.0) for each in ends_of(x))
    middle = outward(torch.maximum((2.0 * low + 3.0).abs(), (2.0 * high + 3.0).abs()) * SIXTH, 3)
    slope = torch.where(low >= 3.0, 1.0, torch.where(high <= -3.0, 0.0, middle))
    product = x.size * _ramp(x.value)
    product = torch.where(product > 0, outward(product, 3), 0.0)  # of nothing there is nothing to lose
    return [_sixth(call, x, slope, product, 3)]


def hardsigmoid(call: OperatorCall) -> list[Bounded]:
    """min(max(x + 3, 0), 6)/6."""
    x = call.entries("self")
    low, high = ends_of(x)
    slope = torch.where((low >= 3.0) | (high <= -3.0), 0.0, torch.full_like(low, SIXTH))
    return [_sixth(call, x, slope, _ramp(x.value), 2)]


def _ramp(x: Tensor) -> Tensor:
    """An upper bound of min(max(x + 3, 0), 6)."""
    return torch.where(x > -3.0, up(x + 3.0), 0.0).clamp(0.0, 6.0)


def _sixth(call: OperatorCall, x: Entries, slope: Tensor, product: Tensor, roundings: int) -> Bounded:
    """What came of so many roundings and a division by six; the product may overflow before it."""
    n = call.model
    size = outward(product * SIXTH, 2)
    own = outward(size * gamma(roundings, n.opmath.unit_roundoff) + 2.0 * (n.opmath.half_subnormal + flushed(n)), 3)
    own = torch.where(product > 0, outward(own + stored_error(call.result, n, flushed(n)), 2), 0.0)
    before = outward(product * (1.0 + gamma(2, n.opmath.unit_roundoff)), 2)
    largest = torch.where(before < n.opmath.largest, outward(size * (1.0 + n.elementwise_roundoff) ** 2, 3), torch.inf)
    return call.exactly(outward(slope * x.radius + own, 2), x.doubts, overflowing(largest, n))
