"""Whether what stands beside a record is what the record says: the cases by their digests and by all figures, the witnesses by their digests."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from reports.record.cases_table import cases_digest, read_cells
from reports.record.cells import CellRecord
from reports.record.record_files import CASES_FILE, content_digest
from reports.record.recount import other_figures
from reports.record.run_record import RunRecord


def disagreeing_cells(record: RunRecord, folder: Path) -> list[str]:
    """Ids of the cells whose cases on disk are not those that the record has the digest of, or whose witness is not; and of those that it does not know.

    A record may travel without its cases, and without its witnesses: a folder that holds none of them is no disagreement. While a run is not
    finished, cases of a cell may be there before its row.
    """
    rows = {cell.id: cell for cell in record.cells}
    digests, others_of = dict[str, str](), dict[str, list[str]]()
    for cell, table in read_cells(folder):
        digests[cell], others_of[cell] = cases_digest(table), other_figures(rows[cell], table) if cell in rows else []
    others = [
        cell.id
        for cell in record.cells
        if (digests and (digests.get(cell.id) != cell.cases_digest or others_of.get(cell.id) or (cell.cases and cell.id not in digests)))
        or _other_witness(cell, folder)
    ]
    strangers = digests.keys() - {cell.id for cell in record.cells} if record.run.finished is not None else set()
    return others + sorted(strangers)


def altered_claims(record: RunRecord) -> Iterator[str]:
    """Ids of the claims whose statement, hypotheses or false variants are not those that the record has the digests of."""
    return (claim.id for claim in record.claims if claim.stated != claim.digests)


def cases_missing(record: RunRecord, folder: Path) -> bool:
    """Whether the record counts cases and the folder holds none of them."""
    return any(_counted(cell) for cell in record.cells) and not any(True for _ in read_cells(folder, ["verdict"]))


def lost_files(record: RunRecord, folder: Path) -> Iterator[str]:
    """What the record names and the folder does not hold, by name: its cases, if none is there, and witnesses."""
    if cases_missing(record, folder):
        yield CASES_FILE
    yield from (cell.witness for cell in record.cells if cell.witness is not None and not (folder / cell.witness).is_file())


def _other_witness(cell: CellRecord, folder: Path) -> bool:
    """Whether the file that the cell names is there, and holds something else."""
    path = None if cell.witness is None else folder / cell.witness
    return path is not None and path.is_file() and content_digest(path.read_bytes()) != cell.witness_digest


def _counted(cell: CellRecord) -> Counter[str]:
    return Counter({name.upper(): number for name, number in cell.counts if number})
