"""A wrong formula, in a scratch copy of the code, turns the run red: the exit status is 1 and a cell is VIOLATED."""

import json
from pathlib import Path

import pytest

from numeric.formats import MODES
from tests.verify.calling import plant, scratch_copy, verify

FORMULA = "return (W @ delta) @ transpose(a) / squared_norm(a)"


def stress(code: Path, out: Path, *words: str) -> tuple[int, list[dict]]:
    """A small stress run of the planted code, and its cells."""
    answer = verify("stress", "--device", "cpu", "--cases", "1024", "--jobs", "1", "--out", str(out), "--json", *words, code=code, cwd=code)
    assert answer.out, answer.err
    return answer.status, json.loads(answer.out)["cells"]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return scratch_copy(tmp_path / "code")


def test_the_copy_without_a_defect_holds(code: Path, tmp_path: Path) -> None:
    """The control: what turns the runs below red is the defect and nothing else."""
    status, cells = stress(code, tmp_path / "run", "--block", "attention", "--format", "fp32", "--variant", "formula")
    assert status == 0
    assert {cell["verdict"] for cell in cells} == {"HOLDS"}


@pytest.mark.soak
def test_one_part_in_256_too_much_is_seen_in_fp32(code: Path, tmp_path: Path) -> None:
    plant(code, "symbolic/formulas.py", FORMULA, "update = (W @ delta) @ transpose(a) / squared_norm(a)\n    return update + update / 256.0")
    status, cells = stress(code, tmp_path / "run", "--block", "attention", "--format", "fp32", "--variant", "formula")
    assert status == 1
    assert {cell["verdict"] for cell in cells} == {"VIOLATED"}


def test_z_in_place_of_a_is_seen_in_every_format(code: Path, tmp_path: Path) -> None:
    plant(code, "symbolic/formulas.py", FORMULA, "z = a + delta\n    return (W @ delta) @ transpose(z) / squared_norm(z)")
    asked = [mode.id for mode in MODES if "cpu" in mode.runs_on]
    status, cells = stress(code, tmp_path / "run", "--block", "attention", "--variant", "formula", "--scenario", "random")
    assert status == 1
    assert [cell["format"] for cell in cells] == asked
    assert {cell["verdict"] for cell in cells} == {"VIOLATED"}


@pytest.mark.parametrize("name", ["fp64", "fp32"])
def test_an_epsilon_in_the_denominator_is_seen_near_zero(name: str, code: Path, tmp_path: Path) -> None:
    plant(code, "symbolic/formulas.py", FORMULA, "return (W @ delta) @ transpose(a) / (squared_norm(a) + 1e-8)")
    status, cells = stress(code, tmp_path / "run", "--block", "attention", "--format", name, "--variant", "formula", "--scenario", "near_zero")
    assert status == 1
    assert [cell["verdict"] for cell in cells] == ["VIOLATED"]


def test_a_missing_bias_update_is_seen_at_the_output(code: Path, tmp_path: Path) -> None:
    """Δb′ left out leaves the first layer as it was; only the block's output shows it."""
    plant(code, "symbolic/formulas.py", "return b_prime + delta", "return b_prime")
    status, cells = stress(code, tmp_path / "run", "--block", "attention-skip", "--format", "fp32", "--variant", "formula")
    assert status == 1
    for cell in cells:
        assert cell["verdict"] == "VIOLATED"
        assert cell["worst_site"] == "output"


def test_a_rule_that_forgets_a_rounding_is_seen(code: Path, tmp_path: Path) -> None:
    """An error model that leaves out the accumulator's roundings is too narrow for fp32 products of 32 terms."""
    plant(code, "numeric/arithmetics/roundoff.py", 'return ku / (1.0 - ku) if ku < 1.0 else float("inf")', "return 0.0 * ku")
    plant(code, "numeric/arithmetics/value_and_radius.py", "    return outward(accumulated * inner * growth, 3)", "    return 0.0 * accumulated")
    status, cells = stress(code, tmp_path / "run", "--block", "attention", "--format", "fp32", "--variant", "formula", "--scenario", "random")
    assert status == 1
    assert [cell["verdict"] for cell in cells] == ["VIOLATED"]
