"""An envelope is never below what exact arithmetic gives on the same float64 numbers, whatever float64 does on the way."""

from fractions import Fraction

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.envelope import Envelope, widen

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
    assert Fraction(float(widen(total, 1))) >= exact


def test_what_is_no_number_bounds_nothing() -> None:
    assert float(widen(torch.tensor(float("nan"), dtype=torch.float64), 1)) == float("inf")
