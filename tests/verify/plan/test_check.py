"""``verify check``: the documented examples end as they say, and a file that returns nonsense is a wrong call."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from numeric.training.cache import DamagedCache
from numeric.user_blocks.user_block import CompiledCode
from tests.verify.calling import ROOT, called, verify
from verify.__main__ import _print_own_warning
from verify.engine.planned_cells import planned
from verify.plan import Request, make_plan

EXAMPLES = ROOT / "docs" / "examples"
FEW = ("--cases", "128", "--device", "cpu", "--json")


@pytest.mark.parametrize("name", ["attention_block", pytest.param("recurrent_block", marks=pytest.mark.soak)])
def test_an_example_that_is_right_holds(name: str, tmp_path: Path) -> None:
    answer = verify("check", f"{EXAMPLES / name}.py:make_block", *FEW, "--out", str(tmp_path / "run"))
    assert answer.status == 0, answer.err
    record = json.loads(answer.out)
    assert {cell["verdict"] for cell in record["cells"]} == {"HOLDS"}
    assert {cell["block"] for cell in record["cells"]} == {f"{name}:make_block"}
    assert record["totals"]["violated"] == 0
    assert (tmp_path / "run" / "report" / "index.html").is_file()


def test_a_faulty_patch_is_violated_and_the_formula_beside_it_holds(tmp_path: Path) -> None:
    answer = verify("check", f"{EXAMPLES / 'faulty_patch.py'}:make_block", *FEW, "--out", str(tmp_path / "run"))
    assert answer.status == 1, answer.err
    worst = [cell for cell in json.loads(answer.out)["cells"] if cell["variant"] == "own" and "a side lies outside" in (cell["reason"] or "")]
    assert worst
    assert all("the fault is the update's" in cell["reason"] for cell in worst)
    verdicts: dict[str, set[str]] = {}
    for cell in json.loads(answer.out)["cells"]:
        verdicts.setdefault(cell["variant"], set()).add(cell["verdict"])
    witness = next(path for path in (tmp_path / "run" / "witnesses").iterdir() if "own" in path.name)
    again = verify("replay", str(witness))
    assert again.status == 2
    assert "only the file it came from knows that update" in again.err
    assert verdicts == {"own": {"VIOLATED"}, "formula": {"HOLDS"}, "scaled": {"HOLDS"}, "factored": {"HOLDS"}}


def test_warnings_of_torch_and_of_the_users_code_are_not_printed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import warnings\nimport torch\nfrom torch import nn\nfrom numeric import ContextualBlock\n"
        "class Layer(nn.Module):\n"
        "    def __init__(self):\n        super().__init__(); self.inner = nn.GRU(4, 4, batch_first=True, dropout=0.5)\n"
        "    def forward(self, context, query):\n        warnings.warn('a remark'); torch.ones(2, 3, 4).T\n"
        "        return self.inner(query[:, None] if context is None else torch.cat([context, query[:, None]], 1))[0][:, -1]\n"
        "def make_block():\n    return ContextualBlock(Layer(), nn.Sequential(nn.Linear(4, 8)), '0', input_width=4)\n",
        encoding="utf-8",
    )
    answer = verify("check", f"{tmp_path / 'mine.py'}:make_block", "--format", "fp32", "--scenario", "random", *FEW, "--out", str(tmp_path / "run"))
    assert answer.status == 0, answer.err
    assert answer.err == ""


def test_a_warning_of_the_suite_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The control of the one above."""
    _print_own_warning(DamagedCache("it is trained again."), DamagedCache, "cache.py", 1)
    assert capsys.readouterr().err == "warning: it is trained again.\n"


@pytest.mark.filterwarnings("ignore:.torch.jit")  # torch itself scripts something when its compiler is loaded
def test_compiled_code_is_listed_as_not_measured(tmp_path: Path) -> None:
    """And one that is not compiled is not."""
    source = (EXAMPLES / "recurrent_block.py").read_text(encoding="utf-8")
    for name, text, listed in (("plain", "", []), ("compiled", "\n\ndef make_compiled():\n    return torch.compile(make_block())\n", ["compiled code"])):
        (tmp_path / f"{name}.py").write_text(source + text, encoding="utf-8")
        target = f"{tmp_path / name}.py:{'make_compiled' if text else 'make_block'}"
        with pytest.warns(CompiledCode, match="as it was written is measured") if text else nullcontext():
            plan = make_plan(Request("check", target, device="cpu"))
        (own,) = plan.ready
        assert [row.what for row in planned(plan, {own.block.id: own}, {}, {}).not_measured if "compiled" in row.what] == listed


NONSENSE = {
    "return 3": "returned a int, not a numeric.ContextualBlock",
    "raise ValueError('no block today')": "make_block() fails: ValueError: no block today",
    "import sys; sys.exit(0)": "make_block() fails: SystemExit: 0",
    "import pytest; pytest.skip('no data')": "make_block() fails: Skipped: no data",
    "raise GeneratorExit": "make_block() fails: GeneratorExit, which",
}


@pytest.mark.parametrize("body", NONSENSE)
def test_a_file_that_returns_nonsense_is_a_wrong_call(body: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"def make_block():\n    {body}\n", encoding="utf-8")
    answer = called("check", f"{path}:make_block", "--out", str(tmp_path / "run"))
    assert answer.status == 2
    assert NONSENSE[body] in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_what_a_file_prints_is_not_on_stdout_and_it_may_import_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("from numeric import ContextualBlock\n", encoding="utf-8")
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom torch import nn\nfrom neighbour import ContextualBlock\nprint('loading')\n"
        "def layer(context, query):\n    print('called')\n    return query if context is None else query + context.sum(1)\n"
        "def make_block():\n    print('making')\n    return ContextualBlock(layer, nn.Sequential(nn.Linear(3, 4)), '0', input_width=3)\n",
        encoding="utf-8",
    )
    answer = verify("check", f"{tmp_path / 'mine.py'}:make_block", "--format", "fp32", "--scenario", "random", *FEW, "--out", str(tmp_path / "run"))
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["totals"]["violated"] == 0
    assert {"loading", "making", "called"} <= set(answer.err.split())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("absent.py:make_block", "there is no file"),
        ("mine.py", "names no function"),
        ("mine.py:make_blok", 'has no function "make_blok"; it has make_block'),
        ("broken.py:make_block", "cannot be imported: ZeroDivisionError"),
        ("number.py:make_block", "is a int, not a function"),
    ],
)
def test_a_wrong_target_is_named(target: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def make_block():\n    return 3\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "number.py").write_text("make_block = 3\n", encoding="utf-8")
    answer = called("check", target, cwd=tmp_path)
    assert answer.status == 2
    assert said in answer.err
    assert len(answer.err.strip().splitlines()) == 1
