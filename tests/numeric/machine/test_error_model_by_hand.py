"""The numbers that every bound takes from an error model, by their definitions; and what it says of one call."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from numeric.formats import format_named
from numeric.machine import ErrorModel, Refinement
from numeric.machine.error_model import opmath_of
from numeric.machine.kernels import DENSE, INNER_PRODUCT, PATCHED_WEIGHT, KernelAt
from numeric.machine.refinements import REFINEMENTS
from numeric.machine.summation_tree import one_after_the_other

FP64, FP32, BF16, FP16, TF32 = (format_named(name) for name in ("fp64", "fp32", "bf16", "fp16", "tf32"))
PLAIN = ErrorModel(FP32, FP32, FP32, frozenset(), False, False, False, "cpu")
WIDE = replace(PLAIN, storage=BF16)
"""Bf16, computed and summed in fp32."""
U = Fraction(1, 2**53)
"""Of the float64 in which a sum of two units is held."""
CALL: Any = SimpleNamespace(kernel=DENSE, rows=3, columns=4)


@pytest.mark.parametrize(("storage", "opmath"), [(BF16, FP32), (FP16, FP32), (FP32, FP32), (FP64, FP64)])
def test_an_operation_is_rounded_once_or_twice(storage: Any, opmath: Any) -> None:
    """(1+u)(1+v) - 1 where it is computed in a wider format, and twice v beside u covers the product of both; u where it is not."""
    n = replace(PLAIN, storage=storage, accumulation=opmath, opmath=opmath)
    u, v = Fraction(storage.unit_roundoff), Fraction(opmath.unit_roundoff) if opmath != storage else Fraction(0)
    assert (1 + u) * (1 + v) - 1 <= Fraction(n.elementwise_roundoff) <= u + 2 * v
    half = [max(Fraction(row.smallest_subnormal) / 2, Fraction(1, 2**1074)) for row in (storage, opmath)]  # half of fp64's own is no float64
    eta = sum(half) if opmath != storage else half[0]
    lowest = Fraction(storage.smallest_normal)
    for found, wanted in ((n, eta), (replace(n, elementwise_flushes=True), eta + lowest)):
        assert wanted * (1 - U) <= Fraction(found.elementwise_underflow) <= wanted * (1 + U)


def test_a_sum_is_rounded_to_nearest_or_cut_off() -> None:
    """To nearest: half a unit in the last place, 2^-p of a number. Cut off, a whole one; and of the largest of several terms, which is twice that."""
    assert Fraction(PLAIN.sum_roundoff) == Fraction(1, 2**24)
    assert Fraction(replace(PLAIN, truncates=True).sum_roundoff) == 2 * 2 * Fraction(1, 2**24)
    assert Fraction(replace(PLAIN, accumulation=BF16).sum_roundoff) == Fraction(1, 2**8)


@pytest.mark.parametrize(
    ("n", "exact"),
    [
        (PLAIN, False),  # 24 and 24 bits in 24
        (WIDE, True),  # 8 and 8
        (replace(PLAIN, operands=TF32), True),  # 11 and 11
        (replace(PLAIN, storage=FP32, accumulation=FP64), True),  # 24 and 24 in 53
        (replace(PLAIN, storage=BF16, matrices=FP32), False),  # 24 and 8 in 24
        (replace(PLAIN, storage=FP16, accumulation=format_named("tf32"), opmath=FP32), False),  # 11 and 11 in 11
        (replace(PLAIN, storage=FP32, matrices=BF16), False),  # 8 and 24 in 24
    ],
)
def test_a_product_is_exact_where_its_bits_fit(n: ErrorModel, exact: bool) -> None:
    assert n.product_is_exact is exact


def facts(**given: Any) -> Any:
    found = {"flushes": False, "accumulation": BF16, "truncates": True, "whole": False, "order": None, "apart": True}
    return SimpleNamespace(known=lambda call: SimpleNamespace(**{**found, **given}))


def test_a_call_is_as_the_machine_answers() -> None:
    order = one_after_the_other(4, bias=False)
    n = replace(PLAIN, operands=TF32, bias_is_an_operand=True, flushing=frozenset({INNER_PRODUCT}), service=facts(flushes=True, order=order))
    met = n.met(CALL)
    assert (met.numerics.accumulation, met.numerics.truncates, met.order, met.apart) == (BF16, True, order, True)
    assert met.numerics.flushing == {INNER_PRODUCT, DENSE}
    assert (met.numerics.operands, met.numerics.bias_is_an_operand) == (TF32, True)
    met = replace(n, flushing=frozenset({INNER_PRODUCT, DENSE}), service=facts(whole=True, apart=False)).met(CALL)
    assert met.numerics.flushing == {INNER_PRODUCT}
    assert (met.numerics.operands, met.numerics.bias_is_an_operand, met.apart) == (None, False, False)
    assert replace(n, refinements=REFINEMENTS - {Refinement.SUMMATION_ORDER}).met(CALL).order is None


def test_without_a_service_a_call_is_as_the_fields_say() -> None:
    order, at = one_after_the_other(4, bias=False), KernelAt(DENSE, 3, 4)
    n = replace(PLAIN, operands=TF32, bias_is_an_operand=True, orders={at: order}, whole=frozenset({KernelAt(PATCHED_WEIGHT, 3, 4)}))
    patched: Any = SimpleNamespace(kernel=PATCHED_WEIGHT, rows=3, columns=4)
    for apart in (False, True):
        row = replace(n, rounds_before_bias=apart, patched_rounds_before_bias=not apart)
        assert (row.met(CALL).apart, row.met(patched).apart) == (apart, not apart)
    assert (n.met(CALL).numerics.operands, n.met(CALL).order) == (TF32, order)
    assert (n.met(patched).numerics.operands, n.met(patched).numerics.bias_is_an_operand, n.met(patched).order) == (None, False, None)
    assert replace(n, refinements=REFINEMENTS - {Refinement.SUMMATION_ORDER}).order(DENSE, 3, 4) is None


def test_what_is_computed_in_fp32_and_what_in_itself() -> None:
    assert [opmath_of(row) for row in (FP64, FP32, BF16, FP16)] == [FP64, FP32, FP32, FP32]


def test_a_model_has_a_name() -> None:
    assert (PLAIN.name, WIDE.name, replace(WIDE, label="bf16-reduced").name) == ("fp32", "bf16+fp32", "bf16-reduced+fp32")
