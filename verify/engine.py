"""Runs a plan: trains and probes, then measures in other processes while this one proves, and writes each result as it comes.

A run that is interrupted leaves what is finished on disk, with ``finished`` null. A cell that breaks is an ERROR and
the others go on. Rows stand in the order of the plan, whatever was finished first.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from numeric.balls import check_reference
from numeric.block import blocks_named
from numeric.machine import use_one_thread
from numeric.own_block import OwnBlock
from numeric.scenario import claim_of
from numeric.subject import Subject
from numeric.training import BlockNotTrained, TrainedBlock
from reports.agreement import disagreeing_cells
from reports.cases import CasesWriter
from reports.experiment_rows import Experiments
from reports.for_ci import write_for_ci
from reports.page import write_report
from reports.record import (
    Bounds,
    CellRecord,
    ClaimRecord,
    Environment,
    ErratumRecord,
    ModelRecord,
    NearZeroSweep,
    NotSwept,
    RunInfo,
    RunRecord,
)
from reports.row import NotMeasured
from reports.runs import write_run, write_witness
from symbolic.errata import load_errata
from symbolic.prover import prove
from symbolic.registry import load_claims
from symbolic.verdict import Verdict
from verify import cell_records, claim_records
from verify.environment import describe_environment
from verify.experiment_records import experiments, left_out, steps_that_stay, with_outcome, write_data
from verify.jobs import CellFound, measure, sweep_near_zero
from verify.measurements import PlannedCell, PlannedSweep, planned
from verify.plan import Plan
from verify.probing import Probing
from verify.status import INTERRUPTED, exit_status
from verify.store import now
from verify.trainers import Training
from verify.workers import Workers

FACTOR_LEFT_OUT, NO_CONSEQUENCE = 2, 9
"""The errata on §4.3 that the numeric floor measures: by ‖A(x)‖, and by layers whose updates do not vanish."""

SAVED_EVERY = 2.0
"""Seconds from one time that the record is written to the next, while cells come in."""


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
        self.bounds: Bounds | None = None
        self.claims: list[ClaimRecord] = []
        self.models: list[ModelRecord] = []
        self.cells: dict[int, CellRecord] = {}
        """By the place in the plan; and so the rest."""
        self.near_zero: dict[int, list[NearZeroSweep]] = {}
        self.not_swept: list[NotSwept] = []
        self.not_measured: list[NotMeasured] = []
        self.experiments = Experiments()
        self.gradient_factors: dict[int, str] = {}

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
            run=info,
            environment=self.environment,
            bounds=self.bounds,
            claims=self.claims,
            errata=list(self._errata()),
            models=self.models,
            cells=[self.cells[key] for key in sorted(self.cells)],
            near_zero=[row for key in sorted(self.near_zero) for row in self.near_zero[key]],
            not_swept=self.not_swept,
            not_measured=self.not_measured,
            experiments=self.experiments,
        )

    def _errata(self) -> Iterator[ErratumRecord]:
        """Errata from the proofs of this run, with what was measured so far."""
        proved = {claim.id: claim for claim in self.claims}
        first = min(self.gradient_factors, default=None)
        measured = {} if first is None else {FACTOR_LEFT_OUT: self.gradient_factors[first]}
        staying = steps_that_stay(self.experiments.layers)
        if staying is not None:
            measured[NO_CONSEQUENCE] = staying
        for erratum in load_errata():
            row = claim_records.erratum_record(erratum, proved, measured.get(erratum.number))
            if row is not None:
                yield row

    def save(self) -> None:
        """Write the record as it stands."""
        write_run(self.record(), self.folder)


def run(plan: Plan, folder: Path, run_id: str, ui: Ui, own: OwnBlock | None = None) -> RunRecord:
    """Run the whole plan into the folder. Raises KeyboardInterrupt after everything finished is on disk.

    own: a user's block, which is measured in place of the plan's.
    """
    use_one_thread()
    check_reference()
    state = Run(plan, folder, run_id)
    state.save()
    (folder / ".claimed").unlink(missing_ok=True)
    try:
        with CasesWriter(folder) as cases:
            _work(state, cases, ui, own)
    except KeyboardInterrupt:
        write_run(state.record(status=INTERRUPTED), folder)
        write_report(folder)
        write_for_ci(folder)
        raise
    record = state.record(finished=now())
    record = state.record(finished=record.run.finished, status=exit_status(record, disagreeing_cells(record, folder)))
    write_run(record, folder)
    write_report(folder)
    write_for_ci(folder)
    return record


def _work(state: Run, cases: CasesWriter, ui: Ui, own: OwnBlock | None) -> None:
    registry = blocks_named(state.plan.blocks) if own is None else []
    modules = [block.build(block.recipe) for block in registry] if own is None else [own.model.block]
    with Workers(state.plan.jobs) as pool:
        training = Training(registry, pool, step=ui.step)
        # What needs no trained block is done while they train; where all are cached, the pool's processes probe meanwhile.
        probing = Probing(state.plan, modules, None if training.begun else pool, step=ui.step)
        _prove(state, ui)
        if training.begun:
            machine = probing.results()
        trained = dict(_trained_blocks(state, training))
        if not training.begun:
            machine = probing.results()
        probed, state.bounds = machine.probed, machine.bounds
        state.environment = state.environment.model_copy(update={"probes": machine.answers})
        blocks: dict[str, Subject | BlockNotTrained] = {name: found.alone() if isinstance(found, TrainedBlock) else found for name, found in trained.items()}
        if own is not None:
            blocks[own.block.id] = own
        found = planned(state.plan, blocks, probed)
        state.cells.update(found.settled)
        state.not_measured += [*found.not_measured, *left_out(state.plan, trained)]
        made = {-number: row for number, row in enumerate(experiments(state.plan, trained, probed), start=1)}
        for key, experiment in made.items():
            pool.submit(key, experiment.make, *experiment.arguments)
        for key, cell in found.cells.items():
            pool.submit(key, measure, cell.subject, cell.machine, cell.variant, cell.scenario.id, cell.cases, state.plan.profile.certified, state.plan.seed)
        for key, sweep in found.sweeps.items():
            pool.submit(key, sweep_near_zero, sweep.subject, sweep.machine, sweep.variants, state.plan.seed)
        total = len(made) + len(found.cells) + len(found.sweeps)
        saved = time.monotonic()
        for done, (key, outcome) in enumerate(pool.results(), start=1):
            if key in made:
                state.experiments = with_outcome(state.experiments, made[key], outcome, state.plan.blocks)
            elif key in found.cells:
                _keep_cell(state, cases, key, found.cells[key], outcome)
            else:
                _keep_sweep(state, key, found.sweeps[key], outcome)
            ui.step("measure", done, total)
            if time.monotonic() - saved > SAVED_EVERY:
                state.save()
                saved = time.monotonic()
    write_data(state.experiments, state.folder)


def _prove(state: Run, ui: Ui) -> None:
    claims = load_claims(state.plan.claims) if state.plan.claims else []
    for index, claim in enumerate(claims):
        ui.step("prove", index, len(claims))
        state.claims.append(claim_records.claim_record(prove(claim)))
    if claims:
        ui.step("prove", len(claims), len(claims))
    state.save()


def _trained_blocks(state: Run, training: Training) -> Iterator[tuple[str, TrainedBlock | BlockNotTrained]]:
    for block, found in training.results():
        if isinstance(found, TrainedBlock):
            state.models.append(cell_records.model_record(found))
            state.save()
        yield block.id, found


def _keep_cell(state: Run, cases: CasesWriter, key: int, cell: PlannedCell, outcome: CellFound | Exception) -> None:
    """The cell's row; a cell that broke is an ERROR, with the reason, and not the end of the run."""
    if isinstance(outcome, Exception):
        claim, machine = claim_of(cell.scenario, cell.subject.model.block), cell.machine
        state.cells[key] = cell_records.unmeasured_cell(
            claim, cell.subject.block.id, machine.mode, machine, cell.variant, cell.scenario.id, Verdict.ERROR, _words(outcome)
        )
        return
    cases.append(outcome.row.id, outcome.cases)
    state.cells[key] = outcome.row
    if outcome.witness is not None:
        state.cells[key] = outcome.row.model_copy(update={"witness": write_witness(outcome.witness, outcome.row.id, state.folder)})
    if outcome.gradient_factor is not None:
        state.gradient_factors[key] = outcome.gradient_factor


def _keep_sweep(state: Run, key: int, sweep: PlannedSweep, outcome: list[NearZeroSweep] | Exception) -> None:
    """The sweeps' rows; those that broke are told as that, and make the run incomplete."""
    if isinstance(outcome, Exception):
        block, mode = sweep.subject.block.id, sweep.machine.mode.id
        state.not_swept += [NotSwept(block=block, format=mode, variant=variant, reason=_words(outcome)) for variant in sweep.variants]
        return
    state.near_zero[key] = outcome


def _words(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}".split("\n")[0]
