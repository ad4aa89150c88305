"""A run in progress: the rows found so far, and the journal that keeps each of them as it comes.

The journal is what a later start goes on from; ``run.json`` tells readers the same, and is written now and then.
"""

from collections.abc import Iterator

from numeric.training import TrainedBlock
from reports.findings import NOT_RUN
from reports.record import CellRecord, ClaimRecord, Experiments, ModelRecord, NearZeroSweep, NotMeasured, RunRecord
from reports.record.cases_table import CasesWriter
from reports.record.cells import NotSwept
from reports.record.claims import ErratumRecord
from reports.record.environment import Bounds, Environment
from reports.record.record_files import content_digest, write_run, write_witness
from reports.record.row import Row
from reports.record.run_record import RunInfo
from symbolic.errata import load_errata
from symbolic.vocabulary import Verdict
from verify.engine.experiment_jobs import Experiment, with_outcome
from verify.engine.failures import Failure
from verify.engine.jobs import CellFound
from verify.engine.planned_cells import Measurements
from verify.engine.probing_jobs import ProbedMachine
from verify.records import cell_rows, claim_rows
from verify.records.experiment_rows import steps_that_stay
from verify.records.row_of import row_of
from verify.run_folder import OpenRun, describe_environment
from verify.run_folder import journal_entries as lines
from verify.run_folder.environment import code_digest
from verify.run_folder.journal import Journal, begin_journal
from verify.run_folder.resuming import refuse_other_answers, refuse_other_weights
from verify.run_folder.run_folder import JOURNAL_FILE, now

FACTOR_LEFT_OUT, NO_CONSEQUENCE = 2, 9
"""The errata on §4.3 that the numeric floor measures: by ‖A(x)‖, and by layers whose updates do not vanish."""


def opened_journal(start: OpenRun) -> Journal:
    """The journal of a run, begun with what the run is if it is new. Raises OSError."""
    path = start.folder / JOURNAL_FILE
    if start.finished is None:
        request = start.plan.request
        environment = describe_environment(request.device, [])
        header = lines.Header(run_id=start.run_id, started=start.started, request=request, code=code_digest(), environment=environment)
        begin_journal(path, lines.entry_of(header))
    return Journal(path)


class RunState:
    """Rows by their place in the plan, whatever was finished first; and what of them an earlier start has left."""

    def __init__(self, start: OpenRun, journal: Journal) -> None:
        self.plan, self.folder, self.run_id, self.started = start.plan, start.folder, start.run_id, start.started
        self.resumes = start.finished is not None
        self.finished = start.finished or lines.FinishedWork()
        self.resumed = self.finished.resumed
        self.environment: Environment = describe_environment(self.plan.request.device, [])
        self.bounds: Bounds | None = None
        self.goes_on = not self.resumes
        """Whether it is sure that the run is the same as before."""
        self.claims: dict[str, ClaimRecord] = {}
        self.models: list[ModelRecord] = []
        self.cells: dict[int, CellRecord] = {}
        self.near_zero: dict[int, list[NearZeroSweep]] = {}
        self.not_swept: dict[int, list[NotSwept]] = {}
        self.not_measured: list[NotMeasured] = []
        self.experiments = Experiments()
        self.gradient_factors: dict[int, str] = {}
        self._journal = journal
        if not self.resumes:
            self.save()

    def keep_claim(self, row: ClaimRecord) -> None:
        """A claim that was put to the prover."""
        self.claims[row.id] = row
        if row.verdict not in NOT_RUN:
            self._append(lines.FinishedClaim(row=row))

    def keep_model(self, trained: TrainedBlock) -> None:
        """A trained block; its row tells of the first time. Raises CannotResume if it is another."""
        row = cell_rows.model_record(trained)
        refuse_other_weights(self.finished.models, row.block, row.weights)
        if row.block in self.finished.models:
            self.models.append(self.finished.models[row.block])
            return
        self.models.append(row)
        self._append(lines.FinishedModel(row=row))

    def keep_machine(self, machine: ProbedMachine) -> None:
        """What the machine answered. Raises CannotResume if it answered otherwise before."""
        self.bounds, self.environment = machine.bounds, self.environment.model_copy(update={"probes": machine.answers})
        if not machine.complete:
            return
        refuse_other_answers(self.finished.probes, machine.answers)
        if self.finished.probes is None:
            self._append(lines.Answers(rows=machine.answers))

    def go_on(self, planned: Measurements, made: dict[int, Experiment]) -> None:
        """What the run depends on was found as it was: take over what was finished of what is planned, and take it out of the plan."""
        self.claims.update(self.finished.claims)
        for key, cell in list(planned.cells.items()):
            if cell.name in self.finished.cells:
                self._take_cell(key, self.finished.cells[cell.name])
                del planned.cells[key]
        # Where this start had no time to train or to ask the machine, what an earlier one measured stands all the same.
        for key, row in planned.settled.items():
            name = "/".join((row.block, row.format, row.variant, row.scenario))
            if name in self.finished.cells:
                self._take_cell(key, self.finished.cells[name])
        for key, rows in planned.not_swept.items():
            name = f"{rows[0].block}/{rows[0].format}"
            if name in self.finished.sweeps:
                self.near_zero[key] = self.finished.sweeps[name]
                del self.not_swept[key]
        for key, sweep in list(planned.sweeps.items()):
            if sweep.name in self.finished.sweeps:
                self.near_zero[key] = self.finished.sweeps[sweep.name]
                del planned.sweeps[key]
        for key, experiment in list(made.items()):
            if experiment.name in self.finished.experiments:
                self._take_experiment(experiment, self.finished.experiments[experiment.name])
                del made[key]
        self.goes_on = True
        self.resumed += 1
        self._append(lines.Resumed(at=now()))
        self.save()

    def keep_cell(self, key: int, name: str, measured: CellFound, cases: CasesWriter) -> None:
        """A measured cell: its cases and its witness first, so that its line in the journal vouches for them."""
        digests = {"cases_digest": cases.append(measured.row.id, measured.cases)}
        if measured.witness is not None:
            digests |= {"witness": write_witness(measured.witness, measured.row.id, self.folder), "witness_digest": content_digest(measured.witness)}
        cell = lines.FinishedCell(name=name, row=measured.row.model_copy(update=digests), gradient_factor=measured.gradient_factor)
        self._append(cell)
        self._take_cell(key, cell)

    def _take_cell(self, key: int, cell: lines.FinishedCell) -> None:
        """A cell whose cases are on disk."""
        self.cells[key] = cell.row
        if cell.gradient_factor is not None:
            self.gradient_factors[key] = cell.gradient_factor

    def keep_sweeps(self, key: int, name: str, rows: list[NearZeroSweep]) -> None:
        """The sweeps of one block in one format."""
        self._append(lines.FinishedSweeps(name=name, rows=rows))
        self.near_zero[key] = rows

    def keep_experiment(self, experiment: Experiment, outcome: Row | Failure) -> None:
        """An experiment's row, or what came in its place."""
        if isinstance(outcome, Row):
            self._append(lines.FinishedExperiment.model_validate({"name": experiment.name, "row": outcome}))
        self._take_experiment(experiment, outcome)

    def _take_experiment(self, experiment: Experiment, outcome: Row | Failure) -> None:
        """The same, of what needs no keeping."""
        self.experiments = with_outcome(self.experiments, experiment, outcome, self.plan.blocks)

    def record(self, *, finished: str | None = None, status: int | None = None) -> RunRecord:
        """The record as it stands."""
        request = self.plan.request
        named = (request.format or []) if request.verb == "check" else None
        known = {"named_formats": named, "id": self.run_id, "started": self.started, "finished": finished, "exit_status": status, "resumed": self.resumed}
        return RunRecord(
            run=row_of(RunInfo, request, **known),
            environment=self.environment,
            bounds=self.bounds,
            claims=[self.claims[name] for name in self.plan.claims if name in self.claims],
            errata=list(self._errata()),
            models=self.models,
            cells=[self.cells[key] for key in sorted(self.cells)],
            near_zero=[row for key in sorted(self.near_zero) for row in self.near_zero[key]],
            not_swept=[row for key in sorted(self.not_swept) for row in self.not_swept[key]],
            not_measured=self.not_measured,
            experiments=self.experiments,
        )

    def _errata(self) -> Iterator[ErratumRecord]:
        """Errata from the proofs of this run, with what was measured so far."""
        proved = {name: claim for name, claim in self.claims.items() if claim.verdict is not Verdict.TIMEOUT}
        first = min(self.gradient_factors, default=None)
        measured = {} if first is None else {FACTOR_LEFT_OUT: self.gradient_factors[first]}
        staying = steps_that_stay(self.experiments.layers)
        if staying is not None:
            measured[NO_CONSEQUENCE] = staying
        for erratum in load_errata():
            row = claim_rows.erratum_record(erratum, proved, measured.get(erratum.number))
            if row is not None:
                yield row

    def _append(self, line: lines.JournalLine) -> None:
        self._journal.append(lines.entry_of(line))

    def save(self, *, status: int | None = None) -> None:
        """Write the record as it stands."""
        write_run(self.record(status=status), self.folder)
