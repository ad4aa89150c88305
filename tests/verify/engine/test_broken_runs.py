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
from safetensors.torch import load_file, save_file

from numeric.blocks import blocks_named
from numeric.machine.kept_orders import cache_folder
from numeric.scenarios import all_scenarios
from numeric.sides.variant import VARIANTS
from numeric.training import trained
from tests.verify.calling import Answer, environment, once, plant, planted, verify

TWO_CELLS = (
    *("stress", "--device", "cpu", "--block", "attention", "--format", "fp32", "--variant", "formula", "--cases", "512"),
    *("--scenario", "random", "--scenario", "near_zero"),
)


def hear_interrupts() -> None:
    """A process started from a background job inherits that SIGINT is ignored; one started from a terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    trained(blocks_named(["attention"])[0])
    trained(blocks_named(["attention-skip"])[0])
    out = tmp_path / "run"
    few = ["--block", "attention", "--block", "attention-skip", "--format", "fp64", "--format", "fp32"]  # soon begun, and far from done
    command = [sys.executable, "-m", "verify", "stress", *few, "--device", "cpu", "--cases", "16384", "--out", str(out)]
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
    drawn = "    return at_norm(subject, *subject.model.tokens(cases, generator), exponents_of(storage, cases))"
    code = planted(tmp_path / "code", "numeric/scenarios/near_zero.py", drawn, "    raise MemoryError('no room')")
    answer = verify(*TWO_CELLS, "--out", str(tmp_path / "run"), "--json", code=code, cwd=code)
    assert answer.status == 3
    verdicts = {cell["scenario"]: (cell["verdict"], cell["reason"]) for cell in json.loads(answer.out)["cells"]}
    assert verdicts["near_zero"] == ("ERROR", "MemoryError: no room; its traceback is in crashes/")
    assert verdicts["random"][0] == "HOLDS"
    (log,) = (tmp_path / "run" / "crashes").iterdir()
    assert log.name == "attention_fp32_formula_near_zero.txt"
    assert "raise MemoryError('no room')" in log.read_text()


def test_a_format_without_an_error_model_is_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    found = "    facts = {call: service.known(call) for call in calls}\n"
    refused = "    if service.storage.name == 'fp16':\n        raise UnsupportedNumerics('fp16 is computed in base 3.')\n"
    code = planted(tmp_path / "code", "numeric/machine/probing.py", found, found + refused)
    words = "stress", "--device", "cpu", "--block", "attention", "--variant", "formula", "--cases", "64", "--scenario", "near_zero"
    answer = verify(*words, "--format", "fp16", "--format", "fp32", "--out", str(tmp_path / "run"), "--json", code=code, cwd=code)
    assert answer.status == 3
    record = json.loads(answer.out)
    verdicts = {cell["format"]: (cell["verdict"], cell["reason"]) for cell in record["cells"]}
    said = "UnsupportedNumerics: fp16 is computed in base 3."
    assert verdicts["fp16"] == ("ERROR", said)
    assert verdicts["fp32"][0] == "HOLDS"
    assert [(row["format"], row["verdict"], row["reason"]) for row in record["not_swept"]] == [("fp16", "ERROR", said)]


def test_a_sweep_that_breaks_is_told_and_the_run_is_incomplete(tmp_path: Path) -> None:
    code = planted(tmp_path / "code", "verify/engine/jobs.py", "    attended = Attended(", "    import os\n\n    os._exit(9)\n    attended = Attended(")
    answer = verify(*TWO_CELLS, "--jobs", "2", "--out", str(tmp_path / "run"), "--json", code=code, cwd=code)
    assert answer.status == 3
    assert "Traceback" not in answer.err
    record = json.loads(answer.out)
    assert {cell["verdict"] for cell in record["cells"]} == {"HOLDS"}
    (broken,) = record["not_swept"]
    assert "ended with exit code 9" in broken["reason"]
    assert broken["verdict"] == "ERROR"
    assert "1 near-zero sweep broke" in (tmp_path / "run" / "report" / "index.html").read_text()


def test_a_block_that_has_not_learned_is_an_error(tmp_path: Path) -> None:
    code = planted(tmp_path / "code", "numeric/blocks/attention.py", "_plain, Recipe(steps=800)", "_plain, Recipe(steps=3)")
    words = "stress", "--device", "cpu", "--block", "attention", "--format", "fp32", "--cases", "512", "--out", str(tmp_path / "run"), "--json"
    answer = verify(*words, code=code, cwd=code, cache=tmp_path / "cache")
    assert answer.status == 3
    cells = json.loads(answer.out)["cells"]
    assert len(cells) == len(VARIANTS) * len(all_scenarios())
    assert {cell["verdict"] for cell in cells} == {"ERROR"}
    assert all("has not learned" in cell["reason"] for cell in cells)


@pytest.mark.parametrize("bad", [float("nan"), pytest.param(float("inf"), marks=pytest.mark.soak)])
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
    answer = verify("stress", "--device", "cpu", "--block", "attention", "--format", "fp32", "--out", str(tmp_path / "run"), cache=cache)
    assert answer.status == 2
    assert answer.err.startswith("UnusableWeights")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["cells"] == []


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, Path]:
    """What was said when a damaged file stood in the cache, and the file that is there now."""
    block = blocks_named(["attention"])[0]
    name = f"{block.id}-{block.fingerprint}.safetensors"

    def train(cache: Path) -> Answer:
        (cache / name).write_bytes(b"not weights")
        return verify("train", "attention", "--json", cache=cache)

    answer, cache = once("damaged-cache", tmp_path_factory, train)
    return answer, cache / name


@pytest.mark.soak
def test_a_damaged_cache_is_trained_again_with_a_warning(retrained: tuple[Answer, Path]) -> None:
    answer, path = retrained
    assert answer.status == 0
    assert "warning" in answer.err
    assert "damaged" in answer.err
    assert json.loads(answer.out)["models"][0]["cached"] is False
    assert path.read_bytes() != b"not weights"
    again = verify("train", "attention", "--json", cache=path.parent)
    assert again.err == ""
    assert json.loads(again.out)["models"][0]["cached"] is True


@pytest.mark.soak
def test_training_is_the_same_each_time(retrained: tuple[Answer, Path], tmp_path: Path) -> None:
    """Two trainings from one recipe give the same bits."""
    answer = verify("train", "attention", "--json", cache=tmp_path)
    assert answer.status == 0, answer.err
    first, second = (json.loads(said.out)["models"][0] for said in (retrained[0], answer))
    assert first["cached"] is second["cached"] is False
    assert first["validation_loss"] == second["validation_loss"]
    (path,) = tmp_path.iterdir()
    one, two = load_file(retrained[1]), load_file(path)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert os.path.getsize(path) > 0


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    """Of a block that asks for little, and so is soon trained: what is tried is to keep it."""
    code = planted(tmp_path / "code", "numeric/blocks/attention.py", "_plain, Recipe(steps=800)", "_plain, Recipe(steps=3)")
    plant(code, "numeric/architecture/recipe.py", "    required_loss: float = 0.06", "    required_loss: float = 60.0")
    (tmp_path / "file").write_text("in the way")
    answer = verify("train", "attention", "--json", code=code, cwd=code, cache=tmp_path / "file" / "cache")
    assert answer.status == 0
    assert "cannot be kept" in answer.err
    assert json.loads(answer.out)["models"][0]["cached"] is False


def test_a_bug_is_incomplete_and_not_a_violation(tmp_path: Path) -> None:
    """An exception that nobody foresaw would exit with 1 by itself, which says that a claim failed."""
    right, wrong = "    facts = {call", "    raise RuntimeError('planted')\n    facts = {call"
    code = planted(tmp_path / "code", "numeric/machine/probing.py", right, wrong)
    answer = verify("stress", "--block", "attention", "--cases", "1", "--out", str(tmp_path / "run"), code=code, cwd=code)
    assert answer.status == 3
    assert "planted" in answer.err
    run = json.loads((tmp_path / "run" / "run.json").read_text())["run"]
    assert (run["finished"], run["exit_status"]) == (None, 3)
    assert "The run did not finish" in (tmp_path / "run" / "report" / "index.html").read_text()


BEGAN = "        started, cell = time.perf_counter(), self.cell\n        sides ="
TOGETHER = {
    "one raises": (BEGAN, "        if self.cell.variant.id == 'scaled':\n            raise MemoryError('no room')\n" + BEGAN, "2", ["scaled"]),
    "one ends the process": (BEGAN, "        if self.cell.variant.id == 'scaled':\n            os._exit(9)\n" + BEGAN, "2", ["formula", "scaled", "factored"]),
    "another answer, once": (
        "        if self.first is None:\n            return\n",
        "        if not hasattr(type(self), 'asked'):\n            type(self).asked = True\n            raise ChangedMeanwhile('once')\n",
        "1",
        ["formula", "scaled", "factored"],
    ),
}
"""What is planted in the measurement of one block, format and scenario; how many processes there are, and whose cells must be errors.

Nothing is measured a second time: what happened once, and not again, has happened.
"""


@pytest.mark.parametrize("what", [pytest.param(what, marks=pytest.mark.soak if what == "one raises" else ()) for what in TOGETHER])
def test_what_breaks_where_variants_are_measured_together(what: str, tmp_path: Path) -> None:
    before, after, jobs, broken = TOGETHER[what]
    code = planted(tmp_path / "code", "numeric/cells/measurement.py", before, after)
    plant(code, "numeric/cells/measurement.py", "import time\n", "import os\nimport time\n")
    words = "stress", "--device", "cpu", "--block", "attention", "--format", "fp32", "--scenario", "random", "--cases", "64", "--jobs", jobs
    answer = verify(*words, "--out", str(tmp_path / "run"), "--json", code=code, cwd=code)
    assert answer.status == 3
    verdicts = {cell["variant"]: cell["verdict"] for cell in json.loads(answer.out)["cells"]}
    assert verdicts == {name: "ERROR" if name in broken else "HOLDS" for name in ("formula", "scaled", "factored")}
    logs = sorted(log.name for log in (tmp_path / "run" / "crashes").iterdir())
    assert logs == sorted(f"attention_fp32_{name}_random.txt" for name in broken)
    if what == "one raises":
        assert "raise MemoryError('no room')" in (tmp_path / "run" / "crashes" / logs[0]).read_text()
