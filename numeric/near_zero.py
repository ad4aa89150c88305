"""How near to A(x) = 0 the update can be computed: predicted from range limits, and measured.

The *measured radius* of a format and variant is the first power of two, going down in ‖a‖, at which the product ΔW·a as
the machine computes it misses WΔA by more than a tenth, ‖·‖∞, or is not finite, in one of the cases. (The product, not
the pre-activation: there the rounding of a large bias would hide what becomes of the update.) The *predicted radius* is
the first at which the format's range limits alone allow that, for operands of the same sizes. With v = WΔA, ‖a‖ = ρ,
e = a/ρ, k = d:

    norm        ŝ errs by up to k η_acc/2 + η/2, relative to ρ²; where products flush, by the squares below λ too; formula only
    numerator   an entry of v aᵀ errs by up to η/2; summed against a it weighs ‖e‖₁ η/(2 ρ ‖v‖); formula only
    operand     where products flush, entries of a below λ are read as zero and lose Σ e_j²
    overflow    an entry of ΔW passes Ω:  ‖v‖∞ ‖e‖∞/ρ > Ω

Everything else in the product ΔW·a is as well conditioned at ρ = 2^-100 as at 1.
"""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.contextual_block import ContextualBlock
from numeric.numerics import Numerics
from numeric.rounding import exact, hazards
from numeric.scenarios.near_zero import at_norm
from numeric.sides import in_format
from numeric.training import TrainedBlock
from numeric.variants import Variant
from symbolic import formulas

CASES = 256
FAILS = 0.1
"""The share of ‖WΔA‖ by which a case must err to count as failed; it defines the radius, and judges nothing."""

LEVELS = 32


@dataclass(frozen=True, slots=True)
class Level:
    """The cases at one distance."""

    exponent: int
    """‖a‖ is within a factor √2 of 2^exponent, as far as the format can hold such an a."""
    error: float
    """Measured: largest ‖ΔW·a - WΔA‖∞/‖WΔA‖∞; infinite if a result is not finite."""
    error_median: float
    bound: float
    """Rigorous: largest bound on it; infinite where a case was refused."""
    refused: float
    """Share of cases that were refused."""

    @property
    def fails(self) -> bool:
        """Whether a case erred by over a tenth."""
        return not self.error <= FAILS


@dataclass(frozen=True, slots=True)
class Sweep:
    """One variant in one format, from ‖a‖ = 1 down."""

    levels: tuple[Level, ...]
    measured_radius: float
    predicted_radius: float
    predicted_by: str
    """The range limit that sets the predicted radius."""


def sweep(trained: TrainedBlock, block: ContextualBlock, variant: Variant, numerics: Numerics, seed: int) -> Sweep:
    """Measure at evenly spaced distances, then halve the interval in which the first failure lies.  block: in the format."""
    lowest = int(math.log2(numerics.storage.smallest_subnormal)) - 2
    coarse = sorted({round(x) for x in torch.linspace(0, lowest, LEVELS).tolist()}, reverse=True)
    levels = {e: measure_level(trained, block, variant, numerics, e, seed) for e in coarse}
    first_held = next((e for e in coarse if not levels[e].fails), None)
    first_failed = None if first_held is None else next((e for e in coarse if e < first_held and levels[e].fails), None)
    if first_held is not None and first_failed is not None:
        held = min(e for e in coarse if e > first_failed)
        while held - first_failed > 1:
            middle = (held + first_failed) // 2
            levels[middle] = measure_level(trained, block, variant, numerics, middle, seed)
            if levels[middle].fails:
                first_failed = middle
            else:
                held = middle
    radius = math.nan if first_failed is None else 2.0**first_failed
    predicted, limit = predicted_radius(trained, variant, numerics, seed)
    return Sweep(tuple(levels[e] for e in sorted(levels, reverse=True)), radius, predicted, limit)


def measure_level(trained: TrainedBlock, block: ContextualBlock, variant: Variant, numerics: Numerics, exponent: int, seed: int) -> Level:
    """CASES cases at ‖a‖ ≈ 2^exponent; the same prompts at every level."""
    scaled = at_norm(trained, torch.full((CASES,), float(exponent), dtype=torch.float64), torch.Generator().manual_seed(seed))
    cases = in_format(block, scaled, numerics)
    found = hazards(CASES, numerics.device)
    with torch.no_grad():
        z, a = (exact(block.contextual(context, cases.query).unsqueeze(-1), numerics, found) for context in (cases.context, cases.kept))
        W = exact(block.first.weight, numerics, found)
        delta = formulas.context_vector(z, a)
        product = variant.update(W, delta, a) @ a
    target = W.value.double() @ (z.value.double() - a.value.double())
    effect = target.abs().amax((-2, -1))
    error = torch.nan_to_num((product.value.double() - target).abs(), nan=math.inf, posinf=math.inf).amax((-2, -1)) / effect
    refused = found.underflow | (found.overflow & torch.isinf(error)) | (a.value == 0).all(-2).squeeze(-1)
    bound = torch.where(refused, math.inf, product.radius.dense(target.shape[-2], 1).amax((-2, -1)) / effect)
    return Level(exponent, float(error.max()), float(error.median()), float(bound.max()), float(refused.double().mean()))


def predicted_radius(trained: TrainedBlock, variant: Variant, numerics: Numerics, seed: int) -> tuple[float, str]:
    """The first power of two, going down, at which a range limit allows a failure; and the name of that limit."""
    v, e = _operands_near_zero(trained, seed)
    exponent = 0
    while True:
        rho = 2.0**exponent
        losses = {name: float(loss.max()) for name, loss in range_losses(v, e, rho, variant, numerics).items()}
        worst = max(losses, key=lambda name: losses[name])
        if losses[worst] > FAILS or rho == 0.0:
            return rho, worst
        exponent -= 1


def range_losses(v: Tensor, e: Tensor, rho: float, variant: Variant, numerics: Numerics) -> dict[str, Tensor]:
    """By range limit, the share of ‖v‖ that can be lost at ‖a‖ = rho.  v: (cases, m); e: (cases, d), ‖e‖ = 1. Each (cases,)."""
    storage, accumulator = numerics.storage, numerics.accumulation
    k = e.shape[-1]
    peak = v.abs().amax(-1)
    flushes = numerics.product_flushes
    losses = {
        "ΔW overflows": torch.where(peak * e.abs().amax(-1) > storage.largest * rho, math.inf, 0.0),
        "products read subnormal entries of a as zero": torch.where(e.abs() * rho < storage.smallest_normal, e.square(), 0.0).sum(-1) * float(flushes),
    }
    if variant.id == "formula":
        lost = k * accumulator.smallest_subnormal / 2 + (storage.smallest_subnormal / 2 if accumulator != storage else 0.0)
        # Dividing twice keeps ρ² from underflowing in float64.
        norm = torch.full_like(peak, lost / rho / rho if rho > 0 else math.inf)
        if flushes:
            norm = norm + torch.where(e.square() * rho * rho < accumulator.smallest_normal, e.square(), 0.0).sum(-1)
            norm = norm + float(rho * rho < storage.smallest_normal)
        losses["‖a‖² underflows"] = norm
        entry = storage.smallest_subnormal / 2 + (storage.smallest_normal if flushes else 0.0)
        losses["(WΔA)aᵀ underflows"] = e.abs().sum(-1) * (entry / rho) / peak if rho > 0 else torch.full_like(peak, math.inf)
    return losses


def _operands_near_zero(trained: TrainedBlock, seed: int) -> tuple[Tensor, Tensor]:
    """v = WΔA and e = a/‖a‖ of the block in fp64, where a is small enough for ΔA to have reached its limit."""
    block = copy.deepcopy(trained.model.block).double()
    cases = at_norm(trained, torch.full((CASES,), -40.0, dtype=torch.float64), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        z, a = block.contextual(cases.context, cases.query), block.contextual(None, cases.query)
    delta = formulas.context_vector(z, a)
    return delta @ block.first.weight.mT, a / a.norm(dim=-1, keepdim=True)
