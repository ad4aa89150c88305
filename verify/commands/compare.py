"""Two runs compared, a run kept as a baseline, a run held to one."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from reports.comparison.history import read_history
from reports.comparison.history_rendering import history_as_data, history_on_terminal
from reports.comparison.rendering import comparison_as_data, comparison_on_terminal
from verify.commands.prove import print_json
from verify.exit_status import HELD, INCOMPLETE, gate_status

if TYPE_CHECKING:
    from reports.record import RunRecord


def write_baseline(run: Path, out: Path, reason: str, *, as_json: bool) -> int:
    """Keep a run as a baseline. Returns 0."""
    from reports.comparison import save_baseline
    from reports.record import load_run

    found = save_baseline(load_run(run), run, out, reason)
    if as_json:
        print_json({"baseline": str(out), "accepted": [row.model_dump() for row in found.accepted]})
    else:
        known = [key for rows in (found.claims, found.cells) for key, line in rows.items() if line.verdict.value in ("VIOLATED", "ERROR", "TIMEOUT")]
        print(f"{out}: {len(found.claims)} claims, {len(found.errata)} errata, {len(found.cells)} cells, {len(found.sweeps)} sweeps")
        for key in known:
            print(f"kept as a known failure: {key}")
    return HELD


def gate(run: Path, baseline: Path, *, strict: bool, as_json: bool) -> int:
    """Hold a run to a baseline. Returns 0 if nothing is worse, 1 if something is, 3 if nothing was compared or the run lacks something."""
    from reports.ci import annotations_of
    from reports.comparison import as_outcomes, differences, load_baseline
    from reports.comparison.rendering import RunLabel, about
    from reports.record import load_run

    kept, record = load_baseline(baseline), load_run(run)
    found = differences(kept, record)
    status = gate_status(found, strict=strict)
    before = RunLabel(str(baseline), f"{kept.accepted[-1].reason}; run {kept.origin.run}" if kept.accepted else f"run {kept.origin.run}")
    after = RunLabel(record.run.id, about(record))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations_of(as_outcomes(found, strict=strict)):
            print(line, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print_json({**comparison_as_data(found, before, after), "strict": strict, "exit_status": status})
    else:
        Console().print(comparison_on_terminal(found, before, after))
    return status


def gate_against(record: "RunRecord", baseline: Path, *, as_json: bool) -> int:
    """The end of a run that had a baseline; with ``as_json`` on stderr, since stdout has the record. Returns the gate's status."""
    from reports.comparison import differences, load_baseline
    from reports.comparison.rendering import RunLabel, about

    kept = load_baseline(baseline)
    found = differences(kept, record)
    before = RunLabel("the baseline", f"{kept.accepted[-1].reason}; run {kept.origin.run}" if kept.accepted else f"run {kept.origin.run}")
    Console(stderr=as_json).print(comparison_on_terminal(found, before, RunLabel(record.run.id, about(record))))
    return gate_status(found, strict=False)


def compare(before: Path, after: Path, *, out: Path | None, as_json: bool) -> int:
    """Compare two runs. Returns 0, or 3 if nothing stands on both sides."""
    from reports.comparison import baseline_of, differences
    from reports.comparison.rendering import RunLabel, about, write_comparison
    from reports.record import load_run

    first, second = load_run(before), load_run(after)
    found = differences(baseline_of(first, before), second)
    one, other = (RunLabel(record.run.id, about(record)) for record in (first, second))
    if out is not None:
        write_comparison(found, one, other, out)
    if as_json:
        print_json(comparison_as_data(found, one, other))
    else:
        Console().print(comparison_on_terminal(found, one, other))
        if out is not None:
            print(out)
    return INCOMPLETE if found.nothing else HELD


def show_history(runs: Path, *, out: Path | None, as_json: bool) -> int:
    """Tell the runs of a folder. Returns 0, or 3 if one could not be read."""
    from reports.comparison.history_rendering import write_history

    found = read_history(runs)
    page = write_history(found, runs / "history.html" if out is None else out)
    if as_json:
        print_json(history_as_data(found))
    else:
        Console().print(history_on_terminal(found))
        print(page)
    return INCOMPLETE if found.unreadable else HELD
