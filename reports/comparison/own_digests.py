"""A comparison held to the run's own digests: of the cases and the witnesses that stand beside its record."""

from dataclasses import replace
from pathlib import Path

from reports.comparison.changes import Change, Comparison, DifferenceKind
from reports.findings.faults import mismatch
from reports.record import RunRecord
from reports.record.agreement import altered_claims, disagreeing_cells
from reports.text import joined


def with_digests(comparison: Comparison, record: RunRecord, folder: Path) -> Comparison:
    """The comparison, with what is at odds with the run's own digests before all else. Raises DamagedRun if its cases cannot be read."""
    own = [
        Change(DifferenceKind.REGRESSION, "run", record.run.id, f"not to be trusted: {words}", "", "distrusted")
        for words in mismatch(disagreeing_cells(record, folder))
    ]
    return replace(comparison, differences=(*own, *comparison.differences))


def at_odds(record: RunRecord, folder: Path) -> str:
    """In one line, what is not as the record's digests say; empty if all is. Raises DamagedRun."""
    altered = [f"other words for {claim} than the record has the digests of" for claim in altered_claims(record)]
    return joined([*mismatch(disagreeing_cells(record, folder)), *altered])
