"""``summary.md``: a run on one page of Markdown, for the summary of a CI job: the verdict first, then what was checked, and what was not.

GitHub takes 1 MiB for a job's summary and shows nothing of one that is longer: rows that do not fit are left out, and counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from reports.findings import Outcome, Status, gravest_first, headline, in_short, outcomes
from reports.findings.cell_faults import doubtful
from reports.findings.grid import STANDING_GLYPHS, square
from reports.record import CellRecord, RunRecord
from reports.text import count, counted, ratio, real, seconds
from reports.text.escaping import markdown

SUMMARY_FILE = "summary.md"

LIMIT = 1_000_000
"""Bytes of a summary at most: of GitHub's 1,048,576 some are left for what else a job has to say."""

NEAREST_CELLS = 3
"""Cells that are named as the nearest to their bounds."""


def summary(record: RunRecord, disagreeing: Sequence[str] = (), *, cases_missing: bool = False, against: Sequence[Outcome] = (), limit: int = LIMIT) -> str:
    """The page.  disagreeing, cases_missing: as for ``headline``; against: as for ``junit``; limit: its bytes in UTF-8 at most."""
    verdict = headline(record, disagreeing, cases_missing=cases_missing)
    rows = [*outcomes(record, disagreeing), *against]
    grave = [row for row in gravest_first(rows) if row.status in (Status.FAILED, Status.BROKE) and row.kind != "run"]
    page = _Page(limit)
    if against:
        page.add(f"**Held to the baseline: {markdown(against[0].reason)}**", "")
    page.add(f"# {STANDING_GLYPHS[verdict.standing]} {markdown(verdict.sentence)}", "")
    page.add_rows((f"- {markdown(line)}" for line in verdict.failures), "of what else failed")
    page.add(_of_run(record), "")
    page.add("## What was checked", "", "| | passed | failed | broke | not judged |", "|---|--:|--:|--:|--:|", *_counts(rows), "")
    page.add(*_nearest(record))
    if grave:
        page.add("## What failed or broke", "", "| what | verdict | again, in the run's folder |", "|---|---|---|")
        page.add_rows(map(_failed, grave), "of what failed or broke")
    page.add("## What was not checked", "")
    page.add_rows((f"- {markdown(line)}" for line in verdict.unchecked), "of what was not checked", nothing="Nothing that was asked for was left out.")
    return page.text


class _Page:
    """Lines, and the room that is left for more."""

    def __init__(self, limit: int) -> None:
        self._lines: list[str] = []
        self._left = limit - ROOM

    def add(self, *lines: str) -> None:
        """Lines that the page always has: each is short."""
        self._lines += lines
        self._left -= sum(map(_size, lines))

    def add_rows(self, lines: Iterable[str], of: str, nothing: str = "") -> None:
        """As many lines as there is room for, and how many are left out."""
        given = [*lines]
        kept = 0
        while kept < len(given) and _size(given[kept]) <= self._left:
            self._left -= _size(given[kept])
            kept += 1
        self._lines += given[:kept]
        if kept < len(given):
            self._lines += ["", f"{counted(len(given) - kept, 'row')} {of} left out here for length; the report and junit.xml have all."]
        elif not given and nothing:
            self._lines.append(nothing)
        self._lines.append("")

    @property
    def text(self) -> str:
        return "\n".join(self._lines).rstrip("\n") + "\n"


ROOM = 1000
"""Bytes kept for the headings and sentences that come after rows."""


def _size(line: str) -> int:
    return len(line.encode("utf-8", errors="backslashreplace")) + 1


def _of_run(record: RunRecord) -> str:
    run, where = record.run, record.environment
    status = "none" if run.exit_status is None else str(run.exit_status)
    line = f"Profile {run.profile}, seed {run.seed}, exit status {status}{_duration(record)}; torch {where.torch} on {where.device}; commit {where.commit}."
    return f"{markdown(line)} <code>{markdown(run.command)}</code>"


def _duration(record: RunRecord) -> str:
    if record.run.finished is None:
        return ", not finished"
    try:
        took = datetime.fromisoformat(record.run.finished) - datetime.fromisoformat(record.run.started)
    except (ValueError, TypeError):
        return ""  # times that are none are told nowhere else either
    return f", {seconds(took.total_seconds())}"


def _counts(rows: Sequence[Outcome]) -> Iterator[str]:
    for kind in dict.fromkeys(row.kind for row in rows if row.kind != "run"):
        of_kind = [row.status for row in rows if row.kind == kind]
        yield f"| {kind} | " + " | ".join(count(of_kind.count(status)) for status in (Status.PASSED, Status.FAILED, Status.BROKE, Status.NOT_JUDGED)) + " |"


def _nearest(record: RunRecord) -> list[str]:
    """The cells with the largest error over bound; a ratio that is no number is the worst."""
    measured = [cell for cell in record.cells if cell.worst_ratio is not None]
    worst = sorted(measured, key=lambda cell: (cell.worst_ratio == cell.worst_ratio, -(cell.worst_ratio or 0.0)))[:NEAREST_CELLS]
    if not worst:
        return []
    head = [f"## The {counted(len(worst), 'cell')} nearest to {'its bound' if len(worst) == 1 else 'their bounds'}", ""]
    table = ["| cell | error ÷ bound | bound ÷ error, median | verdict |", "|---|--:|--:|---|"]
    lines = [
        f"| {markdown(cell.id)} | {ratio(cell.worst_ratio)} | {real(cell.tightness.median if cell.tightness else None)} | {_word(cell)} |" for cell in worst
    ]
    return [*head, *table, *lines, ""]


def _word(cell: CellRecord) -> str:
    """The gravest word that the cell's own figures allow, and whether it is to be trusted."""
    return square(cell).verdict.value + (", not to be trusted" if doubtful(cell) else "")


def _failed(row: Outcome) -> str:
    again = f"<code>{markdown(row.replay)}</code>" if row.replay else ""
    return f"| {row.kind}: {markdown(row.title)} | {markdown(in_short(row))} | {again} |"
