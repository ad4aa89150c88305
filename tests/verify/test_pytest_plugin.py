"""The plugin as who uses it sees it: what passes, what fails and with which words, and what it costs who does not use it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from numeric.architecture import ContextualBlock
from numeric.user_blocks import transfers
from tests.verify.calling import ROOT, called, environment

pytest_plugins = ["pytester"]

PLUGIN = "verify.pytest_plugin"

BLOCKS = """
import pytest
import torch
from torch import nn
from numeric import ContextualBlock

D = 4
torch.manual_seed(0)
CONTEXT, QUERY = torch.randn(3, 5, D), torch.randn(3, D)

def block(layer=lambda context, query: query if context is None else query + context.sum(1)):
    return ContextualBlock(layer, nn.Sequential(nn.Linear(D, 8), nn.ReLU(), nn.Linear(8, 2)), "0", input_width=D)
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other plugin that happens to be installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """Everything that a measurement imports: pytester forgets what is first imported while it runs, and torch cannot be imported twice."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 3))
    block = ContextualBlock(lambda context, query: query if context is None else query + context.sum(1), network, "0", input_width=2)
    assert transfers(block, torch.ones(1, 2), torch.ones(2), formats=["fp32"])[0].verdict == "HOLDS"


def run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    pytester.makepyfile(BLOCKS + body)
    return pytester.runpytest_inprocess("-p", PLUGIN, "-p", "no:cacheprovider", "-W", "error")


def test_a_block_that_obeys_its_bound_passes_and_says_what_was_found(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_usual(context_transfer):
    found = context_transfer(block(), CONTEXT, QUERY)
    assert [row.format for row in found] == ["fp64", "fp32", "bf16", "fp16"]
    assert all(row.verdict == "HOLDS" and row.counts == {"HOLDS": 3} and 0 <= row.ratio <= 1 for row in found)

def test_one_prompt_in_one_format_by_another_variant(context_transfer):
    (row,) = context_transfer(block(), CONTEXT[0], QUERY[0], format="fp32", variant="scaled")
    assert (row.format, row.variant, row.prompts) == ("fp32", "scaled", 1)

def test_every_format(context_transfer):
    assert len(context_transfer(block(), CONTEXT, QUERY, format="all")) == 12

def test_more_prompts_than_a_batch(context_transfer):
    (row,) = context_transfer(block(), torch.randn(513, 5, D), torch.randn(513, D), format="fp64")
    assert row.counts == {"HOLDS": 513}
""",
    )
    result.assert_outcomes(passed=4)


def test_a_wrong_update_fails_with_the_worst_case_the_side_and_the_witness(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_own(context_transfer):
    context_transfer(block(), CONTEXT, QUERY, format="fp32", update=lambda W, delta, a: (W @ delta) @ a.mT)

def test_formula(context_transfer, monkeypatch):
    monkeypatch.setattr("symbolic.formulas.rank_one_update", lambda W, delta, a: (W @ delta) @ formulas.transpose(a))
    context_transfer(block(), CONTEXT, QUERY, format=["fp32"])

from symbolic import formulas
""",
    )
    result.assert_outcomes(failed=2)
    text = result.stdout.str()
    own, formula = text.split("test_formula ___")
    for said in (own, formula):
        assert "fp32: VIOLATED, 3 of 3 prompts outside their bounds" in said
        assert re.search(r"worst prompt   [012], counted from 0, of 3", said)
        error, bound, ratio = (float(re.search(rf"{words} +([\d.e+-]+)", said)[1]) for words in ("error", "bound", "error ÷ bound"))
        assert ratio > 1
        assert error > bound
        assert "the patched side strays" in said
    assert "replay         none: the update is known to this test alone" in own
    path = Path(re.search(r"replay         verify replay (\S+)", formula)[1])
    assert path.is_file()
    answer = called("replay", str(path), "--json")
    assert answer.status == 0, answer.err  # the formula is the right one again
    assert json.loads(answer.out)["witness"]["verdict"] == "VIOLATED"


def test_what_shows_nothing_does_not_pass(pytester: pytest.Pytester) -> None:
    """And the planted negative: what is asked of the same blocks where it can be judged passes."""
    result = run(
        pytester,
        """
def faint(context, query):
    return query if context is None else query + 2.0**-12 * context.sum(1)

def without_bf16(context, query):
    if query.dtype == torch.bfloat16:
        raise ValueError("no bfloat16 here")
    return query if context is None else query + context.sum(1)

def test_vacuous(context_transfer):
    context_transfer(block(faint), CONTEXT, QUERY, format=["fp64", "bf16"])

def test_refused(context_transfer):
    context_transfer(block(), CONTEXT, torch.cat([QUERY[:2], torch.zeros(1, D)]), format="fp32")

def test_broken(context_transfer):
    context_transfer(block(without_bf16), CONTEXT, QUERY, format=["fp32", "bf16"])

def test_nothing(context_transfer):
    context_transfer(block(), CONTEXT, QUERY, format=[])

def test_sound(context_transfer):
    context_transfer(block(faint), CONTEXT, QUERY, format="fp64")
    context_transfer(block(), CONTEXT, QUERY, format="fp32")
    context_transfer(block(without_bf16), CONTEXT, QUERY, format="fp32")
""",
    )
    result.assert_outcomes(failed=4, passed=1)
    text = result.stdout.str()
    assert re.search(r"not shown in 1 of 2 formats; it holds in fp64\s+E\s+E +bf16: VACUOUS, the bound could not have noticed a wrong update in 3 of 3", text)
    assert "fp32: INCONCLUSIVE, 1 of 3 prompts refused (prompt 2 for one, counted from 0), as their operands foretell: SingularUpdate (1)" in text
    assert "bf16: ERROR, ValueError: no bfloat16 here" in text
    assert "no format was asked for, so nothing was checked" in text


def test_what_cannot_be_measured_is_refused_with_the_reason(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
CALLS = {
    "block": (3, CONTEXT, QUERY, {}),
    "ignores": (block(lambda context, query: query), CONTEXT, QUERY, {}),
    "format": (block(), CONTEXT, QUERY, {"format": "fp15"}),
    "variant": (block(), CONTEXT, QUERY, {"variant": "guessed"}),
    "shape": (block(), CONTEXT, QUERY[:2], {}),
    "list": (block(), CONTEXT.tolist(), QUERY, {}),
    "nan": (block(), CONTEXT * float("nan"), QUERY, {}),
}

@pytest.mark.parametrize("name", CALLS)
def test_refused(context_transfer, name):
    made, context, query, options = CALLS[name]
    context_transfer(made, context, query, **options)
""",
    )
    result.assert_outcomes(failed=7)
    text = result.stdout.str()
    for words in (
        "UnusableBlock: test_refused[block] returned a int, not a numeric.ContextualBlock",
        "the contextual layer ignores its context",
        'no format named "fp15"',
        'no variant named "guessed"',
        "context and query have shapes (3, 5, 4) and (2, 4); give (prompts, n, d_in) and (prompts, d_in)",
        "the context is a list; give a tensor",
        "with a NaN or an infinity in it",
    ):
        assert re.search(r"refused, so nothing was measured\. .*" + re.escape(words), text), words
    assert "During handling" not in text


def test_the_users_block_and_settings_are_left_as_they_are(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_settings(context_transfer):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    mine = block().train()
    weight = mine.network[0].weight.clone()
    context_transfer(mine, CONTEXT, QUERY, format="bf16")
    assert torch.get_num_threads() == 2 and torch.is_grad_enabled()
    assert mine.training and mine.network[0].weight.requires_grad
    assert torch.equal(mine.network[0].weight, weight) and weight.dtype == torch.float32
    torch.set_num_threads(before)
""",
    )
    result.assert_outcomes(passed=1)


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    """The second line is the planted negative: a heavy module that is imported is seen."""
    for also, expected in (("", set()), ("import numpy", {"numpy"})):
        probe = f"import sys\nimport {PLUGIN}\n{also}\nprint(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", probe], env=environment(), capture_output=True, text=True, check=True)
        assert {"torch", "sympy", "numpy", "jinja2", "matplotlib", "pydantic", "typer"} & set(done.stdout.split()) == expected


def test_the_package_declares_the_plugin_under_its_modules_name() -> None:
    """Named otherwise, `-p verify.pytest_plugin` would load it a second time, which pytest refuses."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]["pytest11"]
    assert declared == {PLUGIN: PLUGIN}
