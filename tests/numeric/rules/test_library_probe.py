"""The table of the library's errors, the probe that confirms it, and what has no rule."""

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from flint import arb
from torch import nn

from numeric.architecture import LargestOnly, Product, WeightedSum
from numeric.formats import format_named
from numeric.machine import UnsupportedNumerics
from numeric.rules import library_probe, probe_elementary, rule_for
from numeric.rules.library_errors import ELEMENTARY_ERRORS, UnknownElementaryFunction, elementary_error
from numeric.rules.library_probe import probe_operator_functions
from numeric.rules.table import RULES
from tests.numeric.formats.drawn_operands import NAMES
from tests.numeric.rules.drawn_columns import WIDTH


@pytest.mark.parametrize("name", NAMES)
def test_the_machine_errs_no_more_than_the_table_says(name: str) -> None:
    answers = probe_elementary(format_named(name), "cpu", widths=(WIDTH,))
    assert {answer.id for answer in answers} >= {f"{name}/{question.name}" for question in library_probe.QUESTIONS}


@pytest.mark.parametrize("name", ["fp16", *(pytest.param(name, marks=pytest.mark.soak) for name in NAMES if name != "fp16")])
def test_the_functions_of_operators_err_no_more_than_the_table_says(name: str) -> None:
    answers = probe_operator_functions(format_named(name))
    assert {answer.id for answer in answers} >= {f"{name}/{question.name}" for question in library_probe.OF_OPERATORS}


@pytest.mark.parametrize("function", ["log", "log1p", "sin", "pow"])
def test_a_function_of_operators_that_errs_more_is_refused(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    question = next(q for q in library_probe.OF_OPERATORS if q.name == function)
    rough = replace(question, run=lambda x: question.run(x) * (1.0 + 2.0**-20))
    monkeypatch.setattr(library_probe, "OF_OPERATORS", (rough,))
    with pytest.raises(UnsupportedNumerics, match=function):
        probe_operator_functions(format_named("fp32"))


@pytest.mark.parametrize("function", ["exp", "sqrt", "rsqrt", "tanh"])
def test_a_function_that_errs_more_is_refused(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted library: its last bit is wrong, then one more."""
    question = next(q for q in library_probe.QUESTIONS if q.name == function)
    rough = replace(question, run=lambda x: question.run(x) * (1.0 + 2.0**-21))
    monkeypatch.setattr(library_probe, "QUESTIONS", (rough,))
    with pytest.raises(UnsupportedNumerics, match=function):
        probe_elementary(format_named("fp32"), "cpu", widths=())


@pytest.mark.parametrize(("row", "function", "truth"), [("erf of gelu", math.erf, arb.erf), ("tanh of gelu", math.tanh, arb.tanh)])
def test_the_c_library_errs_no_more_than_the_kernels_that_call_it_may(row: str, function: Callable[[float], float], truth: Callable[[arb], arb]) -> None:
    """Where entries lie apart a kernel calls it; in fp64 as Python does. The table has units in the last place of 1."""
    draw = random.Random(0)
    operands = [draw.uniform(-3.0, 3.0) for _ in range(8000)]
    worst = max(abs(arb(function(x)) - truth(arb(x))) / math.ulp(1.0) for x in operands)
    assert 0.25 < worst <= elementary_error(row, "cpu", "fp64").ulps


def test_a_kernel_outside_its_family_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted kernel computes GELU by its tanh approximation and calls it exact."""
    monkeypatch.setattr(nn.GELU, "forward", lambda self, x: nn.functional.gelu(x, approximate="tanh"))
    with pytest.raises(UnsupportedNumerics, match="GELU"):
        probe_elementary(format_named("fp32"), "cpu", widths=(WIDTH,))


def test_the_table_has_one_row_for_each_function_device_and_format() -> None:
    keys = [(row.function, row.device, row.format) for row in ELEMENTARY_ERRORS]
    assert len(set(keys)) == len(keys)
    functions = {row.function for row in ELEMENTARY_ERRORS}
    assert len(keys) == len(functions) * 2 * len(NAMES)
    assert all(row.ulps >= 0.5 and row.source for row in ELEMENTARY_ERRORS)
    with pytest.raises(UnknownElementaryFunction, match=r"cosh.*exp"):
        elementary_error("cosh", "cpu", "fp32")


def test_a_module_without_a_rule_has_none() -> None:
    assert all(rule_for(made) is not None for made in (nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Softmax(dim=-1), nn.LayerNorm(3), nn.RMSNorm(3)))
    assert all(rule_for(made) is not None for made in (Product(), LargestOnly(1), WeightedSum()))
    assert rule_for(nn.Softmax(dim=1)) is rule_for(nn.Softmax()) is rule_for(nn.Softmax(dim=-1)), "a network's tensors are (batch, entries)"
    assert rule_for(nn.Tanh()) is None
    assert rule_for(nn.LayerNorm((3, 4))) is rule_for(nn.RMSNorm((3, 4))) is None
    assert rule_for(nn.Softmax(dim=0)) is rule_for(nn.Softmax(dim=-2)) is rule_for(nn.Softmax(dim=2)) is None
    assert len(RULES) == 9
