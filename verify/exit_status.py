"""The exit status of a run: never a success for something that was not checked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.comparison import Comparison
    from reports.record import RunRecord

HELD, FAILED, WRONG_CALL, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130


def exit_status(record: "RunRecord", disagreeing: Sequence[str] = ()) -> int:
    """0 if everything held; 1 if something failed, or a check failed its own test; 3 if something asked for was not checked, or nothing was.

    The headline of the report is the judge, so that the page and the status cannot disagree. disagreeing: cells whose cases
    on disk are not those that the record counts (``reports.record.agreement``).
    """
    from reports.findings import headline

    return headline(record, disagreeing).standing.exit_status


def graver(one: int, other: int) -> int:
    """Of two statuses: what failed before what is incomplete, and that before what held."""
    order = (FAILED, INCOMPLETE, HELD)
    return min(one, other, key=order.index)


def gate_status(comparison: "Comparison", *, strict: bool) -> int:
    """3 if nothing was compared; 1 if something is worse than in the baseline, or no longer the failure that it knows; 3 if what it has did not run.

    strict: what is new, other or better without having been accepted is 1, too.
    """
    from reports.comparison import FAILING, UNACCEPTED, DifferenceKind

    if comparison.nothing:
        return INCOMPLETE
    if comparison.of(*FAILING, *(UNACCEPTED if strict else ())):
        return FAILED
    return INCOMPLETE if not comparison.finished or comparison.of(DifferenceKind.NOT_RUN) else HELD
