"""Every rule of the value-and-radius arithmetic, against exact rational arithmetic, on operands drawn to be awkward.

The machine computes in its format; the exact result of the same operands is a ``Fraction``; the radius must reach it, with
no tolerance at all. Operands include subnormal numbers, ties, values near Ω and differences that cancel. An example is a
batch: Hypothesis draws its first column number by number, and a seed for the others, so that a run compares ten thousand.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.arithmetics.hazard import Hazards, hazards
from numeric.arithmetics.value_and_radius import WithRadius, dense_layer, exact
from numeric.formats.format import NATIVE, Format, format_named
from numeric.formats.mode import modes_named
from numeric.formats.storage import torch_dtype
from numeric.machine.error_model import ErrorModel
from numeric.machine.probing import probe
from tests.numeric.formats.drawn_operands import draw

K = 5
CAREFULLY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ENOUGH = 10_000
"""Operands of each rule in each format whose results are compared; those of results that a hazard excuses are not counted."""
NAMES = [row.name for row in NATIVE]


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
        for case, excused in enumerate((found.overflow | found.underflow).tolist()):
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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_and_differences(name: str, sign: int) -> None:
    storage, numerics, tally = format_named(name), numerics_of(name), Tally()
    count = 10

    @CAREFULLY
    @given(columns(storage, count), columns(storage, count), shares(storage, count))
    def holds(x: Tensor, y: Tensor, s: Tensor) -> None:
        found = hazards(count)
        (radius, true), other = spread(x, s), fractions(y)
        X, Y = exact(x, numerics, found, radius=radius), exact(y, numerics, found)
        result = X + Y if sign > 0 else X - Y
        tally.check(result, lambda case: [[t + sign * v] for t, v in zip(true[case], other[case], strict=True)], found, 2 * K)

    holds()
    assert tally.operands >= ENOUGH


@pytest.mark.parametrize("name", NAMES)
def test_outer_products(name: str) -> None:
    storage, numerics, tally = format_named(name), numerics_of(name), Tally()
    count = 18

    @CAREFULLY
    @given(columns(storage, count), columns(storage, count), shares(storage, count), shares(storage, count))
    def holds(x: Tensor, y: Tensor, s: Tensor, t: Tensor) -> None:
        found = hazards(count)
        (rx, true_x), (ry, true_y) = spread(x, s), spread(y, t)
        X, Y = exact(x, numerics, found, radius=rx), exact(y, numerics, found, radius=ry)
        tally.check(X @ Y.mT, lambda case: [[a * b for b in true_y[case]] for a in true_x[case]], found, 2 * K)

    holds()
    assert tally.operands >= ENOUGH


@pytest.mark.parametrize("name", NAMES)
def test_inner_products(name: str) -> None:
    storage, numerics, tally = format_named(name), numerics_of(name), Tally()
    count = 13

    @CAREFULLY
    @given(columns(storage, count), columns(storage, count), shares(storage, count), shares(storage, count))
    def holds(x: Tensor, y: Tensor, s: Tensor, t: Tensor) -> None:
        found = hazards(count)
        (rx, true_x), (ry, true_y) = spread(x, s), spread(y, t)
        X, Y = exact(x, numerics, found, radius=rx), exact(y, numerics, found, radius=ry)
        tally.check(X.mT @ Y, lambda case: [[inner(true_x[case], true_y[case])]], found, 2 * K)

    holds()
    assert tally.operands >= ENOUGH


@pytest.mark.parametrize("name", NAMES)
def test_matrix_times_column(name: str) -> None:
    storage, numerics, tally = format_named(name), numerics_of(name), Tally()
    count = 36

    @CAREFULLY
    @given(st.lists(vector(storage), min_size=K, max_size=K), columns(storage, count), shares(storage, count))
    def holds(rows: list[list[float]], y: Tensor, t: Tensor) -> None:
        found = hazards(count)
        matrix = torch.tensor(rows, dtype=torch.float64).to(torch_dtype(storage))
        ry, true_y = spread(y, t)
        result = exact(matrix, numerics, found) @ exact(y, numerics, found, radius=ry)
        W = fractions(matrix)
        tally.check(result, lambda case: [[inner(row, true_y[case])] for row in W], found, K + K * K / count)

    holds()
    assert tally.operands >= ENOUGH


@pytest.mark.parametrize("name", NAMES)
def test_quotients(name: str) -> None:
    storage, numerics, tally = format_named(name), numerics_of(name), Tally()
    count = 21

    @CAREFULLY
    @given(columns(storage, count), columns(storage, count, 1), shares(storage, count), shares(storage, count, 1))
    def holds(x: Tensor, y: Tensor, s: Tensor, t: Tensor) -> None:
        found = hazards(count)
        (rx, true_x), (ry, true_y) = spread(x, s), spread(y, t)
        X, Y = exact(x, numerics, found, radius=rx), exact(y, numerics, found, radius=ry)
        result = X / Y
        assert bool((found.underflow | (y != 0).flatten()).all()), "a division by zero was not foretold"
        tally.check(result, lambda case: [[a / true_y[case][0]] for a in true_x[case]], found, K + 1)

    holds()
    assert tally.operands >= ENOUGH


@pytest.mark.parametrize("name", NAMES)
def test_outer_product_over_a_squared_norm(name: str) -> None:
    """The update itself, v aᵀ/‖a‖², whose radius is never formed as a matrix while it is computed."""
    storage, numerics, tally = format_named(name), numerics_of(name), Tally()
    count = 22

    @CAREFULLY
    @given(columns(storage, count), columns(storage, count), shares(storage, count))
    def holds(v: Tensor, a: Tensor, s: Tensor) -> None:
        found = hazards(count)
        (rv, true_v), true_a = spread(v, s), fractions(a)
        V, A = exact(v, numerics, found, radius=rv), exact(a, numerics, found)
        result = V @ A.mT / (A.mT @ A)
        assert bool((found.underflow | (a != 0).flatten(1).any(-1)).all()), "a division by zero was not foretold"

        def truth(case: int) -> list[list[Fraction]]:
            norm = inner(true_a[case], true_a[case])
            return [[p * q / norm for q in true_a[case]] for p in true_v[case]]

        tally.check(result, truth, found, 2 * K)

    holds()
    assert tally.operands >= ENOUGH


@pytest.mark.parametrize("name", NAMES)
def test_the_dense_layer_of_a_patched_weight(name: str) -> None:
    """fl((W + U)a + b) with U inexact, by torch's own dense layer, against the exact (W + U)a + b."""
    storage, numerics, tally = format_named(name), numerics_of(name), Tally()
    count = 28
    column = partial(columns, storage, count)

    @CAREFULLY
    @given(st.lists(vector(storage), min_size=K, max_size=K), vector(storage), column(), column(), column())
    def holds(rows: list[list[float]], b: list[float], v: Tensor, a: Tensor, x: Tensor) -> None:
        found = hazards(count)
        W = exact(torch.tensor(rows, dtype=torch.float64).to(torch_dtype(storage)), numerics, found)
        V, A, X = (exact(y, numerics, found) for y in (v, a, x))
        B = exact(held(storage, b)[0], numerics, found)
        weight = W + V @ A.mT
        value = torch.vmap(lambda w, y: torch.nn.functional.linear(y.unsqueeze(0), w, B.value[:, 0]).squeeze(0))(weight.value, x.squeeze(-1))
        result = dense_layer(weight, B, X, value.unsqueeze(-1), apart=numerics.patched_rounds_before_bias)
        true_v, true_a, true_x, true_W = (fractions(t) for t in (v, a, x, W.value))

        def truth(case: int) -> list[list[Fraction]]:
            along = inner(true_a[case], true_x[case])
            return [[inner(row, true_x[case]) + p * along + Fraction(c)] for row, p, c in zip(true_W, true_v[case], b, strict=True)]

        tally.check(result, truth, found, 3 * K + (K * K + K) / count)

    holds()
    assert tally.operands >= ENOUGH


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
    result = dense_layer(row, bias, exact(ones, numerics, found), total.reshape(1, 1, 1), apart=False)
    error = abs(Fraction(float(total)) - Fraction(5, 4))
    assert error == Fraction(1, 4)
    assert error > Fraction(result.radius.dense(1, 1).item())
