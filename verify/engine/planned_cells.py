"""What a plan has measured: which cells and sweeps, and what is left out, with the reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from numeric.architecture import Block
from numeric.cells import Scenario, Subject, claim_of, exclusion_reason, variant_of
from numeric.cells.exclusions import unsupported_reason
from numeric.cells.subject import WrittenSubject
from numeric.formats import Mode
from numeric.machine import ProbedMode
from numeric.scenarios import scenarios_named
from numeric.sides import Variant
from numeric.sides.variant import OWN
from numeric.training import BlockNotTrained
from numeric.user_blocks import OwnBlock
from reports.record import CellRecord, NotMeasured
from reports.record.cells import NotSwept
from reports.text import printable
from symbolic.vocabulary import CellId, Verdict, with_its_name
from verify.engine.training_jobs import NoTimeToTrain
from verify.plan import Plan
from verify.plan.as_written import WrittenPlan
from verify.records import cell_rows

NEAR_ZERO = "near_zero"
"""The scenario that brings the sweeps with it."""

USUAL_ONLY = "`verify list scenarios` names those formats; the profile exhaustive has all, as has a run that asks for formats by name"
NO_TIME_TO_ASK = "the run's time was over before the machine was asked how it computes"
OTHER_VARIANTS = "variants differ in what is behind the contextual layer, and are measured on other blocks; ask for them by name"


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell that will be measured."""

    subject: Subject | WrittenSubject
    machine: ProbedMode
    id: CellId
    cases: int

    @property
    def name(self) -> str:
        """Unique within a run, and known before the machine is asked how it computes."""
        return f"{self.id.block}/{self.machine.mode.id}/{self.id.variant}/{self.id.scenario}"


@dataclass(frozen=True, slots=True)
class PlannedSweep:
    """Sweeps towards a = 0, one a variant, on the same operands."""

    subject: Subject
    machine: ProbedMode
    variants: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique within a run."""
        return f"{self.subject.block.id}/{self.machine.mode.id}"


@dataclass(slots=True)
class Measurements:
    """Everything, by its place in the plan."""

    cells: dict[int, PlannedCell] = field(default_factory=dict)
    sweeps: dict[int, PlannedSweep] = field(default_factory=dict)
    settled: dict[int, CellRecord] = field(default_factory=dict)
    """Cells that are not measured: skipped, of a block that has not learned, or without the time for it."""
    not_swept: dict[int, list[NotSwept]] = field(default_factory=dict)
    """Sweeps without the time for it."""
    not_measured: list[NotMeasured] = field(default_factory=list)


def planned(plan: Plan, blocks: Mapping[str, Subject | BlockNotTrained], probed: Mapping[str, ProbedMode], refused: Mapping[str, str]) -> Measurements:
    """What the plan has measured on these blocks.  probed: by the mode's id; refused: why there is no error model of a mode, likewise."""
    result = Measurements(not_measured=list(_left_out(plan, blocks)))
    place = 0
    for (name, block), mode, variant in product(blocks.items(), plan.modes, plan.variants):
        if variant not in _variants(plan, name):
            continue
        machine = probed.get(mode.id)
        numerics = mode.id if machine is None else machine.name
        for scenario in plan.scenarios:
            if _is_unusual(plan, scenario, mode, variant):
                continue
            if isinstance(block, BlockNotTrained):
                place += 1
                cell = CellId(scenario.claim, name, numerics, variant.id, scenario.id)
                result.settled[place] = cell_rows.unmeasured_cell(cell, mode, machine, *_untrained(block))
                continue
            if scenario.refuses(block.block, mode) is not None:
                continue
            place += 1
            cell = CellId(claim_of(scenario, block.model.block), name, numerics, variant.id, scenario.id)
            reason = exclusion_reason(block.block, block.model.block, mode, scenario, variant)
            if reason is not None:
                result.settled[place] = cell_rows.unmeasured_cell(cell, mode, machine, Verdict.SKIPPED, reason)
            elif machine is None:
                result.settled[place] = cell_rows.unmeasured_cell(cell, mode, None, *_unasked(mode, refused))
            else:
                cases = plan.cases if scenario.at_most is None else min(plan.cases, scenario.at_most)
                result.cells[place] = PlannedCell(block, machine, cell, cases)
    if plan.as_written is not None:
        _plan_as_written(plan, plan.as_written, probed, refused, result)
    for (name, block), mode in product(blocks.items(), plan.modes):
        machine = probed.get(mode.id)
        if isinstance(block, BlockNotTrained) or not _has_near_zero(plan, block.block, mode):
            continue
        place += 1
        impossible = unsupported_reason(block.model.block, mode)
        variants = tuple(variant.id for variant in _variants(plan, name))
        if impossible is not None:
            result.not_measured.append(NotMeasured(block=name, what=f"sweeps towards a = 0 in {mode.id}", reason=impossible))
        elif machine is None:
            verdict, reason = _unasked(mode, refused)
            result.not_swept[place] = [NotSwept(block=name, format=mode.id, variant=v, reason=reason, verdict=verdict) for v in variants]
        else:
            result.sweeps[place] = PlannedSweep(block, machine, variants)
    return result


def _plan_as_written(plan: Plan, written: WrittenPlan, probed: Mapping[str, ProbedMode], refused: Mapping[str, str], result: Measurements) -> None:
    """The cells of a user's block as it is written, and the formats in which it is not bounded."""
    scenarios, own = [each for each in scenarios_named() if each.id in written.scenarios], written.own
    variants = [variant_of(own, name) for name in written.variants]
    reasons: dict[str, list[str]] = {}
    for mode in plan.modes:
        if mode.id not in written.bounded:
            reasons.setdefault(f"{written.without[mode.id]}: it is judged in float64, by measurement", []).append(mode.id)
    result.not_measured += [NotMeasured(block=own.name, what=f"bounds in {', '.join(names)}", reason=why) for why, names in reasons.items()]
    for mode, variant, scenario in product(plan.modes, variants, scenarios):
        if mode.id not in written.bounded or (scenario.usual is not None and mode.id not in scenario.usual and not plan.everywhere):
            continue
        place, machine = len(result.cells) + len(result.settled) + 1, probed.get(mode.id)
        cell = CellId(scenario.claim, own.name, mode.id if machine is None else machine.name, variant.id, scenario.id)
        if machine is None:
            result.settled[place] = cell_rows.unmeasured_cell(cell, mode, None, *_unasked(mode, refused))
        else:
            result.cells[place] = PlannedCell(own, machine, cell, written.bounded_cases)


def measured_together(cells: Mapping[int, PlannedCell]) -> list[list[int]]:
    """The places of the cells, those together that differ in their variant alone, in the order of the first of each; a user's own update by itself."""
    together: dict[tuple[str, str, str, bool], list[int]] = {}
    for place, cell in cells.items():
        together.setdefault((cell.id.block, cell.machine.mode.id, cell.id.scenario, cell.id.variant == OWN), []).append(place)
    return list(together.values())


def _unasked(mode: Mode, refused: Mapping[str, str]) -> tuple[Literal[Verdict.ERROR, Verdict.TIMEOUT], str]:
    """Why there is nothing known of how the machine computes in a mode."""
    return (Verdict.ERROR, refused[mode.id]) if mode.id in refused else (Verdict.TIMEOUT, NO_TIME_TO_ASK)


def _untrained(failure: BlockNotTrained) -> tuple[Verdict, str]:
    """Why there is no trained block."""
    return (Verdict.TIMEOUT, str(failure)) if isinstance(failure, NoTimeToTrain) else (Verdict.ERROR, with_its_name(failure))


def _left_out(plan: Plan, blocks: Mapping[str, Subject | BlockNotTrained]) -> Iterator[NotMeasured]:
    """Scenarios that make no sense on a block or are not usual, variants that are measured on others, and compiled code, which runs as it was written."""
    for subject in plan.ready:
        if isinstance(subject, OwnBlock) and subject.compiled:
            yield NotMeasured(block=subject.block.id, what="compiled code", reason=printable(subject.compiled_in_words))
    rows = [block.block for block in blocks.values() if not isinstance(block, BlockNotTrained)]
    unusual = [scenario.id for scenario in plan.scenarios if any(_has_unusual(plan, scenario, block) for block in rows)]
    for block in rows:
        if unusual:
            yield NotMeasured(block=block.id, what=f"{', '.join(unusual)} beyond the usual formats and the first variant", reason=USUAL_ONLY)
        for scenario in plan.scenarios:
            reasons = {mode.id: scenario.refuses(block, mode) for mode in plan.modes}
            for reason in dict.fromkeys(reason for reason in reasons.values() if reason is not None):
                where = [name for name, why in reasons.items() if why == reason]
                what = f"scenario {scenario.id}" + ("" if len(where) == len(plan.modes) else f" in {', '.join(where)}")
                yield NotMeasured(block=block.id, what=what, reason=reason)
    for name, variant in product(blocks, plan.variants):
        if variant not in _variants(plan, name):
            yield NotMeasured(block=name, what=f"variant {variant.id}", reason=OTHER_VARIANTS)


def _variants(plan: Plan, block: str) -> tuple[Variant, ...]:
    """The variants that are measured on a block."""
    return plan.variants if plan.variants_on is None or block in plan.variants_on else plan.variants[:1]


def _is_unusual(plan: Plan, scenario: Scenario, mode: Mode, variant: Variant) -> bool:
    """Whether a cell is left to a profile that has hours."""
    return not plan.everywhere and scenario.usual is not None and (mode.id not in scenario.usual or variant != plan.variants[0])


def _has_unusual(plan: Plan, scenario: Scenario, block: Block) -> bool:
    combinations = product(plan.modes, _variants(plan, block.id))
    return any(_is_unusual(plan, scenario, mode, variant) and scenario.refuses(block, mode) is None for mode, variant in combinations)


def _has_near_zero(plan: Plan, block: Block, mode: Mode) -> bool:
    return any(scenario.id == NEAR_ZERO and scenario.refuses(block, mode) is None for scenario in plan.scenarios)
