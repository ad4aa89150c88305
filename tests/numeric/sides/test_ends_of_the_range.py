"""Where a format ends: underflow that is amplified later, kernels that flush, denominators that overflow.

Each case was crafted so that one term of a rule is the whole of the error; a rule without that term is caught by it.
"""

import dataclasses
import math
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards
from numeric.arithmetics.value_and_radius import dense_layer
from numeric.formats import Format, modes_named, torch_dtype
from numeric.machine import ErrorModel, probing
from numeric.machine import kernels as kernel_table
from numeric.machine.kernels import ALL_KERNELS
from numeric.sides import Sides, judge
from numeric.sides.judging import Reason
from numeric.sides.one_side import MeasuredSide, Site
from symbolic.vocabulary import Verdict
from tests.numeric.formats.drawn_operands import NATIVE
from tests.numeric.measuring import with_bias_apart


def column(storage: Format, *values: float) -> Tensor:
    """A (1, n, 1) column of the format; the values are representable."""
    wide = torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1)
    stored = wide.to(torch_dtype(storage))
    assert torch.equal(stored.double(), wide)
    return stored


def first(x: Tensor) -> Fraction:
    return Fraction(x.double().flatten()[0].item())


def radius_of(x: WithRadius) -> Tensor:
    return x.entry_radius


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_half_of_the_smallest_subnormal_is_never_read_as_nothing(row: Format) -> None:
    """2^-1074/2 is 0 in float64, and an error of 0 stays 0 however often it is multiplied."""
    assert 0 < Fraction(row.smallest_subnormal) / 2 <= Fraction(row.half_subnormal) <= Fraction(row.smallest_subnormal)


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_an_outer_product_that_underflows_keeps_its_error_when_it_is_multiplied(row: Format, arithmetic: dict[str, ErrorModel]) -> None:
    """2.25η is stored as 2η; times y, the lost quarter of η is the whole error, and it grows with y."""
    found, numerics = hazards(1), arithmetic[row.name]
    exponent = int(math.log2(row.smallest_subnormal))
    low, high = 1.5 * 2.0 ** (exponent // 2), 1.5 * 2.0 ** (exponent - exponent // 2)
    y = 2.0 ** (row.max_exponent - 3)
    tall, wide, large = (exact(column(row, v), numerics, found) for v in (low, high, y))
    result = (tall @ wide.mT).mT @ large
    error = abs(first(result.value) - Fraction(low) * Fraction(high) * Fraction(y))
    assert error == Fraction(row.smallest_subnormal) * Fraction(y) / 4
    assert error <= first(radius_of(result))
    # Two entries, so that the second product is no outer product of scalars.
    tall, wide, large = (exact(column(row, v, v), numerics, found) for v in (low, high, y))
    result = (tall @ wide.mT) @ large
    error = abs(first(result.value) - 2 * Fraction(low) * Fraction(high) * Fraction(y))
    assert error == Fraction(row.smallest_subnormal) * Fraction(y) / 2
    assert error <= first(radius_of(result))
    assert not found.overflow.any()


FLUSHING = {"flushing": ALL_KERNELS, "elementwise_flushes": True}


def test_an_outer_product_may_be_flushed_whole(arithmetic: dict[str, ErrorModel]) -> None:
    """2^-20 is subnormal in fp16, though normal in the fp32 that it was computed in."""
    found, numerics = hazards(1), dataclasses.replace(arithmetic["fp16"], flushing=ALL_KERNELS)
    x = exact(column(numerics.storage, 2.0**-10), numerics, found)
    assert first(radius_of(x @ x.mT)) >= Fraction(1, 2**20)
    # The planted negative: the same machine without flushing keeps 2^-20, and its radius knows.
    keeping = dataclasses.replace(numerics, flushing=frozenset())
    y = exact(column(keeping.storage, 2.0**-10), keeping, found)
    assert first(radius_of(y @ y.mT)) < Fraction(1, 2**20)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("flags", [{"flushing": ALL_KERNELS}, FLUSHING])
@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_a_dense_layer_may_lose_its_product_and_its_bias(row: Format, flags: dict[str, Any], apart: bool, arithmetic: dict[str, ErrorModel]) -> None:
    """Wx and b are both just under λ and of one sign; a machine that flushes both answers 0."""
    found, numerics = hazards(1), dataclasses.replace(arithmetic[row.name], **flags)
    below = row.smallest_normal - row.smallest_subnormal
    one_ulp_below_one = 1.0 - row.unit_roundoff
    W = exact(column(row, one_ulp_below_one, 0.0).mT, numerics, found)
    x, b = exact(column(row, row.smallest_normal, 0.0), numerics, found), exact(column(row, below), numerics, found)
    true = Fraction(one_ulp_below_one) * Fraction(row.smallest_normal) + Fraction(below)
    flushed = dense_layer(with_bias_apart(W, apart), b, x, column(row, 0.0))
    assert true <= first(radius_of(flushed))
    keeping = dataclasses.replace(numerics, flushing=frozenset(), elementwise_flushes=False)
    W, x, b = (exact(v.value, keeping, found) for v in (W, x, b))
    assert true > first(radius_of(dense_layer(with_bias_apart(W, apart), b, x, column(row, 0.0)))), "an error model without flushing must notice a zero"


@pytest.mark.parametrize("operation", ["+", "-", "/"])
@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_an_elementwise_operation_may_lose_its_operands(row: Format, operation: str, arithmetic: dict[str, ErrorModel]) -> None:
    """Subnormal operands read as zero: 2(λ-η) is lost by a sum, and by a quotient all of (λ-η)/s."""
    found, numerics = hazards(1), dataclasses.replace(arithmetic[row.name], elementwise_flushes=True)
    below = row.smallest_normal - row.smallest_subnormal
    x, small, half = (exact(column(row, v), numerics, found) for v in (below, below, 0.5))
    minus = exact(column(row, -below), numerics, found)
    result, lost = {
        "+": lambda: (x + small, 2 * Fraction(below)),
        "-": lambda: (x - minus, 2 * Fraction(below)),
        "/": lambda: (x / half, 2 * Fraction(below)),
    }[operation]()
    assert lost <= first(radius_of(result))
    assert not found.underflow.any()


def test_a_subnormal_denominator_that_may_be_read_as_zero_is_refused(arithmetic: dict[str, ErrorModel]) -> None:
    for flushes in (True, False):
        found, numerics = hazards(1), dataclasses.replace(arithmetic["fp32"], elementwise_flushes=flushes)
        exact(column(numerics.storage, 1.0), numerics, found) / exact(column(numerics.storage, 2.0**-130), numerics, found)
        assert bool(found.underflow.any()) is flushes


@pytest.mark.parametrize("spread", [1.0, 1.5, math.inf])
def test_a_denominator_no_larger_than_its_radius_is_refused(spread: float, arithmetic: dict[str, ErrorModel]) -> None:
    numerics = arithmetic["fp32"]
    for radius, refused in ((spread, True), (0.5, False)):
        found = hazards(1)
        denominator = exact(column(numerics.storage, -1.0), numerics, found, radius=torch.full((1, 1, 1), radius, dtype=torch.float64))
        exact(column(numerics.storage, 3.0), numerics, found) / denominator
        assert bool(found.underflow.any()) is refused


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_a_denominator_that_overflows_is_told_as_an_overflow(row: Format, arithmetic: dict[str, ErrorModel]) -> None:
    """‖a‖² = ∞ hides in a/∞ = 0, which is finite; it is foretold, seen, and called what it is."""
    found, numerics = hazards(1), arithmetic[row.name]
    a = exact(column(row, *[2.0 ** (row.max_exponent // 2 + 1)] * 4), numerics, found)
    result = a / (a.mT @ a)
    assert bool((result.value == 0).all())
    assert found.overflow.all()
    assert found.not_finite.all()
    assert not found.underflow.any()
    nothing = torch.zeros((1, 1), dtype=torch.float64)
    zero = MeasuredSide(Site(nothing, nothing), Site(nothing, nothing))
    vector, still = a.value.squeeze(-1), torch.zeros((1, 1), dtype=torch.float64)
    ones, inside = torch.ones((2, 1, 1), dtype=torch.float64), torch.zeros(1, dtype=torch.bool)
    judged = judge(Sides(vector, vector, vector, still, zero, zero, zero, *ones, None, torch.ones(1, 1), inside, found))
    assert (judged.verdict[0], judged.reason[0]) == (Verdict.INCONCLUSIVE, Reason.UPDATE_OVERFLOW)


@pytest.mark.parametrize("radius", [math.nan, math.inf])
def test_an_output_bound_that_is_not_finite_is_never_a_pass(radius: float) -> None:
    """The first layer is inside a sharp bound; of the output nothing is known."""

    def side(output_radius: float) -> MeasuredSide:
        one = torch.ones((1, 1), dtype=torch.float64)
        return MeasuredSide(Site(one, 0.125 * one), Site(one, output_radius * one))

    a, still = torch.ones((1, 1)), torch.zeros((1, 1), dtype=torch.float64)
    for right, expected in ((side(radius), Verdict.VACUOUS), (side(0.5), Verdict.HOLDS)):
        ones, inside = torch.ones((2, 1, 1), dtype=torch.float64), torch.ones(1, dtype=torch.bool)
        judged = judge(Sides(a, a, a, still, side(0.5), right, side(0.5), *ones, None, torch.ones(1, 1), inside, hazards(1)))
        assert judged.verdict[0] == expected


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_bias_that_is_rounded_apart_only_in_large_batches_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library may choose its kernel by the batch: the bias probe asks at the size of a measurement's, as the others do."""

    def honest(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
        product = x.double() @ W.double().mT
        return (product if b is None else product + b.double()).to(x.dtype)

    def apart_if_large(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
        return honest(x, W) + b if b is not None and x.shape[0] >= probing.BATCH else honest(x, W, b)

    (mode,) = modes_named([name])
    for kernel, found in ((honest, False), (apart_if_large, True)):
        monkeypatch.setattr(kernel_table.F, "linear", kernel)
        assert probing.probe(mode, shapes=((8, 5),)).layer.rounds_before_bias is found
