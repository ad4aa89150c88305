"""The rules for softmax, LayerNorm and RMSNorm over the entries of a column.

What is known of the kernels is a family of algorithms, and the bounds hold for every member of it. v is the roundoff of the format
in which they compute (fp32 for the 16-bit formats), γ_k = kv/(1 - kv), X = max|x̂_i|, and the one rounding to storage comes last.

**Softmax.** p_i = N_i/S, N_i = e^{-t_i}, t_i = max x̂ - x̂_i, S = ΣN_j summed in any order, then a quotient or a product with 1/S:

    e_i = a_i + 2kv(N_i + a_i) + kη,      a_i = v t_i e^{-(1-v)t_i}           the exponential of a rounded difference
    |p̂_i - p_i| ≤ q_i + (2v + v²)(p_i + q_i) + underflow,   q_i = (e_i + p_i s)/(S - s),   s = Σe_j + γ_{n-1} Σ(N_j + e_j)

Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41 (2021), Theorem 3.2
and §4, whose first-order factor |t_i| is a_i here. Inherited: p_i(x)/p_i(x̂) = 1/(p_i + Σ_{j≠i} p_j e^{Δ_j - Δ_i}) with |Δ_j| ≤ r_j. Let
A_i = Σ_{j≠i} p_j(r_i + r_j) and b = r_i + max r. The ratio is at most 1/(1 - A_i), as e^{-t} ≥ 1 - t, and at least
1 - A_i/(1 - b/2), as e^t - 1 ≤ t/(1 - t/2); and no probability moves by more than 1.

**LayerNorm, RMSNorm.** y_i = w_i d_i/D^½ + b_i, d_i = x_i - μ (RMSNorm: d = x, b = 0), V = Σd²/n, D = V + ε.
The mean and M = Σd² may be computed by a sum in any order and a second pass over the deviations; or by any tree of the merges of Chan,
Golub and LeVeque, "Algorithms for computing the sample variance", Amer. Statist. 37 (1983), (1.5), Welford's update
(Higham, Problem 1.10) being that with one number, as ATen's RowwiseMoments and its CUDA kernels do:

    μ = μ_a + (n_b/n)δ,  M = M_a + M_b + δ²n_a n_b/n  (Welford: δ(x - μ)),  δ = μ_b - μ_a.

*Mean.* A merge rounds μ once and (n_b/n)δ three times, so with every |μ̂| ≤ (1+E)X the errors of a path add up to
v(1+E)X Σ(1 + 6(n_b/n)(1+4v)). A path has at most n merges, and Σ n_b/n ≤ 3 + ln n where the smaller part is added to the larger in all steps but
three: n_b/n ≤ ln(n/n_a), and a step from the smaller part at least doubles n. So e = γ_c X with c = min(7n, n + 21 + 7 ln n) bounds the
error of every mean, and of a sum in any order with its division, γ_n. Every underflow on a path adds one unit: 3n of them.

*Variance.* M = Σ_nodes (n_a n_b/n)δ² exactly, with Σ n_a n_b/n ≤ Σ min(n_a, n_b) ≤ T = n max(1, ½log₂n), and every δ̂ errs by 2e at most before it is
rounded, so by Cauchy-Schwarz the exact sum of the computed terms is within 4e√(TM) + 4e²T of M, Welford's terms and two passes,
M + n(μ̂-μ)², included; each term meets fewer than 2n + 7 roundings, the sum included:

    |M̂ - M| ≤ B = 4e√(TM) + 4e²T + γ_{2n+7}(√M + 2e√T)² + underflow;     RMSNorm: γ_{n+1}M + underflow     (Higham (3.5))
    β = ((1+γ_4)B/n + γ_4 D)/D;   D^-½ errs relatively by Ψ = (1 + ½β/(1-β))(1 + 2kv) - 1, k that of the reciprocal root

(β: the division, ε as the format holds it, the sum. (1-β)^-½ - 1 ≤ ½β/(1-β), by the series.) *Result*, d_i formed first, or x_i and μ
multiplied by D^-½ first: |ẑ_i - z_i| ≤ D^-½(|d_i|Ψ + e(1+Ψ) + γ_3(|x_i| + |μ| + e)(1+Ψ)), and γ_3 once more for the product with w and the sum with b.
*Inherited.* The root of D is 1-Lipschitz in the root mean square of d, which moves by q = (Σr²/n)^½ at most, centring being a projection;
|z_i(x) - z_i(x̂)| ≤ (r_i + mean r + |z_i|q)/max(D^½ - q, ε^½), without the mean of r for RMSNorm.
*Range.* Σd², n|d_i| or δ²n_a n_b may pass Ω: D^-½ is then 0, and so is the result, or it is NaN; such a case is refused, whatever came out. If ε is not a
normal number of the format of computation, D may be 0 there: the result is then infinite or NaN, and foretold.
*Where less would do.* A sum in order needs γ_n for the mean, not c: 7n, 21 and 7 ln n count trees of merges. It needs 2n + 1 roundings of the
squares, not 2n + 7. Underflows (3n and n(n + 7) units: a square that is lost may be multiplied by up to n; 3 + 3|w_i| + the operands in the result) cost
nothing in a column of which no product is below the smallest normal number, and the kη of softmax nothing where no e^{-t_i} is.
*Always* |z_i| ≤ √(n-1), and √n for RMSNorm, so |ŷ_i - y_i| ≤ |ŷ_i| + |w_i|√(n-1) + |b_i|: that is the bound where the variance is lost.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric.arithmetics import WithRadius, foretell_overflow, outward
from numeric.arithmetics.roundoff import gamma
from numeric.rules.enclosures import (
    down,
    exp_above,
    exp_below,
    finished,
    flushed_below,
    input_radius,
    lowered,
    magnitude,
    sqrt_above,
    sqrt_below,
    storage_error,
    underflow_unit,
    up,
)
from numeric.rules.library_errors import elementary_error

ROOT = "rsqrt of normalisation"
"""The reciprocal root inside the kernels, as the table of errors calls it."""
_FAR = 2.0**11
"""At which e^-t is no float64 any more; t e^-t falls from 1 on, so it stands for everything beyond."""


@dataclass(frozen=True, slots=True)
class Powers:
    """The powers e^-t_i of a softmax, enclosed, and how wrong a kernel's may be.  (cases, p, 1); sums (cases, 1, 1)."""

    low: Tensor
    """A lower bound of t_i."""
    high: Tensor
    above: Tensor
    """An upper bound of N_i."""
    below: Tensor
    sum_above: Tensor
    """An upper bound of S."""
    sum_below: Tensor
    numerator: Tensor
    """An upper bound of e_i."""
    denominator: Tensor
    """An upper bound of s."""
    flushed: float
    """The number below which the kernel may take something for zero."""


def powers(x: WithRadius, *, stored: bool = False) -> Powers:
    """The powers and their errors.  x: (cases, p, 1); stored: whether the kernel may round each to storage before it divides."""
    n, p = x.numerics, x.value.shape[-2]
    v = n.opmath.unit_roundoff
    assumed = elementary_error("exp of softmax", n.device, n.storage.name)
    k, flushed = assumed.ulps, flushed_below(x, assumed.function)
    centre = x.value.double()
    distance = centre.amax(-2, keepdim=True) - centre
    low, high = down(distance).clamp_min(0.0), up(distance)
    above, below = exp_above(-low), exp_below(-high)
    sum_above, sum_below = outward(above.sum(-2, keepdim=True), p), lowered(below.sum(-2, keepdim=True), p)
    argument = outward(v * high.clamp_max(_FAR) * exp_above(-low.clamp_max(_FAR) * (1.0 - v - 2.0**-51)), 2)
    smallest = k * n.opmath.smallest_subnormal + flushed
    numerator = outward(argument + 2.0 * k * v * (above + argument) + smallest, 5)
    if stored:
        numerator = outward(numerator + n.storage.unit_roundoff * outward(above + numerator, 1) + n.storage.half_subnormal, 4)
    denominator = outward(numerator.sum(-2, keepdim=True) * (1.0 + gamma(p - 1, v)) + gamma(p - 1, v) * sum_above, p + 4)
    return Powers(low, high, above, below, sum_above, sum_below, numerator, denominator, flushed)


def softmax_rule(module: nn.Module | None, x: WithRadius, value: Tensor, *, stored: bool = False) -> WithRadius:
    """The rule for a softmax over the entries of each column.  x, value: (cases, p, 1), the second as the module computed it; stored: see ``powers``."""
    made, p, v = powers(x, stored=stored), x.value.shape[-2], x.numerics.opmath.unit_roundoff
    above, below, flushed = made.above, made.below, made.flushed
    left = down(made.sum_below - made.denominator)
    probability = outward(above / made.sum_below, 1)
    quotient = outward(outward(made.numerator + probability * made.denominator, 2) / left.clamp_min(0.0), 1)  # over 0 where everything is lost: infinite
    own = outward(quotient + (2.0 + v) * v * (probability + quotient) + 2.0 * underflow_unit(x, flushed), 5)

    radius = input_radius(x, flushed)
    least = lowered(below / made.sum_above, 1)
    others = up(outward((probability * radius).sum(-2, keepdim=True), 2 * p) - lowered(least * radius, 1)).clamp_min(0.0)
    moved = outward(up(1.0 - least).clamp_max(1.0) * radius + others, 2)
    half = outward((radius + radius.amax(-2, keepdim=True)) / 2.0, 1)
    room = down(1.0 - torch.maximum(moved, half)).clamp_min(0.0)
    inherited = torch.where((radius > 0).any(-2, keepdim=True), outward(probability * outward(moved / room, 1), 1).clamp_max(1.0), 0.0)
    return finished(value, outward(own + inherited + storage_error(value, x, flushed), 2), x)


@dataclass(frozen=True, slots=True)
class Moments:
    """What normalisation divides by, enclosed; and what the kernel may have in its place."""

    deviation: Tensor
    """(cases, p, 1): an upper bound of |d_i|."""
    mean: Tensor
    """(cases, 1, 1): an upper bound of |μ|; zero without centring."""
    mean_error: Tensor
    """(cases, 1, 1): e."""
    above: Tensor
    """(cases, 1, 1): an upper bound of M."""
    below: Tensor
    """(cases, 1, 1): a lower bound of M."""
    error: Tensor
    """(cases, 1, 1): B."""


@dataclass(frozen=True, slots=True)
class Affine:
    """w and b, by their sizes and radii.  float64, what broadcasts to (cases, p, 1)."""

    weight: Tensor
    bias: Tensor
    weight_radius: Tensor | float = 0.0
    bias_radius: Tensor | float = 0.0
    roundings: int = 3
    """Of x_i and of μ on the way to their difference, each multiplied by D^-½: one more where a kernel multiplies D^-½ by w first."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised column, and how far what the kernel divides by may be from the exact numbers: (cases, 1, 1)."""

    column: WithRadius
    mean_radius: Tensor
    reciprocal_radius: Tensor
    """Of D^-½; infinite where D cannot be told from zero."""


def layer_norm_rule(module: nn.LayerNorm, x: WithRadius, value: Tensor) -> WithRadius:
    """The rule for LayerNorm over the entries of each column."""
    return layer_normalised(x, value, module.eps, _of_module(module, x)).column


def rms_norm_rule(module: nn.RMSNorm, x: WithRadius, value: Tensor) -> WithRadius:
    """The rule for RMSNorm over the entries of each column; without an ε of its own it takes 2v."""
    return rms_normalised(x, value, module.eps, _of_module(module, x)).column


def layer_normalised(x: WithRadius, value: Tensor, eps: float, affine: Affine) -> Normalised:
    """The same of w and b that may have radii.  x, value: (cases, p, 1)."""
    return _normalised(affine, x, value, eps, _central_moments(x), centred=True)


def rms_normalised(x: WithRadius, value: Tensor, eps: float | None, affine: Affine) -> Normalised:
    """The same without centring."""
    eps = 2.0 * x.numerics.opmath.unit_roundoff if eps is None else eps
    return _normalised(affine, x, value, eps, _raw_moments(x), centred=False)


def _of_module(module: nn.LayerNorm | nn.RMSNorm, x: WithRadius) -> Affine:
    weight, bias = module.weight, module.bias if isinstance(module, nn.LayerNorm) else None
    size = magnitude(x)
    w = torch.ones_like(size) if weight is None else weight.detach().double().abs().reshape(1, -1, 1)
    b = torch.zeros_like(size) if bias is None else bias.detach().double().abs().reshape(1, -1, 1)
    return Affine(w, b)


def _central_moments(x: WithRadius) -> Moments:
    """The mean and the sum of squared deviations, by any algorithm of the family."""
    n, v, unit = x.value.shape[-2], x.numerics.opmath.unit_roundoff, underflow_unit(x, flushed_below(x, ROOT))
    centre, size = x.value.double(), magnitude(x)
    # float64's own mean, and how far it may be from the real one: a sum of n terms and a division.
    mean = centre.mean(-2, keepdim=True)
    slack = outward(size.sum(-2, keepdim=True) * ((n + 2) * 2.0**-52 / n), 2 * n + 2)
    distance = (centre - mean).abs()
    deviation, least = outward(distance + slack, 2), down(down(distance) - slack).clamp_min(0.0)
    above, below = _squares(deviation, least)
    e = outward(gamma(_mean_roundings(n, x.numerics.device), v) * size.amax(-2, keepdim=True) + 3 * n * unit, 3)
    spread = outward(2.0 * e * math.sqrt(n * max(1.0, 0.5 * math.log2(n))), 4)
    root = sqrt_above(above)
    summed = outward((root + spread) ** 2, 3)
    error = outward(spread * (2.0 * root + spread) + gamma(2 * n + 7, v) * summed + n * (n + 7) * unit, 6)
    # Nothing on the way is larger: a deviation multiplied by n, or a square, which is at most that of 2X.
    peak = outward(4.0 * n * (size.amax(-2, keepdim=True) + e) ** 2, 4)
    foretell_overflow(x.hazards, torch.maximum(outward(peak + error, 1), n * up(2.0 * size.amax(-2, keepdim=True))), x.numerics.opmath, hides=True)
    return Moments(deviation, outward(mean.abs() + slack, 1), e, above, below, error)


def _mean_roundings(n: int, device: str) -> int:
    """The constant c of the mean.

    On a GPU the lanes of a block merge in at most seven levels, also with lanes that hold nothing, as (n_a/n)μ_a + (n_b/n)μ_b with n_a·fl(1/n) for
    n_a/n: three roundings of each term and one of the sum, four times seven more.
    """
    c = min(7 * n, n + 21 + math.ceil(7.0 * math.log(n)))
    return c + 28 if device == "cuda" else c


def _raw_moments(x: WithRadius) -> Moments:
    """The sum of squares, in any order."""
    n, v = x.value.shape[-2], x.numerics.opmath.unit_roundoff
    size = magnitude(x)
    above, below = _squares(size, size)
    zero = torch.zeros_like(above)
    error = outward(gamma(n + 1, v) * above + 2 * n * underflow_unit(x, flushed_below(x, ROOT)), 3)
    foretell_overflow(x.hazards, outward(above + error, 1), x.numerics.opmath, hides=True)
    return Moments(size, zero, zero, above, below, error)


def _squares(deviation: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """Σ of squares: of upper bounds from above, of lower bounds from below."""
    n = deviation.shape[-2]
    return outward((deviation * deviation).sum(-2, keepdim=True), 2 * n), lowered((least * least).sum(-2, keepdim=True), 2 * n)


def _normalised(affine: Affine, x: WithRadius, value: Tensor, eps: float, moments: Moments, *, centred: bool) -> Normalised:
    flushed = flushed_below(x, ROOT)
    n, v, unit = x.value.shape[-2], x.numerics.opmath.unit_roundoff, underflow_unit(x, flushed)
    size, radius = magnitude(x), input_radius(x, flushed)
    w, b = affine.weight, affine.bias
    d, e = moments.deviation, moments.mean_error
    above, below = outward(moments.above / n + eps, 2), lowered(moments.below / n + eps, 2)
    beta = outward(outward((1.0 + gamma(4, v)) * moments.error / n + gamma(4, v) * above + 2.0 * unit, 6) / below, 1)
    psi = outward(0.5 * beta / down(1.0 - beta).clamp_min(0.0), 3)
    root = 2.0 * v * elementary_error(ROOT, x.numerics.device, x.numerics.storage.name).ulps
    psi = outward(psi + root + psi * root, 4)
    deviate = sqrt_below(below)
    inverse = outward(1.0 / deviate, 1)

    e = outward(e + flushed, 1)  # an entry that is read as zero
    terms = outward(size + moments.mean + e, 2)
    lost = outward(inverse * outward(d * psi + (e + gamma(affine.roundings, v) * terms) * (1.0 + psi), 7), 1)
    normal = outward(d * inverse, 1)
    size_of_result = outward(w * (normal + lost) + b, 3)
    own = outward(w * lost + gamma(3, v) * size_of_result + unit * (3.0 + 3.0 * w + terms), 8)

    shift = outward(radius.sum(-2, keepdim=True) / n, n + 1) if centred else torch.zeros_like(inverse)
    q = torch.minimum(sqrt_above(outward((radius * radius).sum(-2, keepdim=True) / n, 2 * n)), radius.amax(-2, keepdim=True))
    lowest = torch.maximum(down(deviate - q), sqrt_below(torch.full_like(q, eps)))
    x.hazards.underflow |= ~(lowest > 0).reshape(-1) & torch.isfinite(size).all(-2).reshape(-1)
    moved = outward(outward(radius + shift + normal * q, 3) / lowest.clamp_min(0.0), 1)
    moved = torch.where((radius > 0).any(-2, keepdim=True), moved, 0.0)
    inherited = outward(w * moved + outward(affine.weight_radius * outward(normal + moved, 1) + affine.bias_radius, 2), 2)

    # Where the variance is lost the kernel's own is still ε, if its format holds ε; if not, it may divide by 0, and what comes of it is not finite.
    floor = sqrt_below(torch.full_like(q, eps if eps >= x.numerics.opmath.smallest_normal else 0.0))
    reach = torch.minimum(w * math.sqrt(n) + own, 2.0 * w * (d + e + gamma(3, v) * terms) / floor)
    foretell_overflow(x.hazards, outward((reach + b).amax((-2, -1), keepdim=True), 5), x.numerics.storage)
    # Nor is D^-½ larger; it may be multiplied first by w, by x_i or by μ.
    reciprocal = torch.minimum(outward(inverse * (1.0 + psi), 2), 2.0 / floor)
    factor = outward(reciprocal * w.clamp_min(1.0) * terms.clamp_min(1.0), 2)
    foretell_overflow(x.hazards, factor.amax((-2, -1), keepdim=True), x.numerics.opmath)
    farthest = outward(value.double().abs() + (w + affine.weight_radius) * (math.sqrt(n - centred) * (1.0 + 2.0**-50)) + (b + affine.bias_radius), 5)
    made = finished(value, torch.minimum(outward(own + inherited + storage_error(value, x, flushed), 2), farthest), x)
    return Normalised(made, outward(e + shift, 1), outward(inverse * psi + outward(inverse * q / lowest.clamp_min(0.0), 2), 2))
