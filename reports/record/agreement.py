"""Whether the cases on disk are the ones that the record counts."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from reports.record.cases_table import coded, read_cells
from reports.record.cells import CellRecord
from reports.record.run_record import RunRecord


def disagreeing_cells(record: RunRecord, folder: Path) -> list[str]:
    """Ids of the cells whose cases on disk have other verdicts, or another number of them, than the record says.

    Empty if the folder holds no cases at all: a record may travel without them.
    """
    found = {cell: _tallied(table) for cell, table in read_cells(folder, ["verdict"])}
    return [cell.id for cell in record.cells if _counted(cell) != found.get(cell.id, Counter())] if found else []


def cases_missing(record: RunRecord, folder: Path) -> bool:
    """Whether the record counts cases and the folder holds none of them."""
    return any(_counted(cell) for cell in record.cells) and not any(True for _ in read_cells(folder, ["verdict"]))


def _tallied(table: pa.Table) -> Counter[str]:
    codes, words = coded(table, "verdict")
    numbers = np.bincount(codes, minlength=len(words))
    return Counter({word: int(number) for word, number in zip(words, numbers, strict=True) if number})


def _counted(cell: CellRecord) -> Counter[str]:
    return Counter({name.upper(): number for name, number in cell.counts if number})
