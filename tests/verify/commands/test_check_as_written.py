"""``verify check`` on a block as it is written: from the user's file to the exit status, the rows, the reports and the gate."""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from reports.record import load_run
from symbolic.vocabulary import Verdict
from tests.verify.calling import Answer, called

BLOCK = """
import sys
import torch
from torch import nn
from numeric import ContextualBlock

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.out = nn.Linear(4, 6), nn.Linear(6, 4)
        self.seen = 0

    def forward(self, x):
        s = x + torch.softmax(x @ x.mT, -1) @ x
        factor = 1.0
        if len(x) == 7:
            self.seen += 1
            {late}
        return s + factor * self.out(torch.tanh(self.w(s)))

def call(module, context, query, positions):
    return module(query[:, None] if context is None else torch.cat([context, query[:, None]], 1))[:, -1]

def make_block():
    torch.manual_seed({seed})
    return ContextualBlock.of(Block(), call, {first})

def make_contexts(batch, generator):
    return torch.randn(batch, 5, 4, generator=generator)
"""
"""A batch of seven cases is met when the block is measured, and never when it is looked at."""

RIGHT = "def update(W, delta, a):\n    return (W @ delta) @ a.mT / (a.mT @ a)\n"
WRONG = "def update(W, delta, a):\n    return (W @ delta) @ a.mT / (a.mT @ a + 1e-6)\n"
SEVEN = ("--cases", "7", "--device", "cpu")
DOUBLE = ("--format", "fp64")


def written(folder: Path, more: str = "", *, late: str = "pass", seed: int = 0, first: str = '"w.weight"') -> str:
    """A file with such a block; what the command is given."""
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(BLOCK.format(late=late, seed=seed, first=first) + more, encoding="utf-8")
    return f"{folder / 'mine.py'}:make_block"


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, Path]:
    folder = tmp_path_factory.mktemp("right")
    return called("check", written(folder), *SEVEN, "--out", str(folder / "run")), folder


def test_a_right_block_ends_with_0_and_every_report_has_its_rows(right: tuple[Answer, Path]) -> None:
    answer, folder = right
    assert answer.status == 0, answer.err
    assert "Everything that was checked held: 49 cases inside their bounds and 14 cases equal in float64" in " ".join(answer.out.split())
    record = load_run(folder / "run")
    (block,) = record.experiments.watched
    assert (block.block, block.first, block.absorber, block.absorbs_as, block.claims, block.unproved) == (
        "mine:make_block",
        ["w.weight"],
        "out.bias",
        "bias",
        ["pre-ln"],
        [],
    )
    assert block.parameters == 6 * 4 + 6 + 4 * 6 + 4
    assert all("mine.py:" in place for place in (*block.cuts, block.stream or ""))
    rows = record.experiments.in_double
    assert [(row.variant, row.scenario, row.claim) for row in rows] == [("formula", "random", "corollary-2.3.1"), ("formula", "subset", "theorem-2.2")]
    assert all((row.cases, row.refused, row.unequal, row.verdict) == (7, 0, 0, Verdict.HOLDS) for row in rows)
    assert {counts for row in rows for words, counts in row.planted.items() if "‖z‖²" not in words} == {(7, 7)}
    of_scenario = {"random": ("fp64", "fp32", "bf16", "fp16"), "subset": ("fp64", "fp32", "fp16")}
    cells = {(cell.format, cell.scenario): cell.verdict for cell in record.cells}
    assert cells == {(name, scenario): Verdict.HOLDS for scenario, names in of_scenario.items() for name in names}
    assert all(cell.as_written and cell.cases == 7 for cell in record.cells)
    assert not record.not_measured
    suite = ElementTree.parse(folder / "run" / "junit.xml")
    names = [f"{case.get('classname')} {case.get('name')}" for case in suite.iter("testcase")]
    assert all(any(part in name for name in names) for part in ("float64 check of the block", "float64/formula/random", "float64/formula/subset"))
    assert "14 cases equal in float64" in (folder / "run" / "summary.md").read_text(encoding="utf-8")
    page = (folder / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert "<h3>mine:make_block</h3>" in page
    assert "formula,&nbsp;subset" in page
    assert called("report", str(folder / "run")).status == 0


def rows_by_variant(answer: Answer) -> dict[str, set[tuple[int, int]]]:
    found: dict[str, set[tuple[int, int]]] = {}
    for row in json.loads(answer.out)["experiments"]["in_double"]:
        found.setdefault(row["variant"], set()).add((row["cases"], row["unequal"]))
    return found


def test_a_wrong_update_ends_with_1_and_the_formula_beside_it_holds(tmp_path: Path) -> None:
    """And the same update without its ε, in other words, ends with 0."""
    wrong = called("check", written(tmp_path / "wrong", WRONG), *SEVEN, "--json", "--out", str(tmp_path / "wrong" / "run"))
    assert wrong.status == 1
    assert rows_by_variant(wrong) == {"own": {(7, 7)}, "formula": {(7, 0)}}
    one = ("--scenario", "random", "--variant", "own", "--format", "fp64")
    found = called("check", written(tmp_path / "right", RIGHT), *SEVEN, *one, "--json", "--out", str(tmp_path / "right" / "run"))
    assert (found.status, rows_by_variant(found)) == (0, {"own": {(7, 0)}})


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (("--format", "fp15"), "no --format fp15"),
        (("--format", "fp64", "--format", "bfloat16"), "no --format bfloat16"),
        (("--variant", "scaled", *DOUBLE), "there is formula"),
        (("--variant", "own", *DOUBLE), "there is formula"),
        (("--scenario", "huge", *DOUBLE), "there is random, subset"),
        (("--scenario", "nonsense", *DOUBLE), "there is random, subset"),
    ],
)
def test_what_is_requested_and_does_not_exist_is_a_wrong_call(words: tuple[str, ...], there: str, tmp_path: Path) -> None:
    answer = called("check", written(tmp_path), *SEVEN, *words, "--out", str(tmp_path / "run"))
    assert answer.status == 2
    assert there in answer.err
    assert "is a block as it is written" in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first": '"v.weight"'}, 'the module has no parameter "v.weight"; its parameters are w.weight, w.bias, out.weight, out.bias'),
        ({"first": "[]"}, "first is the name of the parameter that is W"),
        ({"first": '"w.weight", width=5'}, "call failed with"),
        ({"first": '"w.weight", absorb="w.bias"'}, "w.bias was given"),
        ({"first": '"w.weight", absorb="nope"'}, 'the module has no parameter "nope"'),
        ({"more": "def update(W, delta, a):\n    return W[0]\n"}, "update(W, delta, a) gave"),
        ({"more": "def make_contexts(batch, generator):\n    return None\n"}, "gave a context of shape NoneType"),
    ],
)
def test_a_block_that_is_refused_is_a_wrong_call(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    answer = called("check", written(tmp_path, **changes), *SEVEN, "--out", str(tmp_path / "run"))
    assert answer.status == 2
    assert said in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


LATE = {
    "it ends the program": ("sys.exit(0)", "LeftUserCode: SystemExit: 0, which would have ended the program"),
    "it fails": ('raise ValueError("too late")', "ValueError: too late"),
    "it drifts": ("factor += 2.0**-20 * (self.seen > 2)", "the same contexts give other numbers after 7 cases than at the beginning"),
    "it changes how the process computes": ("torch.set_flush_denormal(True)", "ChangedArithmetic"),
}


@pytest.mark.parametrize("name", [name if name in ("it ends the program", "it drifts") else pytest.param(name, marks=pytest.mark.soak) for name in LATE])
def test_a_block_that_breaks_or_remembers_late_ends_with_3(name: str, tmp_path: Path) -> None:
    """What was found in the block before stays in the record, and the reason takes the row's place."""
    import torch

    late, said = LATE[name]
    try:
        answer = called("check", written(tmp_path, late=late), *SEVEN, *DOUBLE, "--scenario", "random", "--json", "--out", str(tmp_path / "run"))
    finally:
        torch.set_flush_denormal(False)
    assert answer.status == 3, answer.err
    found = json.loads(answer.out)["experiments"]
    assert (len(found["watched"]), found["in_double"]) == (1, [])
    (broken,) = found["broken"]
    assert said in broken["reason"]
    assert "float64, formula, random" in broken["what"]


def test_the_gate_holds_another_run_to_it(right: tuple[Answer, Path], tmp_path: Path) -> None:
    """Another seed passes; a scenario less and a case less do not; other weights are another block, and reported."""
    _, folder = right
    kept = tmp_path / "kept.json"
    assert called("baseline", str(folder / "run"), "--out", str(kept), "--reason", "why").status == 0
    runs = {
        "another seed": (written(folder), SEVEN, ("--seed", "5")),
        "less": (written(folder), ("--cases", "6", "--device", "cpu"), ("--scenario", "random")),
        "other weights": (written(folder, seed=1), SEVEN, ()),
    }
    answers = {}
    for name, (target, cases, more) in runs.items():
        assert called("check", target, *cases, *more, "--out", str(tmp_path / name)).status == 0
        answers[name] = called("gate", str(tmp_path / name), "--baseline", str(kept), "--json")
    assert {name: answer.status for name, answer in answers.items()} == {"another seed": 0, "less": 1, "other weights": 0}
    said = Counter(row["what"] for row in json.loads(answers["less"].out)["differences"])
    assert said["6, 7 before"] == 1, "fewer cases are told once, and not again for each part of them"
    assert said["missing from the run"] == 3 + len(("fp64", "fp32", "fp16")), "three parts of the check in float64, and the cells of the scenario"
    assert "it is another block" in answers["other weights"].out
    assert called("gate", str(tmp_path / "other weights"), "--baseline", str(kept), "--strict").status == 1
    assert called("compare", str(folder / "run"), str(tmp_path / "another seed")).status == 0
    assert "6, 7 before" in called("compare", str(folder / "run"), str(tmp_path / "less")).out
