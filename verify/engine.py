"""Runs a plan: proves, trains, probes, measures, and writes each result as it comes.

A run that is interrupted leaves what is finished on disk, with ``finished`` null. A cell that breaks is an ERROR and
the others go on.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from numeric.balls import check_reference
from numeric.block import blocks_named
from numeric.cell import Cell, block_in_format, layer_shapes, measure_cell, seed_of
from numeric.formats import format_named
from numeric.near_zero import sweep
from numeric.numerics import Numerics
from numeric.probe import probe
from numeric.scenario import scenarios_named
from numeric.training import BlockNotTrained, TrainedBlock, trained
from numeric.variants import variants_named
from reports.agreement import disagreeing_cells
from reports.cases import CasesWriter
from reports.page import write_report
from reports.record import CellRecord, ClaimRecord, Environment, ErratumRecord, ModelRecord, NearZeroSweep, Probe, RunInfo, RunRecord
from reports.runs import write_run
from symbolic.errata import load_errata
from symbolic.prover import prove
from symbolic.registry import load_claims
from verify import convert
from verify.environment import describe_environment
from verify.plan import Plan
from verify.status import INTERRUPTED, exit_status
from verify.store import now

SECTION_3_SETTING = "corollary-2.3.1"
"""The claim whose cells have the whole context moved into the weights, as in Section 3 of the paper."""

FACTOR_LEFT_OUT = 2
"""The erratum on §4.3 that ‖A(x)‖ measures."""


class Ui(Protocol):
    """Where progress is shown."""

    def step(self, label: str, done: int, total: int) -> None:
        """So much of a part of the run is done."""


class Run:
    """A run in progress: the rows found so far, and the folder that they are kept in."""

    def __init__(self, plan: Plan, folder: Path, run_id: str) -> None:
        self.plan, self.folder, self.run_id = plan, folder, run_id
        self.started = now()
        self.environment: Environment = describe_environment(plan.device, [])
        self.claims: list[ClaimRecord] = []
        self.errata: list[ErratumRecord] = []
        self.models: list[ModelRecord] = []
        self.cells: list[CellRecord] = []
        self.near_zero: list[NearZeroSweep] = []

    def record(self, *, finished: str | None = None, status: int | None = None) -> RunRecord:
        """The record as it stands."""
        info = RunInfo(
            id=self.run_id,
            started=self.started,
            finished=finished,
            profile=self.plan.profile.id,
            seed=self.plan.seed,
            command=self.plan.command,
            exit_status=status,
        )
        return RunRecord(
            run=info, environment=self.environment, claims=self.claims, errata=self.errata, models=self.models, cells=self.cells, near_zero=self.near_zero
        )

    def save(self) -> None:
        """Write the record as it stands."""
        write_run(self.record(), self.folder)


def run(plan: Plan, folder: Path, run_id: str, ui: Ui) -> RunRecord:
    """Run the whole plan into the folder. Raises KeyboardInterrupt after everything finished is on disk."""
    check_reference()
    state = Run(plan, folder, run_id)
    state.save()
    (folder / ".claimed").unlink(missing_ok=True)
    try:
        _prove(state, ui)
        with CasesWriter(folder) as cases:
            _measure(state, cases, ui)
    except KeyboardInterrupt:
        write_run(state.record(status=INTERRUPTED), folder)
        write_report(folder)
        raise
    record = state.record(finished=now())
    record = state.record(finished=record.run.finished, status=exit_status(record, disagreeing_cells(record, folder)))
    write_run(record, folder)
    write_report(folder)
    return record


def _prove(state: Run, ui: Ui) -> None:
    claims = load_claims(state.plan.claims) if state.plan.claims else []
    for index, claim in enumerate(claims):
        ui.step("prove", index, len(claims))
        state.claims.append(convert.claim_record(prove(claim)))
    ui.step("prove", len(claims), len(claims))
    _settle_errata(state, {})
    state.save()


def _settle_errata(state: Run, measured: dict[int, str]) -> None:
    """Errata from the proofs of this run, with what was measured so far, by number."""
    proved = {claim.id: claim for claim in state.claims}
    rows = (convert.erratum_record(erratum, proved, measured.get(erratum.number)) for erratum in load_errata())
    state.errata = [row for row in rows if row is not None]


def _measure(state: Run, cases: CasesWriter, ui: Ui) -> None:
    plan = state.plan
    blocks = list(_trained_blocks(state, ui))
    numerics = _probe(state, [block for block, _ in blocks if block is not None], ui)
    variants, scenarios = variants_named(plan.variants), scenarios_named(plan.scenarios)
    total = len(plan.blocks) * len(plan.formats) * len(variants) * len(scenarios) * plan.cases
    done = 0
    for (block, failure), name in zip(blocks, plan.blocks, strict=True):
        for model in numerics:
            for variant in variants:
                for scenario in scenarios:
                    if block is None:
                        assert failure is not None
                        state.cells.append(convert.unmeasured_cell(scenario.claim, name, model, variant.id, scenario.id, failure))
                        continue
                    cell = Cell(block, block_in_format(block, model), model, variant, scenario, plan.cases)
                    state.cells.append(_measured(cell, plan.seed, cases, _shifted(ui, done, total), state))
                    done += plan.cases
                    state.save()
    if any(scenario.id == "near_zero" for scenario in scenarios):
        _sweep(state, [block for block, _ in blocks if block is not None], numerics, ui)


def _trained_blocks(state: Run, ui: Ui) -> Iterator[tuple[TrainedBlock | None, Exception | None]]:
    for block in blocks_named(state.plan.blocks):
        try:
            found = trained(block, progress=ui.step)
        except BlockNotTrained as failure:
            yield None, failure
            continue
        state.models.append(convert.model_record(found))
        state.save()
        yield found, None


def _probe(state: Run, blocks: list[TrainedBlock], ui: Ui) -> list[Numerics]:
    """Ask the machine about each format, at the shapes of the blocks."""
    shapes = tuple(sorted({shape for block in blocks for shape in layer_shapes(block)}))
    found: list[Numerics] = []
    answers: list[Probe] = []
    for index, name in enumerate(state.plan.formats):
        ui.step("probe the machine", index, len(state.plan.formats))
        numerics, said = probe(format_named(name), shapes=shapes, device=state.plan.device)
        found.append(numerics)
        answers.extend(Probe(id=a.id, question=a.question, answer=a.answer) for a in said)
    ui.step("probe the machine", len(found), len(found))
    state.environment = state.environment.model_copy(update={"probes": answers})
    return found


def _measured(cell: Cell, seed: int, cases: CasesWriter, progress: Callable[[int], None], state: Run) -> CellRecord:
    """The cell's row; a cell that breaks is an ERROR, with the reason, and not the end of the run."""
    started = time.perf_counter()
    try:
        found = measure_cell(cell, seed, progress)
    except Exception as error:
        return convert.failed_cell(cell, error)
    cases.append(cell.id, convert.cases_table(found))
    if cell.claim == SECTION_3_SETTING and cell.scenario.id == "random":
        _settle_errata(state, {FACTOR_LEFT_OUT: convert.gradient_factor(cell.trained.block.id, found.judged.norm_a)})
    return convert.cell_record(cell, found, time.perf_counter() - started)


def _sweep(state: Run, blocks: list[TrainedBlock], numerics: list[Numerics], ui: Ui) -> None:
    jobs = [(block, model, variant) for block in blocks for model in numerics for variant in variants_named(state.plan.variants)]
    for index, (block, model, variant) in enumerate(jobs):
        ui.step("near zero", index, len(jobs))
        found = sweep(block, block_in_format(block, model), variant, model, seed_of(state.plan.seed, block.block.id, "near zero sweep"))
        state.near_zero.append(convert.sweep_record(block, variant.id, model, found))
    ui.step("near zero", len(jobs), len(jobs))
    state.save()


def _shifted(ui: Ui, done: int, total: int) -> Callable[[int], None]:
    return lambda more: ui.step("measure", done + more, total)
