"""What the limits of a format's range alone, without any rounding, take from the update at a given distance from a = 0.

With v = fl(WΔA) as the machine has it, a = ρe, ‖e‖ near 1, for the product ΔW·a. A number t that underflows loses min(η/2, |t|) at most, and all of it
where it may be flushed; an entry of a lost like that weighs e_j²/‖e‖², so an error x of every a_j weighs L(x) = Σ_j min(x/ρ, |e_j|)|e_j|/‖e‖²:

    norm        ŝ errs by up to k η_acc/2 + η/2, k the entries of e that are not 0, relative to ρ²‖e‖²; where products flush, by the
                squares below λ too; a share x of ŝ is x/(1 - x) of v/ŝ; formula only
    numerator   an entry of v aᵀ errs by up to η/2: L(η/2‖v‖∞); formula. Of v cᵀ and v cᵀ/‖c‖², c = a/max|a|, at any ρ, but where they are v: scaled
    operand     where products flush, entries of a below λ are read as zero. Where they round their operands to a format with a larger η than that
                in which a is held, L(η/2)
    overflow    an entry of ΔW passes Ω:  ‖v‖∞ ‖e‖∞/ρ > Ω; not for factored, which never forms ΔW
    underflow   an entry of ΔW errs by up to η/2, or λ where the patched layer reads subnormal entries as zero: L(ρ²η‖e‖²/2‖v‖∞). It falls on the way
                down, and is met from above if W is tiny; not for factored
    products    where the patched layer flushes, a product ΔW_ij a_j ≤ ‖v‖∞ e_j²/‖e‖² below λ is lost, at any ρ: Σ_j min(e_j²/‖e‖², λ/‖v‖∞); not for factored
    upper end   ‖a‖² or an entry of v aᵀ passes Ω; formula only, and ‖a‖² for factored
    zero        for factored, only where every square is lost is aᵀa/‖a‖² no longer 1
    held        a itself is rounded to zero where ‖e‖∞ρ ≤ η/2
    factor      where products round their operands, an entry of v becomes a subnormal, at any ρ: as much as it does lose is known, v being known

Everything else in the product ΔW·a is as well conditioned at ρ = 2^-100 as at 1. Each of these is the most that can be lost, so a limit is foretold where it
is met or before. Quotients are taken before products, so that no number of float64 underflows on the way: η/2 is none in fp64, but η/ρ/ρ is.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from numeric.formats import Format, round_to
from numeric.machine import ErrorModel, ProbedMode
from numeric.machine.kernels import INNER_PRODUCT, OUTER_PRODUCT, PATCHED_WEIGHT
from numeric.sides.variant import Variant

NUMERATOR = "(WΔA)aᵀ underflows"
"""What underflows there is met on the way to zero by the formula; scaled, it is met at any distance, or at none."""

AT_ANY_DISTANCE = frozenset(
    {
        "WΔA is not finite",
        "an entry of WΔA is rounded to a subnormal operand",
        "an entry of WΔA overflows as an operand",
        "ΔW underflows",
        "products with ΔW are flushed",
    }
)
"""Limits that are met from above, or at every distance: those of a tiny W. How much they take is known from above alone."""

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
    storage = update.storage
    peak, top, squares = v.abs().amax(-1), e.abs().amax(-1), e.square().sum(-1)
    effect = torch.where(peak > 0, peak, math.inf)  # of nothing, nothing is lost
    losses = {"A(x) is held as zero": _all_where(top * rho <= held.smallest_subnormal / 2), "WΔA is not finite": _all_where(~torch.isfinite(v).all(-1))}
    if variant.id != "scaled":
        losses["‖a‖² overflows"] = _all_where(squares * rho * rho > storage.largest)
    if update.operands is not None:
        rounded = round_to(v.float(), update.operands).double()
        apart = torch.where(v.abs() < update.operands.smallest_normal, (rounded - v).abs(), 0.0)
        losses["an entry of WΔA is rounded to a subnormal operand"] = apart.amax(-1) / effect
        losses["an entry of WΔA overflows as an operand"] = _all_where(~torch.isfinite(rounded).all(-1))
    if variant.factored:
        # The scalar aᵀa/‖a‖² is 1 as long as it is not 0/0: no precision is lost before nothing is left.
        flushes = INNER_PRODUCT in update.flushing
        nothing = max(update.accumulation.smallest_normal, storage.smallest_normal) if flushes else update.accumulation.smallest_subnormal / 2
        losses["‖a‖² is zero"] = _all_where((top * rho * top * rho <= nothing) | (squares * rho * rho <= storage.smallest_subnormal / 2))
        return losses

    def lost(error: Tensor) -> Tensor:
        """Of ‖v‖, if every entry of a errs by so much of ρ."""
        return (torch.minimum(error.unsqueeze(-1), e.abs()) * e.abs()).sum(-1) / squares

    losses |= _lost_on_reading(e, rho, lost, variant, probed)
    stored = _stored_in(probed)
    losses["ΔW overflows"] = _all_where(peak * top > min(row.largest for row in stored) * rho * squares)
    read_as_zero = PATCHED_WEIGHT in probed.layer.flushing
    coarsest = max(_twice_lost(row, flushes=update.elementwise_flushes or read_as_zero) for row in stored)
    losses["ΔW underflows"] = lost(_over(coarsest, effect) * rho * squares / 2)
    if read_as_zero:
        below = _over(probed.layer.accumulation.smallest_normal, effect).unsqueeze(-1)
        losses["products with ΔW are flushed"] = torch.minimum(e.square() / squares.unsqueeze(-1), below).sum(-1)
    entry = _twice_lost(storage, flushes=OUTER_PRODUCT in update.flushing or update.elementwise_flushes)
    if variant.id == "formula":
        losses["(WΔA)aᵀ overflows"] = _all_where(peak * top * rho > storage.largest)
        share = lost_in_the_norm(e, rho, update)
        losses["‖a‖² underflows"] = torch.where(share < 1, share / (1.0 - share), math.inf)
        losses[NUMERATOR] = lost(_over(entry, rho, effect) / 2)
    else:
        error = _over(entry, effect) / 2 * top
        inexact = e.abs() < top.unsqueeze(-1)  # where c_j is 1 nothing is lost, nor where ‖c‖² is
        of_product = torch.where(inexact, torch.minimum(error.unsqueeze(-1), e.abs()) * e.abs(), 0.0).sum(-1) / squares
        of_quotient = torch.where((inexact & (e != 0)).any(-1), lost(error), 0.0)
        losses[NUMERATOR] = of_product + of_quotient
    return losses


def _lost_on_reading(e: Tensor, rho: Tensor, lost: Callable[[Tensor], Tensor], variant: Variant, probed: ProbedMode) -> dict[str, Tensor]:
    """What is lost of an entry of a when a product, or an elementwise operation, takes it as its operand."""
    update, held, losses = probed.update, probed.mode.range, {}
    own = update.elementwise_flushes or (variant.id == "formula" and bool({INNER_PRODUCT, OUTER_PRODUCT} & update.flushing))
    if own or PATCHED_WEIGHT in probed.layer.flushing:
        subnormal = torch.where(e.abs() * rho.unsqueeze(-1) < update.storage.smallest_normal, e.square(), 0.0)
        losses["products read subnormal entries of a as zero"] = subnormal.sum(-1) / e.square().sum(-1)
    operands = probed.layer.operands
    if operands is not None and operands.smallest_subnormal > held.smallest_subnormal:
        losses["an entry of a is rounded to a subnormal operand"] = lost(_over(operands.smallest_subnormal, rho) / 2)
    return losses


def _stored_in(probed: ProbedMode) -> list[Format]:
    """The formats through which ΔW passes on its way into the patched layer's product."""
    operands = [] if probed.layer.operands is None else [probed.layer.operands]
    return [probed.update.storage, probed.mode.weights, *operands]


def _twice_lost(row: Format, *, flushes: bool) -> float:
    """Twice what a number loses by underflow: half of fp64's η is no float64."""
    return 2 * row.smallest_normal if flushes else row.smallest_subnormal


def _over(unit: float, *sizes: Tensor) -> Tensor:
    """A unit of a format relative to a product of sizes; infinite where one of them is 0."""
    share = torch.full_like(sizes[0], unit)
    for size in sizes:
        share = torch.where(size > 0, share / size, math.inf)
    return share


def lost_in_the_norm(e: Tensor, rho: Tensor, n: ErrorModel) -> Tensor:
    """The share of ‖a‖² that can be lost to underflow at a = ρe.  e: (cases, d); rho: (cases,). Returns (cases,)."""
    squares = e.square().sum(-1)
    norm = sum((_over(unit, rho, rho) * (count / 2) for count, unit in _lost_in_a_norm(e, n)), start=torch.zeros_like(rho)) / squares
    if INNER_PRODUCT in n.flushing:
        small = (e.abs() * rho.unsqueeze(-1)).square() < n.accumulation.smallest_normal
        norm = norm + torch.where(small, e.square(), 0.0).sum(-1) / squares + (squares * rho * rho < n.storage.smallest_normal).double()
    return norm


def _all_where(lost: Tensor) -> Tensor:
    """Infinite in the cases in which everything is lost, else 0."""
    return torch.where(lost, math.inf, 0.0).double()


def _lost_in_a_norm(e: Tensor, n: ErrorModel) -> list[tuple[Tensor, float]]:
    """What squares can lose to underflow on the way into a sum of them, as numbers of halves of a unit: the square of 0 nothing, nor sums below λ.

    e: (cases, d). Returns pairs of (cases,) and a unit.
    """
    squares, one = (e != 0).sum(-1).double(), torch.ones_like(e[..., 0])
    order = n.order(INNER_PRODUCT, 1, e.shape[-1])
    if order is not None and order.stored_strands:
        return [(squares, n.opmath.smallest_subnormal), (one * order.strands, n.storage.smallest_subnormal)]
    found = [(squares, n.accumulation.smallest_subnormal)]
    return found if n.accumulation == n.storage else [*found, (one, n.storage.smallest_subnormal)]
