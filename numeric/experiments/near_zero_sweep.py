"""How near to A(x) = 0 the update can be computed: predicted from range limits, and measured.

The *measured radius* of a format and variant is the first power of two, going down in ‖a‖, at which the product ΔW·a as
the machine computes it misses WΔA by more than a tenth, ‖·‖∞, or is not finite, in one of the cases; in fp8, where storing
ΔW loses as much wherever a is, by more than four roundoffs (``share_that_fails``). (The product, not
the pre-activation: there the rounding of a large bias would hide what becomes of the update.) The *predicted radius* is
the first at which the format's range limits alone (``range_limits.py``) allow that, for operands of the same sizes.
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
from numeric.machine import ProbedMode
from numeric.machine.environment_questions import undisturbed
from numeric.machine.kernels import PATCHED_WEIGHT, kernels
from numeric.scenarios.near_zero import at_norm
from numeric.sides import Batch, Variant, in_format
from numeric.sides.passes import attend
from numeric.sides.range_limits import range_losses, share_that_fails
from symbolic import formulas

SWEPT = 256
SWEPT_LEVELS = 24
SETTLED = -40
"""The exponent of ‖a‖ from which on ΔA = A(C,x) - a no longer depends on it."""


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
    """Whether a case erred by more than the share that counts as a failure."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One variant in one format, from ‖a‖ = 1 down."""

    levels: tuple[Level, ...]
    measured_radius: float
    predicted_radius: float
    predicted_by: str
    """The range limit that sets the predicted radius."""


class Attended:
    """What the contextual layer makes of the same prompts at each distance, computed once: no variant has a part in it."""

    def __init__(self, subject: Subject, block: ContextualBlock, probed: ProbedMode, seed: int) -> None:
        """block: in the format."""
        self.block, self.probed = block, probed
        self._subject = subject
        self._tokens = subject.model.tokens(SWEPT, torch.Generator().manual_seed(seed))
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
        """v = W(ẑ - â) (CASES, m) of the machine's own operands, and e = a/ρ (CASES, d), at ρ = 2^exponent; float64, of the measurement's prompts."""
        if exponent not in self._operands:
            z, a = (attended.double() for attended in self.at(exponent))
            with torch.no_grad():
                unrounded = self._unrounded.contextual(None, self._prompts(exponent).query)
            v = formulas.context_vector(z, a) @ self.block.first_weight.double().mT
            self._operands[exponent] = v, unrounded.to(z.device) * 2.0**-exponent
        return self._operands[exponent]

    def _prompts(self, exponent: int) -> Batch:
        """CASES cases; the same prompts at every level."""
        return at_norm(self._subject, *self._tokens, torch.full((SWEPT,), float(exponent), dtype=torch.float64))


def sweep(attended: Attended, variant: Variant) -> Sweep:
    """Measure at evenly spaced distances, then halve the interval in which the first failure lies.

    Raises ChangedArithmetic if the process computes otherwise at the end.
    """
    with undisturbed(attended.probed.device):
        return _swept(attended, variant)


def _swept(attended: Attended, variant: Variant) -> Sweep:
    lowest = int(math.log2(attended.probed.mode.range.smallest_subnormal)) - 2
    coarse = sorted({round(x) for x in torch.linspace(0, lowest, SWEPT_LEVELS).tolist()}, reverse=True)
    levels = {e: level_at(attended, variant, e) for e in coarse}
    first_held = next((e for e in coarse if not levels[e].fails), None)
    first_failed = None if first_held is None else next((e for e in coarse if e < first_held and levels[e].fails), None)
    if first_held is not None and first_failed is not None:
        held = min(e for e in coarse if e > first_failed)
        while held - first_failed > 1:
            middle = (held + first_failed) // 2
            levels[middle] = level_at(attended, variant, middle)
            if levels[middle].fails:
                first_failed = middle
            else:
                held = middle
    radius = math.nan if first_failed is None else 2.0**first_failed
    predicted, limit = predicted_radius(attended, variant)
    return Sweep(tuple(levels[e] for e in sorted(levels, reverse=True)), radius, predicted, limit)


def level_at(attended: Attended, variant: Variant, exponent: int) -> Level:
    """Measure and bound at one distance."""
    probed = attended.probed
    flags = hazards(SWEPT, probed.device)
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
    error = torch.nan_to_num((product.value.double() - target).abs(), nan=math.inf, posinf=math.inf).amax((-2, -1)) / effect
    refused = flags.underflow | (flags.overflow & torch.isinf(error)) | (a.value == 0).all(-2).squeeze(-1)
    bound = torch.where(refused, math.inf, product.entry_radius.amax((-2, -1)) / effect)
    worst, median, largest_bound, share = (float(x) for x in (error.max(), error.median(), bound.max(), refused.double().mean()))
    return Level(exponent, worst, median, largest_bound, share, not worst <= share_that_fails(probed))


def _through_the_layer(update: WithRadius, a: WithRadius) -> WithRadius:
    """ΔW·a as the patched layer computes it, were ΔW all of its weight.  update: (cases, m, d); a: (cases, d, 1)."""
    n = update.numerics
    bias = torch.zeros_like(update.value[0, :, :1])
    with torch.no_grad(), n.running():
        value = kernels()[PATCHED_WEIGHT].run(update.value, a.value, bias.squeeze(-1))
    return dense_layer(update, exact(bias, n, a.hazards), a, value, PATCHED_WEIGHT, apart=n.patched_rounds_before_bias)


def predicted_radius(attended: Attended, variant: Variant) -> tuple[float, str]:
    """The first power of two, going down, at which a range limit allows a failure; and the name of that limit."""
    probed, exponent = attended.probed, 0
    while True:
        rho = 2.0**exponent
        if exponent >= SETTLED:
            v, e = attended.operands(exponent)
        losses = {name: float(loss.max()) for name, loss in range_losses(v, e, torch.full_like(v[:, 0], rho), variant, probed).items()}
        worst = max(losses, key=lambda name: losses[name])
        if losses[worst] > share_that_fails(probed) or rho == 0.0:
            return rho, worst
        exponent -= 1
