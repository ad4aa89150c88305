"""What a CI reads of a run: ``junit.xml`` and ``summary.md`` in its folder."""

from pathlib import Path

from reports.agreement import cases_missing, disagreeing_cells
from reports.junit import JUNIT_FILE, junit
from reports.runs import load_run, replacing
from reports.summary import SUMMARY_FILE, summary


def write_for_ci(folder: Path) -> tuple[Path, Path]:
    """Write both files of the run in a folder; returns their paths, JUnit's first.  Raises NotARun, DamagedRun."""
    record = load_run(folder)
    disagreeing = disagreeing_cells(record, folder)
    contents = {
        JUNIT_FILE: junit(record, disagreeing),
        SUMMARY_FILE: summary(record, disagreeing, cases_missing=cases_missing(record, folder)).encode(),
    }
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)
    return folder / JUNIT_FILE, folder / SUMMARY_FILE
