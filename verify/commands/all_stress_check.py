"""``verify all``, ``verify stress``, ``verify check``: a run carried out in a folder of its own, or gone on with."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from reports.ci import against_baseline, annotations
from reports.comparison import BASELINE_FILE, load_baseline
from reports.record import RunRecord, load_run
from reports.record.agreement import disagreeing_cells
from reports.record.record_files import RUN_FILE
from reports.terminal import closing
from verify.commands.gate import gate_against
from verify.commands.output import Terminal, annotate, print_json_text
from verify.engine.run import run_plan
from verify.exit_status import INCOMPLETE, graver
from verify.plan import Plan, Request
from verify.progress import Bars, progress_bars
from verify.run_folder import OpenRun, new_run, resumed_run
from verify.run_folder.resuming import refuse_beside
from verify.run_folder.run_folder import DiskFull


def start_run(plan: Plan, out: Path | None, *, baseline: Path | None, as_json: bool, bars: Bars = progress_bars) -> int:
    """Run in a new folder, and show progress by ``bars``. Raises NotABaseline before that."""
    if baseline is not None:
        load_baseline(baseline)
    with new_run(plan, out) as start:
        if baseline is not None:
            (start.folder / BASELINE_FILE).write_bytes(baseline.read_bytes())  # a run that is resumed is held to it, too
        return _carry_out(start, as_json, bars)


def resume_run(folder: Path, request: Request, given: Sequence[str], *, as_json: bool) -> int:
    """Go on with the run in a folder.  given: the options of the call. Raises CannotResume if one asks for another run."""
    refuse_beside(given)
    with resumed_run(folder, request.verb, request.jobs) as start:
        for warning in start.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        return _carry_out(start, as_json, progress_bars)


def _carry_out(start: OpenRun, as_json: bool, bars: Bars) -> int:
    """Do what is to be done, print the closing table or the record, return the exit status."""
    try:
        # What a user's own code prints is no part of the answer.
        with bars() as step, contextlib.redirect_stdout(sys.stderr):
            record = run_plan(start, step)
    except (KeyboardInterrupt, DiskFull) as error:
        interrupted = f"interrupted; what was finished is in {start.folder}, and {_afterwards(start)}."
        print(error if isinstance(error, DiskFull) else interrupted, file=sys.stderr)
        if as_json and (start.folder / RUN_FILE).exists():
            print_record(load_run(start.folder), start.folder, as_json)
        if isinstance(error, DiskFull):
            return INCOMPLETE
        raise
    print_record(record, start.folder, as_json)
    status = record.run.exit_status
    assert status is not None
    if (start.folder / BASELINE_FILE).exists():
        return graver(status, gate_against(record, start.folder, start.folder / BASELINE_FILE, as_json=as_json))
    return status


def _afterwards(start: OpenRun) -> str:
    """What the call does that is to be made when a run was cut off."""
    return f"`{start.to_go_on}` goes on" if start.can_go_on else "it cannot be gone on with: give the next run a new folder"


def print_record(record: RunRecord, folder: Path, as_json: bool) -> None:
    """The closing table or, on stdout alone, the record; to GitHub Actions also what failed."""
    annotate(lambda: annotations(record, disagreeing_cells(record, folder), against=against_baseline(record, folder)), as_json=as_json)
    if as_json:
        print_json_text(record.model_dump_json(indent=1))
    else:
        Terminal().print(closing(record, folder / "report" / "index.html", disagreeing_cells(record, folder)))
