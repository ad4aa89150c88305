"""``cases.parquet``: one row a case, one row group a cell.

A Parquet file is unreadable until its footer is written, so a run that is killed would lose every case in it. Each
cell therefore goes to a small file of its own under ``cases/`` first, complete or absent; they are merged into
``cases.parquet`` when the run leaves its block, and removed after that if it left without an exception. At every moment
the cells' own files, and for other cells ``cases.parquet``, hold everything that was finished; so they are read.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reports.record.record_files import CASES_FILE, DamagedRun, replacing

PARTS_FOLDER = "cases"

_WORD = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("cell", _WORD, nullable=False, metadata={"what": "The cell's id in run.json."}),
        pa.field("case", pa.int32(), nullable=False, metadata={"what": "The case's number in its cell, from 0."}),
        pa.field("norm_a", pa.float64(), nullable=False, metadata={"what": "‖A(C∖Y,x)‖, the Euclidean norm."}),
        pa.field("error", pa.float64(), nullable=False, metadata={"what": "Measured: ‖left - right‖∞ at the first dense layer."}),
        pa.field("bound", pa.float64(), nullable=False, metadata={"what": "Rigorous: the bound on it."}),
        pa.field("expected", pa.float64(), nullable=False, metadata={"what": "Probabilistic: what it is expected not to exceed, judging nothing; else NaN."}),
        pa.field("ratio", pa.float64(), nullable=False, metadata={"what": "Largest error/bound there, entry by entry; over 1 is a violation."}),
        pa.field("output_ratio", pa.float64(), nullable=False, metadata={"what": "The same at the block's output; NaN where it was not compared."}),
        pa.field("resolution", pa.float64(), nullable=False, metadata={"what": "Rigorous: bound over the size of the update's effect."}),
        pa.field("expected_ratio", pa.float64(), nullable=False, metadata={"what": "Largest error/expected there, entry by entry; NaN where not asked."}),
        pa.field("output_resolution", pa.float64(), nullable=False, metadata={"what": "As resolution, at the block's output; NaN where not compared."}),
        pa.field("verdict", _WORD, nullable=False),
        pa.field("reason", _WORD, nullable=False, metadata={"what": "Why the case was refused; empty if it was not."}),
    ]
)

_REALS = ("norm_a", "error", "bound", "expected", "ratio", "output_ratio", "resolution", "expected_ratio", "output_resolution")


@dataclass(frozen=True, slots=True)
class CaseColumns:
    """The cases of one cell: columns of the same length, each what ``SCHEMA`` says of the one of its name."""

    norm_a: NDArray[np.float64]
    error: NDArray[np.float64]
    bound: NDArray[np.float64]
    expected: NDArray[np.float64]
    ratio: NDArray[np.float64]
    output_ratio: NDArray[np.float64]
    resolution: NDArray[np.float64]
    expected_ratio: NDArray[np.float64]
    output_resolution: NDArray[np.float64]
    verdict: Sequence[str]
    """A word of ``symbolic.vocabulary.verdict`` for each case."""
    reason: Sequence[str]

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, name)) for name in (*_REALS, "verdict", "reason")}
        assert len(lengths) == 1, f"columns of different lengths: {sorted(lengths)}"
        for name in _REALS:
            assert getattr(self, name).dtype == np.float64, f"{name} is {getattr(self, name).dtype}, and rounding it to float64 unseen would change a record"

    def __len__(self) -> int:
        return len(self.verdict)


class CasesWriter:
    """Collects a run's cases in its folder, cell by cell: ``with CasesWriter(folder) as cases: cases.append(cell, batch)``.

    A cell that is appended again replaces what it had. Leaving the block writes ``cases.parquet``, also when it is
    left by an exception: what is finished is on disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def append(self, cell: str, cases: CaseColumns) -> str:
        """Write one cell's cases; they survive anything that happens afterwards. Returns their ``cases_digest``."""
        table = as_table(cell, cases)
        with replacing(self._folder / PARTS_FOLDER / _part_name(cell)) as temporary, _writer(temporary) as file:
            file.write_table(table, row_group_size=max(1, len(cases)))
        return cases_digest(table)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        parts = _parts(self._folder)
        with replacing(self._folder / CASES_FILE) as temporary, _writer(temporary) as file:
            for _, table in read_cells(self._folder):
                file.write_table(table, row_group_size=len(table))
        if kind is None:
            for part in parts:
                part.unlink()
            if parts:
                (self._folder / PARTS_FOLDER).rmdir()


def as_table(cell: str, cases: CaseColumns) -> pa.Table:
    """One cell's cases as rows."""
    return pa.table(
        {
            "cell": pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(cases), np.int32)), pa.array([cell])),
            "case": pa.array(np.arange(len(cases), dtype=np.int32)),
            **{name: pa.array(getattr(cases, name)) for name in _REALS},  # from_pandas stays off: NaN is a value here, not a gap
            "verdict": pa.array([str(word) for word in cases.verdict], pa.string()).dictionary_encode(),
            "reason": pa.array(list(cases.reason), pa.string()).dictionary_encode(),
        },
        schema=SCHEMA,
    )


def read_cells(folder: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[str, pa.Table]]:
    """Each cell's id and its rows, from the files of single cells and, for the cells that have none, from ``cases.parquet``.

    Yields nothing if the folder holds no cases. Raises DamagedRun if they cannot be read.
    """
    wanted = None if columns is None else list(dict.fromkeys(("cell", *columns)))
    merged = folder / CASES_FILE
    places: dict[str, tuple[Path, int]] = {}
    for path in _files(folder):
        with _reader(path) as file:
            places |= {_cell_of(file, group): (path, group) for group in range(file.num_row_groups) if file.metadata.row_group(group).num_rows}
    with contextlib.ExitStack() as opened:
        whole = opened.enter_context(_reader(merged)) if any(path == merged for path, _ in places.values()) else None
        for cell in sorted(places, key=_part_name):  # an order that does not depend on which cell was finished first
            path, group = places[cell]
            if path == merged:
                assert whole is not None
                yield cell, whole.read_row_group(group, columns=wanted)
            else:
                with _reader(path) as file:
                    yield cell, file.read_row_group(group, columns=wanted)


def coded(table: pa.Table, name: str) -> tuple[NDArray[np.int32], list[str]]:
    """A column of words as (place of each row's word in a list, that list): ten million words are as many small numbers."""
    column = table[name].unify_dictionaries().combine_chunks()
    return column.indices.to_numpy(), column.dictionary.to_pylist()


def _cell_of(file: pq.ParquetFile, group: int) -> str:
    """The cell of a row group; its statistics say it without the rows being read, unless they were left out for a very long name."""
    column = file.metadata.row_group(group).column(0)
    assert column.path_in_schema == "cell"
    statistics = column.statistics
    return statistics.min if statistics is not None and statistics.has_min_max else file.read_row_group(group, columns=["cell"])["cell"][0].as_py()


def cases_digest(table: pa.Table) -> str:
    """SHA-256 of one cell's rows: of every bit of every column, however they are laid out in a file.

    Of a column of words: the words in the order in which they come first, and for each row the place of its word among them.
    """
    found = hashlib.sha256(table["case"].to_numpy().tobytes())
    for name in _REALS:
        found.update(table[name].to_numpy().tobytes())
    for name in ("cell", "verdict", "reason"):
        codes, words = coded(table, name)
        used, first = np.unique(codes, return_index=True)
        order = used[np.argsort(first)]
        place = np.zeros(len(words), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        found.update(json.dumps([name, *(words[code] for code in order)]).encode() + place[codes].tobytes())
    return found.hexdigest()


def keep_only(folder: Path, wanted: Mapping[str, str]) -> set[str]:
    """Reduce the cases in a folder to those of the cells wanted, as far as they are there as they were written; returns these cells' ids.

    wanted: by the cell's id, the ``cases_digest`` of its rows. A file that cannot be read is removed, with the cells in it.
    """
    for path in _files(folder):
        try:
            with _reader(path) as file:
                file.read()
        except DamagedRun:
            path.unlink()
    sound = {cell for cell, table in read_cells(folder) if wanted.get(cell) == cases_digest(table)}
    with replacing(folder / CASES_FILE) as temporary, _writer(temporary) as file:
        for cell, table in read_cells(folder):
            if cell in sound:
                file.write_table(table, row_group_size=len(table))
    if (folder / PARTS_FOLDER).exists():
        shutil.rmtree(folder / PARTS_FOLDER)
    return sound


@contextlib.contextmanager
def _reader(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(SCHEMA):
                raise DamagedRun(f"{path} has other columns than {', '.join(SCHEMA.names)}; run the suite again into another folder.")
            yield file
    except (pa.ArrowException, OSError) as error:
        raise DamagedRun(
            f"{path} cannot be read ({' '.join(str(error).split())}); restore it from a copy, or run the suite again into another folder."
        ) from error


def _writer(path: Path) -> pq.ParquetWriter:
    # Dictionaries only for words: a dictionary of floats would cost time and save nothing, since hardly two are equal.
    return pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=["cell", "verdict", "reason"])


def _part_name(cell: str) -> str:
    return hashlib.sha256(cell.encode()).hexdigest()[:24] + ".parquet"  # an id has slashes, and may have anything else


def _files(folder: Path) -> list[Path]:
    """All that hold cases; a cell's own file, which is never older than the merged one, comes behind it."""
    merged = folder / CASES_FILE
    return ([merged] if merged.exists() else []) + _parts(folder)


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / PARTS_FOLDER).glob("[!.]*.parquet"))
