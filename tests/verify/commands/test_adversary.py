"""``verify adversary``: what it prints, what it keeps, and how it ends."""

import json
import math
import shutil
from pathlib import Path

import pytest

from numeric.blocks import blocks_named
from numeric.cells.replay import replayed
from numeric.cells.witness import read_witness
from numeric.machine.kept_orders import cache_folder
from numeric.training import trained
from tests.verify.calling import planted, verify
from verify.commands.adversary import SearchOptions, UnusableWitnessFolder, search_contexts
from verify.exit_status import FAILED, HELD, INCOMPLETE


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two trained blocks and no search, in a folder of its own."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for block in blocks_named(["attention", "gru"]):
        trained(block)
        shutil.copy(cache_folder() / f"{block.id}-{block.fingerprint}.safetensors", folder)
    monkeypatch.setenv("ICL_VERIFY_CACHE", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def search(blocks: list[str], formats: list[str], *, out: Path | None = None, fresh: bool = False, as_json: bool = True) -> int:
    return search_contexts(blocks, formats, SearchOptions("formula", 512, 60.0, fresh, out, "cpu", 0), as_json=as_json)


def test_a_search_goes_on_where_the_last_one_ended(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(["attention"], ["fp32"]) == HELD
    (row,) = json.loads(capsys.readouterr().out)["searches"]
    assert row["evaluations"] == 512
    assert row["random"] < row["ascent"] < 1
    assert row["evolution"] is None, "there was no second batch"
    witness = read_witness(Path(row["witness"]))
    assert row["witness"] == "runs/adversarial/attention-fp32-formula.safetensors"
    assert replayed(witness).ratio == row["ascent"]
    assert len(list(cache.glob("adversarial-attention-*-fp32-formula-cpu.safetensors"))) == 1
    assert search(["attention"], ["fp32"], out=Path("elsewhere"), as_json=False) == HELD
    told = capsys.readouterr().out
    assert "1,024" in told
    assert "verify replay elsewhere/attention-fp32-formula.safetensors" in " ".join(told.split())
    assert "a context to read" in told


def test_what_cannot_be_searched_is_no_success(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(["gru"], ["bf16-fp32-weights"]) == INCOMPLETE
    answer = capsys.readouterr()
    assert "not searched: gru in bf16-fp32-weights: PyTorch's recurrent layers take weights and inputs of one dtype" in answer.err
    assert json.loads(answer.out)["searches"] == []


def test_a_folder_that_cannot_be_made_is_a_wrong_call(cache: Path) -> None:
    Path("taken").write_text("a file")
    with pytest.raises(UnusableWitnessFolder, match="--out"):
        search(["attention"], ["fp32"], out=Path("taken/x"))


def test_an_unknown_format_is_a_wrong_call() -> None:
    answer = verify("adversary", "--format", "fp15")
    assert answer.status == 2
    assert answer.err.startswith("UnknownFormat")


def test_a_planted_defect_that_random_contexts_miss_ends_with_status_1(cache: Path, tmp_path: Path) -> None:
    """A radius of the dense layers that lies between what random contexts take of the sound one, and what the search takes of it, on this machine."""
    sound = verify("adversary", "--format", "fp32", "--evaluations", "512", "--device", "cpu", "--json", cwd=tmp_path, cache=cache)
    (row,) = json.loads(sound.out)["searches"]
    share = math.sqrt(row["random"] * row["ascent"])
    right = "return from_module(value, outward(radius + inherited, 2), x)"
    wrong = f"return from_module(value, outward(radius + inherited, 2) * {share!r}, x)"
    code = planted(tmp_path / "code", "numeric/arithmetics/value_and_radius.py", right, wrong)
    answer = verify("adversary", "--format", "fp32", "--evaluations", "512", "--device", "cpu", "--fresh", "--json", code=code, cwd=tmp_path, cache=cache)
    assert answer.status == FAILED
    (row,) = json.loads(answer.out)["searches"]
    assert row["random"] < 1 < row["ascent"]
    assert row["violated"] > 0
    assert row["simplest_ratio"] > 1
    assert read_witness(tmp_path / row["witness"]).facts.verdict == "VIOLATED"
