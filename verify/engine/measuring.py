"""What a plan has measured, handed to the pool and kept as it comes."""

import time
from typing import Any

from numeric.cells.measurement import BrokenCell
from reports.record import NearZeroSweep
from reports.record.cases_table import CasesWriter
from reports.record.cells import NotSwept
from symbolic.vocabulary import Verdict
from verify.engine.experiment_jobs import Experiment
from verify.engine.failures import failure_of
from verify.engine.jobs import CellFound, make_row, measure, sweep_near_zero
from verify.engine.planned_cells import Measurements, measured_together
from verify.engine.processes import Workers
from verify.engine.run_state import RunState
from verify.progress import OnStep
from verify.records import cell_rows

SAVED_EVERY, SHARE_OF_SAVING = 2.0, 0.02
"""Seconds between two times that the record is written while cells come in, at least; and the share of the time that writing may take, as records grow."""


class Measuring:
    """The cells, sweeps and experiments of a run, on their way."""

    def __init__(  # a run's parts, each of which its outcomes touch
        self, state: RunState, cases: CasesWriter, pool: Workers, step: OnStep, planned: Measurements, made: dict[int, Experiment]
    ) -> None:
        """Hand all of it to the pool.  made: experiments, by their place."""
        self._state, self._cases, self._pool, self._step = state, cases, pool, step
        self._planned, self._made = planned, made
        self._total, self._done = len(made) + len(planned.cells) + len(planned.sweeps), 0
        self._saved, self._wait = time.monotonic(), SAVED_EVERY
        plan = state.plan
        for key, experiment in made.items():
            pool.submit(key, make_row, experiment.make, plan.request.device, experiment.arguments, seconds=plan.cell_seconds)
        self._together = {cells[0]: cells for cells in measured_together(planned.cells)}
        for cells in self._together.values():
            self._begin(cells)
        for key, sweep in planned.sweeps.items():
            pool.submit(key, sweep_near_zero, sweep.subject, sweep.machine, sweep.variants, plan.request.seed, seconds=plan.cell_seconds)

    def take_finished(self) -> None:
        """Keep what is finished by now."""
        for key, outcome in self._pool.finished():
            self._take(key, outcome)

    def take_all(self) -> None:
        """Keep everything, as it is finished."""
        for key, outcome in self._pool.results():
            self._take(key, outcome)

    def _begin(self, keys: list[int]) -> None:
        """Have cells measured that differ in their variant alone, under the key of the first."""
        cells, plan = [self._planned.cells[key] for key in keys], self._state.plan
        seconds = None if plan.cell_seconds is None else plan.cell_seconds * len(cells)
        subject, machine, cases, ids = cells[0].subject, cells[0].machine, cells[0].cases, [cell.id for cell in cells]
        self._pool.submit(keys[0], measure, subject, machine, ids, cases, plan.profile.certified, plan.request.seed, seconds=seconds)

    def _take(self, key: int, outcome: Any) -> None:
        state = self._state
        if key in self._made:
            experiment = self._made[key]
            state.keep_experiment(experiment, failure_of(outcome, experiment.name, state.folder) if isinstance(outcome, Exception) else outcome)
            self._done += 1
        elif key in self._together:
            cells = self._together[key]
            for number, cell in enumerate(cells):
                self._keep_cell(cell, outcome if isinstance(outcome, Exception) else outcome[number])
            self._done += len(cells)
        else:
            self._keep_sweep(key, outcome)
            self._done += 1
        self._step("measure", self._done, self._total)
        if (began := time.monotonic()) - self._saved > self._wait:
            state.save()
            self._saved = time.monotonic()
            self._wait = max(SAVED_EVERY, (self._saved - began) / SHARE_OF_SAVING)

    def _keep_cell(self, key: int, outcome: CellFound | BrokenCell | Exception) -> None:
        """The cell's row; a cell that failed has one too, with the reason, and is not the end of the run."""
        cell, state = self._planned.cells[key], self._state
        if isinstance(outcome, CellFound):
            state.keep_cell(key, cell.name, outcome, self._cases)
            return
        if isinstance(outcome, BrokenCell) and outcome.no_rule:
            reason = f"no rule for {outcome.message}: some cases come to it"
            state.cells[key] = cell_rows.unmeasured_cell(cell.id, cell.machine.mode, cell.machine, Verdict.SKIPPED, reason)
            return
        failure = failure_of(outcome, cell.name, state.folder)
        state.cells[key] = cell_rows.unmeasured_cell(cell.id, cell.machine.mode, cell.machine, failure.verdict, failure.reason)

    def _keep_sweep(self, key: int, outcome: list[NearZeroSweep] | Exception) -> None:
        """The sweeps' rows; those that failed are reported as that, and make the run incomplete."""
        sweep, state = self._planned.sweeps[key], self._state
        if not isinstance(outcome, Exception):
            state.keep_sweeps(key, sweep.name, outcome)
            return
        failure = failure_of(outcome, f"sweep/{sweep.name}", state.folder)
        block, mode = sweep.subject.block.id, sweep.machine.mode.id
        state.not_swept[key] = [NotSwept(block=block, format=mode, variant=v, reason=failure.reason, verdict=failure.verdict) for v in sweep.variants]
