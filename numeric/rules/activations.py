"""The rules for GELU (by erf and by tanh) and SiLU, which are x·G(x) with a gate G that rises from 0 to 1.

For each gate G(-x) = 1 - G(x), and G' is even and falls with |x|. On an interval whose right end is h, and on which n ≤ |x| ≤ f,

    |(xG)'| ≤ G(x) + |x|G'(x) ≤ G(h) + f·G'(n),   and at most the constant L = sup |(xG)'|,

so the inherited error is the smaller of the two times r (mean value theorem). GELU's L is Φ(√2) + √2 φ(√2), where its second
derivative φ(x)(2 - x²) vanishes; the other two are certified by ball arithmetic in the tests. If the kernel has Ĝ with |Ĝ - G(x̂)| ≤ E,
one product more gives

    |ŷ - x̂G(x̂)| ≤ |x̂|(E(1 + v) + vG(x̂)) + underflow, then the rounding to storage,

v the roundoff of the format of computation (Higham (2.4)). The kernels are those of ATen, in any order of the products, fused or not:

    GELU         x·½·(1 + erf(x·√½)), and x·Φ(x)      E = ½(e + p)(1 + v) + vG,  p = θ|t| (2/√π) e^{-t²(1-θ)²},  t = x/√2, θ = 2v + v²
    GELU, tanh   ½·x·(1 + tanh(c(x + ax³)))            the same with p = θ|w| min(1, 4e^{-2(1-θ)|w|}),  w = c(x + ax³), θ = γ_7
    SiLU         x/(1 + e^{-x}), and x·σ(x)            E = ρG,  ρ = (1 + v)/((1 - 2kv)(1 - v)) - 1

e is the error of the erf or tanh inside, k that of the exponential (``library_errors.py``: assumptions, confirmed by a probe);
θ counts the roundings of the argument: x·√½ and √½ itself, (1+v)² - 1 = 2v + v²; w has seven, (1+v)⁷ - 1 ≤ γ_7, and both terms of it one sign;
p is the mean value theorem once more, with sech²w ≤ 4e^{-2|w|}. Upper bounds used: Φ(-t) ≤ ½e^{-t²/2} (Chernoff), Φ(t) ≤ ½ + tφ(0).
Where x³ overflows tanh is ±1, and 1 - tanh|w| ≤ 2e^{-2|w|} is less than p as θ|w| > ½. Where e^{-x} passes Ω the quotient is
between 0 and 2|x|/Ω, whether the exponential overflows or saturates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, foretell_overflow, outward
from numeric.arithmetics.roundoff import gamma
from numeric.machine import ErrorModel
from numeric.rules.enclosures import down, exp_above, exp_below, finished, flushed_below, input_radius, storage_error, underflow_unit, up
from numeric.rules.library_errors import elementary_error

GELU_LIPSCHITZ = 1.1290
"""Above Φ(√2) + √2 φ(√2) = 1.12890...; certified in the tests, as are the next two."""
GELU_TANH_LIPSCHITZ = 1.1295
SILU_LIPSCHITZ = 1.0999

DENSITY_AT_ZERO = 0.3989422804014328
"""Above φ(0) = 1/√(2π)."""
ROOT_HALF = 0.7071067811865476
"""Above √½."""
TWO_OVER_ROOT_PI = 1.1283791670955127
"""Above 2/√π."""
TANH_SCALE = (0.7978845608028653, 0.7978845608028655)
"""Below and above c = √(2/π)."""
TANH_CUBE = (0.044715 - 2.0**-57, 0.044715 + 2.0**-57)
"""Below and above a = 0.044715, the decimal number."""

TINY = 2.0**-50
"""More than the relative error of a few operations of float64, to take off where a lower bound is wanted."""
_FAR = 2.0**10
"""At which e^{-2w} is no float64 any more; t e^{-2t} falls from t = ½ on, so it stands for everything beyond."""

UNDERFLOWS = 6
"""Products that underflow, in units: x·½ (doubled by 1 + tanh), the last one, and at most three that reach the argument, times |x|/2 ≤ ½."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate, by bounds of it that are computed in float64."""

    function: str
    """The elementary function inside its kernel, as the table of errors calls it."""
    doubles: bool
    """Whether the kernel may form 2x on the way to x."""
    above: Callable[[Tensor], Tensor]
    """An upper bound of G(x), that never falls as x rises."""
    slope: Callable[[Tensor, Tensor], Tensor]
    """An upper bound of G' where near ≤ |x| ≤ far."""
    lipschitz: float
    """An upper bound of |(xG)'| everywhere."""
    error: Callable[[Tensor, ErrorModel], Tensor]
    """E, given x̂."""


def gated(gate: Gate, x: WithRadius, value: Tensor) -> WithRadius:
    """The rule for x·G(x).  x, value: (cases, p, 1), the second as the module computed it."""
    flushed = flushed_below(x, gate.function)
    centre, radius = x.value.double(), input_radius(x, flushed)
    size = centre.abs()
    if gate.doubles:  # x(1 + erf) before it is halved: seen in oneDNN
        foretell_overflow(x.hazards, outward(2.0 * centre.clamp_min(0.0).amax((-2, -1), keepdim=True) * (1.0 + 2.0**-20), 2), x.numerics.opmath)
    near, far = down(size - radius).clamp_min(0.0), up(size + radius)
    slope = outward(gate.above(up(centre + radius)) + far * gate.slope(near, far), 2).clamp_max(gate.lipschitz)
    inherited = torch.where(radius > 0, outward(slope * radius, 1), 0.0)
    v = x.numerics.opmath.unit_roundoff
    above = gate.above(centre)
    own = outward(size * outward(gate.error(centre, x.numerics) * (1.0 + v) + v * above, 3) + UNDERFLOWS * underflow_unit(x, flushed), 3)
    own = torch.minimum(own, outward(value.double().abs() + size * above, 2))  # no result is further from another than both are from zero
    return finished(value, outward(own + inherited + storage_error(value, x, flushed), 2), x)


def _sum_with_one(function: str, propagated: Tensor, above: Tensor, n: ErrorModel) -> Tensor:
    """E of ½(1 + t̂), where t̂ has the error of its function and one that came with its argument."""
    v = n.opmath.unit_roundoff
    own = 2.0 * v * elementary_error(function, n.device, n.storage.name).ulps
    return outward(0.5 * (own + propagated) * (1.0 + v) + v * above, 6)


def gauss(near: Tensor, share: float) -> Tensor:
    """An upper bound of e^{-share·near²/2}."""
    return exp_above(-(near * near) * (0.5 * share * (1.0 - TINY)))


def _phi_above(x: Tensor) -> Tensor:
    left = 0.5 * gauss(x.clamp_max(0.0), 1.0)
    right = outward(0.5 + x.clamp(0.0, 2.0) * DENSITY_AT_ZERO, 2).clamp_max(1.0)
    return torch.where(x < 0, outward(left, 1), right)


def _phi_slope(near: Tensor, far: Tensor) -> Tensor:
    return outward(DENSITY_AT_ZERO * gauss(near, 1.0), 1)


def _phi_error(x: Tensor, n: ErrorModel) -> Tensor:
    v = n.opmath.unit_roundoff
    theta = (2.0 + v) * v
    argument = x.abs() * (ROOT_HALF * theta * TWO_OVER_ROOT_PI)
    return _sum_with_one("erf of gelu", outward(argument * gauss(x, 1.0 - 2.0 * theta), 4), _phi_above(x), n)


def sigma_above(x: Tensor) -> Tensor:
    """An upper bound of σ(x)."""
    return torch.minimum(outward(1.0 / (1.0 + exp_below(-x)), 2), exp_above(x))


def sigma_slope(near: Tensor) -> Tensor:
    """An upper bound of σ(t)σ(-t) at t = near ≥ 0, from where on it falls."""
    return outward(exp_above(-near) / (1.0 + exp_below(-near)) ** 2, 4)


def _silu_error(x: Tensor, n: ErrorModel) -> Tensor:
    v, opmath = n.opmath.unit_roundoff, n.opmath
    k = elementary_error("exp of silu", n.device, n.storage.name).ulps
    epsilon = 2.0 * v * k
    # (1+v) - (1-ε)(1-v) ≤ ε + 2v; and an e^{-x} that is subnormal, or taken for zero, errs by kλ at most beside 1.
    relative = (epsilon + 2.0 * v + k * opmath.smallest_normal) / ((1.0 - epsilon) * (1.0 - v))
    above = sigma_above(x)
    passes = outward(exp_above(-x) * (1.0 + epsilon), 2) >= opmath.largest
    return torch.where(passes, outward(above + 2.0 / opmath.largest, 2), outward(above * relative, 8))


def _cubic(size: Tensor) -> tuple[Tensor, Tensor]:
    """Below and above |w| = c(|x| + a|x|³); a lower bound that passes float64's range is a large number."""
    below, above = ((size + cube * (size * size * size)) * scale for scale, cube in zip(TANH_SCALE, TANH_CUBE, strict=True))
    return (below * (1.0 - TINY)).clamp_max(2.0 * _FAR), outward(above, 6)


def _tanh_gate_above(x: Tensor) -> Tensor:
    below, above = _cubic(x.abs())
    return sigma_above(2.0 * torch.where(x < 0, -below, above))


def _tanh_gate_slope(near: Tensor, far: Tensor) -> Tensor:
    """2w'(far) σ(2w)σ(-2w) at near."""
    steepness = outward(TANH_SCALE[1] * (1.0 + 3.0 * TANH_CUBE[1] * (far * far)), 5)
    return outward(2.0 * steepness * sigma_slope(2.0 * _cubic(near)[0]), 1)


def _tanh_gate_error(x: Tensor, n: ErrorModel) -> Tensor:
    theta = gamma(7, n.opmath.unit_roundoff)
    below, above = _cubic(x.abs())
    falling = (4.0 * exp_above(-2.0 * (1.0 - theta) * (1.0 - TINY) * below)).clamp_max(1.0)
    propagated = outward(theta * above.clamp_max(_FAR) * falling, 3)
    return _sum_with_one("tanh of gelu", propagated, _tanh_gate_above(x), n)


GELU = Gate("erf of gelu", True, _phi_above, _phi_slope, GELU_LIPSCHITZ, _phi_error)
GELU_TANH = Gate("tanh of gelu", True, _tanh_gate_above, _tanh_gate_slope, GELU_TANH_LIPSCHITZ, _tanh_gate_error)
SILU = Gate("exp of silu", False, sigma_above, lambda near, far: sigma_slope(near), SILU_LIPSCHITZ, _silu_error)
