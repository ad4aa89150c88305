"""A search for the context that brings the error as near to its bound as can be; beyond it, if the bound is wrong.

Three stages, each from what the one before it found:

1. *ascent*: Adam on a smooth surrogate (``surrogate.py``), through the contextual layer, from prompts as in training. It leads to contexts
   in which few roundings share the bound; whether chance takes them to their ends it cannot know.
2. *evolution*: CMA-ES (Hansen, "The CMA evolution strategy: a tutorial", arXiv 1604.00772; the package ``cma``) on the measured ratio
   itself, which is as jagged as rounding is: a generation is a batch. It moves each token's size in octaves, and its entries.
3. *simplification* (``readable_context.py``): Hypothesis shrinks what was found to a context that can be read.

Beside each batch of the search a batch of the scenario ``random`` is measured and judged alike, so what the two found can be compared at any
time. A case counts if it was not refused and its bound would have noticed a wrong update (resolution below 1): that a bound is used up
where nothing but rounding is left says little. A violated case counts always.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numeric.cells import Cell, Subject, Witness
from numeric.cells.witness import make_witness
from numeric.machine import BATCH, ProbedMode
from numeric.machine.environment_questions import undisturbed
from numeric.scenarios import scenarios_named
from numeric.search.surrogate import surrogate
from numeric.sides import Batch, Variant, block_in_format, in_format, judge, measure_sides, seed_of
from symbolic.vocabulary import Verdict

TOKENS = 1
"""Of a context that is searched for, beside the query: enough for A(C,x) to differ from A(x) in any direction that the layer knows."""

STARTS = 32
"""Prompts from which the ascent goes."""

ASCENT_STEPS = 128
ASCENT_RATE = 0.05
"""Of the ascent; Adam's, which falls to nothing (tokens have entries near 1)."""

START_SHARPNESS = 5.0
"""How much the best of the first layer's entries counts for more than the others: the surrogate of a context is log Σ exp(5 log ρ_i)."""

SPREAD = 0.5
"""The first generation's standard deviation, in root mean squares of a token's entries."""

OCTAVES = 4.0
"""A token's size moves by so many octaves where an entry moves by its root mean square."""

LARGEST_RATIO = 2.0**64
"""A ratio that is larger, or infinite, is this to the strategy, which takes differences."""

SEARCH = replace(scenarios_named(["random"])[0], id="adversarial", title="Contexts searched for: the error as near to its bound as can be")
"""No scenario of the registry, since what it measures depends on what it measured before."""

Tell = Callable[[NDArray[np.float64]], None]
"""Takes the ratios of a batch."""


class Stage(Enum):
    """By which a batch was made."""

    ASCENT = "ascent"
    EVOLUTION = "evolution"


@dataclass(frozen=True, slots=True)
class Budget:
    """When a search stops: whichever comes first."""

    evaluations: int
    """Cases of the search; as many random ones are measured beside them."""
    seconds: float = float("inf")
    """Of the clock. A search that is stopped by it depends on the machine's speed, one that is stopped by its evaluations on the seed alone."""


@dataclass(frozen=True, slots=True)
class Best:
    """The largest ratio of some cases, and where it was."""

    ratio: float = -1.0
    tokens: Tensor | None = None
    """(n + 1, width) float64, the query last; None if no case counted."""
    witness: Witness | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search knows after some batches."""

    evaluations: int = 0
    """Cases of the search, those of earlier runs included; as many random ones."""
    random: Best = Best()
    ascent: Best = Best()
    evolution: Best = Best()
    violated: int = 0
    """Cases outside their bounds, of the search and of the random ones."""
    seconds: float = 0.0
    """Of the clock, in this run."""

    @property
    def best(self) -> Best:
        """What the search found."""
        return _better(self.ascent, self.evolution)


def _better(one: Best, other: Best) -> Best:
    """The one with the larger ratio; the first of equals."""
    return other if other.ratio > one.ratio else one


def bench(subject: Subject, variant: Variant, probed: ProbedMode) -> Cell:
    """What is measured again and again."""
    return Cell(subject, block_in_format(subject.model.block, probed), probed, variant, SEARCH, BATCH)


def search(cell: Cell, budget: Budget, seed: int, *, before: Found | None = None, progress: Callable[[Found], None] | None = None) -> Found:
    """Search until the budget is spent.

    before: what an earlier search of the same cell knows, from which this one goes on; it is measured anew and not believed.
    progress: called after each batch with what is known. Raises ChangedArithmetic if the process computes otherwise at the end.
    """
    with undisturbed(cell.probed.device):
        return _searched(cell, budget, seed, before, progress)


def _searched(cell: Cell, budget: Budget, seed: int, before: Found | None, progress: Callable[[Found], None] | None) -> Found:
    started = time.monotonic()
    found = Found() if before is None else _again(cell, before, seed)
    spent = 0
    for stage, tokens, tell in _batches(cell, found, seed):
        ratio, best, violated = measured(cell, tokens, seed, found.evaluations)
        tell(ratio)
        _, of_random, more = measured(cell, _random(cell, seed, found.evaluations), seed, found.evaluations)
        spent += BATCH
        found = Found(
            evaluations=found.evaluations + BATCH,
            random=_better(found.random, of_random),
            ascent=_better(found.ascent, best) if stage is Stage.ASCENT else found.ascent,
            evolution=_better(found.evolution, best) if stage is Stage.EVOLUTION else found.evolution,
            violated=found.violated + violated + more,
            seconds=time.monotonic() - started,
        )
        if progress is not None:
            progress(found)
        if spent >= budget.evaluations or found.seconds >= budget.seconds:
            break
    return found


def measured(cell: Cell, tokens: Tensor, seed: int, before: int) -> tuple[NDArray[np.float64], Best, int]:
    """One batch: the ratio of each case that counts (0 for the others), the best of them, and how many are violated.

    tokens: (BATCH, n + 1, width) float64, the query last; before: cases that were measured before, which number this batch's.
    """
    cases = in_format(cell.block, Batch(tokens[:, :-1].contiguous(), None, tokens[:, -1].contiguous()), cell.probed)
    sides = measure_sides(cell.block, cases, cell.variant, cell.probed)
    judged = judge(sides)
    violated = judged.verdict == Verdict.VIOLATED.value
    counts = violated | (judged.verdict == Verdict.HOLDS.value)
    ratio = np.where(counts, np.nan_to_num(np.maximum(judged.ratio, judged.output_ratio), nan=np.inf, posinf=np.inf), 0.0)
    place = int(ratio.argmax())
    if not counts[place]:
        return ratio, Best(), 0
    best = Best(float(ratio[place]), tokens[place].clone(), make_witness(cell, sides, judged, place, seed, before))
    return ratio, best, int(violated.sum())


def _again(cell: Cell, before: Found, seed: int) -> Found:
    """What an earlier search kept, measured by the rules of today: its contexts are believed, its ratios are not."""

    def best(kept: Best) -> Best:
        return Best() if kept.tokens is None else measured(cell, kept.tokens.expand(BATCH, -1, -1), seed, before.evaluations)[1]

    found = replace(before, random=best(before.random), ascent=best(before.ascent), evolution=best(before.evolution), violated=0, seconds=0.0)
    return replace(found, violated=sum(each.ratio > 1 for each in (found.random, found.ascent, found.evolution)))


def _random(cell: Cell, seed: int, before: int) -> Tensor:
    """A batch of the scenario ``random``.  Returns (BATCH, N + 1, width) float64."""
    generator = torch.Generator().manual_seed(seed_of(seed, cell.subject.block.id, "beside the search", str(before)))
    drawn = cell.scenario.draw(cell.subject, cell.probed.mode.range, BATCH, generator)
    return torch.cat([drawn.context, drawn.query.unsqueeze(1)], dim=1)


def _batches(cell: Cell, found: Found, seed: int) -> Iterator[tuple[Stage, Tensor, Tell]]:
    """Batch after batch, without an end: its stage, its contexts, and who takes their ratios."""
    best = found.best
    if best.tokens is None:
        tokens = ascend(cell, seed)
        ratios: list[NDArray[np.float64]] = []
        yield Stage.ASCENT, tokens, ratios.append
        start = tokens[int(ratios[0].argmax())]
    else:
        start = best.tokens
    for tokens, tell in _evolve(start, seed_of(seed, "evolution", str(found.evaluations))):
        yield Stage.EVOLUTION, tokens, tell


def ascend(cell: Cell, seed: int) -> Tensor:
    """The contexts that Adam passes on its way up the surrogate, evenly spaced.  Returns (BATCH, TOKENS + 1, width) float64."""
    generator = torch.Generator().manual_seed(seed_of(seed, cell.subject.block.id, "ascent"))
    context, query = cell.subject.model.tokens(STARTS, generator)
    tokens = torch.cat([context[:, :TOKENS], query.unsqueeze(1)], dim=1).float().to(cell.probed.device).detach().clone().requires_grad_(True)
    block = copy.deepcopy(cell.block).float()
    rho = surrogate(cell.block, cell.probed)
    optimiser = torch.optim.Adam([tokens], lr=ASCENT_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, ASCENT_STEPS)
    every = ASCENT_STEPS * STARTS // BATCH
    passed: list[Tensor] = []
    with torch.enable_grad():
        for step in range(ASCENT_STEPS):
            aim = torch.logsumexp(START_SHARPNESS * rho(block.read(tokens[:, :-1], tokens[:, -1]), block.read(None, tokens[:, -1])), dim=-1)
            optimiser.zero_grad()
            (-aim.sum()).backward()  # contexts do not mix, so each follows its own gradient
            optimiser.step()
            schedule.step()
            if step % every == every - 1:
                passed.append(tokens.detach().double().cpu().clone())
    contexts = torch.cat(passed)
    return torch.where(torch.isfinite(contexts), contexts, 0.0)


def _evolve(start: Tensor, seed: int) -> Iterator[tuple[Tensor, Tell]]:
    """Generation after generation around a context.  start: (n + 1, width) float64."""
    from cma import CMAEvolutionStrategy  # which imports matplotlib, and takes half a second for it

    tokens, width = start.shape
    rms = start.square().mean(-1, keepdim=True).sqrt()
    random = np.random.default_rng(seed)
    # A seed that is NaN leaves numpy's own generator alone.
    options = {"popsize": BATCH, "seed": np.nan, "randn": lambda *shape: random.standard_normal(shape), "verbose": -9, "verb_log": 0}
    strategy = CMAEvolutionStrategy(np.zeros(tokens * (width + 1)), SPREAD, options)
    asked: list[NDArray[np.float64]] = []

    def tell(ratio: NDArray[np.float64]) -> None:
        strategy.tell(asked, (-np.minimum(ratio, LARGEST_RATIO)).tolist())

    while True:
        asked = strategy.ask()
        moved = torch.from_numpy(np.stack(asked)).reshape(BATCH, tokens, width + 1)
        yield torch.exp2(OCTAVES * moved[..., :1]) * (start + rms * moved[..., 1:]), tell
