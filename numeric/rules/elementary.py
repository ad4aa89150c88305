"""The rules of the value-and-radius arithmetic for √x, 1/√x, e^x, |x| and the largest entry.

Each returns a column whose radius bounds |ŷ - f(x)| for every exact x with |x - x̂| ≤ r:

    |ŷ - f(x)| ≤ |ŷ - f(x̂)| + |f(x̂) - f(x)|,

the machine's own error (k ulps of the library's function, and the one rounding to storage: ``function_error``) and the
inherited one, each by a bound that holds on the whole interval, so that no term of second order is dropped:

    √x      r/(√l + √x̂), and √r                 l = max(0, x̂ - r); |√a - √b| = |a - b|/(√a + √b) ≤ √|a - b|
    1/√x    r/(√l √x̂ (√l + √x̂))                 the same, over √a √b
    e^x     e^x̂ (e^r - 1),  e^r - 1 ≤ r/(1 - r/2) for r < 2: the series of the right side has r^k/2^(k-1) where that of e^r has r^k/k!
    |x|     r                                    1-Lipschitz, exact
    max     the largest r_i of the entries that can be the largest

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., §1.6 and §2.2 for the splitting in backward and forward
errors; Muller, Elementary Functions, 3rd ed., for ulps; the ulps themselves are assumptions (``library_errors.py``).
"""

import torch
from torch import Tensor

from numeric.arithmetics.envelope import outward
from numeric.arithmetics.hazard import foretell_overflow
from numeric.arithmetics.value_and_radius import WithRadius, from_module
from numeric.rules.enclosures import down, exp_above, function_error, input_radius, magnitude, sqrt_above, sqrt_below, up
from numeric.rules.library_errors import elementary_error


def finished(value: Tensor, radius: Tensor, x: WithRadius) -> WithRadius:
    """The result of a rule; a case that came out infinite or NaN is marked."""
    x.hazards.not_finite |= ~torch.isfinite(value).all(-1).all(-1)
    return from_module(value, radius, x)


def absolute(x: WithRadius) -> WithRadius:
    """|x|, entry by entry: a bit is cleared, nothing is rounded."""
    return finished(x.value.abs(), input_radius(x), x)


def largest(x: WithRadius) -> WithRadius:
    """The largest entry of each case.  x: (cases, p, 1). Returns (cases, 1, 1).

    Let m be the largest x̂_j, and C the i with x̂_i + r_i ≥ max_j (x̂_j - r_j), the only ones of which x_i can be the largest; m's own place
    is in C. If max x = x_i ≥ m then max x - m ≤ r_i; if max x < m then m - max x ≤ r_j for m's place j.
    """
    radius, centre = input_radius(x), x.value.double()
    candidates = up(centre + radius) >= down(centre - radius).amax(-2, keepdim=True)
    return finished(x.value.amax(-2, keepdim=True), torch.where(candidates, radius, 0.0).amax(-2, keepdim=True), x)


def square_root(x: WithRadius) -> WithRadius:
    """√x for every exact x ≥ 0 inside the radius (what a root is taken of is a square or a variance).

    A library's square root need not be the correctly rounded one of IEEE 754 (oneMKL's is not): its error is looked up.
    """
    with x.numerics.running():
        value = torch.sqrt(x.value)
    radius, centre = input_radius(x), magnitude(x)
    low = down(centre - radius).clamp_min(0.0)
    quotient = outward(radius / (sqrt_below(low) + sqrt_below(centre)), 2)
    inherited = torch.where(radius > 0, torch.minimum(quotient, sqrt_above(radius)), 0.0)
    return finished(value, outward(function_error("sqrt", value, x) + inherited, 1), x)


def reciprocal_root(x: WithRadius) -> WithRadius:
    """1/√x; a case in which x cannot be told from zero is marked, as one of a singular denominator."""
    n = x.numerics
    with n.running():
        value = torch.rsqrt(x.value)
    radius, centre = input_radius(x), magnitude(x)
    low = down(centre - radius)
    singular = ~(low > (n.storage.smallest_normal if n.elementwise_flushes else 0.0)) & torch.isfinite(centre)
    x.hazards.underflow |= singular.any(-1).any(-1)
    near, far = sqrt_below(torch.where(singular, 1.0, low)), sqrt_below(torch.where(singular, 1.0, centre))
    # In this order nothing that is divided again can underflow before.
    inherited = torch.where(radius > 0, outward(radius / near / far / (near + far), 4), 0.0)
    foretell_overflow(x.hazards, outward(1.0 / near, 2).amax((-2, -1), keepdim=True), n.storage)
    return finished(value, outward(function_error("rsqrt", value, x) + inherited, 1), x)


def exponential(x: WithRadius) -> WithRadius:
    """e^x; a case that could pass Ω is marked, whatever its radius."""
    n = x.numerics
    with n.running():
        value = torch.exp(x.value)
    radius = input_radius(x)
    size = exp_above(x.value.double())
    k = elementary_error("exp", n.device, n.storage.name).ulps
    reached = outward(size * (1.0 + 2.0 * k * n.opmath.unit_roundoff) * (1.0 + n.storage.unit_roundoff), 4)
    foretell_overflow(x.hazards, reached.amax((-2, -1), keepdim=True), n.storage)
    inherited = torch.where(radius > 0, outward(size * growth(radius), 1), 0.0)
    return finished(value, outward(function_error("exp", value, x) + inherited, 1), x)


def growth(r: Tensor) -> Tensor:
    """An upper bound of e^r - 1 for r ≥ 0: r/(1 - r/2) up to 1, which is exact to second order, and e^r beyond."""
    return torch.where(r <= 1.0, outward(r / (1.0 - r.clamp_max(1.0) / 2.0), 3), exp_above(r))
