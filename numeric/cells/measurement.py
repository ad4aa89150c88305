"""A cell measured: many cases, batch by batch, judged, certified and summed up."""

import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from numeric.cells.cell import AnyCell, Cell
from numeric.cells.measurable import CellCases, batches, exact_layer, measured_again, measured_sides
from numeric.cells.witness import Witness, make_witness, worst_case
from numeric.machine import Refinement
from numeric.machine.environment_questions import undisturbed
from numeric.operator_rules import NoOperatorRule
from numeric.sides import Judged, Sides, judge, seed_of
from numeric.sides.certificate import Agreement, Certificate, Enclosure, ExactLayer, Operands, agreement, certify, enclosures
from symbolic.vocabulary import Verdict, with_its_name
from symbolic.vocabulary.sampling import expects

UNREFINED_IN = "random"
"""The scenario in whose cells the first batch is bounded once more, without refinements: a batch of each block, format and variant is enough."""

BY_FORMULA = 4
"""CellCases of a cell in which the patched formula itself runs over balls: the worst of each of the first batches."""


@dataclass(frozen=True, slots=True)
class BrokenCell:
    """What a cell raised, in words: an exception may not be fit to be sent to another process."""

    message: str
    traceback: str
    no_rule: bool = False
    """Whether something that only some cases come to has no rule: nothing failed, and nothing is known of the cell."""


class ChangedMeanwhile(Exception):
    """The block gave the same contexts other numbers at the end of the cell than at its beginning."""


@dataclass(frozen=True, slots=True)
class WithoutRefinements:
    """A batch with the bounds that it has on every machine of the same accumulators, whatever the order of its sums: without any refinement."""

    refined: Judged
    judged: Judged
    """The same cases without refinements."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was found in a cell."""

    judged: Judged
    certificates: tuple[Certificate, ...]
    """Of the worst cases, in which the patched formula itself ran over balls."""
    compared: tuple[Agreement, ...]
    """Of many cases, batch by batch."""
    witness: Witness | None = None
    """The gravest case: a violated one, or else the judged one that came nearest to its bound."""
    recomputed: bool = False
    """Whether the claim is of what an â that was computed again moves."""

    unrefined: WithoutRefinements | None = None
    """The first batch once more, without refinements; None where it was not asked for."""
    seconds: float = 0.0
    """What it took. Of cells that are measured together, what is computed once is the first one's."""

    @property
    def moves_noticed(self) -> int:
        """Judged cases that would lie outside their bounds if the move were left out."""
        return int(self.judged.move_noticed.sum())

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Which cases hold."""
        return self.judged.verdict == Verdict.HOLDS.value

    @property
    def was_judged(self) -> NDArray[np.bool_]:
        """Which cases were not refused."""
        return self.judged.reason == ""

    @property
    def contradicted(self) -> bool:
        """Whether the reference found a side outside its own radius, or disagrees with itself."""
        return not all(c.inside and c.seconded for c in self.certificates) or not all(c.inside for c in self.compared)

    @property
    def counts(self) -> Counter[str]:
        """CellCases by verdict."""
        return Counter(str(word) for word in self.judged.verdict)

    @property
    def resolution(self) -> float:
        """Median over the judged cases; NaN if there is none."""
        return float(np.median(self.judged.resolution[self.was_judged])) if self.was_judged.any() else float("nan")

    @property
    def wrong_caught(self) -> int:
        """Holding cases whose planted wrong update was noticed; a wrong result that is not finite does not count."""
        return int(self.judged.wrong_noticed[self.holds].sum())

    @property
    def output_resolution(self) -> float:
        """Median over the judged cases at the block's output; NaN if there is none."""
        return float(np.median(self.judged.output_resolution[self.was_judged])) if self.was_judged.any() else float("nan")

    @property
    def output_blind(self) -> int:
        """Holding cases whose bound at the output is as wide as the update's whole effect there: only the first layer tests them."""
        return int((self.judged.output_resolution[self.holds] >= 1).sum())

    @property
    def wrong_verdict(self) -> Verdict | None:
        """VIOLATED if the planted wrong update was noticed in at least half of the holding cases; None if none holds."""
        holding = int(self.holds.sum())
        if holding == 0:
            return None
        return Verdict.VIOLATED if 2 * self.wrong_caught >= holding else Verdict.HOLDS

    @property
    def verdict(self) -> Verdict:
        """VIOLATED for one violated case or one certificate outside; HOLDS only if the bound would have noticed a wrong update, and a missing move."""
        counts = self.counts
        if counts[Verdict.VIOLATED] or self.contradicted:
            return Verdict.VIOLATED
        if not self.was_judged.any():
            return Verdict.INCONCLUSIVE
        if counts[Verdict.HOLDS] == 0 or self.resolution >= 1 or self.wrong_verdict is not Verdict.VIOLATED:
            return Verdict.VACUOUS
        if self.recomputed and self.moves_noticed == 0:
            return Verdict.VACUOUS
        return Verdict.HOLDS


def measure_cell(cell: AnyCell, seed: int, progress: Callable[[int], None] | None = None) -> Measurement:
    """Measure every case of a cell, batch by batch.  progress: called with the number of cases done.

    Every format and variant sees the same prompts: the draw depends on the seed, the block and the scenario. Raises ChangedMeanwhile if the block
    has a memory: then the two sides are not of one function, and nothing is known. Raises ChangedArithmetic if the process computes otherwise
    after a batch than it did at the beginning.
    """
    (found,) = measure_variants([cell], seed, progress, raises=True)
    assert isinstance(found, Measurement)
    return found


def measure_variants(
    cells: Sequence[AnyCell], seed: int, progress: Callable[[int], None] | None = None, *, raises: bool = False
) -> list[Measurement | BrokenCell]:
    """Measure cells that differ in their variant alone, on the same prompts: what no variant has a part in is computed once.

    raises: whether what one cell raises is raised; otherwise it is that cell's, and the others go on. What concerns all of them is raised in any case, as
    by ``measure_cell``.
    """
    (cell, *_), generator = cells, torch.Generator()
    generator.manual_seed(seed_of(seed, cell.subject.block.id, cell.scenario.id))
    found = [_Found(each) for each in cells]
    with undisturbed(cell.probed.device) as ask:
        began = time.perf_counter()
        for number, cases in enumerate(batches(cell, generator)):
            found[0].seconds += time.perf_counter() - began  # the draw
            known: Sides | None = None
            for each in found:
                try:
                    known = known if each.broken else each.take(cases, number, seed, known)
                except Exception as error:
                    if raises:
                        raise
                    if isinstance(error, NoOperatorRule):
                        each.broken = BrokenCell(str(error), traceback.format_exc(), no_rule=True)
                        continue
                    each.broken = BrokenCell(with_its_name(error), traceback.format_exc())
            ask()
            if progress:
                progress(min(found[0].done, cell.cases))
            began = time.perf_counter()
        for each in {each.cell.variant.factored: each for each in found if not each.broken}.values():  # those that ran by other kernels
            each.refuse_a_memory()
        return [each.broken or each.whole() for each in found]


@dataclass(slots=True)
class _Found:
    """What is kept of a cell's batches."""

    cell: AnyCell
    layer: ExactLayer | None = None
    judged: list[Judged] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    compared: list[Agreement] = field(default_factory=list)
    gravest: tuple[bool, float] | None = None
    witness: Witness | None = None
    first: tuple[CellCases, Sides] | None = None
    done: int = 0
    seconds: float = 0.0
    broken: BrokenCell | None = None

    def take(self, cases: CellCases, number: int, seed: int, known: Sides | None) -> Sides:
        """Measure and judge a batch.  known: what another variant's sides were on it."""
        started, cell = time.perf_counter(), self.cell
        sides = measured_sides(cell, cases, cell.probed, known=known, expects=expects(number))
        self.layer = self.layer or exact_layer(cell, cases)
        self.first = self.first or (cases, sides)
        judged = _strict(judge(sides), sides, cell)
        self.judged.append(judged)
        if len(self.certificates) < BY_FORMULA:
            self.certificates.extend(_certify_worst(cell, self.layer, sides, judged, cell.cases - self.done))
        wanted = cell.cases if cell.certified is None else cell.certified - sum(some.cases for some in self.compared)
        self.compared.extend(_compare(self.layer, sides, judged, wanted, cell.cases - self.done))
        worst = worst_case(judged, min(len(cases.query), cell.cases - self.done))
        if worst is not None and (self.gravest is None or worst[0] > self.gravest):
            self.gravest = worst[0]
            if isinstance(cell, Cell):
                self.witness = make_witness(cell, sides, judged, worst[1], seed, self.done)
        self.done += len(cases.query)
        self.seconds += time.perf_counter() - started
        return sides

    def refuse_a_memory(self) -> None:
        """Ask the first contexts again, now that the block has seen others. Raises ChangedMeanwhile."""
        if self.first is None:
            return
        started, cell, (cases, sides) = time.perf_counter(), self.cell, self.first
        again = measured_again(cell, cases)
        for words, now, before in zip(("A(C, x)", "A(C∖Y, x)", "the first dense layer"), again, (sides.z, sides.a, sides.left.first_layer.value), strict=True):
            if not torch.equal(torch.nan_to_num(now), torch.nan_to_num(before)):
                other = int((torch.nan_to_num(now) != torch.nan_to_num(before)).any(-1).sum())
                raise ChangedMeanwhile(
                    f"the same contexts gave another {words} at the end of the cell in {other} of {len(now)} cases: the block has a memory (a cache, a "
                    "count of its calls, random numbers); let it compute from the given tokens alone"
                )
        self.seconds += time.perf_counter() - started

    def whole(self) -> Measurement:
        """The cell, when all its batches have been taken."""
        started = time.perf_counter()
        unrefined = None if self.first is None else _unrefined(self.cell, *self.first, self.judged[0])
        seconds = self.seconds + time.perf_counter() - started
        judged, recomputed = _joined(self.judged, self.cell.cases), self.cell.scenario.attend is not None
        return Measurement(judged, tuple(self.certificates), tuple(self.compared), self.witness, recomputed=recomputed, unrefined=unrefined, seconds=seconds)


def _unrefined(cell: AnyCell, cases: CellCases, refined_sides: Sides, refined: Judged) -> WithoutRefinements | None:
    """None in other scenarios, and in a run that does without a refinement already."""
    if cell.scenario.id != UNREFINED_IN or cell.probed.left_out:
        return None
    sides = measured_sides(cell, cases, cell.probed.without(Refinement), known=refined_sides)
    return WithoutRefinements(*(_joined([each], cell.cases) for each in (refined, judge(sides))))


def _strict(judged: Judged, sides: Sides, cell: AnyCell) -> Judged:
    """On a CPU the patched pass finds A(C∖Y,x) bit for bit, unless it computes with what was patched, which no claim allows: such a case is violated."""
    if cell.scenario.attend is not None or cell.probed.device != "cpu":
        return judged
    moved = (torch.nan_to_num(sides.again) != torch.nan_to_num(sides.a)).any(-1).numpy() & (judged.reason == "")
    ratio, verdict = np.where(moved, np.inf, judged.ratio), np.where(moved, Verdict.VIOLATED.value, judged.verdict).astype(object)
    return replace(judged, ratio=ratio, verdict=verdict)


def _certify_worst(cell: AnyCell, layer: ExactLayer, sides: Sides, judged: Judged, wanted: int) -> list[Certificate]:
    """The certificate of the case with the largest ratio, of the judged ones among the first; none if there is none.  wanted: how many are the cell's."""
    candidates = np.flatnonzero(((judged.reason == "") & np.isfinite(judged.ratio))[:wanted])
    if len(candidates) == 0:
        return []
    case = int(candidates[np.argmax(judged.ratio[candidates])])

    def row(x: torch.Tensor) -> list[float]:
        return x[case].double().tolist()

    operands = Operands(row(sides.z), row(sides.a), row(sides.again))
    return [certify(layer, operands, cell.variant, *enclosures(sides, case, layer.entries), row(sides.moved)[: layer.entries])]


def _compare(layer: ExactLayer, sides: Sides, judged: Judged, wanted: int, own: int) -> list[Agreement]:
    """The first judged cases of a batch against balls; nothing if there is none, or none is wanted.  own: how many of them are the cell's."""
    places = torch.from_numpy(np.flatnonzero(((judged.reason == "") & np.isfinite(judged.ratio))[:own])[: max(wanted, 0)])
    if len(places) == 0:
        return []

    def rows(x: torch.Tensor) -> list[list[float]]:
        return x.double().cpu()[places].tolist()

    def of_layer(x: torch.Tensor) -> list[list[float]]:
        return rows(x[:, : layer.entries])

    left, right = (
        [Enclosure(*each) for each in zip(of_layer(side.first_layer.value), of_layer(side.first_layer.radius), strict=True)]
        for side in (sides.left, sides.right)
    )
    return [agreement(layer, rows(sides.z), left, right, of_layer(sides.moved))]


def _joined(parts: list[Judged], cases: int) -> Judged:
    """The batches in one, without what the last batch has too many."""
    return Judged(*(np.concatenate([getattr(part, name) for part in parts])[:cases] for name in Judged.__dataclass_fields__))
