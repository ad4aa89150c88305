"""The rows of operators that are several steps of arithmetic entry by entry: x̂ a value, r its radius, u' the roundoff of the format in which they are computed.

addcmul   x + v s t           the product of three, two roundings of it, and the sum's
addcdiv   x + v s/t           the same of a quotient
lerp      x + w(y - x)        computed so, or as y - (1 - w)(y - x), three roundings of a product of two sums, and the last sum's

Inherited: a product is at most (|â| + r_a)(|b̂| + r_b), and moves by that less |âb̂|; x + w(y - x) = (1 - w)x + wy moves by
|1 - w|r_x + |w|r_y + r_w(|y - x| + r_x + r_y). Introduced: Higham, Lemma 3.1 and (3.3) for the product; then (2.4), the result being known. A step that
underflows loses one unit of the format of computation, which the steps after it multiply.
"""

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import gamma
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt, joint_doubts, marked


def added_product(call: OperatorCall) -> list[Bounded]:
    """addcmul."""
    x, v, s, t = (call.entries(name) for name in ("self", "value", "tensor1", "tensor2"))
    size = outward(v.size * s.size * t.size, 2)
    moved = outward(outward(v.above * s.above * t.above, 2) - size * (1.0 - 2.0**-50), 2) if _spread(v, s, t) else torch.zeros_like(size)
    doubts = joint_doubts([s.doubts, t.doubts, v.doubts, _beyond(call, v.above * s.above, s.above * t.above, v.above * t.above)], call.result.shape)
    return [_added(call, x, size, moved, doubts, units=outward(1.0 + v.above + s.above + t.above, 3))]


def _spread(*operands: Entries) -> bool:
    return any(bool((each.radius > 0).any()) for each in operands)


def added_quotient(call: OperatorCall) -> list[Bounded]:
    """addcdiv.  Where the denominator cannot be told from zero nothing is known."""
    x, v, s, t = (call.entries(name) for name in ("self", "value", "tensor1", "tensor2"))
    low = (t.size - t.radius) * (1.0 - 2.0**-50)
    singular = ~(low > 0.0)  # where the arithmetic flushes, a small denominator is read with its own size as radius
    low = torch.where(singular, 1.0, low)
    size, above = outward(v.size * s.size, 1), outward(v.above * s.above, 1)
    quotient = outward(size / torch.where(singular, 1.0, t.size), 1)
    numerators = outward(above - size * (1.0 - 2.0**-51), 1) if _spread(v, s) else torch.zeros_like(above)
    moved = outward(outward(numerators + outward(quotient * t.radius, 1), 1) / low, 1)
    doubt = marked(singular.expand(call.result.shape), Doubt.UNDERFLOW)
    inverse = outward(1.0 / low, 1)
    doubts = joint_doubts([s.doubts, t.doubts, v.doubts, doubt, _beyond(call, above, s.above * inverse, v.above * inverse)], call.result.shape)
    return [_added(call, x, quotient, torch.where(singular, torch.inf, moved), doubts, units=outward(1.0 + v.above + inverse * (1.0 + s.above), 4))]


def _beyond(call: OperatorCall, *steps: Tensor) -> Tensor | None:
    """Where a step on the way could be beyond the largest number of the format of computation."""
    passes = torch.zeros((), dtype=torch.bool)
    for each in steps:
        passes = passes | ~(outward(each, 2) < call.model.opmath.largest)
    return marked(passes.expand(call.result.shape), Doubt.OVERFLOW)


def _added(  # the parts of x + a product
    call: OperatorCall, x: Entries, size: Tensor, moved: Tensor, doubts: Tensor | None, *, units: Tensor
) -> Bounded:
    """x + p.  size, moved: of the exact product of what was read, and how far that is off; units: what an underflow on the way may be multiplied by."""
    n = call.model
    u = n.opmath.unit_roundoff
    underflow = outward(units * (n.opmath.smallest_subnormal + (n.storage.smallest_normal if n.elementwise_flushes else 0.0)), 2)
    product = outward(size * gamma(2, u) + underflow, 3)
    largest = outward(x.size + outward(size + product, 1), 1)
    return call.rounded(outward(x.radius + moved + product, 2), largest, x, doubts)


def between(call: OperatorCall) -> list[Bounded]:
    """lerp."""
    x, y, w = call.entries("self"), call.entries("end"), call.entries("weight")
    n = call.model
    apart, rest = outward(x.size + y.size, 1), outward((1.0 - w.value).abs(), 1)
    moved = outward(rest * x.radius, 1) + outward(w.size * y.radius, 1) + outward(w.radius * outward(apart + x.radius + y.radius, 2), 1)
    share = outward(torch.maximum(w.size, rest), 1)
    units = outward(1.0 + share + apart, 2)
    lost = outward(share * apart * gamma(3, n.opmath.unit_roundoff), 3) + units * (
        n.opmath.smallest_subnormal + (n.storage.smallest_normal if n.elementwise_flushes else 0.0)
    )
    largest = outward(torch.maximum(x.size, y.size) + outward(share * apart, 1) + lost, 2)
    return [call.rounded(outward(moved + outward(lost, 2), 3), largest, x, y, w)]
