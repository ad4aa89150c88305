"""The rows of softplus, log-sigmoid and the exponential units (ELU, CELU, SELU): an exponential inside a kernel that bends a line.

v is the roundoff and η the smallest subnormal number of the format of computation, k the ulps of a function, ρ the relative error of a number β, α, s or i as
the machine holds it, ε = 2v k_exp.

**softplus.** ln(1 + e^z)/β, z = βx; x itself where z > t. θ = v + ρ(1 + v) is the error of z, and d ln(1 + e^z) = σ(z) dz:

    ΔL = σ(z + θ|z|)(θ|z| + ε/(1 - ε)) + kη,   then 2v k_ln(L + ΔL) + kη, then v + ρ for the quotient with β;   L ≤ min(e^z, max(z, 0) + e^-|z|)

where the machine may take one of the two and exact arithmetic the other: x - ln(1 + e^z)/β = ln(1 + e^-z)/β ≤ e^-z/β more. Propagated: r σ(z + βr), and r
where x may be taken.

**log-sigmoid.** min(x, 0) - ln(1 + w), w = e^-|x|:  εw/(1 - ε) + 2v k_ln w(1 + ε), and v for the difference. Propagated: r σ(r - x).

**ELU.** s·x where x > 0, c(e^(ix) - 1) elsewhere, c = αs:  e^(ix + θ|ix|)θ|ix| + 2v k|e^(ix) - 1|, then v + ρ_c for the product;
|e^y - 1| ≤ min(1, |y|) for y ≤ 0.
CELU has c = α, s = 1, i = 1/α. Propagated: r·max(|s|, |c|i) where both pieces may be met, |s| or |c|i e^(i(x + r)) where one is.
"""

import torch

from numeric.arithmetics import outward
from numeric.machine import ErrorModel
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.functions import ends_of, flushed, nearest, overflowing
from numeric.rules import down, elementary_error, exp_above, stored_error, up
from numeric.rules.activations import sigma_above

_FAR = 2.0**11
"""At which e^-t is no float64 any more; t e^-t falls from 1 on, so it stands for everything beyond."""


def softplus(call: OperatorCall) -> list[Bounded]:
    """ln(1 + e^(βx))/β, and x where βx passes the threshold."""
    x, n = call.entries("self"), call.model
    beta, rho, switch = *_number(call, call.given["beta"]), call.entries_of(call.given["threshold"])
    v, (k_exp, k_log), unit = n.opmath.unit_roundoff, _ulps(n, "exp", "log1p"), n.opmath.smallest_subnormal + flushed(n)
    theta = (v + rho * (1.0 + v)) * (1.0 + 2.0**-50)
    low, high = ends_of(x)
    z, spread = x.value * beta, outward(x.above * beta * (theta + 2.0**-52), 3)
    low, high = low * beta - spread, high * beta + spread
    linear, curved = low > up(switch.value + switch.radius), high < down(switch.value - switch.radius)
    above = sigma_above(up(z + spread))
    level = torch.minimum(exp_above(up(z + spread)), outward(x.size.where(x.value > 0, 0.0) * beta + spread + exp_above(up(spread - z.abs())), 4))
    epsilon = 2.0 * v * k_exp
    moved = outward(above * (spread + epsilon / (1.0 - epsilon)) + k_exp * unit, 4)
    own = outward(moved + 2.0 * v * k_log * outward(level + moved, 1) + k_log * unit, 4)
    own = outward(outward(own + (v + rho) * outward(level + own, 1), 4) / beta * (1.0 + 2.0 * rho) + unit, 4)
    jump = torch.where(curved, 0.0, outward(exp_above(spread - low) / beta, 2))
    own = torch.where(linear, flushed(n), outward(own + jump + stored_error(call.result, n, flushed(n)), 2))
    slope = torch.where(curved, sigma_above(up(high)), 1.0)
    power = torch.where(linear, 0.0, outward(exp_above(up(z + spread)) * (1.0 + epsilon), 2))
    largest = torch.where(power < n.opmath.largest, torch.maximum(x.above, outward(level / beta, 1)), torch.inf)
    return [call.exactly(outward(slope * x.radius + own, 2), x.doubts, overflowing(largest, n))]


def log_sigmoid(call: OperatorCall) -> list[Bounded]:
    """ln σ(x), and on a CPU what its derivative will need: e^-|x|."""
    x, n = call.entries("self"), call.model
    v, (k_exp, k_log), unit = n.opmath.unit_roundoff, _ulps(n, "exp", "log1p"), n.opmath.smallest_subnormal + flushed(n)
    low, high = ends_of(x)
    power, epsilon = exp_above(-x.size), 2.0 * v * k_exp
    own = outward(power * (epsilon / (1.0 - epsilon)) + 2.0 * v * k_log * power * (1.0 + epsilon) + (k_exp + k_log) * unit, 6)
    own = outward(own + v * outward((-x.value).clamp_min(0.0) + power + own, 2) + unit, 3)
    own = outward(own + stored_error(call.result, n, flushed(n)), 1)
    first = call.exactly(outward(sigma_above(-low) * x.radius + own, 2), x.doubts)
    buffer = call.results[1]
    if buffer.numel() == 0:  # on a GPU
        return [first, call.exactly(torch.zeros(buffer.shape, dtype=torch.float64, device=buffer.device), at=1)]
    kept = outward(exp_above(-nearest(low, high)) * x.radius + epsilon * power + k_exp * unit, 5)
    return [first, call.exactly(outward(kept + stored_error(buffer, call.models(buffer.dtype), flushed(n)), 1), x.doubts, at=1)]


def exponential_unit(call: OperatorCall) -> list[Bounded]:
    """elu, as which selu runs too."""
    alpha, scale, inner = (_number(call, call.given[name]) for name in ("alpha", "scale", "input_scale"))
    v = call.model.opmath.unit_roundoff
    factor = alpha[0] * scale[0]
    return [_bent(call, (factor, (alpha[1] + scale[1] + alpha[1] * scale[1] + 2.0 * v) * (1.0 + 2.0**-50)), scale, inner)]


def continuous_unit(call: OperatorCall) -> list[Bounded]:
    """celu."""
    alpha, rho = _number(call, call.given["alpha"])
    inner, of_inner = _number(call, 1.0 / call.number("alpha"))
    return [_bent(call, (alpha, rho), (1.0, 0.0), (inner, of_inner + 2.0**-52))]


Number = tuple[float, float]
"""A number, and the relative error with which the machine may hold it."""


def _bent(call: OperatorCall, factor: Number, scale: Number, inner: Number) -> Bounded:
    x, n = call.entries("self"), call.model
    v, (k,), unit = n.opmath.unit_roundoff, _ulps(n, "expm1"), n.opmath.smallest_subnormal + flushed(n)
    theta = v + inner[1] * (1.0 + v)
    low, high = ends_of(x)
    positive, exponent = x.value > 0, (x.size * inner[0]).clamp_max(_FAR)
    argument = outward(exponent, 1)
    spread = outward(argument * (theta + 2.0**-52), 2)
    bend = outward(exp_above(spread - exponent) * spread, 1)
    level = argument.clamp_max(1.0)
    own = outward(bend + 2.0 * v * k * outward(level + bend, 1) + k * unit, 4)
    c = factor[0] * (1.0 + factor[1])
    own = outward(c * own + (v + factor[1] * (1.0 + v)) * c * (1.0 + 2.0**-50) * outward(level + own, 1) + unit, 4)
    straight = outward((v + scale[1] * (1.0 + v)) * outward(scale[0] * x.size, 1) + unit, 5)
    same = scale == (1.0, 0.0)
    own = torch.where(positive, flushed(n) if same else straight, own)
    own = outward(own + torch.where(positive & same, 0.0, stored_error(call.result, n, flushed(n))), 1)
    steepest = up(up(high * inner[0]) * (1.0 - inner[1] - 2.0**-52)).clamp_max(0.0)
    falling = outward(exp_above(steepest) * (c * inner[0] * (1.0 + inner[1] + 2.0**-50)), 2)
    rising = scale[0] * (1.0 + scale[1] + 2.0**-52)
    slope = torch.where(low > 0, rising, torch.where(high <= 0, falling, falling.clamp_min(rising)))
    largest = torch.where(positive, outward(scale[0] * x.size * (1.0 + n.elementwise_roundoff) ** 2, 4), outward(c * level * (1.0 + 2.0 * v), 3))
    largest = torch.where(positive & same, x.size, largest)
    return call.exactly(outward(slope * x.radius + own, 2), x.doubts, overflowing(largest, n))


def _number(call: OperatorCall, given: object) -> Number:
    """A positive number that the kernel holds as the result or in the format of computation, and its relative error."""
    held: Entries = call.entries_of(given)
    value = float(held.value)
    if not value > call.model.storage.smallest_normal:
        raise call.refuse(f"with {given}, which is not positive or too small")
    return value, float(up(held.radius / value)) if float(held.radius) else 0.0  # 1 is held as 1, and its products are exact


def _ulps(n: ErrorModel, *functions: str) -> tuple[float, ...]:
    return tuple(elementary_error(function, n.device, n.storage.name).ulps for function in functions)
