"""``verify report``: a run's report rendered again from its record."""

import sys
import webbrowser
from pathlib import Path

from reports.ci import write_for_ci
from reports.findings import headline
from reports.findings.run_standing import CASES_MISSING
from reports.page import write_report
from reports.record import load_run
from reports.record.agreement import cases_missing, disagreeing_cells
from reports.text import printable_lines
from verify.commands.output import print_json
from verify.commands.own_digests import said_at_odds
from verify.exit_status import HELD


def render_report(folder: Path, *, open_it: bool, as_json: bool) -> int:
    """Render the report of a run's folder, and what a CI reads of it, and print the report's path. Returns the status of the run as it is judged now."""
    path = write_report(folder)
    junit, summary = write_for_ci(folder)
    record = load_run(folder)
    verdict = headline(record, disagreeing_cells(record, folder))
    status = verdict.standing.exit_status
    if cases_missing(record, folder):
        print(f"warning: {CASES_MISSING}", file=sys.stderr)
    if not said_at_odds(record, folder) and status != HELD:
        print(printable_lines(verdict.sentence), file=sys.stderr)
    if as_json:
        print_json({"report": str(path), "junit": str(junit), "summary": str(summary), "standing": verdict.standing.value, "exit_status": status})
    else:
        print(path)
    if open_it:
        webbrowser.open(path.resolve().as_uri())
    return status
