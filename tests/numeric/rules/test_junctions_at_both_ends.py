"""The rules of the modules at which strands meet, at both ends of every format's range, against fractions; each case is refused or inside."""

from fractions import Fraction
from math import isfinite

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from numeric.architecture import LargestOnly, Product, WeightedSum
from numeric.arithmetics import Hazards, WithRadius, exact, hazards
from numeric.formats import Format, format_named
from numeric.rules import rule_for
from tests.numeric.formats.drawn_operands import NAMES
from tests.numeric.rules.drawn_columns import carefully, honest, numbers, seeds

WIDTH, CASES, EXAMPLES = 3, 16, 10


@st.composite
def strands(draw: st.DrawFn, storage: Format, width: int, count: int) -> list[Tensor]:
    """Columns of the format, each strand of a magnitude anywhere in its range."""
    lowest, made = storage.min_exponent - storage.significand_bits + 1, []
    for _ in range(count):
        top = draw(st.one_of(st.integers(lowest, storage.max_exponent), st.integers(-4, 4)))
        made.append(numbers(storage, (CASES, width, 1), torch.Generator().manual_seed(draw(seeds)), (max(lowest, top - 3), top)))
    return made


def fractions(x: Tensor) -> list[list[Fraction]]:
    return [[Fraction(t) for t in column] for column in x.double().flatten(1).tolist()]


def outside(result: WithRadius, true: list[list[Fraction]], found: Hazards) -> tuple[int, int]:
    """How many cases were compared, and how many of their entries lie outside their radius, or are not finite."""
    values = result.value.double().flatten(1)
    refused = (found.underflow | found.undecided | found.overflowed(torch.isfinite(values).all(-1))).tolist()
    radii = result.entry_radius.expand(result.value.shape).flatten(1).tolist()
    compared, wrong = 0, 0
    for case, row in enumerate(true):
        if refused[case]:
            continue
        compared += 1
        for value, radius, t in zip(values[case].tolist(), radii[case], row, strict=True):
            wrong += not isfinite(value) or (radius != float("inf") and abs(Fraction(value) - t) > Fraction(radius))
    return compared, wrong


def ask(name: str, kind: str, data: st.DataObject) -> tuple[int, int]:
    storage, numerics, found = format_named(name), honest(name), hazards(CASES)
    module = {"product": Product(), "largest": LargestOnly(1), "sum": WeightedSum()}[kind]
    drawn = data.draw(strands(storage, WIDTH, {"product": 2, "largest": 1, "sum": 3}[kind]))
    if kind == "sum":
        drawn[0] = drawn[0][:, :2]  # two gates
    rule = rule_for(module)
    assert rule is not None
    with torch.no_grad():
        value = module(*(x.squeeze(-1) for x in drawn)).unsqueeze(-1)
    result = rule(module, *(exact(x, numerics, found) for x in drawn), value)
    columns = [fractions(x) for x in drawn]
    if kind == "product":
        true = [[p * q for p, q in zip(x, y, strict=True)] for x, y in zip(*columns, strict=True)]
    elif kind == "sum":
        true = [[g * p + h * q for p, q in zip(x, y, strict=True)] for (g, h), x, y in zip(*columns, strict=True)]
    else:
        true = [[t if t == max(x) else Fraction(0) for t in x] for x in columns[0]]
    return outside(result, true, found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["product", "largest", "sum"])
def test_a_case_is_refused_or_inside_its_radius(kind: str, name: str) -> None:
    compared = 0

    @carefully(EXAMPLES)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        nonlocal compared
        asked, wrong = ask(name, kind, data)
        compared += asked
        assert wrong == 0

    holds()
    assert compared >= EXAMPLES * CASES / 4


@pytest.mark.parametrize("kind", ["product", "sum"])
def test_an_underflow_that_nobody_counts_is_noticed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative; of a choice there is nothing to round."""
    monkeypatch.setattr(Format, "half_subnormal", property(lambda row: 0.0))
    wrong = 0

    @carefully(EXAMPLES * 2)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        nonlocal wrong
        wrong += ask("fp16", kind, data)[1]

    holds()
    assert wrong > 0
