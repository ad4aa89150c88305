"""``cases.parquet``: every bit comes back, and what was finished survives a kill."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from reports.record import DamagedRun
from reports.record.cases_table import SCHEMA, CaseColumns, CasesWriter, as_table, cases_digest, keep_only, read_cells
from tests import report_samples as samples

ODD = np.array([0.0, -0.0, 5e-324, np.inf, -np.inf, np.nan, np.nextafter(1, 2), -np.nan]).view(np.float64)
REALS = ("norm_a", "error", "bound", "expected", "ratio", "output_ratio", "resolution")


def odd_cases(words: str = "HOLDS") -> CaseColumns:
    return CaseColumns(ODD, ODD[::-1].copy(), ODD, ODD[::-1].copy(), ODD, ODD, ODD, ODD[::-1].copy(), ODD, [words] * len(ODD), ["", "a ≠ 0"] * (len(ODD) // 2))


def write(folder: Path, *cells: str, words: str = "HOLDS") -> None:
    with CasesWriter(folder) as writer:
        for cell in cells:
            writer.append(cell, odd_cases(words))


def bits(values) -> list[int]:
    return np.asarray(values).view(np.uint64).tolist()


def test_every_bit_comes_back(tmp_path):
    given = odd_cases()
    write(tmp_path, "one")
    ((cell, table),) = read_cells(tmp_path)
    assert cell == "one"
    for name in REALS:
        assert bits(table[name].to_numpy()) == bits(getattr(given, name)), name
    assert table["case"].to_pylist() == list(range(8))
    assert table["verdict"].to_pylist() == list(given.verdict)
    assert table["reason"].to_pylist() == list(given.reason)


def test_one_row_group_a_cell_and_the_declared_columns(tmp_path):
    with CasesWriter(tmp_path) as writer:
        writer.append("one", odd_cases())
        writer.append("two/with slash", odd_cases("VIOLATED"))
        assert (tmp_path / "cases").is_dir()
    with pq.ParquetFile(tmp_path / "cases.parquet") as file:
        assert file.num_row_groups == 2
        assert file.schema_arrow == SCHEMA
    assert {cell for cell, _ in read_cells(tmp_path)} == {"one", "two/with slash"}
    assert [path.name for path in tmp_path.iterdir()] == ["cases.parquet"], "the parts are gone"


def test_only_the_wanted_columns_are_read(tmp_path):
    write(tmp_path, "one")
    ((_, table),) = read_cells(tmp_path, ["ratio"])
    assert table.column_names == ["cell", "ratio"]


def test_only_what_is_as_it_was_written_is_kept(tmp_path):
    """Of cells in the merged file and in files of their own: what has another digest, cannot be read, or was not asked for is gone."""
    with CasesWriter(tmp_path) as writer:
        written = {name: writer.append(name, odd_cases(name)) for name in ("merged", "other digest", "not asked for")}
    writer = CasesWriter(tmp_path)
    written |= {name: writer.append(name, odd_cases(name)) for name in ("apart", "damaged")}  # and it was killed before they were merged
    part = next(path for path in (tmp_path / "cases").iterdir() if b"damaged" in path.read_bytes())
    part.write_bytes(part.read_bytes()[:-9])
    wanted = {**written, "other digest": written["apart"]}
    del wanted["not asked for"]
    assert keep_only(tmp_path, wanted) == {"merged", "apart"}
    assert {name: cases_digest(table) for name, table in read_cells(tmp_path)} == {name: written[name] for name in ("merged", "apart")}
    assert [path.name for path in tmp_path.iterdir()] == ["cases.parquet"]


def test_a_digest_is_of_every_bit_and_word():
    """Of a zero's sign and a NaN's too; and a word that moves from one row to the next is another content."""
    cases = odd_cases()
    tables = []
    for changed in (
        cases,
        *(dataclasses.replace(cases, **{name: -getattr(cases, name)}) for name in REALS),
        dataclasses.replace(cases, verdict=["VIOLATED", *cases.verdict[1:]]),
        dataclasses.replace(cases, reason=list(cases.reason)[::-1]),
    ):
        tables.append(cases_digest(as_table("one", changed)))
    tables.append(cases_digest(as_table("two", cases)))
    assert len(set(tables)) == len(tables) == 11
    assert cases_digest(as_table("one", odd_cases())) == tables[0]


def test_no_cases_are_no_cells(tmp_path):
    assert list(read_cells(tmp_path)) == []
    with CasesWriter(tmp_path):
        pass
    assert list(read_cells(tmp_path)) == []


def test_a_kill_loses_no_finished_cell(tmp_path):
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
import tests.reports.record.test_cases_table as tests
with tests.CasesWriter(Path({str(tmp_path)!r})) as writer:
    writer.append("one", tests.odd_cases())
    writer.append("two", tests.odd_cases())
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    assert not (tmp_path / "cases.parquet").exists()
    assert {cell for cell, _ in read_cells(tmp_path)} == {"one", "two"}
    write(tmp_path, "three")
    assert {cell for cell, _ in read_cells(tmp_path)} == {"one", "two", "three"}


def test_an_interrupted_run_keeps_its_cells_and_is_resumed(tmp_path):
    def interrupted() -> None:
        with CasesWriter(tmp_path) as writer:
            writer.append("one", odd_cases())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pq.ParquetFile(tmp_path / "cases.parquet") as file:
        assert file.metadata.num_rows == len(ODD)
    write(tmp_path, "two")
    write(tmp_path, "two", words="VIOLATED")
    words = {cell: table["verdict"][0].as_py() for cell, table in read_cells(tmp_path)}
    assert words == {"one": "HOLDS", "two": "VIOLATED"}, "the last word on a cell counts, and the others stay"


def test_the_same_cells_give_the_same_file_in_any_order(tmp_path):
    for folder, order in (("a", ("one", "two")), ("b", ("two", "one"))):
        write(tmp_path / folder, *order)
    assert (tmp_path / "a" / "cases.parquet").read_bytes() == (tmp_path / "b" / "cases.parquet").read_bytes()


def test_a_damaged_file_is_refused_by_name(tmp_path):
    write(tmp_path, "one")
    path = tmp_path / "cases.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedRun, match=r"DamagedRun: .*cases\.parquet"):
        list(read_cells(tmp_path))


def test_a_file_with_other_columns_is_refused(tmp_path):
    write(tmp_path, "one")
    path = tmp_path / "cases.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["ratio"]), path)
    with pytest.raises(DamagedRun, match="other columns"):
        list(read_cells(tmp_path))


def test_columns_of_different_lengths_or_narrower_numbers_are_a_bug():
    with pytest.raises(AssertionError, match="lengths"):
        dataclasses.replace(odd_cases(), error=np.zeros(3))
    with pytest.raises(AssertionError, match="float32"):
        dataclasses.replace(odd_cases(), error=np.zeros(8, np.float32))


def test_the_samples_agree_with_their_cells():
    row = samples.full_record(cases=30).cells[1]
    assert samples.cases_of(row).verdict.count("INCONCLUSIVE") == row.counts.inconclusive == 10
