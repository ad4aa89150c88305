"""From two measured sides and their radii to a verdict, case by case.

    bound      = radius_left + radius_right, entry by entry                                   rigorous
    ratio      = max over entries of |left - right| / bound                                   measured / rigorous
    resolution = ‖bound‖∞ / ‖WΔA‖∞ at the first dense layer: a wrong update that misses the effect of ΔW by more than
                 twice this fraction of it cannot stay inside the bound; with a skip connection the larger of this and
                 of the same at the output, where Δb′ must be seen: ‖bound‖∞ / ‖ΔA‖∞

A case whose operands foretold trouble is INCONCLUSIVE, with the reason; a number that is not finite although nothing
foretold it is VIOLATED. Resolution 1 or more is VACUOUS.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numeric.envelope import ROUNDOFF
from numeric.sides import Sides
from symbolic.verdict import Verdict


class Reason(StrEnum):
    """Why a case was refused before it was measured."""

    NON_FINITE_INPUT = "NonFiniteInput"
    """A(C,x) or A(C∖Y,x) holds a NaN or an infinity."""
    SINGULAR_UPDATE = "SingularUpdate"
    """A(C∖Y,x) = 0: no update exists unless WΔA = 0, and Eq. (1) divides by zero."""
    NORM_UNDERFLOW = "NormUnderflow"
    """The computed denominator is no larger than its own rounding error."""
    UPDATE_OVERFLOW = "UpdateOverflow"
    """A magnitude could pass the largest finite number, and a result was not finite."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Cases with their numbers and verdicts; one entry a case in each array."""

    norm_a: NDArray[np.float64]
    """‖A(C∖Y,x)‖."""
    error: NDArray[np.float64]
    """Measured: ‖left - right‖∞ at the first dense layer."""
    bound: NDArray[np.float64]
    """Rigorous: the bound on it, ‖·‖∞."""
    effect: NDArray[np.float64]
    """‖WΔA‖∞."""
    ratio: NDArray[np.float64]
    output_ratio: NDArray[np.float64]
    resolution: NDArray[np.float64]
    verdict: NDArray[np.object_]
    """Verdict, as text."""
    reason: NDArray[np.object_]
    """Reason, as text; empty if judged."""
    wrong_ratio: NDArray[np.float64]
    """The ratio of the planted wrong update, at the first dense layer."""


def judge(sides: Sides) -> Judged:
    """The verdict of every case of a batch."""
    left, right = sides.left, sides.right
    error, bound, ratio = _compare(left.first_layer, right.first_layer, left.first_layer_radius + right.first_layer_radius)
    _, output_bound, output_ratio = _compare(left.output, right.output, left.output_radius + right.output_radius)
    _, _, wrong_ratio = _compare(left.first_layer, sides.wrong.first_layer, left.first_layer_radius + right.first_layer_radius)
    effect = sides.effect.amax(-1)
    # A bound that is not finite says nothing of the output, so the case shows nothing of the claim.
    resolution = torch.where((effect > 0) & torch.isfinite(output_bound), bound / effect, torch.inf)
    if sides.output_effect is not None:
        output_effect = sides.output_effect.amax(-1)
        resolution = torch.maximum(resolution, torch.where(output_effect > 0, output_bound / output_effect, torch.inf))
    reason = _reasons(sides)
    broken = (ratio > 1) | (output_ratio > 1) | sides.hazards.not_finite
    verdict = np.where((reason != "").astype(bool), Verdict.INCONCLUSIVE.value, np.where(_np(resolution < 1), Verdict.HOLDS.value, Verdict.VACUOUS.value))
    verdict = np.where((reason == "").astype(bool) & _np(broken), Verdict.VIOLATED.value, verdict).astype(object)
    return Judged(_np(_norm(sides.a)), _np(error), _np(bound), _np(effect), _np(ratio), _np(output_ratio), _np(resolution), verdict, reason, _np(wrong_ratio))


def _reasons(sides: Sides) -> NDArray[np.object_]:
    """The reason for which each case is refused; empty where it is not. The first that applies counts."""
    z_and_a = torch.cat([sides.z, sides.a], dim=-1)
    bad_input = ~torch.isfinite(z_and_a).all(-1)
    singular = (sides.a == 0).all(-1)
    numbers = torch.cat([sides.left.first_layer, sides.right.first_layer, sides.left.output, sides.right.output], dim=-1)
    overflowed = sides.hazards.overflow & (sides.hazards.not_finite | ~torch.isfinite(numbers).all(-1))
    reason = np.full(len(sides.a), "", dtype=object)
    for mask, name in (
        (overflowed, Reason.UPDATE_OVERFLOW),
        (sides.hazards.underflow, Reason.NORM_UNDERFLOW),
        (singular, Reason.SINGULAR_UPDATE),
        (bad_input, Reason.NON_FINITE_INPUT),
    ):
        reason[_np(mask).astype(bool)] = name.value
    return reason


def _compare(left: Tensor, right: Tensor, bound: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """‖left - right‖∞, ‖bound‖∞ and the largest entrywise ratio.

    A difference that is not finite makes the ratio infinite; a bound that is not finite says nothing, and becomes
    infinite. The difference of two float64 numbers is rounded once, so the bound is widened by one roundoff of it.
    """
    difference = torch.nan_to_num((left - right).abs(), nan=torch.inf, posinf=torch.inf)
    bound = torch.nan_to_num(bound * (1 + 4 * ROUNDOFF) + difference * ROUNDOFF, nan=torch.inf, posinf=torch.inf)
    ratio = torch.where(difference == 0, 0.0, difference / bound)
    ratio = torch.where(torch.isinf(difference), torch.inf, ratio)
    return difference.amax(-1), bound.amax(-1), ratio.amax(-1)


def _norm(a: Tensor) -> Tensor:
    """‖a‖ in float64, scaled so that it neither under- nor overflows.  a: (cases, d)."""
    a = a.double()
    scale = a.abs().amax(-1, keepdim=True)
    safe = torch.where(scale > 0, scale, 1.0)
    return ((a / safe).norm(dim=-1, keepdim=True) * safe).squeeze(-1)


def _np(x: Tensor) -> NDArray[np.float64]:
    return x.detach().cpu().numpy()
