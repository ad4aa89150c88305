"""Workflow commands for GitHub Actions: what failed in a run, as annotations of the job, the worst first.

    ::error title=<what>::<the verdict, the reason, and how to run it again>

A value is escaped by GitHub's rules (actions/toolkit, ``command.ts``): ``%``, CR and LF in the message; ``:`` and ``,`` too in a
property. So nothing in a name can end the command or begin another. GitHub shows ten of a kind and step.
"""

from collections.abc import Sequence

from reports.findings import Outcome, RunStanding, Status, gravest_first, headline, in_short, outcomes
from reports.record import RunRecord
from reports.text import printable
from reports.text.escaping import shortened

MOST = 10


def annotations(record: RunRecord, disagreeing: Sequence[str] = (), *, against: Sequence[Outcome] = ()) -> list[str]:
    """At most ten lines, none for a run in which everything held.  disagreeing, against: as for ``junit``."""
    worse = annotations_of(against)
    if headline(record, disagreeing).standing is RunStanding.HELD:
        return worse
    whole, *rows = outcomes(record, disagreeing)
    grave = [row for row in gravest_first(rows) if row.status in (Status.FAILED, Status.BROKE)]
    # What was asked for and came to no verdict makes a run incomplete; what was left out with a reason does not.
    blunt = [row for row in gravest_first(rows) if row.status is Status.NOT_JUDGED and row.word != "SKIPPED"]
    return [_command("error", whole), *(_command("error", row) for row in grave), *worse, *(_command("warning", row) for row in blunt)][:MOST]


def annotations_of(rows: Sequence[Outcome]) -> list[str]:
    """Of some rows, those that failed or broke; ten at most."""
    return [_command("error", row) for row in rows if row.status in (Status.FAILED, Status.BROKE)][:MOST]


def _command(level: str, row: Outcome) -> str:
    again = f" In the run's folder: {row.replay}" if row.replay else ""
    return f"::{level} title={_property(f'{row.kind}: {row.title}')}::{_data(in_short(row) + again)}"


def _data(text: str) -> str:
    return printable(shortened(text)).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
