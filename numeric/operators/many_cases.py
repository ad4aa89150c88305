"""A watched block on many prompts, in float64: how many patched passes are the pass with the context, and in how many a wrong patch is noticed.

Measured, and compared with n u κ of each case (``double_check.py``), which is no bound. Nothing is known of formats shorter than float64.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from numeric.operators.block import WatchedBlock
from numeric.operators.cut import read_by_w
from numeric.operators.double_check import CHECKED_CASES, allowance, are_mistakes, not_mistakes, relative_distance, way_to_patch, wrong_patches
from numeric.operators.double_precision import parameter_of
from numeric.operators.executions import flat_storage, same_numbers
from numeric.operators.recording import Cases, Recording
from numeric.operators.refusals import CHANGED_MEANWHILE, RefusedBlock
from numeric.operators.updates import Mistake, absorber_changes, absorber_divides, can_divide, patched_with, weight_changes
from symbolic import formulas

LARGEST_PATCHES = 2**28
"""Bytes that the patched parameters of all cases of a batch may take."""
CASES_AT_ONCE = 32
"""Cases of a batch at most: every operand of a pass with the context is kept."""

TensorUpdate = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """A batch of cases, and which tokens of their contexts are removed."""

    context: Tensor
    """(cases, n, d) float64."""
    query: Tensor
    """(cases, d) float64."""
    removed: tuple[int, ...]


@dataclass(slots=True)
class ManyCases:
    """What was found; distances are relative to the largest entry of a case's output."""

    cases: int = 0
    refused: int = 0
    """Cases without an update: what a part of the patch is divided by cannot be told from zero (what W reads without the removed part, what the absorber's
    part is divided by), or a number is not finite."""
    unequal: int = 0
    """Cases in which the patched pass is farther from the pass with the context than is allowed."""
    off: float = 0.0
    """The largest distance."""
    worst: float = 0.0
    """The largest distance over what is allowed; NaN if one is."""
    planted: dict[Mistake, tuple[int, int]] = field(default_factory=dict)
    """By wrong patch, in how many cases it was noticed, and of how many: of those in which it is another patch than the right one."""
    left_out: dict[Mistake, str] = field(default_factory=dict)
    """Wrong patches that are none, and why."""

    @property
    def judged(self) -> int:
        """Cases in which there is something to compare."""
        return self.cases - self.refused


def cases_at_once(block: WatchedBlock) -> int:
    """How many cases fit into a batch."""
    if not block.runs_at_once:
        return CHECKED_CASES
    names = {each.name for each in block.anatomy.weights} | ({block.anatomy.absorbed.name} if block.anatomy.absorbed else set())
    taken = sum(len(flat_storage(parameter_of(block.double.module, name))) for name in names) * torch.float64.itemsize
    return max(1, min(CASES_AT_ONCE, LARGEST_PATCHES // max(1, taken)))


def measure_prompts(block: WatchedBlock, batches: Iterable[PromptBatch], update: TensorUpdate = formulas.rank_one_update) -> ManyCases:
    """Measure batch by batch.  update: ΔW (…, m, d) from W, ΔA and a.

    Raises RefusedBlock where the block does on these prompts what it did not do when it was watched, or has a memory: the first ones are asked again.
    """
    found, first = ManyCases(), None
    for batch in batches:
        first = first or (batch, _outputs(block, batch))
        _measure(block, batch, update, found)
    if first is not None and not all(same_numbers(now, then) for now, then in zip(_outputs(block, first[0]), first[1], strict=True)):
        raise RefusedBlock(CHANGED_MEANWHILE, cases=found.cases)
    return found


def _outputs(block: WatchedBlock, batch: PromptBatch) -> tuple[Tensor, Tensor]:
    """With the context, and without the removed part."""
    cases = _cases(batch)
    return block.double.record(cases).output, block.double.record(cases.without(batch.removed)).output


def _cases(batch: PromptBatch) -> Cases:
    return Cases(batch.context, batch.query, torch.arange(batch.context.shape[1] + 1))


def _measure(block: WatchedBlock, batch: PromptBatch, update: TensorUpdate, found: ManyCases) -> None:
    found.cases += len(batch.query)
    sides = _with_an_update(block, _cases(batch), batch.removed)
    if sides is None:
        found.refused += len(batch.query)
        return
    double, anatomy, left, bare = block.double, block.anatomy, sides.left, sides.bare
    cases, kept = left.cases, bare.cases
    found.refused += len(batch.query) - cases.number
    changes, absorbed = weight_changes(double, anatomy, left, bare, update=update), absorber_changes(double, anatomy, left, bare)
    _, run = way_to_patch(double, anatomy, cases)
    right = patched_with(double, cases.number, changes, absorbed)
    output = run(right, kept)
    off, allowed = relative_distance(output, left.output), allowance(left, anatomy, right, kept, output, run)
    found.unequal += int((~(off <= allowed)).sum())
    found.off, found.worst = _larger(found.off, off), _larger(found.worst, off / allowed)
    left_out = not_mistakes(anatomy, left, bare)
    found.left_out.update(left_out)
    for_a = weight_changes(double, anatomy, left, bare, Mistake.Z_FOR_A, update=update)
    for mistake, wrong in wrong_patches(changes, for_a, absorbed, left_out).items():
        patch = patched_with(double, cases.number, *wrong)
        is_one = are_mistakes(double, patch, right, cases.number)
        apart = relative_distance(run(patch, kept), left.output)
        noticed, tried = found.planted.get(mistake, (0, 0))
        found.planted[mistake] = noticed + int((is_one & ~(apart <= allowed)).sum()), tried + int(is_one.sum())


@dataclass(frozen=True, slots=True)
class _Sides:
    """The pass with the context, and the one without its removed part."""

    left: Recording
    bare: Recording


def _recorded(block: WatchedBlock, cases: Cases, removed: tuple[int, ...]) -> _Sides:
    return _Sides(block.double.record(cases), block.double.record(cases.without(removed)))


def _with_an_update(block: WatchedBlock, cases: Cases, removed: tuple[int, ...]) -> _Sides | None:
    """The cases that have an update, recorded among themselves alone: a NaN of another case would pass into sums over all of them.  None if there are none."""
    sides = _recorded(block, cases, removed)
    for has in (_finite, _divisible):
        usable = has(block, sides)
        if not bool(usable.any()):
            return None
        if not bool(usable.all()):
            assert cases.context is not None
            cases = Cases(cases.context[usable], cases.query[usable], cases.positions)
            sides = _recorded(block, cases, removed)
    return sides


def _finite(block: WatchedBlock, sides: _Sides) -> Tensor:
    """Whether outputs are finite, and what W reads is: (cases,) bool."""
    numbers = [sides.left.output, sides.bare.output]
    if block.anatomy.reads_context:
        numbers += [read_by_w(each, block.anatomy.cuts[0], block.anatomy.layout) for each in (sides.left, sides.bare)]
    return torch.stack([torch.isfinite(x).all(-1) for x in numbers]).all(0)


def _divisible(block: WatchedBlock, sides: _Sides) -> Tensor:
    """Whether what the patch is divided by is not zero: (cases,) bool."""
    anatomy, left, bare = block.anatomy, sides.left, sides.bare
    absorbs = absorber_divides(block.double, anatomy, left, bare)
    return absorbs & can_divide(read_by_w(bare, anatomy.cuts[0], anatomy.layout)) if anatomy.reads_context else absorbs


def _larger(before: float, now: Tensor) -> float:
    """The larger one, NaN before all."""
    return float(torch.cat([torch.tensor([before], dtype=now.dtype), now]).max())
