"""What a CI reads of a run: ``junit.xml`` and ``summary.md`` in its folder."""

from pathlib import Path

from reports.ci.junit import JUNIT_FILE, junit
from reports.ci.markdown_summary import SUMMARY_FILE, summary
from reports.comparison import BASELINE_FILE, as_outcomes, differences, load_baseline
from reports.findings import Outcome
from reports.record import RunRecord, load_run, write_whole
from reports.record.agreement import cases_missing, disagreeing_cells


def against_baseline(record: RunRecord, folder: Path) -> list[Outcome]:
    """What came of holding the run to the baseline in its folder; nothing if there is none.  Raises NotABaseline."""
    kept = folder / BASELINE_FILE
    return as_outcomes(differences(load_baseline(kept), record, disagreeing_cells(record, folder))) if kept.exists() else []


def write_for_ci(folder: Path) -> tuple[Path, Path]:
    """Write both files of the run in a folder; returns their paths, JUnit's first.  Raises NotARun, DamagedRun."""
    record = load_run(folder)
    disagreeing = disagreeing_cells(record, folder)
    against = against_baseline(record, folder)
    tests = junit(record, disagreeing, against=against)
    page = summary(record, disagreeing, cases_missing=cases_missing(record, folder), against=against)
    return write_whole(folder / JUNIT_FILE, tests), write_whole(folder / SUMMARY_FILE, page)
