"""How near to A(x) = 0 the update can be computed: predicted from range limits, and measured.

The *measured radius* of a format and variant is the largest power of two of ‖a‖ at which, and at every smaller one, in one of the cases the
product ΔW·a as the machine computes it misses fl(WΔA) by more than a tenth, ‖·‖∞, or is not finite; in fp8, where storing
ΔW loses as much wherever a is, by more than four roundoffs (``share_that_fails``). (The product, not
the pre-activation: there the rounding of a large bias would hide what becomes of the update. fl(WΔA), not WΔA: where that cancels, its own rounding
would be taken for a's nearness to zero. A case in which it is 0 has an update of 0, and misses nothing.) The *predicted radius* is the same of what
the format's range limits alone (``range_limits.py``) allow, for operands of the same sizes. Both are 1 where it is so at every distance. Where W is tiny
entries of ΔW are lost far from zero, and not near it: that is no part of either.

**How near they come.** The prediction adds up the most that each limit can take, so it errs upwards: it says that judging stops where it does, or before.
Downwards it errs by one power at most, where roundings bring a case over the tenth that range limits leave below it. Upwards it errs by

- ½log₂(2d) + 1 where ‖a‖² underflows: each of d squares could lose η/2, but roundings to nearest cancel, and a sum by fused products rounds what it adds
  to a number that is larger;
- p powers more where the probe found that a kernel may flush, and at this shape and batch it does not: λ = 2^(p-1) η.
"""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.architecture import ContextualBlock
from numeric.arithmetics import WithRadius, exact, hazards
from numeric.arithmetics.value_and_radius import cast_up, dense_layer, in_arithmetic, stored
from numeric.cells import Subject
from numeric.formats import in_storage, torch_dtype
from numeric.machine import ProbedMode
from numeric.machine.environment_questions import undisturbed
from numeric.machine.kernels import PATCHED_WEIGHT, kernels
from numeric.scenarios.near_zero import at_norm
from numeric.sides import Batch, Variant, in_format
from numeric.sides.batch import batch_that_fits
from numeric.sides.passes import attend
from numeric.sides.range_limits import AT_ANY_DISTANCE, NUMERATOR, range_losses, share_that_fails
from symbolic import formulas

SWEPT = 256
"""Cases at each distance: more would find rarer failures, and no bound rests on how many there are."""
SWEPT_LEVELS = 24
"""Distances that are measured before an interval is halved: more would only take longer where failures have one threshold."""
COMPUTED_AS_ZERO = "A(x) is computed as zero"
"""The name of the one limit that is not the update's."""
SETTLED = -40
"""The exponent of ‖a‖ from which on ΔA = A(C,x) - a is taken to depend on it no longer; -20 would do, for it moves by a millionth there, far below a tenth."""


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

    fails: bool
    """Whether the product missed fl(WΔA) by more than the share that counts as a failure, in one of the cases."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One variant in one format, from ‖a‖ = 1 down."""

    levels: tuple[Level, ...]
    measured_radius: float
    predicted_radius: float
    predicted_by: str
    """The range limit that sets the predicted radius."""
    timid_by: float
    """Powers of two by which the prediction may lie above what is measured (``timid_by``)."""


class Attended:
    """What the contextual layer makes of the same prompts at each distance, computed once: no variant has a part in it."""

    def __init__(self, subject: Subject, block: ContextualBlock, probed: ProbedMode, seed: int) -> None:
        """block: in the format."""
        self.block, self.probed = block, probed
        self._subject = subject
        self.cases = min(SWEPT, batch_that_fits(block))
        self._tokens = subject.model.tokens(self.cases, torch.Generator().manual_seed(seed))
        self._unrounded = copy.deepcopy(subject.model.block).double()
        self._known: dict[int, tuple[Tensor, Tensor]] = {}
        self._operands: dict[int, tuple[Tensor, Tensor]] = {}

    def at(self, exponent: int) -> tuple[Tensor, Tensor]:
        """ẑ and â (CASES, d) as the machine computes them, at ‖a‖ ≈ 2^exponent."""
        if exponent not in self._known:
            cases = in_format(self.block, self._prompts(exponent), self.probed)
            z, a = (attend(self.block, context, cases.query, self.probed) for context in (cases.context, cases.kept))
            self._known[exponent] = z, a
        return self._known[exponent]

    def operands(self, exponent: int) -> tuple[Tensor, Tensor]:
        """v = fl(W(ẑ - â)) (CASES, m), and e = a/ρ (CASES, d), at ρ = 2^exponent, unrounded; float64, of the measurement's prompts."""
        if exponent not in self._operands:
            z, a = self.at(exponent)
            with torch.no_grad():
                unrounded = self._unrounded.contextual(None, self._prompts(exponent).query)
            self._operands[exponent] = effect_of(self.block.first_weight, z, a, self.probed), unrounded.to(z.device) * 2.0**-exponent
        return self._operands[exponent]

    def _prompts(self, exponent: int) -> Batch:
        """CASES cases; the same prompts at every level."""
        return at_norm(self._subject, *self._tokens, torch.full((self.cases,), float(exponent), dtype=torch.float64))


def effect_of(weight: Tensor, z: Tensor, a: Tensor, probed: ProbedMode) -> Tensor:
    """fl(W(ẑ - â)), as the update is computed.  z, a: (cases, d). Returns (cases, m) float64."""
    dtype = torch_dtype(probed.update.storage)
    with torch.no_grad(), probed.update.running():
        v = weight.detach().to(dtype) @ formulas.context_vector(z.to(dtype).unsqueeze(-1), a.to(dtype).unsqueeze(-1))
    return v.squeeze(-1).double()


def sweep(attended: Attended, variant: Variant) -> Sweep:
    """Measure at evenly spaced distances, then halve the interval below the last one at which no case fails.

    Raises ChangedArithmetic if the process computes otherwise at the end.
    """
    with undisturbed(attended.probed.device):
        return _swept(attended, variant)


def _swept(attended: Attended, variant: Variant) -> Sweep:
    coarse = sorted({round(x) for x in torch.linspace(0, lowest_exponent(attended.probed), SWEPT_LEVELS).tolist()})
    levels = {e: level_at(attended, variant, e) for e in coarse}
    held = next((e for e in coarse if not levels[e].fails), 1)
    failed = max((e for e in coarse if e < held), default=None)
    while failed is not None and held - failed > 1:
        middle = (held + failed) // 2
        levels[middle] = level_at(attended, variant, middle)
        if levels[middle].fails:
            failed = middle
        else:
            held = middle
    radius = math.nan if failed is None else 2.0**failed
    predicted, limit = predicted_radius(attended, variant)
    timid = timid_by(attended.block.first_weight.shape[1], limit, variant, attended.probed)
    return Sweep(tuple(levels[e] for e in sorted(levels, reverse=True)), radius, predicted, limit, timid)


def timid_by(width: int, limit: str, variant: Variant, probed: ProbedMode) -> float:
    """By how many powers of two a prediction may lie above what is measured, as the head of this file has it.  width: d; limit: what sets the radius.

    Infinite where the limit is one of a tiny W: of it no more is known than that all may be lost.
    """
    if limit in AT_ANY_DISTANCE or (variant.id == "scaled" and limit == NUMERATOR):
        return math.inf
    flushing = probed.update.flushing or probed.layer.flushing
    lost = max(probed.update.storage.significand_bits, probed.layer.storage.significand_bits) if flushing else 0
    return 0.5 * math.log2(2 * width) + 1 + lost


def lowest_exponent(probed: ProbedMode) -> int:
    """Of a distance at which the format holds no a but 0."""
    return int(math.log2(probed.mode.range.smallest_subnormal)) - 2


def level_at(attended: Attended, variant: Variant, exponent: int) -> Level:
    """Measure and bound at one distance."""
    probed = attended.probed
    flags = hazards(attended.cases, probed.device)
    update, layer = probed.update, probed.layer
    z, a = (cast_up(exact(x.unsqueeze(-1), layer, flags), update) for x in attended.at(exponent))
    W = exact(attended.block.first_weight.detach(), update, flags)
    delta = formulas.context_vector(z, a)
    if variant.factored:
        v, b = (in_arithmetic(x, probed.adapter) for x in (W @ delta, a))
        product = formulas.factored_update(v, b, b)
    else:
        product = _through_the_layer(stored(variant.update(W, delta, a), probed.mode.weights, layer), stored(a, probed.mode.activations, layer))
    target = W.value.double() @ (z.value.double() - a.value.double())
    effect = target.abs().amax((-2, -1))
    computed = effect_of(attended.block.first_weight, *attended.at(exponent), probed).unsqueeze(-1)
    missed = _relative(product.value.double() - computed, computed.abs().amax((-2, -1)))
    error = _relative(product.value.double() - target, effect)
    foretold = (flags.underflow & ~flags.unforeseen) | flags.overflowed(torch.isfinite(error))
    refused = foretold | (a.value == 0).all(-2).squeeze(-1)
    bound = torch.where(refused, math.inf, product.entry_radius.amax((-2, -1)) / effect)
    worst, median, largest_bound, share = (float(x) for x in (error.max(), error.median(), bound.max(), refused.double().mean()))
    return Level(exponent, worst, median, largest_bound, share, bool((missed > share_that_fails(probed)).any()))


def _relative(difference: Tensor, size: Tensor) -> Tensor:
    """‖difference‖∞ relative to a size; infinite if it is not finite, 0 of what is 0.  difference: (cases, m, 1); size: (cases,)."""
    apart = torch.nan_to_num(difference.abs(), nan=math.inf, posinf=math.inf).amax((-2, -1))
    return torch.where(apart == 0, 0.0, torch.where(torch.isinf(apart), math.inf, apart / size))


def _through_the_layer(update: WithRadius, a: WithRadius) -> WithRadius:
    """ΔW·a as the patched layer computes it, were ΔW all of its weight.  update: (cases, m, d); a: (cases, d, 1)."""
    n = update.numerics
    bias = torch.zeros_like(update.value[0, :, :1])
    with torch.no_grad(), n.running():
        value = kernels()[PATCHED_WEIGHT].run(update.value, a.value, bias.squeeze(-1))
    return dense_layer(update, exact(bias, n, a.hazards), a, value, PATCHED_WEIGHT)


def predicted_radius(attended: Attended, variant: Variant) -> tuple[float, str]:
    """The largest power of two at which, and at every smaller one, range limits allow a failure; and the name of the gravest of them there."""
    probed = attended.probed
    found, by = 0.0, "A(x) is held as zero"
    for exponent in range(lowest_exponent(probed), 1):
        rho = 2.0**exponent
        v, e = attended.operands(max(exponent, SETTLED))
        losses = range_losses(v, _as_held(e, rho, probed), torch.full_like(v[:, 0], rho), variant, probed)
        within = bool((torch.stack([*losses.values()]).sum(0) <= share_that_fails(probed)).all())
        if within and not _computed_as_zero(attended, exponent):
            break
        found, by = rho, COMPUTED_AS_ZERO if within else max(losses, key=lambda name: float(losses[name].max()))
    return found, by


def _computed_as_zero(attended: Attended, exponent: int) -> bool:
    """Whether the contextual layer loses a whole A(x) that the format could hold: its own kernels may flush, as those for bfloat16 of some processors do."""
    return bool((attended.at(exponent)[1] == 0).all(-1).any())


def _as_held(e: Tensor, rho: float, probed: ProbedMode) -> Tensor:
    """The e of the numbers that a = ρe is rounded to when it is stored; e itself where nothing is left.  e: (cases, d)."""
    if rho == 0.0:
        return e
    held = in_storage((e * rho).to(torch_dtype(probed.mode.activations)), probed.mode.range).double() / rho
    return torch.where((held != 0).any(-1, keepdim=True) & torch.isfinite(held).all(-1, keepdim=True), held, e)
