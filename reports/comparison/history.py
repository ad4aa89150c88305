"""The runs of a folder, one after the other: what each cell showed in each, and in which run a change first appeared.

A run is compared with the last finished one before it that was started by the same words but for the seed (``command_of``): what
it shows otherwise appeared with it. What moved is told by ``against_baseline.py``, with the margins of the earlier one.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.comparison.against_baseline import differences
from reports.comparison.baseline import baseline_of, cell_key
from reports.comparison.changes import Comparison
from reports.findings import headline
from reports.findings.grid import square
from reports.record import CellRecord, DamagedRun, RunRecord, load_run
from reports.record.record_files import RUN_FILE
from symbolic.vocabulary import CallError


class NoRuns(CallError):
    """The folder holds no run."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One run."""

    folder: str
    """Its name in the folder of runs."""
    record: RunRecord
    sentence: str
    """The report's own."""
    before: str | None
    """The run that it was compared with; None for the first of its kind."""
    changes: Comparison | None


@dataclass(frozen=True, slots=True)
class Track:
    """One cell, run by run; None where a run did not have it or judged nothing in it."""

    key: str
    cells: tuple[CellRecord | None, ...]

    @property
    def last(self) -> CellRecord:
        """As the last run that had it showed it."""
        return next(cell for cell in reversed(self.cells) if cell is not None)

    @property
    def word(self) -> str:
        """The gravest word that the figures of the last run that had it allow."""
        return square(self.last).verdict.value

    @property
    def worst(self) -> list[float | None]:
        """Measured: the largest error over bound."""
        return [None if cell is None else cell.worst_ratio for cell in self.cells]

    @property
    def tightness(self) -> list[float | None]:
        """Median of bound over error."""
        return [None if cell is None or cell.tightness is None else cell.tightness.median for cell in self.cells]

    @property
    def seconds(self) -> list[float | None]:
        """Of its measurement, on whatever machine and beside whatever else."""
        return [None if cell is None else cell.seconds for cell in self.cells]


@dataclass(frozen=True, slots=True)
class History:
    """All of it, the oldest first."""

    entries: tuple[HistoryEntry, ...]
    tracks: tuple[Track, ...]
    unreadable: tuple[tuple[str, str], ...]
    """Folders whose run could not be read, and why."""


def read_history(folder: Path) -> History:
    """Read every run in the folder. Raises NoRuns."""
    records, unreadable = [], []
    for path in sorted(folder.glob(f"*/{RUN_FILE}")):
        try:
            records.append((path.parent, load_run(path.parent)))
        except DamagedRun as error:
            unreadable.append((path.parent.name, str(error)))
    if not records and not unreadable:
        raise NoRuns(f"{folder} holds no run; give the folder in which `verify all` made its runs, each in a folder of its own.")
    records.sort(key=lambda found: (found[1].run.started, found[1].run.id))
    entries = tuple(_entries(records))
    keys = sorted({cell_key(cell) for _, record in records for cell in record.cells})
    by_run = [{cell_key(cell): cell for cell in record.cells} for _, record in records]
    return History(entries, tuple(Track(key, tuple(cells.get(key) for cells in by_run)) for key in keys), tuple(unreadable))


def _entries(records: Sequence[tuple[Path, RunRecord]]) -> Iterator[HistoryEntry]:
    latest: dict[str, tuple[Path, RunRecord]] = {}
    for folder, record in records:
        kind = command_of(record)
        before = latest.get(kind)
        changes = None if before is None else differences(baseline_of(before[1], before[0]), record)
        yield HistoryEntry(folder.name, record, headline(record).sentence, None if before is None else before[1].run.id, changes)
        if record.run.finished is not None:
            latest[kind] = folder, record


def command_of(record: RunRecord) -> str:
    """The command without its seed and device: runs of one such command have the same cells."""
    return re.sub(r" --(seed|device) \S+", "", record.run.command)


def sparkline(values: Sequence[float | None], *, width: float = 96.0, height: float = 18.0) -> list[list[tuple[float, float]]]:
    """Points of a line in a box of that size, the smallest value at the bottom; broken where there is none, or none that is finite."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = width / max(len(values) - 1, 1)
    lines: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None or not math.isfinite(value):
            lines.append([])
        else:
            share = 0.5 if high == low else (value - low) / (high - low)
            lines[-1].append((round(place * step, 1), round(height * (1 - share), 1)))
    return [line for line in lines if line]
