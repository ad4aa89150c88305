"""The implicit dynamics of a trained block, measured: Section 3 (Proposition 3.1) and Appendix B, token by token.

Four identities, each with a rigorous bound (``weight_paths.py``), after i = 1..n tokens:

    moved        T_{Wᵢ}(cᵢ₊₁..cₙ,x) = T_{W₀}(c₁..cₙ,x)           Corollary B.0.1, Eq. (32), at the first dense layer
    factored     Wᵢ by Eq. (31) = W₀(1 + h₁A₁)⋯(1 + hᵢAᵢ)         Eqs. (33) to (35), entry by entry
    descended    T_{Wᵢ}(x) = T_{W₀}(c₁..cᵢ,x), Wᵢ by Eq. (20)     Eq. (14), at the first dense layer
    telescoped   Wᵢ by Eq. (20) = W₀ - h(Δ₀ + ... + Δᵢ₋₁)         entry by entry

The contextual layer's outputs are the module's own, in the format, and taken as exact; the first dense layer runs by the kernels of
the block's own passes. Three wrong readings are planted: Eq. (15) as it is printed, with Δ₁..Δₙ₋₁ for Δ₀..Δₙ₋₁, since its Δₙ would
need cₙ₊₁; the factors of Eq. (35) in the opposite order; and A(c₁..cᵢ,x) in place of A(cᵢ₊₁..cₙ,x) as the row of Eq. (31). Each is
judged by the right one's bound, and must lie outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.architecture import ContextualBlock
from numeric.arithmetics import Enclosed, hazards, outward
from numeric.arithmetics.matrix_products import running_sums
from numeric.experiments import weight_paths as paths
from numeric.experiments.first_layer import FirstLayer, LayerDifference
from numeric.formats import torch_dtype
from numeric.machine import ErrorModel, ProbedMode, Refinement
from numeric.sides import block_in_format
from numeric.training import TrainedBlock, draw_prompts
from symbolic import formulas

DYNAMICS_PROMPTS = 4
"""Prompts a block; each is n steps of either dynamics. More would find worse ones, and no bound rests on how many there are."""

POINTS = 11
"""Numbers of tokens for which a curve is kept, and Appendix B's weights are compared."""


class NothingJudged(Exception):
    """Every prompt met a limit of the format's range, or an A(·) that is zero."""


class LostNumbers(Exception):
    """A result was infinite or NaN, and no limit of the format's range explains it."""


@dataclass(frozen=True, slots=True)
class IdentityPoint:
    """An identity after some tokens; of each prompt the largest entry, of those the median."""

    tokens: int
    error: float
    bound: float
    """Rigorous."""
    effect: float
    """What the tokens that have moved so far do to the same quantity."""


@dataclass(frozen=True, slots=True)
class MeasuredIdentity:
    """One of the four."""

    points: tuple[IdentityPoint, ...]
    worst: float
    """The largest error over bound of all entries, prompts and numbers of tokens."""
    resolution: float
    """The largest bound over effect of all numbers of tokens."""
    vacuous: tuple[int, ...]
    """The numbers of tokens after which the bound is not below the effect: there it shows nothing."""


@dataclass(frozen=True, slots=True)
class Dynamics:
    """A block in a format."""

    tokens: int
    prompts: int
    """Those that were judged."""
    refused: int
    """Those that met a limit of the range or a zero."""
    moved: MeasuredIdentity
    factored: MeasuredIdentity
    descended: MeasuredIdentity
    telescoped: MeasuredIdentity
    literal: float
    """Planted, Eq. (15) as printed: the least, over the prompts, of the largest error over bound."""
    reversed: float
    """Planted, Eq. (35) in the opposite order: likewise."""
    prefix: float
    """Planted, A(c₁..cᵢ,x) for A(cᵢ₊₁..cₙ,x): likewise."""
    apart: float
    """‖Wₙ - W′ₙ‖_F/‖W′ₙ - W₀‖_F, of Appendix B's Wₙ and Section 3's W′ₙ: the median."""
    differ: float
    """The least, over the prompts, of the largest entry of |Wₙ - W′ₙ| over the bound of both: above 1 they are two matrices."""
    agree: float
    """The largest |(Wₙ - W′ₙ)A(x)| over the bound of both."""


def implicit_dynamics(trained: TrainedBlock, probed: ProbedMode, prompts: int = DYNAMICS_PROMPTS) -> Dynamics:
    """Measure and bound a trained block, in a mode whose products take their operands as they are.  Raises NothingJudged."""
    block = block_in_format(trained.model.block, probed)
    raw = draw_prompts(trained.block.recipe, prompts, trained.generator(5))
    with torch.no_grad():
        context, query = (trained.model.embedding(x).to(probed.device, torch_dtype(probed.mode.activations)) for x in (raw.context, raw.query))
        outputs = contextual_outputs(block, context, query)
    return dynamics_of(block.first_weight.detach(), block.first_bias.detach().unsqueeze(-1), outputs, probed)


def contextual_outputs(block: ContextualBlock, context: Tensor, query: Tensor) -> paths.Outputs:
    """A(c₁..cᵢ,x) and A(cᵢ₊₁..cₙ,x) for every i, as the network reads them.  context: (prompts, n, d_in); query: (prompts, d_in)."""
    n = context.shape[1]
    none, whole = block.read(None, query), block.read(context, query)
    prefix = [none, *(block.read(context[:, :i], query) for i in range(1, n)), whole]
    suffix = [whole, *(block.read(context[:, i:], query) for i in range(1, n)), none]
    return paths.Outputs(*(torch.stack(each, dim=1).unsqueeze(-1) for each in (prefix, suffix)))


def dynamics_of(W: Tensor, b: Tensor, outputs: paths.Outputs, probed: ProbedMode) -> Dynamics:
    """The dynamics of any vectors.  W: (m, d); b: (m, 1); all in the mode's format, on its device. Raises NothingJudged."""
    # The orders of sums are known for the probes' own batches alone; γ holds for any order.
    probed = probed.without([*probed.left_out, Refinement.SUMMATION_ORDER])
    n, prompts, tokens = probed.update, len(outputs.prefix), outputs.tokens
    at, every = kept_points(tokens), range(1, tokens + 1)
    flags = hazards(prompts * tokens, probed.device)
    layer = FirstLayer(W, b, probed, flags)

    B, S = paths.appendix_b_path(W, outputs, n, flags), paths.section_3_path(W, outputs, n, flags)
    moved = layer.compared(B, outputs.suffix[:, 1:], outputs.suffix[:, :1].expand_as(outputs.suffix[:, 1:]))
    descended = layer.compared(S, outputs.alone, outputs.prefix[:, 1:])

    factors = paths.token_factors(outputs, n, flags)
    of_B, of_products = paths.propagated(torch.cat([B.strayed_by_step, factors.strayed], dim=-2), outputs, at, flags).split((len(W), W.shape[-1]), dim=-2)
    product = paths.by_the_product(W, factors, of_products, at, n)
    factored = _entries(B.weights[:, at], product, of_B, W)
    of_S = running_sums(S.strayed_by_step)
    telescoped = _entries(S.weights[:, 1:], paths.by_the_sum(W, outputs, n, flags), of_S, W)

    if bool(flags.unforeseen.any()):
        raise LostNumbers(f"numbers came out infinite or NaN after {int(flags.unforeseen.sum())} of {len(flags.unforeseen)} tokens, and no operand foretold it")
    # What came out infinite or NaN and is left here was foretold, so that the first two flags would do.
    judged = ~(flags.overflow | flags.underflow | flags.not_finite).unflatten(0, (prompts, tokens)).any(-1)
    if not bool(judged.any()):
        raise NothingJudged("every prompt met a limit of the format's range, or an output of the contextual layer that is zero")
    literal, prefix, backwards = _planted(W, outputs, factors.each, n)
    goal = layer.of(W, outputs.suffix[:, :1]).value
    W_B, W_S, first = B.weights[:, -1].double(), S.weights[:, -1].double(), W.double()
    return Dynamics(
        tokens=tokens,
        prompts=int(judged.sum()),
        refused=int((~judged).sum()),
        moved=_identity(moved, every, at, judged),
        factored=_identity(factored, at, at, judged),
        descended=_identity(descended, every, at, judged),
        telescoped=_identity(telescoped, every, at, judged),
        literal=_least(layer.of(literal, outputs.alone[:, :1]).value - goal, descended.bound[:, -1:], judged),
        reversed=_least(W_B - backwards.double(), factored.bound[:, -1], judged),
        prefix=_least(layer.of(prefix, outputs.alone[:, :1]).value - goal, moved.bound[:, -1:], judged),
        apart=float(((W_B - W_S).norm(dim=(-2, -1)) / (W_S - first).norm(dim=(-2, -1)))[judged].median()),
        differ=_least(W_B - W_S, outward(of_B[:, -1] + of_S[:, -1], 1), judged),
        agree=float(_ratios(moved.left[:, -1] - descended.left[:, -1], outward(moved.bound[:, -1] + descended.bound[:, -1], 1))[judged].max()),
    )


def kept_points(tokens: int) -> list[int]:
    """Some numbers of tokens from 1 to all, evenly spread."""
    return sorted({1 + round(j * (tokens - 1) / (POINTS - 1)) for j in range(POINTS)})


def _entries(weights: Tensor, other: Enclosed, radius: Tensor, first: Tensor) -> LayerDifference:
    return LayerDifference(weights.double(), other.value, outward(radius + other.radius, 1), weights.double() - first.double())


def _planted(W: Tensor, outputs: paths.Outputs, factors: Tensor, n: ErrorModel) -> tuple[Tensor, Tensor, Tensor]:
    """Wₙ by each of the wrong readings, of numbers alone: (prompts, 1, m, d) twice, (prompts, m, d)."""
    p, a = outputs.prefix, outputs.suffix

    def mistaken(_: Tensor, W: Tensor, before: Tensor, a: Tensor, p: Tensor) -> Tensor:
        return formulas.patched_weight(W, formulas.rank_one_update(W, formulas.context_vector(before, a), p))

    literal = paths.walked(W, W, paths.section_3_step, (p[:, 1:-1], p[:, 2:], outputs.alone[:, 1:]), n)[:, -1:]
    prefix = paths.walked(W, W, mistaken, (a[:, :-1], a[:, 1:], p[:, 1:]), n)[:, -1:]
    one = torch.eye(W.shape[-1], dtype=W.dtype, device=W.device)
    backwards = paths.walked(one, one, lambda _, P, F: F @ P, (factors,), n)[:, -1]
    with n.running():
        return literal, prefix, W @ backwards


def _ratios(error: Tensor, bound: Tensor) -> Tensor:
    """Error over bound; nothing over nothing is nothing."""
    return torch.where(error == 0, 0.0, error.abs() / bound)


def _identity(compared: LayerDifference, every: Sequence[int], at: Sequence[int], judged: Tensor) -> MeasuredIdentity:
    error = compared.left - compared.right
    sizes = [x.abs()[judged].amax((-2, -1)).median(dim=0).values.tolist() for x in (error, compared.bound, compared.effect)]
    rows = [IdentityPoint(i, *row) for i, *row in zip(every, *sizes, strict=True)]
    vacuous = tuple(row.tokens for row in rows if not row.bound < row.effect)
    # Where the tokens do nothing at all, the bound is infinitely many times that.
    resolution = max(row.bound / row.effect if row.effect else torch.inf for row in rows)
    return MeasuredIdentity(tuple(row for row in rows if row.tokens in at), float(_ratios(error, compared.bound)[judged].max()), resolution, vacuous)


def _least(error: Tensor, bound: Tensor, judged: Tensor) -> float:
    return float(_ratios(error, bound)[judged].flatten(1).amax(-1).min())
