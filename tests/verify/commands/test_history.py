"""The history of a folder of runs: each change is told with the run that it appeared with, and with no later one."""

import json
from pathlib import Path

from reports.comparison.history import sparkline
from reports.record.record_files import write_run
from symbolic.vocabulary import Verdict
from tests import gate_samples as drawn
from tests import report_samples as samples
from tests.rows_as_written import as_written
from tests.verify.calling import called


def run_at(folder: Path, day: int, *, seed: int = 7, errors: float = 1.0, **changes: object) -> None:
    info = samples.run_info(id=f"run-{day}", seed=seed, started=f"2026-11-0{day}T10:00:00Z", **changes)
    drawn.run_of(seed, folder, cells={cell: {"errors": errors} for cell in drawn.CELLS}, run=info)


def told(folder: Path) -> tuple[int, dict]:
    answer = called("history", str(folder), "--json")
    return answer.status, json.loads(answer.out)


def test_a_change_is_told_with_the_run_that_it_appeared_with(tmp_path: Path) -> None:
    run_at(tmp_path / "a", 1)
    run_at(tmp_path / "b", 2, seed=8)
    run_at(tmp_path / "c", 3, seed=9, errors=1.4)
    run_at(tmp_path / "d", 4, seed=10, errors=1.4)
    status, found = told(tmp_path)
    assert status == 0
    changes = {run["folder"]: [row["id"] for row in run["changes"]] for run in found["runs"]}
    assert list(changes) == ["a", "b", "c", "d"]
    assert {name for name, rows in changes.items() if rows} == {"c"}
    assert len(set(changes["c"])) == len(drawn.CELLS)
    assert [run["compared_with"] for run in found["runs"]] == [None, "run-1", "run-2", "run-3"]
    for track in found["cells"].values():
        assert track["verdict"] == ["HOLDS"] * 4
        assert track["tightness"][2] < track["tightness"][1]


def test_runs_of_other_commands_and_unfinished_ones_are_no_measure(tmp_path: Path) -> None:
    run_at(tmp_path / "a", 1)
    run_at(tmp_path / "b", 2, errors=1.4, command="verify stress --block attention --seed 7")
    run_at(tmp_path / "c", 3, errors=1.4, finished=None)
    run_at(tmp_path / "d", 4, seed=8)
    _, found = told(tmp_path)
    assert [run["compared_with"] for run in found["runs"]] == [None, None, "run-1", "run-1"]
    assert not found["runs"][3]["changes"]


def test_a_cell_that_was_not_there_leaves_a_gap(tmp_path: Path) -> None:
    run_at(tmp_path / "a", 1)
    folder = tmp_path / "b"
    drawn.run_of(8, folder, cells={("fp32", "random"): {}}, run=samples.run_info(id="run-2", seed=8, started="2026-11-02T10:00:00Z"))
    _, found = told(tmp_path)
    gone = found["cells"]["theorem-2.2/attention/bf16/formula/random"]
    assert gone["verdict"] == ["HOLDS", None]
    assert gone["worst"][1] is None
    assert {row["what"] for row in found["runs"][1]["changes"]} == {"missing from the run"}


def test_a_damaged_run_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    run_at(tmp_path / "a", 1)
    run_at(tmp_path / "b", 2, seed=8)
    (tmp_path / "b" / "run.json").write_text("{")
    status, found = told(tmp_path)
    assert status == 3
    assert [run["folder"] for run in found["runs"]] == ["a"]
    assert [row["folder"] for row in found["unreadable"]] == ["b"]
    assert "could not be read" in called("history", str(tmp_path)).out


def test_a_folder_without_runs_is_a_wrong_call(tmp_path: Path) -> None:
    answer = called("history", str(tmp_path))
    assert answer.status == 2
    assert answer.out == ""
    assert "holds no run" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_the_page_names_every_run_cell_and_change(tmp_path: Path) -> None:
    run_at(tmp_path / "a", 1)
    folder = tmp_path / "<b>"
    record = drawn.run_of(8, folder, run=samples.run_info(id="run-2", seed=8, started="2026-11-02T10:00:00Z"))
    rows = [as_written(record.cells[0], verdict=Verdict.VIOLATED), *record.cells[1:]]
    write_run(record.model_copy(update={"cells": rows}), folder)
    assert called("history", str(tmp_path)).status == 0
    page = (tmp_path / "history.html").read_text()
    assert "HOLDS became VIOLATED" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    for format, scenario in drawn.CELLS:
        assert f"theorem-2.2/attention/{format}/formula/{scenario}" in page


def test_a_line_is_broken_where_there_is_no_number() -> None:
    assert sparkline([1.0, 3.0, None, 2.0], width=30, height=10) == [[(0.0, 10.0), (10.0, 0.0)], [(30.0, 5.0)]]
    assert sparkline([float("nan"), float("inf"), None]) == []
    assert sparkline([0.5, 0.5], width=10, height=10) == [[(0.0, 5.0), (10.0, 5.0)]]
