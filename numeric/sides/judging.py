"""From two measured sides and their radii to a verdict, case by case.

    bound      = radius_left + radius_right, entry by entry                                   rigorous
    ratio      = max over entries of |left - right| / bound                                   measured / rigorous
    resolution = ‖bound‖∞ / ‖WΔA‖∞ at the first dense layer: a wrong update that misses the effect of ΔW by more than
                 twice this fraction of it cannot stay inside the bound; with a skip connection the larger of this and
                 of the same at the output, where Δb′ or its like must be seen: ‖bound‖∞ / ‖δ‖∞; of a parallel block the
                 latter alone

A case whose operands foretold trouble is INCONCLUSIVE, with the reason; a number that is not finite although nothing
foretold it is VIOLATED. Resolution 1 or more is VACUOUS.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numeric.arithmetics.envelope import ROUNDOFF
from numeric.sides.both_sides import Sides
from numeric.sides.one_side import MeasuredSide
from symbolic.vocabulary import Verdict


class Reason(StrEnum):
    """Why a case is not judged, foretold by its operands. It is measured all the same."""

    NON_FINITE_INPUT = "NonFiniteInput"
    """A(C,x) or A(C∖Y,x) holds a NaN or an infinity."""
    SINGULAR_UPDATE = "SingularUpdate"
    """A(C∖Y,x) = 0: no update exists unless WΔA = 0, and Eq. (1) divides by zero."""
    NORM_UNDERFLOW = "NormUnderflow"
    """The computed denominator is no larger than its own rounding error."""
    UNDECIDED_CHOICE = "UndecidedChoice"
    """Two gates lie so near to each other that rounding decides which expert is chosen."""
    UPDATE_OVERFLOW = "UpdateOverflow"
    """A magnitude could pass the largest finite number, and a result then was not finite; one that stayed finite is judged."""
    KERNEL_OVERFLOW = "KernelOverflow"
    """A magnitude inside a kernel could pass the largest finite number, which can leave a finite and wrong result: a normalisation's Σx²."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Cases with their numbers and verdicts; one entry a case in each array."""

    norm_a: NDArray[np.float64]
    """‖A(C∖Y,x)‖."""
    context_effect: NDArray[np.float64]
    """‖ΔA‖/‖A(C∖Y,x)‖; infinite where A(C∖Y,x) is 0 and ΔA is not."""
    error: NDArray[np.float64]
    """Measured: ‖left - right‖∞ at the first dense layer."""
    bound: NDArray[np.float64]
    """Rigorous: the bound on it, ‖·‖∞."""
    expected: NDArray[np.float64]
    """Probabilistic: what it is expected not to exceed, ‖·‖∞ (``expected_difference.py``); NaN where that was not asked. No verdict depends on it."""
    expected_ratio: NDArray[np.float64]
    """The largest error over expected bound, entry by entry; NaN where that was not asked."""
    effect: NDArray[np.float64]
    """‖WΔA‖∞."""
    ratio: NDArray[np.float64]
    output_ratio: NDArray[np.float64]
    resolution: NDArray[np.float64]
    output_resolution: NDArray[np.float64]
    """‖bound‖∞ at the block's output over what the update changes there; from 1 on, the output alone would not show a wrong one."""
    verdict: NDArray[np.object_]
    """Verdict, as text."""
    reason: NDArray[np.object_]
    """Reason, as text; empty if judged."""
    moved: NDArray[np.float64]
    """‖(WΔA)(aᵀε)/‖a‖² + Wε‖∞, what the â that was computed again moved the first dense layer by; 0 where it came out the same."""
    move_noticed: NDArray[np.bool_]
    """Whether the case would lie outside its bound if that were left out."""
    well_inside: NDArray[np.bool_]
    """Whether the operands lie a factor of 4 or more inside every range limit; a refusal would be timid."""
    wrong_noticed: NDArray[np.bool_]
    """Whether the planted wrong update, judged by the same rule, was VIOLATED, by finite numbers and where the claim is of."""


def judge(sides: Sides) -> Judged:
    """The verdict of every case of a batch."""
    site, output = _margins(sides, sides.right)
    effect = sides.effect.amax(-1)
    # A bound that is not finite says nothing of the output, so the case shows nothing of the claim.
    resolution = torch.where((effect > 0) & torch.isfinite(output.bound), site.bound / effect, torch.inf)
    if sides.output_effect is not None:
        output_effect = sides.output_effect.amax(-1)
        of_output = torch.where(output_effect > 0, output.bound / output_effect, torch.inf)
        resolution = of_output if sides.at_output else torch.maximum(resolution, of_output)
    left, right = sides.left.first_layer.value, sides.right.first_layer.value
    expected, asked = _compare(left, right, sides.expected, sides.moved), ~torch.isnan(sides.expected).any(-1)
    change = sides.output_change.amax(-1)
    output_resolution = torch.where(change > 0, output.bound / change, torch.inf)
    reason = _reasons(sides)
    lost = sides.hazards.not_finite | sides.hazards.unforeseen
    verdict = _verdicts(site, output, lost, resolution, reason)
    # The same rule judges the planted wrong update: one that overlooks errors would overlook this one too.
    wrong, wrong_output = _margins(sides, sides.wrong)
    of_wrong = _verdicts(wrong, wrong_output, lost, resolution, reason)
    where_judged = wrong_output if sides.at_output else wrong
    noticed = (of_wrong == Verdict.VIOLATED.value) & _np((where_judged.ratio > 1) & torch.isfinite(where_judged.ratio))
    unmoved = _compare(left, right, sides.bound, torch.zeros_like(sides.moved))
    norm_a, norm_delta = _norm(sides.a), _norm(sides.z.double() - sides.a.double())
    return Judged(
        norm_a=_np(norm_a),
        context_effect=_np(torch.where(norm_delta == 0, 0.0, norm_delta / norm_a)),
        error=_np(site.error),
        bound=_np(site.bound),
        expected=_np(torch.where(asked, expected.bound, torch.nan)),
        expected_ratio=_np(torch.where(asked, expected.ratio, torch.nan)),
        effect=_np(effect),
        ratio=_np(site.ratio),
        output_ratio=_np(output.ratio),
        resolution=_np(resolution),
        output_resolution=_np(output_resolution),
        verdict=verdict,
        reason=reason,
        moved=_np(sides.moved.abs().amax(-1)),
        move_noticed=_np(unmoved.ratio > 1).astype(bool) & (reason == ""),
        well_inside=_np(sides.well_inside).astype(bool),
        wrong_noticed=noticed.astype(bool),
    )


def _verdicts(site: "_Margin", output: "_Margin", not_finite: Tensor, resolution: Tensor, reason: NDArray[np.object_]) -> NDArray[np.object_]:
    """The rule: refused, else outside the bound, else sharp enough to mean something."""
    broken = _np((site.ratio > 1) | (output.ratio > 1) | not_finite)
    inside = np.where(_np(resolution < 1), Verdict.HOLDS.value, Verdict.VACUOUS.value)
    judged = np.where(broken, Verdict.VIOLATED.value, inside)
    return np.where((reason != "").astype(bool), Verdict.INCONCLUSIVE.value, judged).astype(object)


def _reasons(sides: Sides) -> NDArray[np.object_]:
    """The reason for which each case is refused; empty where it is not. The first that applies counts."""
    bad_input = ~torch.isfinite(torch.cat([sides.z, sides.a], dim=-1)).all(-1)
    singular = (sides.a == 0).all(-1)
    numbers = torch.cat([site.value for side in (sides.left, sides.right) for site in (side.first_layer, side.output)], dim=-1)
    overflowed = sides.hazards.overflowed(torch.isfinite(numbers).all(-1))
    reason = np.full(len(sides.a), "", dtype=object)
    foreseen = ~sides.hazards.unforeseen
    for mask, name in (
        (overflowed, Reason.UPDATE_OVERFLOW),
        (sides.hazards.hidden & foreseen, Reason.KERNEL_OVERFLOW),
        (sides.hazards.underflow & foreseen, Reason.NORM_UNDERFLOW),
        (sides.hazards.undecided & foreseen, Reason.UNDECIDED_CHOICE),
        (singular, Reason.SINGULAR_UPDATE),
        (bad_input, Reason.NON_FINITE_INPUT),
    ):
        reason[_np(mask).astype(bool)] = name.value
    return reason


@dataclass(frozen=True, slots=True)
class _Margin:
    """Two measured tensors; one entry a case."""

    error: Tensor
    """‖left - right‖∞."""
    bound: Tensor
    """‖bound‖∞."""
    ratio: Tensor
    """The largest error over bound, entry by entry."""


def _margins(sides: Sides, right: MeasuredSide) -> tuple[_Margin, _Margin]:
    """At the first dense layer and at the output, by the right side's bound whichever side takes its place."""
    return (
        _compare(sides.left.first_layer.value, right.first_layer.value, sides.bound, sides.moved),
        _compare(sides.left.output.value, right.output.value, sides.output_bound, torch.zeros_like(right.output.value)),
    )


def _compare(left: Tensor, right: Tensor, bound: Tensor, moved: Tensor) -> _Margin:
    """How far left + moved and right lie apart, and how that compares with the bound.

    A difference that is not finite makes the ratio infinite; a bound that is not finite says nothing, and becomes
    infinite. Each of two sums of float64 is rounded once, so the bound is widened by one roundoff of either.
    """
    apart = left - right
    difference = torch.nan_to_num((apart + moved).abs(), nan=torch.inf, posinf=torch.inf)
    lost = (difference + torch.where(moved == 0, 0.0, apart.abs())) * ROUNDOFF
    bound = torch.nan_to_num(bound * (1 + 4 * ROUNDOFF) + lost, nan=torch.inf, posinf=torch.inf)
    ratio = torch.where(difference == 0, 0.0, difference / bound)
    ratio = torch.where(torch.isinf(difference), torch.inf, ratio)
    return _Margin(difference.amax(-1), bound.amax(-1), ratio.amax(-1))


def _norm(a: Tensor) -> Tensor:
    """‖a‖ in float64, scaled so that it neither under- nor overflows.  a: (cases, d)."""
    a = a.double()
    scale = a.abs().amax(-1, keepdim=True)
    safe = torch.where(scale > 0, scale, 1.0)
    return ((a / safe).norm(dim=-1, keepdim=True) * safe).squeeze(-1)


def _np(x: Tensor) -> NDArray[np.float64]:
    return x.detach().cpu().numpy()
