"""How well one update serves other queries: a context's least-squares patch, on the queries that made it and on fresh ones.

The ΔW of Eq. (1) belongs to one query. A static patch is one ΔW for a context, made from K queries x_1..x_K (``least_squares.py``); it is measured

    at the first dense layer   ‖ΔW A(x) - WΔA‖ / ‖WΔA‖, on the K queries and on fresh ones,
    at the block's output      ½ mean squared error of its own forward pass on fresh queries without the context, W + ΔW put into the module,

beside the same with the context and without either. A skip connection needs Δb′ too, which is here the mean ΔA of the K queries: least squares again.
Everything is measured, in fp64; how far the patches are from exact ones is certified (``exact_least_squares.py``).
Source: beyond the paper; after Mazzawi et al., "Transmuting prompts into weights" (arXiv 2510.08734).
"""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.func import functional_call

from numeric.architecture import ContextualBlock, output_layers
from numeric.architecture.wiring import wiring
from numeric.experiments.exact_least_squares import Distance, distance, rational
from numeric.experiments.least_squares import is_singular, least_squares_patch, ridge_patch, span
from numeric.training import TrainedBlock, draw_prompts
from symbolic import formulas

QUERIES = (1, 2, 4, 8, 16, 32, 64, 128)
"""K: how many queries a patch is made from."""

CONTEXTS = 16
"""Contexts, each with queries of its own. More of them, or of queries, would make means surer; no bound rests on how many there are."""

VALIDATION, FRESH = slice(QUERIES[-1], QUERIES[-1] + 32), slice(QUERIES[-1] + 32, QUERIES[-1] + 96)
"""Of each trial's queries, those that choose the ridge, and those that no patch has seen."""

SHARES = tuple(2.0**exponent for exponent in range(-20, 5, 4))
"""The ridges that are tried: λ over tr(AAᵀ)/d."""

CERTIFIED_ROWS = 4
"""Rows of ΔW that are compared with exact ones, in the first trial. Each is a problem of its own: fewer would do, and more would only take longer."""


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """A number that each trial has."""

    mean: float
    error: float
    """The standard error of the mean."""
    median: float
    """It says more than the mean where few queries make a patch: two of them nearly parallel give one that is as large as one likes."""


@dataclass(frozen=True, slots=True)
class Unridged:
    """What the least squares themselves do, λ = 0."""

    own: TrialSummary
    """Error at the first dense layer on the K queries themselves."""
    fresh: TrialSummary
    """The same on fresh queries."""
    loss: TrialSummary
    """½ mean squared error on fresh queries."""
    distance: Distance
    """From the exact patch."""


@dataclass(frozen=True, slots=True)
class StaticPoint:
    """What patches made from K queries do."""

    queries: int
    unridged: Unridged | None
    """None where a trial was refused: the others would be a selection."""
    refused: int
    """Trials whose A(x_k) are linearly dependent (``SingularPatch``)."""
    fresh: TrialSummary
    """Error on fresh queries with the ridge that the validation queries choose."""
    loss: TrialSummary
    """½ mean squared error on fresh queries with it."""
    share: float
    """Median of the chosen λ over tr(AAᵀ)/d."""
    other_context: TrialSummary
    """Planted: the patch of another context, with its ridge; error on fresh queries."""
    wrong_vector: TrialSummary
    """Planted: the patch made with A(C,x) where A(x) belongs, with the ridge that suits it best."""


@dataclass(frozen=True, slots=True)
class StaticPatch:
    """One block's static patches."""

    directions: int
    """r: how many directions the A(x) of all queries span."""
    with_context: TrialSummary
    """½ mean squared error on fresh queries."""
    without: TrialSummary
    points: tuple[StaticPoint, ...]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Contexts and their queries, by trial; all of them embedded, in fp64."""

    block: ContextualBlock
    query: Tensor
    """(trials, queries, width)."""
    answer: Tensor
    """(trials, queries)."""
    a: Tensor
    """A(x), (trials, queries, d)."""
    z: Tensor
    """A(C,x)."""
    wanted: Tensor
    """WΔA, (trials, queries, m)."""
    with_context: Tensor
    """The block's predictions, (trials, queries)."""
    without: Tensor


def static_patches(trained: TrainedBlock) -> StaticPatch:
    """Static patches for K = 1 to 128."""
    with torch.no_grad():
        drawn = _draw(trained)
        Q = span(drawn.a.flatten(0, 1))
        with_context, without = (_loss(predicted[:, FRESH], drawn.answer[:, FRESH]) for predicted in (drawn.with_context, drawn.without))
        return StaticPatch(Q.shape[1], with_context, without, tuple(_point(drawn, K, Q) for K in QUERIES))


def _draw(trained: TrainedBlock) -> _Drawn:
    """Prompts that are longer by all queries: their further examples are the queries, x without its answer."""
    recipe, block = trained.block.recipe, copy.deepcopy(trained.model.block).double()
    columns = draw_prompts(replace(recipe, examples=recipe.examples + FRESH.stop), CONTEXTS, trained.generator(5)).context.double()
    answer = columns[:, recipe.examples :, -1].clone()
    columns[:, recipe.examples :, -1] = 0.0
    embedded = copy.deepcopy(trained.model.embedding).double()(columns)
    context, query = embedded[:, : recipe.examples], embedded[:, recipe.examples :]
    a, without = _asked(block, None, query)
    z, with_context = _asked(block, context, query)
    return _Drawn(block, query, answer, a, z, formulas.context_vector(z, a) @ block.first_weight.mT, with_context, without)


def _asked(block: ContextualBlock, context: Tensor | None, query: Tensor) -> tuple[Tensor, Tensor]:
    """What the first dense layer reads, and the prediction, of each query.  context: (trials, n, width) or None; query: (trials, queries, width)."""
    heard: list[Tensor] = []
    with block.network.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0])):
        output = block(None if context is None else context.repeat_interleave(query.shape[1], dim=0), query.flatten(0, 1))
    (attended,) = heard
    return attended.unflatten(0, query.shape[:2]), output[:, -1].unflatten(0, query.shape[:2])


def _point(drawn: _Drawn, K: int, Q: Tensor) -> StaticPoint:
    """Q: a basis of what all A(x) span."""
    A = (drawn.a[:, :K] @ Q).mT
    refused = int(is_singular(A).sum())
    update, share = _ridged(drawn, drawn.a, K)
    wrong, _ = _ridged(drawn, drawn.z, K)
    fresh, other_context, wrong_vector = (_over_trials(_errors(drawn, each, FRESH)) for each in (update, update.roll(1, 0), wrong))
    return StaticPoint(K, None if refused else _unridged(drawn, A, Q), refused, fresh, _patched_loss(drawn, update, K), share, other_context, wrong_vector)


def _unridged(drawn: _Drawn, A: Tensor, Q: Tensor) -> Unridged:
    """A: (trials, r, K), coordinates of the A(x_k) in the basis Q."""
    K, rows = A.shape[-1], slice(CERTIFIED_ROWS)
    V = drawn.wanted[:, :K].mT
    X = least_squares_patch(A, V)
    update = X @ Q.mT
    own, fresh = (_over_trials(_errors(drawn, update, queries)) for queries in (slice(K), FRESH))
    exactly = distance(rational(X[0, rows].tolist()), rational(A[0].tolist()), rational(V[0, rows].tolist()))
    return Unridged(own, fresh, _patched_loss(drawn, update, K), exactly)


def _ridged(drawn: _Drawn, vectors: Tensor, K: int) -> tuple[Tensor, float]:
    """The patches with the ridge that the validation queries choose, trial by trial, and the median of its share.

    vectors: A(x), or what a wrong patch takes for it, (trials, queries, d). Returns (trials, m, d).
    """
    A, shares = vectors[:, :K].mT, torch.tensor(SHARES, dtype=vectors.dtype)
    tried = ridge_patch(A, drawn.wanted[:, :K].mT, shares[:, None] * A.square().sum((-2, -1)) / A.shape[-2])  # (shares, trials, m, d)
    chosen = _errors(drawn, tried, VALIDATION).argmin(0)
    return tried[chosen, torch.arange(len(chosen))], float(shares[chosen].median())


def _errors(drawn: _Drawn, update: Tensor, queries: slice) -> Tensor:
    """Mean of ‖ΔW a - WΔA‖ / ‖WΔA‖ over some queries.  update: (..., trials, m, d). Returns (..., trials)."""
    wanted = drawn.wanted[:, queries]
    return ((drawn.a[:, queries] @ update.mT - wanted).norm(dim=-1) / wanted.norm(dim=-1)).mean(-1)


def _patched_loss(drawn: _Drawn, update: Tensor, K: int) -> TrialSummary:
    """½ mean squared error of the block's own forward pass on fresh queries.  update: (trials, m, d)."""
    block, predictions = drawn.block, []
    for trial, query in enumerate(drawn.query[:, FRESH]):
        (first,) = block.first_layers
        patch = {f"network.{first}.weight": formulas.patched_weight(block.first_weight, update[trial])}
        if block.skip:
            delta = formulas.context_vector(drawn.z[trial, :K], drawn.a[trial, :K]).mean(0)
            name = f"network.{output_layers(block, wiring(block)).bias}.bias"
            patch[name] = formulas.bias_update(block.get_parameter(name), delta)
        predictions.append(functional_call(block, patch, (None, query))[:, -1])
    return _loss(torch.stack(predictions), drawn.answer[:, FRESH])


def _loss(predicted: Tensor, answer: Tensor) -> TrialSummary:
    """½ mean squared error of predictions.  Both: (trials, queries)."""
    return _over_trials(0.5 * (predicted - answer).square().mean(-1))


def _over_trials(values: Tensor) -> TrialSummary:
    return TrialSummary(float(values.mean()), float(values.std() / len(values) ** 0.5), float(values.quantile(0.5)))
