"""``verify replay`` and ``verify doctor`` as a user calls them."""

import json
from pathlib import Path

import pytest

from tests.verify.calling import called, planted, verify

FORMULA = "return (W @ delta) @ transpose(a) / squared_norm(a)"
WRONG = "update = (W @ delta) @ transpose(a) / squared_norm(a)\n    return update + update / 256.0"


@pytest.fixture(scope="module")
def violated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Code with a wrong formula, and the witness of what it violates."""
    folder = tmp_path_factory.mktemp("planted")
    code = planted(folder / "code", "symbolic/formulas.py", FORMULA, WRONG)
    one = "--block", "attention", "--format", "fp32", "--variant", "formula", "--scenario", "random", "--cases", "700"
    answer = verify("stress", "--device", "cpu", *one, "--jobs", "1", "--out", str(folder / "run"), "--json", code=code, cwd=code)
    assert answer.status == 1
    (cell,) = json.loads(answer.out)["cells"]
    assert cell["verdict"] == "VIOLATED"
    return code, folder / "run" / cell["witness"]


def test_a_planted_violation_is_reproduced_bit_for_bit_in_a_fresh_process(violated: tuple[Path, Path]) -> None:
    code, witness = violated
    answer = verify("replay", str(witness), "--json", code=code, cwd=code)
    assert answer.status == 1
    found = json.loads(answer.out)
    assert found["reproduces"] is True
    assert found["verdict"] == found["witness"]["verdict"] == "VIOLATED"
    assert float(found["ratio"]) > 1
    assert "violates" in found["says"]
    told = verify("replay", str(witness), code=code, cwd=code)
    assert told.status == 1
    assert "bit for bit" in told.out
    assert "certified by ball arithmetic" in told.out


def test_the_same_case_holds_once_the_formula_is_right(violated: tuple[Path, Path]) -> None:
    answer = verify("replay", str(violated[1]), "--json")
    assert answer.status == 0
    found = json.loads(answer.out)
    assert (found["verdict"], found["reproduces"], found["same_left"]) == ("HOLDS", False, True)
    assert "and is not here" in found["says"]


def test_a_truncated_or_edited_witness_is_a_wrong_call(violated: tuple[Path, Path], tmp_path: Path) -> None:
    content = violated[1].read_bytes()
    broken = tmp_path / "witness.safetensors"
    for damaged in (content[:200], content[:-3], content[:-3] + b"\0\1\2"):
        broken.write_bytes(damaged)
        answer = called("replay", str(broken))
        assert answer.status == 2
        assert answer.err.startswith("DamagedWitness")
        assert len(answer.err.strip().splitlines()) == 1
    assert called("replay", str(tmp_path / "absent")).status == 2


def test_doctor_reports_what_the_machine_answered() -> None:
    answer = verify("doctor", "--device", "cpu", "--json")
    assert answer.status == 0
    found = json.loads(answer.out)
    kinds = {row["id"].split("/")[-1] for row in found["probes"]}
    assert {"accumulation", "order", "product-subnormals", "elementwise-subnormals", "bias", "batch", "operands"} <= kinds
    assert {"fp64", "fp32", "bf16", "fp16", "tf32", "fp8-e4m3"} <= {row["format"] for row in found["probes"]}
    assert found["refused"] == []
    flushing = {row["format"]: row["answer"] for row in found["probes"] if row["id"].endswith("elementwise-subnormals")}
    assert (flushing["fp32"], flushing["fp32-ftz"]) == ("kept", "flushed to zero")
