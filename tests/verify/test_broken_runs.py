"""Interruptions, crashes and bad weights: what is finished is kept, and nothing is called a success."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from calling import environment, plant, scratch_copy, verify
from safetensors.torch import load_file, save_file

from numeric.block import blocks_named
from numeric.scenario import all_scenarios
from numeric.training import cache_folder, trained
from numeric.variants import VARIANTS


def hear_interrupts() -> None:
    """A process started from a background job inherits that SIGINT is ignored; one started from a terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    trained(blocks_named(["attention"])[0])
    trained(blocks_named(["attention-skip"])[0])
    out = tmp_path / "run"
    command = [sys.executable, "-m", "verify", "stress", "--device", "cpu", "--cases", "16384", "--out", str(out)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts)
    deadline = time.monotonic() + 120
    cells: list[dict] = []
    while not cells and time.monotonic() < deadline:
        time.sleep(0.2)
        if (out / "run.json").exists():
            cells = [cell for cell in json.loads((out / "run.json").read_text())["cells"] if cell["cases"]]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    record = json.loads((out / "run.json").read_text())
    assert record["run"]["finished"] is None
    assert record["run"]["exit_status"] == 130
    assert all(cell in record["cells"] for cell in cells)
    assert cells
    assert (out / "cases.parquet").exists()
    assert (out / "report" / "index.html").exists()


def test_a_cell_that_breaks_is_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    code = scratch_copy(tmp_path / "code")
    plant(code, "numeric/scenarios/near_zero.py", "    return at_norm(subject, exponents_of(storage, cases), generator)", "    raise MemoryError('no room')")
    answer = verify(
        "stress", "--device", "cpu", "--block", "attention", "--format", "fp32", "--variant", "formula", "--cases", "512",
        "--out", str(tmp_path / "run"), "--json", code=code, cwd=code,
    )  # fmt: skip
    assert answer.status == 3
    verdicts = {cell["scenario"]: (cell["verdict"], cell["reason"]) for cell in json.loads(answer.out)["cells"]}
    assert verdicts["near_zero"] == ("ERROR", "MemoryError: no room")
    assert verdicts["random"][0] == "HOLDS"


def test_a_sweep_that_breaks_is_told_and_the_run_is_incomplete(tmp_path: Path) -> None:
    code = scratch_copy(tmp_path / "code")
    plant(code, "verify/jobs.py", '    """Measure one variant in one mode from ‖a‖ = 1 down to 0."""', "    import os\n\n    os._exit(9)")
    answer = verify(
        "stress", "--device", "cpu", "--block", "attention", "--format", "fp32", "--variant", "formula", "--cases", "512", "--jobs", "2",
        "--out", str(tmp_path / "run"), "--json", code=code, cwd=code,
    )  # fmt: skip
    assert answer.status == 3
    assert "Traceback" not in answer.err
    record = json.loads(answer.out)
    assert {cell["verdict"] for cell in record["cells"]} == {"HOLDS"}
    (broken,) = record["not_swept"]
    assert "ended with exit code 9" in broken["reason"]
    assert "1 near-zero sweep broke" in (tmp_path / "run" / "report" / "index.html").read_text()


def test_a_block_that_has_not_learned_is_an_error(tmp_path: Path) -> None:
    code = scratch_copy(tmp_path / "code")
    plant(code, "numeric/recipe.py", "    steps: int = 1500", "    steps: int = 3")
    answer = verify(
        "stress", "--device", "cpu", "--block", "attention", "--format", "fp32", "--cases", "512", "--out", str(tmp_path / "run"), "--json",
        code=code, cwd=code, cache=tmp_path / "cache",
    )  # fmt: skip
    assert answer.status == 3
    cells = json.loads(answer.out)["cells"]
    assert len(cells) == len(VARIANTS) * len(all_scenarios())
    assert {cell["verdict"] for cell in cells} == {"ERROR"}
    assert all("has not learned" in cell["reason"] for cell in cells)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_before_any_cell(bad: float, tmp_path: Path) -> None:
    block = blocks_named(["attention"])[0]
    trained(block)
    name = f"{block.id}-{block.fingerprint}.safetensors"
    cache = tmp_path / "cache"
    cache.mkdir()
    from safetensors import safe_open

    with safe_open(cache_folder() / name, framework="pt") as file:
        metadata = file.metadata()
    weights = load_file(cache_folder() / name)
    weights["block.network.0.weight"][0, 0] = torch.tensor(bad)
    save_file(weights, cache / name, metadata=metadata)
    answer = verify("stress", "--device", "cpu", "--block", "attention", "--out", str(tmp_path / "run"), cache=cache)
    assert answer.status == 2
    assert answer.err.startswith("UnusableWeights")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["cells"] == []


def test_a_damaged_cache_is_trained_again_with_a_warning(tmp_path: Path) -> None:
    block = blocks_named(["attention"])[0]
    cache = tmp_path / "cache"
    cache.mkdir()
    path = cache / f"{block.id}-{block.fingerprint}.safetensors"
    path.write_bytes(b"not weights")
    answer = verify("train", "attention", "--json", cache=cache)
    assert answer.status == 0
    assert "warning" in answer.err
    assert "damaged" in answer.err
    assert json.loads(answer.out)["models"][0]["cached"] is False
    assert path.read_bytes() != b"not weights"
    again = verify("train", "attention", "--json", cache=cache)
    assert again.err == ""
    assert json.loads(again.out)["models"][0]["cached"] is True


def test_training_is_the_same_each_time(tmp_path: Path) -> None:
    """Two trainings from one recipe give the same bits."""
    losses = []
    for name in ("one", "two"):
        answer = verify("train", "attention", "--json", cache=tmp_path / name)
        assert answer.status == 0, answer.err
        (path,) = (tmp_path / name).iterdir()
        losses.append((load_file(path), json.loads(answer.out)["models"][0]["validation_loss"]))
    assert losses[0][1] == losses[1][1]
    assert all(torch.equal(losses[0][0][key], losses[1][0][key]) for key in losses[0][0])
    assert os.path.getsize(path) > 0


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    answer = verify("train", "attention", "--json", cache=tmp_path / "file" / "cache")
    assert answer.status == 0
    assert "cannot be kept" in answer.err
    assert json.loads(answer.out)["models"][0]["cached"] is False


def test_a_bug_is_incomplete_and_not_a_violation(tmp_path: Path) -> None:
    """An exception that nobody foresaw would exit with 1 by itself, which says that a claim failed."""
    code = scratch_copy(tmp_path / "code")
    plant(code, "numeric/probe.py", "    opmath = opmath_of(storage)\n    matrices", "    raise RuntimeError('planted')\n    matrices")
    answer = verify("stress", "--block", "attention", "--cases", "1", "--out", str(tmp_path / "run"), code=code, cwd=code)
    assert answer.status == 3
    assert "planted" in answer.err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["run"]["finished"] is None
