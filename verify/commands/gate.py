"""``verify gate``: a run held to a baseline; and the same at the end of a run that was given one."""

from pathlib import Path

from reports.ci import annotations_of
from reports.comparison import as_outcomes, differences, load_baseline
from reports.comparison.baseline_rows import Baseline
from reports.comparison.rendering import RunLabel, about, comparison_as_data, comparison_on_terminal
from reports.record import RunRecord, load_run
from reports.record.agreement import disagreeing_cells, lost_files
from verify.commands.output import Terminal, annotate, print_json
from verify.exit_status import gate_status


def gate_run(run: Path, file: Path, *, strict: bool, same_machine: bool, as_json: bool) -> int:
    """Hold a run to a baseline. Returns 0 if nothing is worse, 1 if something is, 3 if nothing was compared or the run lacks something."""
    baseline, record = load_baseline(file), load_run(run)
    comparison = differences(baseline, record, disagreeing_cells(record, run), lost=[*lost_files(record, run)], same_machine=same_machine)
    status = gate_status(comparison, strict=strict)
    before, after = _side_of(baseline, str(file)), RunLabel(record.run.id, about(record))
    annotate(lambda: annotations_of(as_outcomes(comparison, strict=strict)), as_json=as_json)
    if as_json:
        print_json({**comparison_as_data(comparison, before, after), "strict": strict, "exit_status": status})
    else:
        Terminal().print(comparison_on_terminal(comparison, before, after))
    return status


def gate_against(record: RunRecord, folder: Path, file: Path, *, as_json: bool) -> int:
    """The end of a run that had a baseline; with ``as_json`` on stderr, since stdout has the record. Returns the gate's status.

    folder: where the run's cases are.
    """
    baseline = load_baseline(file)
    comparison = differences(baseline, record, disagreeing_cells(record, folder), lost=[*lost_files(record, folder)])
    Terminal(stderr=as_json).print(comparison_on_terminal(comparison, _side_of(baseline, "the baseline"), RunLabel(record.run.id, about(record))))
    return gate_status(comparison, strict=False)


def _side_of(baseline: Baseline, name: str) -> RunLabel:
    origin = f"run {baseline.origin.run}"
    return RunLabel(name, f"{baseline.accepted[-1].reason}; {origin}" if baseline.accepted else origin)
