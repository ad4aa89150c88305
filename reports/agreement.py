"""Whether the cases on disk are the ones that the record counts."""

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reports.cases import read_cells, words
from reports.record import CellRecord, RunRecord
from symbolic.verdict import Verdict


def disagreeing_cells(record: RunRecord, folder: Path) -> list[str]:
    """Ids of the cells whose cases on disk have other verdicts, or another number of them, than the record says.

    Empty if the folder holds no cases at all: a record may travel without them.
    """
    found = {cell: _tallied(words(table, "verdict")) for cell, table in read_cells(folder, ["verdict"])}
    return [cell.id for cell in record.cells if _counted(cell) != found.get(cell.id, Counter())] if found else []


def cases_missing(record: RunRecord, folder: Path) -> bool:
    """Whether the record counts cases and the folder holds none of them."""
    return any(_counted(cell) for cell in record.cells) and not any(True for _ in read_cells(folder, ["verdict"]))


def _tallied(verdicts: NDArray[np.object_]) -> Counter[str]:
    names, numbers = np.unique(verdicts.astype(str), return_counts=True)
    return Counter({str(name): int(number) for name, number in zip(names, numbers, strict=True)})


def _counted(cell: CellRecord) -> Counter[str]:
    counts = cell.counts
    named = {
        Verdict.HOLDS: counts.holds,
        Verdict.VIOLATED: counts.violated,
        Verdict.VACUOUS: counts.vacuous,
        Verdict.INCONCLUSIVE: counts.inconclusive,
    }
    return Counter({verdict.value: number for verdict, number in named.items() if number})
