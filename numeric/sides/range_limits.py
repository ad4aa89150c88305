"""What the limits of a format's range alone, without any rounding, take from the update at a given distance from a = 0.

With v = WΔA, a = ρe, ‖e‖ near 1, for the product ΔW·a:

    norm        ŝ errs by up to k η_acc/2 + η/2, k the entries of e that are not 0, relative to ρ²‖e‖²; where products flush, by the
                squares below λ too; formula only
    numerator   an entry of v aᵀ errs by up to η/2; summed against a it weighs ‖e‖₁ η/(2 ρ ‖v‖); formula only
    operand     where products flush, entries of a below λ are read as zero and lose Σ e_j²
    overflow    an entry of ΔW passes Ω:  ‖v‖∞ ‖e‖∞/ρ > Ω; not for factored, which never forms ΔW
    upper end   ‖a‖² or an entry of v aᵀ passes Ω; formula only, and ‖a‖² for factored
    zero        for factored, only where every square is lost is aᵀa/‖a‖² no longer 1
    held        a itself is rounded to zero where ‖e‖∞ρ ≤ η/2
    factor      where products round their operands, an entry of v that is rounded to a subnormal errs by up to η/2; factored only

Everything else in the product ΔW·a is as well conditioned at ρ = 2^-100 as at 1.
"""

import math

import torch
from torch import Tensor

from numeric.machine import ErrorModel, ProbedMode
from numeric.machine.kernels import INNER_PRODUCT, OUTER_PRODUCT, PATCHED_WEIGHT, PRODUCT
from numeric.sides.variant import Variant

FAILS = 0.1
"""The share of ‖WΔA‖ by which a case must err to count as failed; it defines the radius, and judges nothing."""

MARGIN = 4.0
"""How many times nearer to a limit, and farther from it, a case that lies well inside could be."""


def share_that_fails(probed: ProbedMode) -> float:
    """A tenth; more in a format that loses as much by storing ΔW, wherever a is."""
    return max(FAILS, 4 * probed.mode.weights.unit_roundoff)


def well_inside(effect: Tensor, a: Tensor, variant: Variant, probed: ProbedMode) -> Tensor:
    """Whether no range limit would be met even if a were four times as near to zero, or four times as far from it.

    effect: (cases, m) float64, |WΔA|; a: (cases, d) float64. Returns (cases,) bool.
    """
    top = a.abs().amax(-1)
    usable = (top > 0) & torch.isfinite(top) & torch.isfinite(effect).all(-1) & (effect.amax(-1) > 0)
    e = torch.where(usable.unsqueeze(-1), a, 1.0) / torch.where(usable, top, 1.0).unsqueeze(-1)  # entries up to 1: no square underflows
    size = e.norm(dim=-1)
    v = torch.where(usable.unsqueeze(-1), effect, 1.0)
    inside = usable
    for rho in (top * size / MARGIN, top * size * MARGIN):
        unit, distance = e / size.unsqueeze(-1), torch.where(usable, rho, 1.0)
        losses = [*range_losses(v, unit, distance, variant, probed).values()]
        if variant.factored:
            # Its scalar aᵀa/‖a‖² comes out right even where both are mostly lost, but a bound that knows neither's value cannot rely on that.
            losses.append(lost_in_the_norm(unit, distance, probed.adapter))
        for loss in losses:
            inside = inside & (loss <= share_that_fails(probed))
    return inside


def range_losses(v: Tensor, e: Tensor, rho: Tensor, variant: Variant, probed: ProbedMode) -> dict[str, Tensor]:
    """By range limit, the share of ‖v‖ that can be lost at a = ρe.  v: (cases, m); e: (cases, d), of norms near 1; rho: (cases,). Each (cases,)."""
    update, held = (probed.adapter if variant.factored else probed.update), probed.mode.range
    storage, accumulator = update.storage, update.accumulation
    peak, top, squares = v.abs().amax(-1), e.abs().amax(-1), e.square().sum(-1)
    entries = e.abs() * rho.unsqueeze(-1)
    flushes = [INNER_PRODUCT in update.flushing, bool({PRODUCT, OUTER_PRODUCT} & update.flushing)]
    subnormal = torch.where(entries < storage.smallest_normal, e.square(), 0.0).sum(-1) / squares
    losses = {
        "A(x) is held as zero": _all_where(top * rho <= held.smallest_subnormal / 2),
        "products read subnormal entries of a as zero": subnormal * float(any(flushes) or PATCHED_WEIGHT in probed.layer.flushing),
    }
    if variant.id != "scaled":
        losses["‖a‖² overflows"] = _all_where(squares * rho * rho > storage.largest)
    if variant.factored:
        # The scalar aᵀa/‖a‖² is 1 as long as it is not 0/0: no precision is lost before nothing is left.
        nothing = max(accumulator.smallest_normal, storage.smallest_normal) if flushes[0] else accumulator.smallest_subnormal / 2
        if update.operands is not None:
            losses["an entry of WΔA is rounded to a subnormal operand"] = update.operands.half_subnormal / peak
        losses["‖a‖² is zero"] = _all_where((top * rho * top * rho <= nothing) | (squares * rho * rho <= storage.smallest_subnormal / 2))
        return losses
    losses["ΔW overflows"] = _all_where(peak * top > probed.mode.weights.largest * rho * squares)
    if variant.id == "formula":
        losses["(WΔA)aᵀ overflows"] = _all_where(peak * top * rho > storage.largest)
        losses["‖a‖² underflows"] = lost_in_the_norm(e, rho, update)
        entry = torch.full_like(rho, storage.smallest_subnormal / 2 + (storage.smallest_normal if flushes[1] else 0.0))
        losses["(WΔA)aᵀ underflows"] = torch.where(rho > 0, e.abs().sum(-1) / squares * (entry / rho) / peak, math.inf)
    return losses


def lost_in_the_norm(e: Tensor, rho: Tensor, n: ErrorModel) -> Tensor:
    """The share of ‖a‖² that can be lost to underflow at a = ρe.  e: (cases, d); rho: (cases,). Returns (cases,)."""
    squares = e.square().sum(-1)
    lost = _lost_in_a_norm(e, n)
    # Dividing twice keeps ρ² from underflowing in float64.
    norm = torch.where(rho > 0, lost / rho / rho / squares, math.inf)
    if INNER_PRODUCT in n.flushing:
        small = (e.abs() * rho.unsqueeze(-1)).square() < n.accumulation.smallest_normal
        norm = norm + torch.where(small, e.square(), 0.0).sum(-1) / squares + (squares * rho * rho < n.storage.smallest_normal).double()
    return norm


def _all_where(lost: Tensor) -> Tensor:
    """Infinite in the cases in which everything is lost, else 0."""
    return torch.where(lost, math.inf, 0.0).double()


def _lost_in_a_norm(e: Tensor, n: ErrorModel) -> Tensor:
    """What squares can lose to underflow on the way into a sum of them: the square of 0 nothing, and adding numbers below λ nothing either.

    e: (cases, d). Returns (cases,).
    """
    squares = (e != 0).sum(-1).double()  # times η before it is halved: half of fp64's η is no float64 number
    order = n.order(INNER_PRODUCT, 1, e.shape[-1])
    if order is not None and order.stored_strands:
        return squares * n.opmath.smallest_subnormal / 2 + order.strands * n.storage.smallest_subnormal / 2
    return squares * n.accumulation.smallest_subnormal / 2 + (n.storage.smallest_subnormal / 2 if n.accumulation != n.storage else 0.0)
