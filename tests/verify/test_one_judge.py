"""One judge: of records that are faulty in one respect each, every surface says the same, and what it must.

The surfaces: the exit status of `verify report` and of a run, that of `verify gate`, the headline, junit.xml, summary.md, the annotations of a job,
the terminal, and the page.
"""

import html
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from reports.ci import annotations
from reports.ci.junit import junit
from reports.ci.markdown_summary import summary
from reports.comparison import differences
from reports.comparison.baseline import baseline_of
from reports.findings import RunStanding, Status, headline, outcomes
from reports.findings.grid import STANDING_GLYPHS
from reports.record.contradictions import contradictions
from reports.record.record_files import write_run
from reports.terminal import closing
from tests.verify.calling import called
from tests.verify.one_fault import DISTRUSTED, FAULTS, HELD, VIOLATED, sound
from verify.exit_status import exit_status, gate_status

STATUS = {VIOLATED: 1, DISTRUSTED: 1, HELD: 0}
RESULTS = {"failure": Status.FAILED, "error": Status.BROKE, "skipped": Status.NOT_JUDGED}


@pytest.mark.parametrize("name", FAULTS)
def test_every_surface_says_the_same(name: str) -> None:
    standing, fault = FAULTS[name]
    record = fault(sound())
    verdict = headline(record)
    assert verdict.standing is standing, verdict.sentence
    status = STATUS.get(standing, 3)

    assert exit_status(record) == status

    gate = gate_status(differences(baseline_of(sound(), None), record), strict=False)
    assert (gate == 0) is (standing is HELD), "a run that does not hold passes no gate whose baseline does"

    rows = outcomes(record)
    tests = {
        case: RESULTS.get(next((e.tag for e in case if e.tag in RESULTS), ""), Status.PASSED) for case in ElementTree.fromstring(junit(record)).iter("testcase")
    }
    whole, *parts = tests.values()
    assert whole is {1: Status.FAILED, 3: Status.BROKE, 0: Status.PASSED}[status]
    assert [*tests.values()] == [row.status for row in rows]
    if (
        record.run.finished and record.run.exit_status != 3 and standing is not RunStanding.NOTHING
    ):  # what is wrong with the run as a whole has no part of its own
        bad = [row for row in rows[1:] if row.status is not Status.PASSED]
        assert bool(bad) is (standing is not HELD)
        assert (Status.FAILED in parts) is (status == 1)
        assert any(row.word in ("VIOLATED", "DISTRUSTED") for row in bad) is (status == 1)

    text = summary(record)
    assert f"# {STANDING_GLYPHS[standing]} " in text
    assert ("## What failed or broke" in text) is any(row.status in (Status.FAILED, Status.BROKE) for row in rows[1:])

    said = annotations(record)
    assert bool(said) is (standing is not HELD)
    assert all(line.startswith("::error") for line in said[:1])

    console = Console(file=io.StringIO(), width=10_000, color_system=None)
    console.print(closing(record))
    assert verdict.sentence in console.file.getvalue()  # type: ignore[attr-defined]


def impossible(name: str) -> bool:
    """Whether no run can write such a record, so that it is refused as it is read, and judged by nobody."""
    return any(contradictions(FAULTS[name][1](sound())))


def page_says_it(name: str, folder: Path) -> None:
    standing, fault = FAULTS[name]
    record = fault(sound())
    write_run(record, folder)
    sentence = headline(record).sentence
    answer = called("report", str(folder))
    if impossible(name):
        assert answer.status == 2
        assert "no run can write" in answer.err
        return
    assert answer.status == STATUS.get(standing, 3)
    assert (sentence in answer.err) is (standing is not HELD)
    page = html.unescape((folder / "report" / "index.html").read_text(encoding="utf-8"))
    assert f'<header class="verdict {standing.value}"' in page
    assert f"<h1>{sentence}</h1>" in page


DRAWN = (
    "none",
    "an empty run",
    *[name for name, (standing, _) in FAULTS.items() if standing is VIOLATED and not impossible(name)][:1],
    "infinite errors in all sweeps",
)
"""A page takes a second to draw, so of the others only a soak draws it."""


@pytest.mark.parametrize("name", DRAWN)
def test_the_page_and_the_status_of_its_command_say_it_too(name: str, tmp_path: Path) -> None:
    page_says_it(name, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("name", FAULTS)
def test_every_page_says_it_too(name: str, tmp_path: Path) -> None:
    page_says_it(name, tmp_path)


@pytest.mark.parametrize("name", [name for name, (standing, _) in FAULTS.items() if standing in (VIOLATED, DISTRUSTED)])
def test_the_grid_marks_the_cells_that_the_headline_is_about(name: str) -> None:
    from reports.findings.grid import grid

    record = FAULTS[name][1](sound())
    named = [cell.id for cell in record.cells if cell.id in headline(record).sentence]
    marked = [square.cell.id for square in grid(record).squares if square.warning or square.verdict.value == "VIOLATED" or square.verdict.value == "VACUOUS"]
    assert set(named) <= set(marked)
    assert bool(marked) is (record.cells != sound().cells)


def test_there_is_a_fault_of_every_standing() -> None:
    assert {standing for standing, _ in FAULTS.values()} == set(RunStanding)
    assert len(FAULTS) > 60
