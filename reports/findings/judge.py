"""The one judge: what a record, or a part of it, came to.

Whatever tells how a run went reads this: the headline, the exit status, the rows for a CI, the terminal, the page and the gate. A part is judged as a run that
holds nothing else, so that a list of parts and the whole cannot disagree: a run stands as its gravest part, or as what concerns it as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reports.findings.faults import breaks, doubts, mismatch, not_run, undecided, violations
from reports.record import RunRecord


class RunStanding(StrEnum):
    """How a run stands, the gravest first."""

    VIOLATED = "violated"
    """A claim is refuted, or a case lies outside its bound."""
    DISTRUSTED = "distrusted"
    """A check failed its own test: it would not have noticed something false."""
    INCOMPLETE = "incomplete"
    """The run did not end, parts of it broke, or something told nothing."""
    NOTHING = "nothing"
    """Nothing was established."""
    HELD = "held"
    """Everything that was checked held."""

    @property
    def exit_status(self) -> int:
        """What a run that stands so exits with."""
        return {RunStanding.VIOLATED: 1, RunStanding.DISTRUSTED: 1, RunStanding.HELD: 0}.get(self, 3)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What speaks against a record, each in words that make a sentence."""

    violated: tuple[str, ...]
    doubted: tuple[str, ...]
    missing: tuple[str, ...]
    """Claims and cells that did not run."""
    broken: tuple[str, ...]
    """Other parts that did not."""
    undecided: tuple[str, ...]


def judged(record: RunRecord, disagreeing: Sequence[str] = ()) -> Judgement:
    """Judge a record by its rows.  disagreeing: cells whose cases on disk are not those that it counts (``reports.record.agreement``)."""
    return Judgement(
        violated=tuple(violations(record)),
        doubted=(*doubts(record), *mismatch(disagreeing)),
        missing=tuple(not_run(record)),
        broken=tuple(breaks(record)),
        undecided=tuple(undecided(record)),
    )
