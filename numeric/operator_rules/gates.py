"""The rows of x·G(x): SiLU, GELU in both forms and Mish, by the rule of ``rules/activations.py``; and of GLU.

GLU is aσ(b), a and b the halves along an axis: σ̂ as the library's (``functions.py``), and a product.
    propagated    r_a σ(b + r_b) + |â| r_b sup σ'                                        product rule, mean value theorem
    introduced    |â|·2kvσ + |â|kη, then the product's rounding                          Higham (2.4), (2.8)

Mish has G(x) = tanh(ln(1 + e^x)) = u/(u + 2), u = e^x(2 + e^x), computed as it is written. With w = e^x and s = ln(1 + w)
G' = sech²(s) σ(x) ≤ min(1, w, 4e^-2x),
so G' ≤ min(1, 4e^-n) where n ≤ |x|, and

    Δ = min(w, 1)·ε/(1 - ε) + 2v k_ln s(1 + ε) + kη,   ε = 2v k_exp        the error of s: d ln(1 + w) ≤ min(w, 1)·d ln w
    E = min(1, 4e^(-2(s - Δ)))·Δ + 2v k_tanh min(1, G + Δ) + kη                           mean value theorem, sech² ≤ min(1, 4e^-2s)

Used: s ≤ min(w, max(x, 0) + e^-|x|), s ≥ max(x, 0). Where e^x passes Ω the gate is 1, whether the power overflows or saturates.
"""

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.machine import ErrorModel
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.columns import as_column, bounded, entry_by_entry
from numeric.operator_rules.functions import FLUSHED_INSIDE, ends_of, flushed, nearest, where_the_power_overflows
from numeric.rules import elementary_error, exp_above, up
from numeric.rules.activations import GELU, GELU_TANH, Gate, gated, sigma_above, sigma_slope

MISH_LIPSCHITZ = 1.0885
"""Above sup |(x tanh(ln(1 + e^x)))'| = 1.08849...; certified in the tests."""
_FAR = 64.0
"""From where on 1 - G is less than a rounding of float64: u/(u + 2) stands for 1 there."""


def _mish_above(x: Tensor) -> Tensor:
    power = exp_above(x.clamp_max(_FAR))
    u = outward(power * outward(2.0 + power, 1), 1)
    return torch.where(x > _FAR, 1.0, outward(u / (u + 2.0), 2).clamp_max(1.0))


def _mish_slope(near: Tensor, far: Tensor) -> Tensor:
    return outward(4.0 * exp_above(-near), 1).clamp_max(1.0)


def _mish_error(x: Tensor, n: ErrorModel) -> Tensor:
    v, name = n.opmath.unit_roundoff, n.storage.name
    k_exp, k_log, k_tanh = (elementary_error(function, n.device, name).ulps for function in ("exp", "log1p", "tanh"))
    unit = n.opmath.smallest_subnormal + flushed(n)
    power, epsilon = exp_above(x), 2.0 * v * k_exp
    s = torch.minimum(power, outward(x.clamp_min(0.0) + exp_above(-x.abs()), 1))
    error = outward(power.clamp_max(1.0) * (epsilon / (1.0 - epsilon)) + 2.0 * v * k_log * s * (1.0 + epsilon) + (k_exp + k_log) * unit * 2.0, 8)
    falling = (4.0 * exp_above(2.0 * (error - x.clamp_min(0.0)))).clamp_max(1.0)
    return outward(outward(falling, 1) * error + 2.0 * v * k_tanh * outward(_mish_above(x) + error, 1).clamp_max(1.0) + k_tanh * unit, 5)


MISH = Gate("tanh", False, _mish_above, _mish_slope, MISH_LIPSCHITZ, _mish_error)


def gated_row(gate: Gate, call: OperatorCall) -> list[Bounded]:
    """x·G(x)."""
    x = as_column(call, call.tensor("self"), entry_by_entry)
    return [bounded(gated(gate, x, call.result.reshape(-1, 1, 1)), call.result.shape)]


def glu_row(call: OperatorCall) -> list[Bounded]:
    """a·σ(b)."""
    x, n = call.entries("self"), call.model
    dim = int(call.number("dim"))

    def half(place: int) -> Entries:
        value, radius = (t.chunk(2, dim)[place].reshape(call.result.shape) for t in (x.value, x.radius))
        return Entries(value, radius, None if x.doubts is None else x.doubts.chunk(2, dim)[place].reshape(call.result.shape))

    a, b = half(0), half(1)
    low, high = ends_of(b)
    assumed = elementary_error("sigmoid", n.device, n.storage.name)
    above = sigma_above(b.value)
    own = 2.0 * assumed.ulps * n.opmath.unit_roundoff * above + assumed.ulps * n.opmath.smallest_subnormal + FLUSHED_INSIDE * flushed(n)
    own = torch.maximum(outward(own, 4), where_the_power_overflows(b.value, n))
    moved = outward(sigma_above(up(high)) * a.radius + outward(a.size * outward(sigma_slope(nearest(low, high)) * b.radius, 1), 1), 3)
    largest = outward(a.size * outward(above + own, 1).clamp_max(1.0 + 8.0 * n.opmath.unit_roundoff), 1)
    return [call.rounded(outward(moved + outward(a.size * own, 1), 2), largest, a, b)]


def gelu_row(call: OperatorCall) -> list[Bounded]:
    """In either form."""
    return gated_row(GELU if call.given["approximate"] == "none" else GELU_TANH, call)
