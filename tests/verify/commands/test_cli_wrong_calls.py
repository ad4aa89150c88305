"""A wrong call exits with 2 and one line that says what was given and what is allowed; nothing is written over."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import gate_samples as drawn
from tests.verify.calling import Answer, called, verify


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["prove", "theorem-2.3"], "theorem-2.2"),
        (["stress", "--block", "atention"], "attention"),
        (["stress", "--format", "fp15"], "fp16"),
        (["stress", "--scenario", "near-zero"], "near_zero"),
        (["stress", "--variant", "formulae"], "formula"),
        (["all", "--profile", "quik"], "quick"),
        (["list", "blcoks"], "blocks"),
        (["train", "attentoin"], "attention"),
    ],
)
def test_an_unknown_name_is_refused_with_the_near_miss(words: list[str], near: str, tmp_path: Path) -> None:
    answer = called(*words, cwd=tmp_path)
    assert answer.status == 2
    assert answer.out == ""
    assert f'did you mean "{near}"' in answer.err
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "words", "said", "unsaid"),
    [
        (verify, ["stress", "--format", "zzzzzz"], "`verify list formats`", "did you mean"),
        (called, ["stress", "--device", "tpu"], "auto, cpu, cuda", "Traceback"),
        (verify, ["all", "--profil", "quick"], "--profil", "Traceback"),
        (verify, ["stress", "--cases", "0"], r"\A.*verify stress --help`.*\s*\Z", "\n\n"),
        (called, ["stress", "--without", "exact-product", "--device", "cpu"], 'did you mean "exact-products"', "Traceback"),
        (called, ["report", "."], r"\ANotARun", "Traceback"),
        (called, ["check", ""], r"\AUnusableFile", "Traceback"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_what_is_unlike_any_name_or_no_option_or_no_run_is_refused(
    call: Callable[..., Answer], words: list[str], said: str, unsaid: str, tmp_path: Path
) -> None:
    answer = call(*words, cwd=tmp_path)
    assert answer.status == 2
    assert re.search(said, answer.err)
    assert unsaid not in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["prove", "a\nb"], ["gate", "a\nb", "--baseline=a\nb"], ["replay", "a\nb"], ["report", "a\nb"], ["list", "a\nb"]])
def test_a_name_with_a_line_break_is_told_in_one_line(words: list[str], tmp_path: Path) -> None:
    answer = called(*words, cwd=tmp_path)
    assert answer.status == 2
    assert answer.err.count("\n") == 1
    assert r"a\nb" in answer.err


@pytest.mark.parametrize("out", ["file/below", "folder"])
def test_what_cannot_be_written_is_a_wrong_call(out: str, tmp_path: Path) -> None:
    """Below a file, and over a folder: an answer in one line, from every command that writes where it is told to."""
    drawn.run_of(7, tmp_path / "runs" / "run", size=64)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "below").mkdir(parents=True)
    run = str(tmp_path / "runs" / "run")
    for words in (["baseline", run, "--reason", "why"], ["history", str(tmp_path / "runs")], ["compare", run, run]):
        answer = called(*words, "--out", str(tmp_path / out))
        assert answer.status == 2
        assert answer.err.count("\n") == 1
        assert "Traceback" not in answer.err


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA GPU")
    answer = called("all", "--profile", "quick", "--device", "cuda", cwd=tmp_path)
    assert answer.status == 2
    assert "no CUDA GPU" in answer.err
    assert "--device cpu" in answer.err


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.mkdir()
    (held / "run.json").write_text("precious")
    answer = called("stress", "--out", str(held), cwd=tmp_path)
    assert answer.status == 2
    assert "another run" in answer.err
    assert (held / "run.json").read_text() == "precious"
    assert [path.name for path in held.iterdir()] == ["run.json"]


def test_a_folder_that_holds_other_files_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    answer = called("stress", "--out", str(tmp_path))
    assert answer.status == 2
    assert "thesis.tex" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    answer = called("stress", "--out", str(tmp_path / "file" / "run"), cwd=tmp_path)
    assert answer.status == 2
    assert "--out" in answer.err


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 1}', '{"schema_version": 99}', "[]"])
def test_a_damaged_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    answer = called("report", str(tmp_path))
    assert answer.status == 2
    assert answer.err.startswith("DamagedRun")
    assert (tmp_path / "run.json").read_text() == text


@pytest.mark.soak
def test_a_name_given_twice_counts_once(tmp_path: Path) -> None:
    twice = [word for option, name in (("--block", "attention"), ("--format", "fp32"), ("--variant", "formula")) for word in (option, name) * 2]
    answer = verify("stress", *twice, "--scenario", "random", "--cases", "1", "--device", "cpu", "--jobs", "1", "--out", str(tmp_path / "run"), "--json")
    assert answer.status == 0
    record = json.loads(answer.out)
    assert len(record["cells"]) == 1
    assert record["run"]["command"].count("--block") == 1
    assert len(json.loads(verify("prove", "rank", "rank", "--json").out)["claims"]) == 1
