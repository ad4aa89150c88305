"""Runs a plan: trains and probes, then measures in other processes while this one proves, and writes each result as it comes.

A run that is cut off leaves what is finished on disk, with ``finished`` null, and can be resumed; whatever happens, it has a
report that says how it stands. A cell that breaks is an ERROR, one that takes too long a TIMEOUT, and the others go on. Rows
stand in the order of the plan, whatever was finished first.
"""

import time

from numeric.arithmetics import check_reference
from numeric.cells import Subject
from numeric.machine import use_one_thread
from numeric.training import BlockNotTrained, TrainedBlock
from reports.ci import write_for_ci
from reports.page import write_report
from reports.record import NearZeroSweep, RunRecord
from reports.record.agreement import disagreeing_cells
from reports.record.cases_table import CasesWriter
from reports.record.cells import NotSwept
from reports.record.record_files import write_run
from symbolic.claims import load_claims
from symbolic.prover import prove
from symbolic.vocabulary import CallError
from verify.engine.experiment_jobs import Experiment, experiments_left_out, never_begun, planned_experiments
from verify.engine.failures import failure_of
from verify.engine.jobs import CellFound, make_row, measure, sweep_near_zero
from verify.engine.planned_cells import Measurements, PlannedCell, PlannedSweep, measured_together, planned
from verify.engine.probing_jobs import ProbedMachine, Probing
from verify.engine.processes import Workers
from verify.engine.run_state import RunState, opened_journal
from verify.engine.training_jobs import NoTimeToTrain, Training
from verify.exit_status import INCOMPLETE, INTERRUPTED, WRONG_CALL, exit_status
from verify.plan import Plan
from verify.progress import OnStep, shown
from verify.records import cell_rows, claim_rows
from verify.records.figure_data import write_figure_data
from verify.run_folder import OpenRun
from verify.run_folder.run_folder import JOURNAL_FILE, now, reporting_full_disk

SAVED_EVERY, SHARE_OF_SAVING = 2.0, 0.02
"""Seconds between two times that the record is written while cells come in, at least; and the share of the time that writing may take, as records grow."""

TIME_OVER = "the run's time was over before it was put to the prover"


def run_plan(start: OpenRun, step: OnStep) -> RunRecord:
    """Run the whole plan into its folder, or what is left of it.

    Raises KeyboardInterrupt after everything finished is on disk; DiskFull; CannotResume.
    """
    use_one_thread()
    check_reference()
    with reporting_full_disk(start), opened_journal(start) as journal:
        state = RunState(start, journal)
        try:
            with CasesWriter(start.folder) as cases:
                _work(state, cases, step)
        except BaseException as error:
            if state.goes_on:  # else its folder stays as it was
                state.save(status=INTERRUPTED if isinstance(error, KeyboardInterrupt) else WRONG_CALL if isinstance(error, CallError) else INCOMPLETE)
                write_report(start.folder)
                write_for_ci(start.folder)
            raise
        record = state.record(finished=now())
        record = state.record(finished=record.run.finished, status=exit_status(record, disagreeing_cells(record, start.folder)))
        write_run(record, start.folder)
        write_report(start.folder)
        write_for_ci(start.folder)
    # As long as it is there the run can be resumed, if only to write its report.
    (start.folder / JOURNAL_FILE).unlink()
    return record


def _work(state: RunState, cases: CasesWriter, step: OnStep) -> None:
    plan = state.plan
    modules = [*(block.build(block.recipe) for block in plan.registered), *(subject.model.block for subject in plan.ready)]
    with Workers(plan.jobs, uses_processes=plan.uses_processes, seconds=plan.request.run_seconds) as pool:
        training = Training(plan.registered, pool, step=step)
        # What needs no trained block is done while they train; where all are cached, the pool's processes probe meanwhile.
        probing = Probing(plan, modules, pool, busy=training.begun, step=step)
        if not state.resumes:
            _prove(state, pool, step)
        machine, trained = _prepared(state, training, probing)
        blocks: dict[str, Subject | BlockNotTrained] = {name: block.alone() if isinstance(block, TrainedBlock) else block for name, block in trained.items()}
        blocks.update({subject.block.id: subject for subject in plan.ready})
        measurements = planned(plan, blocks, machine.probed, machine.refused)
        made = {-number: row for number, row in enumerate(planned_experiments(plan, trained, machine.probed), start=1)}
        state.cells.update(measurements.settled)
        state.not_swept.update(measurements.not_swept)
        state.not_measured += [*measurements.not_measured, *experiments_left_out(plan, trained)]
        if plan.experiments and not (machine.complete and not any(isinstance(block, NoTimeToTrain) for block in trained.values())):
            state.experiments = never_begun(state.experiments)
        if state.resumes:
            state.go_on(measurements, made)
            _prove(state, pool, step)  # not before it is sure that the run is the same
        else:
            state.save()
        _measure(state, cases, pool, step, measurements, made)
    write_figure_data(state.experiments, state.folder)


def _prepared(state: RunState, training: Training, probing: Probing) -> tuple[ProbedMachine, dict[str, TrainedBlock | BlockNotTrained]]:
    """What everything measured depends on. Raises CannotResume if it is not as it was."""
    machine = probing.results() if training.begun else None
    trained: dict[str, TrainedBlock | BlockNotTrained] = {}
    for block, outcome in training.results():
        if isinstance(outcome, TrainedBlock):
            state.keep_model(outcome)
        trained[block.id] = outcome
    machine = machine or probing.results()
    state.keep_machine(machine)
    return machine, trained


def _measure(state: RunState, cases: CasesWriter, pool: Workers, step: OnStep, planned: Measurements, made: dict[int, Experiment]) -> None:
    """Measure all that is there."""
    plan, seed = state.plan, state.plan.request.seed
    for key, experiment in made.items():
        pool.submit(key, make_row, experiment.make, plan.request.device, experiment.arguments, seconds=plan.cell_seconds)
    together = {cells[0]: cells for cells in measured_together(planned.cells)}
    for cells in together.values():
        _begin(plan, pool, planned, cells)
    for key, sweep in planned.sweeps.items():
        pool.submit(key, sweep_near_zero, sweep.subject, sweep.machine, sweep.variants, seed, seconds=plan.cell_seconds)
    total, done = len(made) + len(planned.cells) + len(planned.sweeps), 0
    saved, wait = time.monotonic(), SAVED_EVERY
    for key, outcome in pool.results():
        if key in made:
            experiment = made[key]
            state.keep_experiment(experiment, failure_of(outcome, experiment.name, state.folder) if isinstance(outcome, Exception) else outcome)
            done += 1
        elif key in together:
            cells = together.pop(key)
            if isinstance(outcome, Exception) and len(cells) > 1 and not pool.over:
                # Which of them it was is not known, and the others have not failed.
                together.update({cell: [cell] for cell in cells})
                for cell in cells:
                    _begin(plan, pool, planned, [cell])
                continue
            for number, cell in enumerate(cells):
                _keep_cell(state, cases, cell, planned.cells[cell], outcome if isinstance(outcome, Exception) else outcome[number])
            done += len(cells)
        else:
            _keep_sweep(state, key, planned.sweeps[key], outcome)
            done += 1
        step("measure", done, total)
        if (began := time.monotonic()) - saved > wait:
            state.save()
            saved = time.monotonic()
            wait = max(SAVED_EVERY, (saved - began) / SHARE_OF_SAVING)


def _begin(plan: Plan, pool: Workers, planned: Measurements, keys: list[int]) -> None:
    """Have cells measured that differ in their variant alone, under the key of the first."""
    cells = [planned.cells[key] for key in keys]
    seconds = None if plan.cell_seconds is None else plan.cell_seconds * len(cells)
    subject, machine, cases, ids = cells[0].subject, cells[0].machine, cells[0].cases, [cell.id for cell in cells]
    pool.submit(keys[0], measure, subject, machine, ids, cases, plan.profile.certified, plan.request.seed, seconds=seconds)


def _prove(state: RunState, pool: Workers, step: OnStep) -> None:
    """Prove what is not proved yet, as long as there is time."""
    if not state.plan.claims:
        return
    for claim in shown(step, "prove", load_claims(state.plan.claims)):
        if claim.id not in state.claims:
            state.keep_claim(claim_rows.unproved_claim(claim, TIME_OVER) if pool.over else claim_rows.claim_record(prove(claim)))
    state.save()


def _keep_cell(state: RunState, cases: CasesWriter, key: int, cell: PlannedCell, outcome: CellFound | Exception) -> None:
    """The cell's row; a cell that failed has one too, with the reason, and is not the end of the run."""
    if not isinstance(outcome, Exception):
        state.keep_cell(key, cell.name, outcome, cases)
        return
    failure = failure_of(outcome, cell.name, state.folder)
    state.cells[key] = cell_rows.unmeasured_cell(cell.id, cell.machine.mode, cell.machine, failure.verdict, failure.reason)


def _keep_sweep(state: RunState, key: int, sweep: PlannedSweep, outcome: list[NearZeroSweep] | Exception) -> None:
    """The sweeps' rows; those that failed are reported as that, and make the run incomplete."""
    if not isinstance(outcome, Exception):
        state.keep_sweeps(key, sweep.name, outcome)
        return
    failure = failure_of(outcome, f"sweep/{sweep.name}", state.folder)
    block, mode = sweep.subject.block.id, sweep.machine.mode.id
    state.not_swept[key] = [NotSwept(block=block, format=mode, variant=v, reason=failure.reason, verdict=failure.verdict) for v in sweep.variants]
