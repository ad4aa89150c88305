"""What the commands say of a run that is not as its own digests say."""

import sys
from pathlib import Path

from reports.comparison.own_digests import at_odds
from reports.record import RunRecord
from reports.text import printable


def said_at_odds(record: RunRecord, folder: Path) -> bool:
    """Whether a run is at odds with its own digests, which is said in one line on stderr. Raises DamagedRun."""
    words = at_odds(record, folder)
    if words:
        print(printable(f"{folder} is at odds with its own digests: {words}"), file=sys.stderr)
    return bool(words)
