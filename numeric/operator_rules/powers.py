"""The rows of powers x^p, of numbers and tensors.

r is the radius of x, q that of p: a number p is rounded to the format, or to the one in which it is computed. With |x| between n and f, and t^(p-1), t^p and
|ln t| at most their largest values at the four corners (each is monotone in t, and in p):

    propagated    (|p| + q) max t^(p-1) r + max|ln t| max t^p q                              mean value theorem, in x and in p;  t^(p-1) ≤ t^p/n
    introduced    2v k |x̂^p̂| + kη, then ω(ŷ), k the ulps of the library's power
    p = 2, 3      products instead, each stored:  γ_p-1 |x̂^p̂|
    p = -2        1/x², x² stored:  γ_2 + 2ι/x² of it, ι an underflow; all of it where x² passes Ω; nothing is known where x² ≤ 4ι

Exponents ½, -½ and -1 are a root, a reciprocal root and a quotient. Where x may be 0 and p is negative, or x negative and p no whole number for certain,
nothing is known.
"""

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import gamma
from numeric.operator_rules.arithmetic import reciprocal
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt, joint_doubts, marked
from numeric.operator_rules.functions import RSQRT, SQRT, ends_of, flushed, nearest, overflowing, row_of_function
from numeric.rules import down, elementary_error, stored_error, up
from numeric.rules.enclosures import log_size_above, power_above

MADE_OF_PRODUCTS = (-2.0, 2.0, 3.0)
"""Exponents of which a kernel may make products and a quotient."""


def power(call: OperatorCall) -> list[Bounded]:
    """pow of a tensor or a number to a tensor or a number."""
    exponent = call.given["exponent"]
    if isinstance(exponent, Tensor):
        return [_power(call, call.entries("self"), call.entries_of(exponent), products=False)]
    if exponent == 0.0:
        return [Bounded(torch.zeros(call.result.shape, dtype=torch.float64, device=call.result.device))]
    if exponent == 1.0:
        x = call.entries("self")
        return [call.exactly(x.radius, x.doubts)]
    if exponent in (0.5, -0.5):
        return row_of_function(SQRT if exponent == 0.5 else RSQRT, call)
    if exponent == -1.0:
        return reciprocal(call)
    return [_power(call, call.entries("self"), call.entries_of(exponent), products=exponent in MADE_OF_PRODUCTS)]


def _power(call: OperatorCall, x: Entries, p: Entries, *, products: bool) -> Bounded:
    n, shape = call.model, call.result.shape
    low, high = (each.expand(shape) for each in ends_of(x))
    least, most = (each.expand(shape) for each in ends_of(p))
    value, r, q = x.value.expand(shape), x.radius.expand(shape), p.radius.expand(shape)
    near, far = nearest(low, high), torch.maximum(low.abs(), high.abs())
    whole = (q == 0) & (least == least.floor())
    nothing = (value == 0) & (r == 0) & (least > 0)
    outside = ~nothing & torch.where(whole, (near == 0) & (least < 0), ~(low > 0))
    if products and float(p.value) < 0:
        outside = outside | (value * value <= 4.0 * n.elementwise_underflow)
    near, far = (torch.where(outside | nothing, 1.0, each) for each in (near, far))
    size = torch.where(outside, 1.0, value.abs())

    slopes = (torch.where(whole, least - 1.0, down(least - 1.0)), torch.where(whole, most - 1.0, up(most - 1.0)))
    size_of_p, largest = torch.maximum(least.abs(), most.abs()), _largest(near, far, (least, most))
    moved = torch.minimum(outward(_largest(near, far, slopes) * r, 1), outward(largest * outward(r / near, 1), 1))  # the second where t^(p-1) is no float64
    moved = torch.where((r > 0) & (size_of_p > 0), outward(size_of_p * moved, 1), 0.0)
    turned = outward(torch.maximum(log_size_above(near), log_size_above(far)) * largest, 1)
    moved = outward(moved + torch.where(nothing | (q == 0), 0.0, outward(turned * q, 1)), 1)

    exact = torch.where(nothing, 0.0, power_above(size, p.value.expand(shape)))
    own = _introduced(call.result, exact, size, float(p.value) if products else None, call)
    grown = 1.0 + max(4.0 * n.elementwise_roundoff, 2.0 * elementary_error("pow", n.device, n.storage.name).ulps * n.opmath.unit_roundoff)
    doubts = [x.doubts, p.doubts, marked(outside & ~torch.isnan(value), Doubt.UNDERFLOW), overflowing(outward(exact * grown, 1), n)]
    return call.exactly(torch.where(outside, torch.inf, outward(moved + own, 1)), joint_doubts(doubts, shape))


def _largest(near: Tensor, far: Tensor, exponents: tuple[Tensor, Tensor]) -> Tensor:
    """The largest t^p at the corners."""
    corners = [power_above(t, p) for t in (near, far) for p in exponents]
    return torch.stack(corners).amax(0)


def _introduced(result: Tensor, exact: Tensor, size: Tensor, exponent: float | None, call: OperatorCall) -> Tensor:
    """What the kernel loses.  exact: an upper bound of |x̂^p̂|; exponent: where it may be made of products."""
    n = call.model
    k, unit = elementary_error("pow", n.device, n.storage.name).ulps, n.opmath.smallest_subnormal + flushed(n)
    own = outward(exact * (2.0 * k * n.opmath.unit_roundoff) + k * unit, 3)
    if exponent is None:
        return outward(own + stored_error(result, n, flushed(n)), 1)
    relative, least = gamma(1 if exponent == 2.0 else 2, n.elementwise_roundoff), n.elementwise_underflow
    if exponent < 0:
        square = size * size
        passes = outward(square * (1.0 + n.elementwise_roundoff), 2) >= n.storage.largest
        of_products = outward(exact * torch.where(passes, 1.0, outward(relative + 2.0 * (least / square), 3)) + least, 2)
    else:
        of_products = outward(exact * relative + least * (1.0 + size), 4)
    return torch.maximum(of_products, outward(own + stored_error(result, n, flushed(n)), 1))
