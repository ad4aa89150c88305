"""What no run can write: rows that contradict themselves or each other.

A record with such a row was edited, or its writer is broken; it is refused, and nothing is made of it. What a run can write although it
tells of something bad, such as a planted wrong update that was not noticed, is no contradiction, and is judged like any other row.
"""

import math
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from reports.record.cell_contradictions import UNMEASURED, cell_contradictions
from reports.record.cells import DEVICE_NOT_ASKED, CellRecord, NearZeroSweep
from reports.record.claims import ClaimRecord, Counterexample, ErratumRecord, MutantRecord
from reports.record.experiment_contradictions import experiment_contradictions, rising
from reports.record.row import NotMeasured, moment
from reports.record.run_record import ModelRecord, RunInfo, RunRecord
from symbolic.vocabulary import Verdict

SUITE = "icl-verify"
"""Its name among the versions."""

_RATIONAL = re.compile(r"-?[0-9]+(/[1-9][0-9]*)?")
LINK, BETWEEN_PARTS, DEFINITIONS = "= ", "; ", ", where "
"""How a line of a proof begins that follows from the one before; what stands between the parts of a statement, and behind them."""

_NO_SIDE = [["undefined"]]

_ENDED = (0, 1, 3)
"""How a run that came to its end exits; one that was cut off was interrupted, was a wrong call or is incomplete."""


def contradictions(record: RunRecord) -> Iterator[str]:
    """Each in words, with the row that it is in."""
    yield from _run(record.run)
    if SUITE not in record.environment.versions:
        yield f"environment.versions: the version of {SUITE} is missing"
    if record.environment.threads == 0:
        yield "environment.threads: there are none"
    if record.bounds is not None and not record.bounds.assumptions:
        yield "bounds: they take nothing for granted, and every bound rests on the probed error model"
    yield from _twice(record)
    yield from _two_ways(record)
    for claim in record.claims:
        yield from (f"claim {claim.id}: {words}" for words in _claim(claim))
    for erratum in record.errata:
        yield from (f"erratum {erratum.number}: {words}" for words in _erratum(erratum, record.claims))
    for model in record.models:
        yield from (f"block {model.block}: {words}" for words in _model(model))
    for cell in record.cells:
        yield from (f"cell {cell.id}: {words}" for words in cell_contradictions(cell))
    for sweep in record.near_zero:
        yield from (f"sweep {sweep.block}/{sweep.numerics}/{sweep.variant}: {words}" for words in _sweep(sweep))
    yield from experiment_contradictions(record.experiments)
    yield from _as_written(record)
    for row in record.not_measured:
        if measured := next(_measured_all_the_same(row, record), None):
            yield f"{row.what} of {row.block} is listed as not measured, and {measured} was"


def _run(run: RunInfo) -> Iterator[str]:
    if run.finished is not None and moment(run.finished) < moment(run.started):
        yield f"run: it ended at {run.finished}, before it began at {run.started}"
    if run.finished is not None and run.exit_status not in _ENDED:
        yield f"run: it is finished, with exit status {run.exit_status}"
    if run.finished is None and run.exit_status in (0, 1):
        yield f"run: it has exit status {run.exit_status}, and is not finished"
    if run.named_formats is not None and run.named_formats != _formats_of_a_check(run.command):
        yield f"run: it names the formats {run.named_formats} as asked for, and its command does not"


def _formats_of_a_check(command: str) -> list[str] | None:
    """The formats that the command of a check names; None of another command, and of what is none."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    return [after for before, after in pairwise(words) if before == "--format"] if words[:2] == ["verify", "check"] else None


def _twice(record: RunRecord) -> Iterator[str]:
    """Names that stand for two things."""
    names: dict[str, Sequence[object]] = {
        "claims": [row.id for row in record.claims],
        "errata": [row.number for row in record.errata],
        "blocks": [row.block for row in record.models],
        "cells": [row.id for row in record.cells],
        "sweeps": ["/".join((row.block, row.format, row.variant)) for rows in (record.near_zero, record.not_swept) for row in rows],
        "refinements": [row.id for row in record.bounds.refinements] if record.bounds else [],
        "assumptions": record.bounds.assumptions if record.bounds else [],
        "parts that were not measured": [f"{row.block}, {row.what}" for row in record.not_measured],
        **{f"false variants of {claim.id}": [row.id for row in claim.mutants] for claim in record.claims},
    }
    for kind, ids in names.items():
        for name, times in Counter(ids).items():
            if times > 1:
                yield f"it holds two {kind} named {name}"


def _two_ways(record: RunRecord) -> Iterator[str]:
    """One run is made on one device, its environment's, and computes with a format in one way; of cells that were not measured nothing may be known."""
    measured = [cell for cell in record.cells if cell.verdict not in UNMEASURED]
    here = record.environment.kind
    for cell in record.cells:
        if cell.device not in ((here,) if cell.verdict not in UNMEASURED else (here, DEVICE_NOT_ASKED)):
            yield f"the cell {cell.id} was measured on {cell.device}, and the run on {record.environment.device}"
    ways: dict[str, str] = {}
    rows: list[CellRecord | NearZeroSweep] = [*measured, *record.near_zero]
    for row in rows:
        if (way := ways.setdefault(row.format, row.numerics)) != row.numerics:
            yield f"the format {row.format} is computed as {way} and as {row.numerics}"


def _as_written(record: RunRecord) -> Iterator[str]:
    """A block is watched before it is measured; in a run that was cut off, the row of that may be missing, and another says where it broke."""
    found = record.experiments
    lost = {row.block for row in (*found.broken, *found.out_of_time)} if record.run.finished is not None else {row.block for row in found.in_double}
    if missing := sorted({row.block for row in found.in_double} - {row.block for row in found.watched} - lost):
        yield f"it measured {', '.join(missing)} in float64, which it did not watch"
    there = {claim.id for claim in record.claims}
    watched = {row.block for row in found.watched}
    for cell in record.cells if record.run.finished is not None else ():
        if cell.cases and cell.block not in lost and cell.as_written is not (cell.block in watched):
            yield f"the cell {cell.id} is {'' if cell.as_written else 'not '}of a block as it is written, which was {'not ' if cell.as_written else ''}watched"
    for block in found.watched:
        if proved := [name for name in block.unproved if name in there]:
            yield f"as written {block.block}: it calls {proved[0]} a claim that is not proved yet, and the claim was put to the prover"


SWEEPS_IN = "sweeps towards a = 0 in "
"""How what is left out of sweeps is called, before the format."""


def _measured_all_the_same(row: NotMeasured, record: RunRecord) -> Iterator[str]:
    """Cells and sweeps that are what the row says is left out: a scenario, in all formats or in those that it names, a variant, or sweeps in a format."""
    kind, _, name = row.what.partition(" ")
    scenario, _, formats = name.partition(" in ")
    for cell in record.cells:
        if cell.block == row.block and cell.verdict not in UNMEASURED:
            in_it = kind == "scenario" and cell.scenario == scenario and (not formats or cell.format in formats.split(", "))
            if in_it or (kind == "variant" and cell.variant == name):
                yield cell.id
    for sweep in record.near_zero:
        if sweep.block == row.block and row.what == SWEEPS_IN + sweep.format:
            yield f"the sweep {sweep.block}/{sweep.numerics}/{sweep.variant}"


def _claim(claim: ClaimRecord) -> Iterator[str]:
    if claim.verdict in (Verdict.VACUOUS, Verdict.SKIPPED):
        yield f"its verdict is {claim.verdict.value}, which is none of a claim's"
    if (claim.verdict is Verdict.VIOLATED) is not (claim.counterexample is not None):
        yield f"its verdict is {claim.verdict.value}, {'without' if claim.counterexample is None else 'with'} a counterexample"
    if (claim.verdict is Verdict.HOLDS) is not (claim.reason is None):
        yield f"its verdict is {claim.verdict.value}, {'without a reason' if claim.reason is None else 'with a reason why it does not hold'}"
    if claim.verdict is Verdict.TIMEOUT and (claim.steps or claim.mutants):
        yield "its verdict is TIMEOUT, and it was put to the prover"
    if claim.verdict is Verdict.HOLDS and claim.remark is None:
        yield "it holds, and its statement is in words, with which no proof can be compared"
    if claim.verdict is Verdict.HOLDS and (open_parts := [*_not_reached(claim)]):
        yield f"it holds, and no chain of its proof leads from the left side to the right side of {open_parts[0]}"
    if claim.verdict is Verdict.HOLDS and any(mutant.verdict is Verdict.HOLDS for mutant in claim.mutants):
        yield "it holds, and so does a false variant"
    for mutant in claim.mutants:
        yield from (f"false variant {mutant.id}: {words}" for words in _mutant(mutant))
    if claim.counterexample is not None:
        yield from _counterexample(claim.counterexample)


def _not_reached(claim: ClaimRecord) -> Iterator[str]:
    """Parts of the statement that the proof does not reach: a chain is written as its left side and then one line for each link, "= ...".

    A statement without terms is in words, and no chain can be compared with it; of such a claim nothing was proved.
    """
    if claim.remark is None:
        return
    lines = [step.expression.text for step in claim.steps if not step.in_words]
    begun: set[str] = set()
    reached: set[str] = set()
    for line in lines:
        if line.startswith(LINK):
            reached |= {f"{left} {line}" for left in begun}
        else:
            begun.add(line)
            reached.add(f"{line} {LINK}{line}")  # both sides are one term
    parts = claim.statement.text.split(DEFINITIONS)[0].split(BETWEEN_PARTS)
    yield from (part for part in parts if part not in reached)


def _mutant(mutant: MutantRecord) -> Iterator[str]:
    if mutant.verdict not in (Verdict.VIOLATED, Verdict.INCONCLUSIVE, Verdict.HOLDS):
        yield f"its verdict is {mutant.verdict.value}, which is none of a false variant's"
    if (mutant.verdict is Verdict.VIOLATED) is not (mutant.counterexample is not None):
        yield f"its verdict is {mutant.verdict.value}, {'without' if mutant.counterexample is None else 'with'} a counterexample"
    if mutant.counterexample is not None:
        yield from _counterexample(mutant.counterexample)


def _counterexample(found: Counterexample) -> Iterator[str]:
    """Exact numbers at which two sides of one shape differ."""
    if not found.values:
        yield "its counterexample has no numbers"
    if 0 in found.sizes.values():
        yield "its counterexample has a dimension of 0"
    sides = [side for side in (found.left, found.right) if side != _NO_SIDE]
    for name, matrix in {**found.values, "left": found.left, "right": found.right}.items():
        if name in ("left", "right") and matrix == _NO_SIDE:
            continue
        if not _shape(matrix) or not all(_RATIONAL.fullmatch(entry) for row in matrix for entry in row):
            yield f"its counterexample's {name} is no matrix of rationals"
        elif not {*_shape(matrix)} <= {1, *found.sizes.values()}:
            rows, columns = _shape(matrix)
            yield f"its counterexample's {name} is {rows} by {columns}, which are none of its sizes"
    if len({_shape(side) for side in sides}) > 1:
        yield "its counterexample has sides of two shapes"
    if found.left == found.right:
        yield "its counterexample has two sides that are the same"


def _shape(matrix: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """Rows and columns; empty if it is no matrix."""
    lengths = {len(row) for row in matrix}
    return (len(matrix), *lengths) if len(lengths) == 1 and 0 not in lengths else ()


def _erratum(erratum: ErratumRecord, claims: Sequence[ClaimRecord]) -> Iterator[str]:
    """The claim that it names, if it is there, says the same, and so does one of that claim's false variants."""
    claim = next((row for row in claims if row.id == erratum.claim), None)
    if claim is not None and erratum.proved is not (claim.verdict is Verdict.HOLDS):
        yield f"it is called {'proved' if erratum.proved else 'not proved'}, and the claim {claim.id} is {claim.verdict.value}"
    if claim is not None and erratum.corrected != claim.statement:
        yield f"its corrected statement is not that of the claim {claim.id}"
    if claim is not None and not any((mutant.statement, mutant.counterexample) == (erratum.literal, erratum.counterexample) for mutant in claim.mutants):
        yield f"its printed statement and the numbers that refute it are those of no false variant of the claim {claim.id}"
    if erratum.counterexample is not None:
        yield from _counterexample(erratum.counterexample)


def _model(model: ModelRecord) -> Iterator[str]:
    steps = [step for step, _ in model.losses]
    if model.parameters == 0:
        yield "it has no parameters"
    if not rising(steps) or any(step >= model.steps for step in steps):
        yield f"its losses are at steps that are not in their order, or beyond its {model.steps}"


def _sweep(sweep: NearZeroSweep) -> Iterator[str]:
    norms = [level.norm for level in sweep.levels]
    if not norms or any(later > earlier for earlier, later in pairwise(norms)):
        yield "its distances are none, or do not fall"
    if not math.isnan(sweep.measured_radius) and sweep.measured_radius not in norms:
        yield f"its measured radius {sweep.measured_radius!r} is no distance at which it was measured"
    if any(radius > 0 and math.frexp(radius)[0] != 0.5 for radius in (*norms, sweep.predicted_radius)):  # of infinity frexp says infinity
        yield "a distance or its predicted radius is no power of two"
    if len({level.cases for level in sweep.levels}) > 1:
        yield "its distances have more cases and fewer"
    for level in sweep.levels:
        if level.cases == 0:
            yield "a distance has no cases"
        if level.error < level.error_median:
            yield "a largest error is below the median"
        if level.refused > 0 and level.bound < math.inf:
            yield "a distance at which cases were refused has a bound"
