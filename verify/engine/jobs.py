"""The parts of a run that can be done in any order and in any process: a cell, and a sweep towards a = 0."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numeric.architecture.shapes import AskedShapes
from numeric.cells import Cell, Measurement, Subject, variant_of
from numeric.cells.cell import AnyCell, WrittenCell
from numeric.cells.measurement import BrokenCell, measure_variants
from numeric.cells.subject import WrittenSubject
from numeric.experiments.near_zero_sweep import Attended, sweep
from numeric.formats import Format, Mode
from numeric.machine import ProbedMode, Refinement, UnsupportedNumerics, probe
from numeric.machine.environment_questions import ChangedArithmetic, undisturbed
from numeric.machine.probing import Answer
from numeric.rules import probe_elementary
from numeric.scenarios import scenarios_named
from numeric.sides import block_in_format, seed_of
from numeric.sides.written_sides import written_in_format
from reports.record import CellRecord, NearZeroSweep
from reports.record.cases_table import CaseColumns
from reports.record.row import Row
from symbolic.vocabulary import CellId
from verify.records import cell_rows

SECTION_3_SETTING = "corollary-2.3.1"
"""The claim whose cells have the whole context moved into the weights, as in Section 3 of the paper."""


@dataclass(frozen=True, slots=True)
class CellFound:
    """What a cell's measurement gave."""

    row: CellRecord
    cases: CaseColumns
    witness: bytes | None
    """The content of its witness's file."""
    gradient_factor: str | None
    """‖A(x)‖² in words, where the cell shows it (erratum on §4.3)."""


def measure(
    subject: Subject | WrittenSubject, probed: ProbedMode, ids: Sequence[CellId], cases: int, certified: int | None, seed: int
) -> list[CellFound | BrokenCell]:
    """Measure cells that differ in their variant alone; in the place of one that broke stands what it raised.

    Variants and scenario are given by name, since another process cannot be sent the functions in them.
    """
    (family,) = scenarios_named([ids[0].scenario])
    variants = [variant_of(subject, id.variant) for id in ids]
    cells: list[AnyCell] = []
    if isinstance(subject, WrittenSubject):
        written = written_in_format(subject.watched, probed)
        cells += [WrittenCell(subject, written, probed, variant, family, cases, certified) for variant in variants]
    else:
        block = block_in_format(subject.model.block, probed)
        cells += [Cell(subject, block, probed, variant, family, cases, certified) for variant in variants]
    found = zip(cells, measure_variants(cells, seed), strict=True)
    return [each if isinstance(each, BrokenCell) else _found(cell, each) for cell, each in found]


def _found(cell: AnyCell, measurement: Measurement) -> CellFound:
    shows = cell.claim == SECTION_3_SETTING and cell.scenario.id == "random"
    factor = cell_rows.gradient_factor(cell.subject.block.id, measurement.judged.norm_a) if shows else None
    witness = None if measurement.witness is None else measurement.witness.to_bytes()
    return CellFound(cell_rows.cell_record(cell, measurement), cell_rows.cases_table(measurement), witness, factor)


def probe_mode(mode: Mode, shapes: AskedShapes, device: str, batch: int, left_out: Sequence[Refinement]) -> ProbedMode:
    """Ask the machine about a mode.  Raises UnsupportedNumerics."""
    try:
        with undisturbed(device):
            return probe(mode, **shapes, device=device, batch=batch).without(left_out)
    except ChangedArithmetic as error:
        raise UnsupportedNumerics(f"in {mode.id} the machine cannot be asked: {error}.") from error


def probe_functions(storage: Format, device: str, widths: Sequence[int]) -> tuple[Answer, ...]:
    """Ask the machine about elementary functions in a format.  Raises UnsupportedNumerics."""
    return probe_elementary(storage, device, widths=widths)


def make_row(make: Callable[..., Row], device: str, arguments: tuple[Any, ...]) -> Row:
    """An experiment's row.  Raises ChangedArithmetic if the process computes otherwise at the experiment's end."""
    with undisturbed(device):
        return make(*arguments)


def sweep_near_zero(subject: Subject, probed: ProbedMode, variants: Sequence[str], seed: int) -> list[NearZeroSweep]:
    """Measure each variant in one mode from ‖a‖ = 1 down to 0, on the same operands."""
    attended = Attended(subject, block_in_format(subject.model.block, probed), probed, seed_of(seed, subject.block.id, "near zero sweep"))
    return [cell_rows.sweep_record(subject, name, probed, sweep(attended, variant_of(subject, name))) for name in variants]
