"""Runs a plan: trains and probes, then measures in other processes while this one proves, and writes each result as it comes.

A run that is cut off leaves what is finished on disk, with ``finished`` null, and can be resumed; whatever happens, it has a
report that says how it stands. A cell that breaks is an ERROR, one that takes too long a TIMEOUT, and the others go on. Rows
stand in the order of the plan, whatever was finished first.
"""

from collections.abc import Callable

from numeric.arithmetics import check_reference
from numeric.cells import Subject
from numeric.machine import use_one_thread
from numeric.training import BlockNotTrained, TrainedBlock
from reports.ci import write_for_ci
from reports.page import write_report
from reports.record import RunRecord
from reports.record.agreement import disagreeing_cells
from reports.record.cases_table import CasesWriter
from reports.record.record_files import write_run
from symbolic.claims import load_claims
from symbolic.prover import prove
from symbolic.vocabulary import CallError
from verify.engine.experiment_jobs import experiments_left_out, never_begun, planned_experiments
from verify.engine.measuring import Measuring
from verify.engine.planned_cells import planned
from verify.engine.probing_jobs import ProbedMachine, Probing
from verify.engine.processes import Workers
from verify.engine.run_state import RunState, opened_journal
from verify.engine.training_jobs import NoTimeToTrain, Training
from verify.exit_status import INCOMPLETE, INTERRUPTED, WRONG_CALL, exit_status
from verify.progress import OnStep, shown
from verify.records import claim_rows
from verify.records.figure_data import write_figure_data
from verify.run_folder import OpenRun
from verify.run_folder.run_folder import JOURNAL_FILE, now, reporting_full_disk

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
        if training.begun and not state.resumes:
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
            state.go_on(measurements, made)  # nothing is proved before it is sure that the run is the same
        else:
            state.save()
        measuring = Measuring(state, cases, pool, step, measurements, made)
        _prove(state, pool, step, measuring.take_finished)
        measuring.take_all()
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


def _prove(state: RunState, pool: Workers, step: OnStep, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Prove what is not proved yet, as long as there is time.  meanwhile: called after each claim, while the pool's processes do other work."""
    if all(name in state.claims for name in state.plan.claims):
        return
    for claim in shown(step, "prove", load_claims(state.plan.claims)):
        meanwhile()
        if claim.id not in state.claims:
            state.keep_claim(claim_rows.unproved_claim(claim, TIME_OVER) if pool.over else claim_rows.claim_record(prove(claim)))
    state.save()
