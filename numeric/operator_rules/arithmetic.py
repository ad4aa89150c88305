"""The rows of arithmetic entry by entry: x̂ the value, r its radius, ω(ẑ) one rounding (``arithmetics/roundoff.py``), η' an underflow.

x + αy       r_x + |α|r_y + ω(ẑ), and α's own roundings where it is not 1      Higham (2.4)
x y          |x̂|r_y + r_x(|ŷ| + r_y) + ω(ẑ) + η'                               Higham (2.8), and the product rule
x / y        (r_x + |x̂/ŷ|r_y)/(|ŷ| - r_y) + ω(ẑ) + η'                          exact quotient rule, then Higham (2.8)
"""

import torch

from numeric.arithmetics import outward
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt, joint_doubts, marked


def addition(call: OperatorCall) -> list[Bounded]:
    """add and sub: x ± αy."""
    if not call.result.is_floating_point():
        return [_whole(call)]
    return [_sum(call, call.entries("self"), call.entries("other"))]


def _whole(call: OperatorCall) -> Bounded:
    """Of whole numbers and truth values: exact, if they are."""
    operands = [x for x in (call.given["self"], call.given["other"]) if isinstance(x, torch.Tensor)]
    return call.exactly(torch.zeros(call.result.shape, dtype=torch.float64, device=call.result.device), *(call.doubts(x) for x in operands))


def reversed_subtraction(call: OperatorCall) -> list[Bounded]:
    """rsub: y - αx."""
    return [_sum(call, call.entries("other"), call.entries("self"))]


def _sum(call: OperatorCall, x: Entries, y: Entries) -> Bounded:
    alpha = abs(call.number("alpha"))
    propagated, largest = x.radius + y.radius, x.size + y.size
    if alpha != 1.0:  # α as the machine holds it, and the product αy, which a kernel may fuse with the sum
        scaled = outward(alpha * y.size, 1)
        lost = outward(scaled * (3.0 * call.model.elementwise_roundoff) + 2.0 * call.model.elementwise_underflow, 3)
        propagated, largest = x.radius + outward(alpha * y.radius, 1) + lost, x.size + scaled
    return call.rounded(outward(propagated, 4), outward(largest * (1.0 + 2.0 * call.model.elementwise_roundoff), 4), x, y, products=alpha != 1.0)


def product(call: OperatorCall) -> list[Bounded]:
    """mul."""
    if not call.result.is_floating_point():
        return [_whole(call)]
    x, y = call.entries("self"), call.entries("other")
    propagated = outward(x.size * y.radius + x.radius * outward(y.size + y.radius, 1), 3)
    return [call.rounded(propagated, outward(x.size * y.size, 1), x, y)]


def quotient(call: OperatorCall) -> list[Bounded]:
    """div, but for one that is rounded to an integer."""
    if call.given.get("rounding_mode") is not None:
        raise call.refuse("with a rounding mode")
    return [divided(call, call.entries("self"), call.entries("other"))]


def reciprocal(call: OperatorCall) -> list[Bounded]:
    """1 / x."""
    return [divided(call, call.entries_of(1.0), call.entries("self"))]


def divided(call: OperatorCall, x: Entries, y: Entries) -> Bounded:
    """x / y.  Where the denominator cannot be told from zero nothing is known."""
    low = (y.size - y.radius) * (1.0 - 2.0**-50)  # rounded down: two operations of float64
    singular = ~(low > 0.0)  # where the arithmetic flushes, a small denominator is read with its own size as radius
    size, low = torch.where(singular, 1.0, y.size), torch.where(singular, 1.0, low)
    ratio = outward(x.size / size, 1)
    propagated = torch.where(singular, torch.inf, outward(outward(x.radius + outward(ratio * y.radius, 1), 1) / low, 1))
    doubt = marked((singular & torch.isfinite(y.size)).expand(call.result.shape), Doubt.UNDERFLOW)
    return call.rounded(propagated, outward(x.above / low, 1), joint_doubts([x.doubts, y.doubts, doubt], call.result.shape))


def negation(call: OperatorCall) -> list[Bounded]:
    """neg: nothing is rounded."""
    x = call.entries("self")
    return [call.exactly(x.radius, x.doubts)]
