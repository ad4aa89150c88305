"""What a run may be said to have shown, in one sentence, and what it may not.

The sentence is built from the rows alone and claims only what they carry. Cases are counted only in cells whose verdict
is HOLDS, and not at all while one such cell could not have noticed a wrong update, or did not. Whatever else the record
holds is told as a failure, as a reason for distrust, or as not checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.findings.as_written import equal_cases
from reports.findings.cell_faults import doubtful
from reports.findings.judge import RunStanding, judged
from reports.findings.unchecked import unchecked
from reports.findings.unresolved import unresolved_in_short
from reports.record import RunRecord
from reports.text import count, counted, joined
from symbolic.vocabulary import Verdict

ALL_SIZES = "all sizes"
CASES_MISSING = "The cases themselves are not in the run's folder, so the record's counts could not be compared with them."


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict on a run."""

    standing: RunStanding
    sentence: str
    """One sentence, which never claims more than was checked."""
    failures: tuple[str, ...]
    """What else failed and is neither in the sentence, which tells the gravest kind, nor among what was not checked."""
    unchecked: tuple[str, ...]
    """What was not checked, with counts and reasons."""


def headline(record: RunRecord, disagreeing: Sequence[str] = (), *, cases_missing: bool = False) -> Headline:
    """The verdict on a run, from its rows.

    disagreeing: cells whose cases on disk are not those that the record counts; cases_missing: none are on disk; see ``reports.record.agreement``.
    """
    found = judged(record, disagreeing)
    open_points = (*unchecked(record), *([CASES_MISSING] if cases_missing else []))
    shown = _shown(record)
    unfinished = record.run.finished is None
    if found.violated:
        lead = "Violated, in a run that did not finish" if unfinished else "Violated"
        return Headline(RunStanding.VIOLATED, f"{lead}: {joined(found.violated)}.", (*found.doubted, *found.broken), open_points)
    if found.doubted:
        lead = "Not to be trusted, and not finished" if unfinished else "Not to be trusted"
        return Headline(RunStanding.DISTRUSTED, f"{lead}: {joined(found.doubted)}.", found.broken, open_points)
    if unfinished:
        so_far = f"so far {shown}" if shown else "nothing was checked so far"
        return Headline(RunStanding.INCOMPLETE, f"The run did not finish: {so_far}.", found.broken, open_points)
    if found.missing or found.broken:
        rest = f"; of the rest, {shown}" if shown else ", and nothing else was established"
        return Headline(RunStanding.INCOMPLETE, f"Incomplete: {joined([*found.missing, *found.broken])}{rest}.", (), open_points)
    if found.undecided and shown:
        return Headline(RunStanding.INCOMPLETE, f"Incomplete: {joined(found.undecided)}; of the rest, {shown}.", (), open_points)
    if record.run.exit_status not in (0, None):
        sentence = f"Incomplete, with exit status {record.run.exit_status}: {shown or 'nothing was established'}."
        return Headline(RunStanding.INCOMPLETE, sentence, (), open_points)
    if not shown:
        nothing = "Nothing was established" if record.claims or record.cells or record.experiments.in_double else "Nothing was checked"
        return Headline(RunStanding.NOTHING, f"{nothing}.", (), open_points)
    return Headline(RunStanding.HELD, f"Everything that was checked held: {shown}{unresolved_in_short(record)}.", (), open_points)


def taken_up(record: RunRecord) -> str | None:
    """That the run was cut off and resumed, if it was: its parts were found by several processes."""
    times = record.run.resumed
    if not times:
        return None
    often = {1: "once", 2: "twice"}.get(times, f"{count(times)} times")
    return f"This run was cut off and taken up again {often}; what was finished by then was kept, and checked to be as it was written."


def cases_inside(record: RunRecord) -> int:
    """Cases inside their bounds, counted only in cells that hold as a whole, and say nothing that their figures do not bear out."""
    return sum(cell.counts.holds for cell in record.cells if cell.verdict is Verdict.HOLDS and not doubtful(cell))


def _shown(record: RunRecord) -> str:
    """What was established, or nothing."""
    proved = [claim for claim in record.claims if claim.verdict is Verdict.HOLDS]
    general = sum(claim.scope.startswith(ALL_SIZES) for claim in proved)
    inside, equal = cases_inside(record), equal_cases(record.experiments)
    return joined(
        part
        for number, part in (
            (general, f"{counted(general, 'claim')} proved for all sizes"),
            (len(proved) - general, f"{counted(len(proved) - general, 'claim')} shown for the sizes stated"),
            (inside, f"{counted(inside, 'case')} inside {'its bound' if inside == 1 else 'their bounds'}"),
            (equal, f"{counted(equal, 'case')} equal in float64, to what roundings explain (measured, no bound)"),
        )
        if number
    )
