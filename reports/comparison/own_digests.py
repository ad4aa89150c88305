"""A run held to its own digests: of the cases and the witnesses that stand beside its record, and of its claims."""

from pathlib import Path

from reports.findings.faults import mismatch
from reports.record import RunRecord
from reports.record.agreement import altered_claims, disagreeing_cells
from reports.text import joined


def at_odds(record: RunRecord, folder: Path) -> str:
    """In one line, what is not as the record's digests say; empty if all is. Raises DamagedRun."""
    altered = [f"other words for {claim} than the record has the digests of" for claim in altered_claims(record)]
    return joined([*mismatch(disagreeing_cells(record, folder)), *altered])
