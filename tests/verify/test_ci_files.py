"""A run leaves what a CI reads, and annotates where GitHub Actions runs it, never on the stdout of ``--json``."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reports.ci.junit import JUNIT_FILE
from reports.ci.markdown_summary import SUMMARY_FILE
from reports.record import RunRecord, load_run
from reports.record.record_files import write_run
from symbolic.vocabulary import Verdict
from tests.verify.calling import called
from verify.commands.all_stress_check import print_record

SMALL = ("--block", "attention", "--format", "fp32", "--scenario", "random", "--variant", "formula", "--cases", "512", "--device", "cpu", "--jobs", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    answer = called("stress", *SMALL, "--out", str(out), "--json")
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["run"]["exit_status"] == 0
    return out


def test_a_run_leaves_both_files_and_they_can_be_rendered_again(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in (JUNIT_FILE, SUMMARY_FILE)}
    names = [case.get("classname") for case in ElementTree.fromstring(before[JUNIT_FILE]).iter("testcase")]
    assert names == ["run", "trained blocks", "cells.attention"]
    assert before[SUMMARY_FILE].startswith("# ● Everything that was checked held".encode())
    for name in before:
        (folder / name).unlink()
    answer = called("report", str(folder), "--json")
    assert answer.status == 0
    said = json.loads(answer.out)
    assert {Path(said[key]).read_bytes() for key in ("junit", "summary")} == set(before.values())


def test_both_files_are_written_where_ctrl_c_ends_a_run(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from verify.engine import run

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_work", interrupted)
    answer = called("stress", *SMALL, "--out", str(tmp_path / "run"))
    assert answer.status == 130
    root = ElementTree.parse(tmp_path / "run" / JUNIT_FILE)
    assert "did not finish" in root.find("testsuite/testcase/error").get("message")
    assert "The run did not finish" in (tmp_path / "run" / SUMMARY_FILE).read_text(encoding="utf-8")


@pytest.fixture
def broken(folder: Path, tmp_path: Path) -> tuple[RunRecord, Path]:
    """The same run with a cell that broke."""
    whole = load_run(folder)
    cell = whole.cells[0].model_copy(update={"verdict": Verdict.ERROR, "reason": "MemoryError: no room"})
    record = whole.model_copy(update={"cells": [cell], "run": whole.run.model_copy(update={"exit_status": 3})})
    write_run(record, tmp_path)
    return record, tmp_path


def test_annotations_are_on_stdout_for_a_reader_and_on_stderr_beside_json(
    broken: tuple[RunRecord, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    print_record(*broken, as_json=False)
    said = capsys.readouterr()
    assert "::error title=cells%3A attention/" in said.out
    assert said.err == ""
    print_record(*broken, as_json=True)
    said = capsys.readouterr()
    assert json.loads(said.out)["run"]["exit_status"] == 3
    assert "MemoryError: no room" in said.err


@pytest.mark.parametrize("value", [None, "false", ""])
def test_elsewhere_nothing_is_annotated(
    value: str | None, broken: tuple[RunRecord, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    if value is not None:
        monkeypatch.setenv("GITHUB_ACTIONS", value)
    print_record(*broken, as_json=False)
    print_record(*broken, as_json=True)
    said = capsys.readouterr()
    assert "::" not in said.out
    assert said.err == ""


def test_a_folder_that_holds_no_run_is_refused(tmp_path: Path) -> None:
    answer = called("report", str(tmp_path))
    assert answer.status == 2
    assert not (tmp_path / JUNIT_FILE).exists()
