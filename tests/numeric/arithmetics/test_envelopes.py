"""An envelope is never below what exact arithmetic gives on the same float64 numbers, whatever float64 does on the way."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.envelope import Envelope

SIZE = 3
reals = st.one_of(st.floats(0, 4), st.floats(0, 1e-300), st.floats(0, 5e-310), st.floats(0, 1e150))
columns = st.lists(reals, min_size=SIZE, max_size=SIZE)
CAREFULLY = settings(max_examples=300, deadline=None)


def column(x: list[float]) -> Tensor:
    return torch.tensor(x, dtype=torch.float64).reshape(1, -1, 1)


def at_least(bound: Tensor, exact: Fraction) -> bool:
    value = float(bound)
    return value == float("inf") or Fraction(value) >= exact


@CAREFULLY
@given(columns, columns, columns, columns)
def test_apply_is_above_the_exact_product(u: list[float], v: list[float], w: list[float], x: list[float]) -> None:
    envelope = Envelope(outers=((column(u), column(v).mT),), parts=(column(w),))
    result = envelope.apply(column(x))
    for row in range(SIZE):
        exact = sum(((Fraction(u[row]) * Fraction(v[k]) + Fraction(w[row])) * Fraction(x[k]) for k in range(SIZE)), Fraction(0))
        assert at_least(result[0, row, 0], exact)


@CAREFULLY
@given(columns, columns, st.one_of(st.floats(5e-324, 4), st.floats(1e-308, 1e-290)))
def test_divided_is_above_the_exact_quotient_and_does_not_overflow_on_the_way(u: list[float], v: list[float], divisor: float) -> None:
    envelope = Envelope(outers=((column(u), column(v).mT),)).divided(torch.full((1, 1, 1), divisor, dtype=torch.float64))
    dense = envelope.dense(SIZE, SIZE)
    for i in range(SIZE):
        for j in range(SIZE):
            assert at_least(dense[0, i, j], Fraction(u[i]) * Fraction(v[j]) / Fraction(divisor))


def test_a_quotient_by_a_subnormal_square_stays_finite() -> None:
    """‖a‖² = 2^-1070 has no reciprocal in float64, but |v||a|/‖a‖² = 2^535 is a number of it."""
    envelope = Envelope(outers=((column([1.0] * SIZE), column([2.0**-535] * SIZE).mT),))
    bound = envelope.divided(torch.full((1, 1, 1), 2.0**-1070, dtype=torch.float64)).dense(SIZE, SIZE)
    assert bool(torch.isfinite(bound).all())
    assert bool((bound >= 2.0**535).all())


@CAREFULLY
@given(columns, columns)
def test_the_largest_entry_is_bounded(u: list[float], v: list[float]) -> None:
    envelope = Envelope(outers=((column(u), column(v).mT),), parts=(column(v),))
    exact = max(Fraction(a) * Fraction(b) + Fraction(c) for a, c in zip(u, v, strict=True) for b in v)
    assert at_least(envelope.largest().squeeze(), exact)


def test_without_widening_a_sum_can_be_too_small() -> None:
    """The planted negative: 1 + 2^-53 is 1 in float64, which is less than the sum; widened it is more."""
    total = torch.tensor(1.0, dtype=torch.float64) + torch.tensor(2.0**-53, dtype=torch.float64)
    exact = Fraction(1) + Fraction(1, 2**53)
    assert Fraction(float(total)) < exact
    assert Fraction(float(outward(total, 1))) >= exact


@CAREFULLY
@given(st.one_of(reals, st.floats(0, 1.7e308)), st.integers(1, 5000))
def test_widening_covers_the_roundings_that_it_is_told_of(computed: float, operations: int) -> None:
    """x̂ ≥ x(1 - γ_n) - n·2^-1075 leaves x at most (x̂ + n·2^-1075)/(1 - γ_n), in exact rationals."""
    n, u = operations, Fraction(1, 2**53)
    largest = (Fraction(computed) + n * Fraction(1, 2**1075)) / (1 - n * u / (1 - n * u))
    assert at_least(outward(column([computed]), operations), largest)


def test_a_ninth_of_the_widening_would_not() -> None:
    """The planted negative: adding 2^-53 to 1 over and over leaves 1 in float64; a third of a number for each addition is too little."""
    n = 300
    total = torch.tensor(1.0, dtype=torch.float64)
    for _ in range(n):
        total = total + 2.0**-53
    exact = 1 + n * Fraction(1, 2**53)
    assert Fraction(float(outward(total, n // 9))) < exact
    assert Fraction(float(outward(total, n))) >= exact


def test_what_is_no_number_bounds_nothing() -> None:
    infinity = torch.tensor(float("inf"), dtype=torch.float64)
    for nothing in (torch.full_like(infinity, float("nan")), 0 * infinity, -(0 * infinity), infinity):
        assert float(outward(nothing, 1)) == float("inf")
    assert float(outward(torch.tensor(1.7976931348623157e308, dtype=torch.float64), 1)) == float("inf")


def test_one_matrix_for_all_cases_is_applied_as_one_for_each() -> None:
    generator = torch.Generator().manual_seed(0)
    part, x = torch.rand((SIZE + 1, SIZE), generator=generator, dtype=torch.float64), torch.rand((5, SIZE, 1), generator=generator, dtype=torch.float64)
    shared, own = Envelope(parts=(part,)).apply(x), Envelope(parts=(part.expand(5, -1, -1),)).apply(x)
    assert shared.shape == own.shape == (5, SIZE + 1, 1)
    # 3·2q and 3·2 numbers up, and 2q roundings on the way, each at most 2^-52 of the value
    largest_excess = Fraction(3 * 2 * SIZE + 6 + 2 * SIZE, 2**52)
    for bound in (shared, own):
        for case in range(5):
            for row in range(SIZE + 1):
                exact = sum(Fraction(float(part[row, k])) * Fraction(float(x[case, k, 0])) for k in range(SIZE))
                assert exact <= Fraction(float(bound[case, row, 0])) <= exact * (1 + largest_excess)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("q", [3, 32, 768])
def test_a_product_in_the_parts_own_format_is_above_the_exact_one(q: int, dtype: torch.dtype) -> None:
    """A matrix a case is multiplied in fp32: what fp32 loses has to be made up for, and it does lose."""
    generator = torch.Generator().manual_seed(q)
    part = torch.rand((4, 8, q), generator=generator).to(dtype)
    x = torch.rand((4, q, 1), generator=generator, dtype=torch.float64)
    by = torch.full((4, 1, 1), 0.75, dtype=torch.float64)
    bound = Envelope(weighted=((part, by),)).apply(x)
    plain = (part.float() @ x.float()).double() * by
    too_small = 0
    for case in range(4):
        for row in range(8):
            exact = Fraction(3, 4) * sum(
                (Fraction(p) * Fraction(y) for p, y in zip(part[case, row].tolist(), x[case, :, 0].tolist(), strict=True)), Fraction(0)
            )
            assert at_least(bound[case, row, 0], exact)
            too_small += not at_least(plain[case, row, 0], exact)
    assert too_small > 0, "the planted negative: fp32 alone rounds down now and then"
