"""Every rule of the value-and-radius arithmetic, against exact rational arithmetic, on operands drawn to be awkward.

The machine computes in its format; the exact result of the same operands is a ``Fraction``; the radius must reach it, with
no tolerance at all. Operands include subnormal numbers, ties, values near Ω and differences that cancel. An example is a
batch: Hypothesis draws its first column number by number, and a seed for the others, so that a run of many compares ten thousand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.arithmetics import Hazards, WithRadius, exact, hazards
from numeric.arithmetics.value_and_radius import dense_layer
from numeric.formats import Format, format_named, modes_named, torch_dtype
from numeric.machine import ErrorModel, probe
from numeric.machine.kernels import PATCHED_WEIGHT, kernels
from tests.numeric.formats.drawn_operands import NAMES, draw
from tests.numeric.measuring import with_bias_apart

K = 5
MANY, SOME = 150, 40
"""Examples of a rule in a format: all of them in fp32, and in the others with ``pytest -m soak``."""
ENOUGH = 10_000
"""Operands whose results are compared in as many as MANY examples; those of results that a hazard excuses are not counted."""


@cache
def numerics_of(name: str) -> ErrorModel:
    return probe(modes_named([name])[0], shapes=((K, K), (1, K))).layer


def numbers(storage: Format) -> st.SearchStrategy[float]:
    """Numbers of the format: a signed significand of p bits times a power of two, the subnormal ones included."""
    p = storage.significand_bits
    lowest, highest = storage.min_exponent - p + 1, storage.max_exponent - p + 1
    near_one = st.integers(-p - 3, 3)
    anywhere = st.integers(lowest, highest)
    few_bits = st.sampled_from([0, 1, -1, 2**p - 1, 2 ** (p - 1), 2 ** (p - 1) + 1])
    significand = st.one_of(st.integers(-(2**p - 1), 2**p - 1), few_bits)
    return st.builds(lambda m, e: float(Fraction(m) * Fraction(2) ** max(e, lowest)), significand, st.one_of(near_one, near_one, anywhere))


def vector(storage: Format, length: int = K) -> st.SearchStrategy[list[float]]:
    return st.lists(numbers(storage), min_size=length, max_size=length)


def held(storage: Format, values: list[float]) -> Tensor:
    """The numbers as a (1, n, 1) column of the format; they are representable, and stay what they are."""
    column = torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1)
    stored = column.to(torch_dtype(storage))
    assert torch.equal(stored.double(), column)
    return stored


seeds = st.integers(0, 2**32 - 1)


def columns(storage: Format, count: int, length: int = K) -> st.SearchStrategy[Tensor]:
    """A batch of (count, length, 1): one drawn here, the others from a seed."""

    def made(first: list[float], seed: int) -> Tensor:
        return torch.cat([held(storage, first), draw(storage, seed).numbers((count - 1, length, 1))])

    return st.builds(made, vector(storage, length), seeds)


def shares(storage: Format, count: int, length: int = K) -> st.SearchStrategy[Tensor]:
    """By what part of its radius each true number lies elsewhere."""

    def made(first: list[float], seed: int) -> Tensor:
        return torch.cat([torch.tensor(first, dtype=torch.float64).reshape(1, -1, 1), draw(storage, seed).shares((count - 1, length, 1))])

    return st.builds(made, st.lists(st.floats(-1, 1, width=16), min_size=length, max_size=length), seeds)


def fractions(x: Tensor) -> list[list[Fraction]]:
    """The numbers, a list a case."""
    return [[Fraction(v) for v in column] for column in x.double().flatten(1).tolist()]


def spread(x: Tensor, share: Tensor) -> tuple[Tensor, list[list[Fraction]]]:
    """A radius for each value, and an exact value that lies inside it: the machine's number may be an inexact one."""
    radius = x.double().abs() * 2.0**-6
    parts = (fractions(t) for t in (x, radius, share))
    return radius, [[v + r * s for v, r, s in zip(*column, strict=True)] for column in zip(*parts, strict=True)]


class Tally:
    """Checks the results of batches, and counts their operands."""

    def __init__(self) -> None:
        self.operands = 0.0

    def check(self, result: WithRadius, truth: Callable[[int], list[list[Fraction]]], found: Hazards, operands: float) -> None:
        """The exact results are inside, or trouble was foretold; a result that is not finite was foretold.  operands: how many went into a case."""
        cases, *shape = result.value.shape
        values, radii = result.value.double(), result.radius.dense(*shape).expand(cases, *shape)
        refused = found.underflow | found.overflowed(torch.isfinite(values).all(-1).all(-1))
        for case, excused in enumerate(refused.tolist()):
            if excused:
                continue
            self.operands += operands
            assert bool(torch.isfinite(values[case]).all()), "not finite, and nothing foretold it"
            for row, bounds, exact_row in zip(values[case].tolist(), radii[case].tolist(), truth(case), strict=True):
                for value, bound, true in zip(row, bounds, exact_row, strict=True):
                    assert bound == bound, "a radius is a number, or infinite where float64 itself overflowed"
                    assert bound == float("inf") or abs(Fraction(value) - true) <= Fraction(bound)


def inner(x: list[Fraction], y: list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


@dataclass(frozen=True, slots=True)
class Operand:
    """A batch of columns, or one matrix for all cases, as the machine holds it; and the exact numbers of each case, or of each row."""

    held: WithRadius
    true: list[list[Fraction]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A formula over operands, and the same over rationals."""

    name: str
    shapes: tuple[str, ...]
    """A ``column``, a ``number`` or an ``exact column`` a case; a ``matrix`` or a ``bias`` for all."""
    count: int
    """Cases of a batch."""
    formula: Callable[..., WithRadius]
    """Of the operands as held."""
    truth: Callable[..., list[list[Fraction]]]
    """Of the exact operands of one case, each a column, or a list of rows."""


def dense(W: WithRadius, b: WithRadius, v: WithRadius, a: WithRadius, x: WithRadius) -> WithRadius:
    """fl((W + U)x + b) with U = v aᵀ inexact, by torch's own dense layer."""
    weight = W + v @ a.mT
    value = kernels()[PATCHED_WEIGHT].run(weight.value, x.value, b.value[:, 0])
    return dense_layer(weight, b, x, value, PATCHED_WEIGHT)


def patched(W: list[list[Fraction]], b: list[Fraction], v: list[Fraction], a: list[Fraction], x: list[Fraction]) -> list[list[Fraction]]:
    return [[inner(row, x) + p * inner(a, x) + c] for row, p, c in zip(W, v, b, strict=True)]


def entrywise(of: Callable[[Fraction, Fraction], Fraction]) -> Callable[..., list[list[Fraction]]]:
    return lambda x, y: [[of(p, q)] for p, q in zip(x, y, strict=True)]


RULES = (
    Rule("sum", ("column", "exact column"), 10, lambda x, y: x + y, entrywise(lambda p, q: p + q)),
    Rule("difference", ("column", "exact column"), 10, lambda x, y: x - y, entrywise(lambda p, q: p - q)),
    Rule("outer product", ("column", "column"), 18, lambda x, y: x @ y.mT, lambda x, y: [[p * q for q in y] for p in x]),
    Rule("inner product", ("column", "column"), 13, lambda x, y: x.mT @ y, lambda x, y: [[inner(x, y)]]),
    Rule("matrix times column", ("matrix", "column"), 36, lambda W, y: W @ y, lambda W, y: [[inner(row, y)] for row in W]),
    Rule("quotient", ("column", "number"), 21, lambda x, y: x / y, lambda x, y: [[p / y[0]] for p in x]),
    # The update itself, v aᵀ/‖a‖², whose radius is never formed as a matrix while it is computed.
    Rule("update", ("column", "exact column"), 22, lambda v, a: v @ a.mT / (a.mT @ a), lambda v, a: [[p * q / inner(a, a) for q in a] for p in v]),
    Rule("dense layer of a patched weight", ("matrix", "bias", "exact column", "exact column", "exact column"), 28, dense, patched),
)


def operand(shape: str, storage: Format, count: int, numerics: ErrorModel, found: Hazards) -> st.SearchStrategy[Operand]:
    if shape == "matrix":
        rows = st.lists(vector(storage), min_size=K, max_size=K).map(lambda rows: torch.tensor(rows, dtype=torch.float64).to(torch_dtype(storage)))
        return rows.map(lambda matrix: Operand(exact(matrix, numerics, found), fractions(matrix)))
    if shape == "bias":
        return vector(storage).map(lambda b: Operand(exact(held(storage, b)[0], numerics, found), [[Fraction(x) for x in b]]))
    if shape == "exact column":
        return columns(storage, count).map(lambda x: Operand(exact(x, numerics, found), fractions(x)))

    def made(x: Tensor, share: Tensor) -> Operand:
        radius, true = spread(x, share)
        return Operand(exact(x, numerics, found, radius=radius), true)

    length = 1 if shape == "number" else K
    return st.builds(made, columns(storage, count, length), shares(storage, count, length))


ASKED = [("fp32", MANY), ("bf16", SOME), ("fp16", SOME)]
ASKED_LONGER = [(name, MANY) for name in NAMES if name != "fp32"]


@pytest.mark.parametrize(("name", "examples"), [*ASKED, *(pytest.param(*row, marks=pytest.mark.soak) for row in ASKED_LONGER)])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_result_lies_within_its_radius(rule: Rule, name: str, examples: int) -> None:
    storage, numerics, tally = format_named(name), numerics_of(name), Tally()
    sizes = {"column": K, "exact column": K, "number": 1, "matrix": K * K / rule.count, "bias": K / rule.count}

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        found = hazards(rule.count)
        drawn = [data.draw(operand(shape, storage, rule.count, numerics, found)) for shape in rule.shapes]
        result = rule.formula(*(x.held for x in drawn))
        if rule.name in ("quotient", "update"):
            assert bool((found.underflow | (drawn[1].held.value != 0).flatten(1).any(-1)).all()), "a division by zero was not foretold"

        def truth(case: int) -> list[list[Fraction]]:
            of_case = {"matrix": lambda x: x.true, "bias": lambda x: x.true[0]}
            return rule.truth(*(of_case.get(shape, lambda x: x.true[case])(x) for shape, x in zip(rule.shapes, drawn, strict=True)))

        tally.check(result, truth, found, sum(sizes[shape] for shape in rule.shapes))

    holds()
    assert tally.operands * MANY >= ENOUGH * examples


def test_a_product_summed_in_storage_breaks_the_bound_of_a_wide_accumulator() -> None:
    """The planted liar: a bf16 product summed in bf16, under an error model that says fp32."""
    storage, numerics = format_named("bf16"), numerics_of("bf16")
    assert numerics.accumulation.name == "fp32"
    found = hazards(1)
    ones = held(storage, [1.0, *[2.0**-8] * 64])
    total = torch.zeros((), dtype=torch.bfloat16)
    for x in ones.flatten():
        total = total + x * torch.ones((), dtype=torch.bfloat16)
    row = exact(torch.ones((1, 65), dtype=torch.bfloat16), numerics, found)
    bias = exact(torch.zeros((1, 1), dtype=torch.bfloat16), numerics, found)
    result = dense_layer(with_bias_apart(row, False), bias, exact(ones, numerics, found), total.reshape(1, 1, 1))
    error = abs(Fraction(float(total)) - Fraction(5, 4))
    assert error == Fraction(1, 4)
    assert error > Fraction(result.radius.dense(1, 1).item())
