"""The journal of a run: what is finished, line by line, in a file that is only ever added to.

    {"sha256": "…", "entry": {"what": "cell", "name": "attention/fp32/formula/random", …}}

Each line is complete JSON with the checksum of its entry, and on disk before the next part of the run is begun. A line that a
kill or a full disk cut off is the last one; reading leaves it out and says so, and writing on takes it away first. A line whose
checksum is another was damaged: it is left out too, and its part is done again.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reports.record import write_whole

JournalEntry = dict[str, Any]
"""Plain JSON; ``what`` says of which kind."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What a journal says."""

    entries: tuple[JournalEntry, ...]
    """The sound ones, in their order."""
    damaged: tuple[int, ...]
    """Numbers, from 1, of whole lines that are not as they were written."""
    torn: bool
    """Whether the last line breaks off."""


def read_journal(path: Path) -> Lines:
    """Read a journal. Raises OSError."""
    *whole, rest = path.read_bytes().split(b"\n")
    entries, damaged = [], []
    for number, line in enumerate(whole, start=1):
        entry = _entry(line)
        if entry is None:
            damaged.append(number)
        else:
            entries.append(entry)
    return Lines(tuple(entries), tuple(damaged), rest != b"")


def begin_journal(path: Path, first: JournalEntry) -> None:
    """Begin a journal; it is there with its whole first line or not at all. Raises OSError."""
    write_whole(path, _line(first))


class Journal:
    """A journal that is gone on with: ``with Journal(path) as journal: journal.append({"what": …})``."""

    def __init__(self, path: Path) -> None:
        """Open it; a last line that breaks off is taken away."""
        self._file = path.open("r+b", buffering=0)
        self._file.truncate(self._file.read().rfind(b"\n") + 1)
        self._file.seek(0, os.SEEK_END)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def append(self, entry: JournalEntry) -> None:
        """Add a line; it is on disk when this returns. Raises OSError, and leaves the journal as it was then."""
        line, before = _line(entry), self._file.tell()
        try:
            written = 0
            while written < len(line):  # a disk that is nearly full takes a part
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(before)
            self._file.seek(before)
            raise


def _line(entry: JournalEntry) -> bytes:
    return json.dumps({"sha256": _checksum(entry), "entry": entry}, allow_nan=False).encode() + b"\n"


def _entry(line: bytes) -> JournalEntry | None:
    """The entry of a line; None if the line is not what was written."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or nested too deeply
        return None
    sound = isinstance(content, dict) and isinstance(content.get("entry"), dict) and content.get("sha256") == _checksum(content["entry"])
    return content["entry"] if sound else None


def _checksum(entry: JournalEntry) -> str:
    """SHA-256 of the entry as JSON with its keys in order."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
