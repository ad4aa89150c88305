"""Every rule of the value-and-radius arithmetic, against exact rational arithmetic, on operands drawn to be awkward.

The machine computes in its format; the exact result of the same operands is a ``Fraction``; the radius must reach it, with
no tolerance at all. Operands include subnormal numbers, ties, values near Ω and differences that cancel.
"""

from fractions import Fraction
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.formats import NATIVE, Format, format_named
from numeric.modes import modes_named
from numeric.numerics import Numerics
from numeric.probe import probe, torch_dtype
from numeric.rounding import Hazards, Rounded, dense_layer, exact, hazards

K = 5
CAREFULLY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = [row.name for row in NATIVE]


@cache
def numerics_of(name: str) -> Numerics:
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


def spread(values: list[float], shares: list[float]) -> tuple[Tensor, list[Fraction]]:
    """A radius for each value, and an exact value that lies inside it: the machine's number may be an inexact one."""
    radius = [abs(v) * 2.0**-6 for v in values]
    true = [Fraction(v) + Fraction(r) * Fraction(s) for v, r, s in zip(values, radius, shares, strict=True)]
    return torch.tensor(radius, dtype=torch.float64).reshape(1, -1, 1), true


def surprised(found: Hazards) -> bool:
    """Whether something was foretold that excuses the result."""
    return bool(found.overflow.any() or found.underflow.any())


def check(result: Rounded, truth: list[list[Fraction]], found: Hazards) -> None:
    """The exact result is inside, or trouble was foretold; a result that is not finite was foretold."""
    value = result.value.double()[0]
    if surprised(found):
        return
    assert bool(torch.isfinite(value).all()), "not finite, and nothing foretold it"
    radius = result.radius.dense(*value.shape)[0]
    for row, exact_row in enumerate(truth):
        for column, true in enumerate(exact_row):
            bound = radius[row, column].item()
            assert bound == bound, "a radius is a number, or infinite where float64 itself overflowed"
            assert bound == float("inf") or abs(Fraction(value[row, column].item()) - true) <= Fraction(bound)


shares = st.lists(st.floats(-1, 1, width=16), min_size=K, max_size=K)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_and_differences(name: str, sign: int) -> None:
    storage, numerics = format_named(name), numerics_of(name)

    @CAREFULLY
    @given(vector(storage), vector(storage), shares)
    def holds(x: list[float], y: list[float], s: list[float]) -> None:
        found = hazards(1)
        radius, true = spread(x, s)
        X, Y = exact(held(storage, x), numerics, found, radius=radius), exact(held(storage, y), numerics, found)
        result = X + Y if sign > 0 else X - Y
        check(result, [[t + sign * Fraction(v)] for t, v in zip(true, y, strict=True)], found)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_outer_products(name: str) -> None:
    storage, numerics = format_named(name), numerics_of(name)

    @CAREFULLY
    @given(vector(storage), vector(storage), shares, shares)
    def holds(x: list[float], y: list[float], s: list[float], t: list[float]) -> None:
        found = hazards(1)
        (rx, true_x), (ry, true_y) = spread(x, s), spread(y, t)
        X, Y = exact(held(storage, x), numerics, found, radius=rx), exact(held(storage, y), numerics, found, radius=ry)
        check(X @ Y.mT, [[a * b for b in true_y] for a in true_x], found)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_inner_products(name: str) -> None:
    storage, numerics = format_named(name), numerics_of(name)

    @CAREFULLY
    @given(vector(storage), vector(storage), shares, shares)
    def holds(x: list[float], y: list[float], s: list[float], t: list[float]) -> None:
        found = hazards(1)
        (rx, true_x), (ry, true_y) = spread(x, s), spread(y, t)
        X, Y = exact(held(storage, x), numerics, found, radius=rx), exact(held(storage, y), numerics, found, radius=ry)
        check(X.mT @ Y, [[sum((a * b for a, b in zip(true_x, true_y, strict=True)), Fraction(0))]], found)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_matrix_times_column(name: str) -> None:
    storage, numerics = format_named(name), numerics_of(name)

    @CAREFULLY
    @given(st.lists(vector(storage), min_size=K, max_size=K), vector(storage), shares)
    def holds(rows: list[list[float]], y: list[float], t: list[float]) -> None:
        found = hazards(1)
        matrix = torch.tensor(rows, dtype=torch.float64).to(torch_dtype(storage))
        ry, true_y = spread(y, t)
        result = exact(matrix, numerics, found) @ exact(held(storage, y), numerics, found, radius=ry)
        check(result, [[sum((Fraction(a) * b for a, b in zip(row, true_y, strict=True)), Fraction(0))] for row in rows], found)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_quotients(name: str) -> None:
    storage, numerics = format_named(name), numerics_of(name)

    @CAREFULLY
    @given(vector(storage), vector(storage, 1), shares, shares)
    def holds(x: list[float], y: list[float], s: list[float], t: list[float]) -> None:
        found = hazards(1)
        (rx, true_x), (ry, true_y) = spread(x, s), spread(y, t[:1])
        X, Y = exact(held(storage, x), numerics, found, radius=rx), exact(held(storage, y), numerics, found, radius=ry)
        result = X / Y
        if y == [0.0]:
            assert bool(found.underflow.all()), "a division by zero was not foretold"
        if not surprised(found):
            check(result, [[a / true_y[0]] for a in true_x], found)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_outer_product_over_a_squared_norm(name: str) -> None:
    """The update itself, v aᵀ/‖a‖², whose radius is never formed as a matrix while it is computed."""
    storage, numerics = format_named(name), numerics_of(name)

    @CAREFULLY
    @given(vector(storage), vector(storage), shares)
    def holds(v: list[float], a: list[float], s: list[float]) -> None:
        found = hazards(1)
        rv, true_v = spread(v, s)
        V, A = exact(held(storage, v), numerics, found, radius=rv), exact(held(storage, a), numerics, found)
        result = V @ A.mT / (A.mT @ A)
        norm = sum((Fraction(x) ** 2 for x in a), Fraction(0))
        if norm == 0:
            assert bool(found.underflow.all())
        elif not surprised(found):
            check(result, [[p * Fraction(q) / norm for q in a] for p in true_v], found)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_the_dense_layer_of_a_patched_weight(name: str) -> None:
    """fl((W + U)a + b) with U inexact, by torch's own dense layer, against the exact (W + U)a + b."""
    storage, numerics = format_named(name), numerics_of(name)

    @CAREFULLY
    @given(st.lists(vector(storage), min_size=K, max_size=K), vector(storage), vector(storage), vector(storage), vector(storage))
    def holds(rows: list[list[float]], b: list[float], v: list[float], a: list[float], x: list[float]) -> None:
        found = hazards(1)
        W = exact(torch.tensor(rows, dtype=torch.float64).to(torch_dtype(storage)), numerics, found)
        B, V, A, X = (exact(held(storage, y), numerics, found) for y in (b, v, a, x))
        weight = W + V @ A.mT
        value = torch.vmap(lambda w, y: torch.nn.functional.linear(y.unsqueeze(0), w, B.value[0, :, 0]).squeeze(0))(weight.value, X.value.squeeze(-1))
        result = dense_layer(weight, B, X, value.unsqueeze(-1), apart=numerics.patched_bias_rounded_apart)
        if surprised(found):
            return
        truth = [
            [sum(((Fraction(w) + Fraction(p) * Fraction(q)) * Fraction(y) for w, q, y in zip(row, a, x, strict=True)), Fraction(c))]
            for row, p, c in zip(rows, v, b, strict=True)
        ]
        check(result, truth, found)

    holds()


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
