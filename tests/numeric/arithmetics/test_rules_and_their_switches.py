"""What each condition of the rules for products and layers decides: at the operands here the other branch is wrong, or wider for nothing.

Trials as in ``test_rules_at_the_edges.py``; where a radius is only to be small, the planted one is that of the switch the other way.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from numeric.arithmetics import value_and_radius
from numeric.formats import Format
from numeric.machine import Refinement
from numeric.machine.kernels import KernelAt
from numeric.machine.operands import KernelCall
from numeric.machine.summation_tree import Order
from tests.numeric.arithmetics.rule_trials import FP32, TF32, Desk, chain
from tests.numeric.formats.drawn_operands import NATIVE


def radius(desk: Desk, order: Order | None, *entries: float, matrix: bool = False, bare: bool = False) -> float:
    """Of ones times these entries, which add up to nothing."""
    X = desk.matrix(*[1.0] * len(entries)) if matrix else desk.column(*[1.0] * len(entries)).mT
    X = replace(X, form=None) if bare else X
    if order is not None:
        X = replace(X, numerics=replace(desk.numerics, orders={KernelAt("asked", *X.value.shape[-2:]): order}))
    y = desk.column(*entries)
    answer = desk.held(0.0).expand(1, X.value.shape[-2], 1)
    return float(desk.rules.product_radius(X, y, answer, KernelCall.of("asked", X.value, y.value)).max())


def an_order_is_of_use_where_it_may_be_used(desk: Desk) -> Iterator[bool]:
    """1 - 1 + 0: partial sums say less than the sum of absolutes; not of a matrix without a short form, nor where sums are cut off."""
    entries, order = (1.0, -1.0, 0.0), chain(3)
    yield radius(desk, order, *entries) < radius(desk, None, *entries) / 2
    yield radius(desk, order, *entries) < radius(desk, chain(3, fused=False), *entries)  # which rounds each product
    yield radius(desk, order, *entries, matrix=True) < radius(desk, None, *entries, matrix=True) / 2
    yield radius(desk, order, *entries, matrix=True, bare=True) == radius(desk, None, *entries, matrix=True, bare=True)
    cut = desk.having(truncates=True)
    yield radius(cut, order, *entries) == radius(cut, None, *entries)


def an_exact_product_is_not_rounded(desk: Desk) -> Iterator[bool]:
    """In a wide accumulator the products round nothing, in an order or in none, and they are charged if that refinement is left out."""
    if not desk.short:
        return
    wide, entries = desk.wide, (1.0, -1.0, 0.0)
    coarse = wide.having(refinements=frozenset(Refinement) - {Refinement.EXACT_PRODUCTS})
    yield radius(wide, None, *entries) < radius(coarse, None, *entries)
    apart, fused = chain(3, fused=False), chain(3)
    yield radius(wide, apart, *entries) <= radius(wide, fused, *entries) < radius(coarse, apart, *entries)


def products_of_long_weights_are_rounded(desk: Desk) -> Iterator[bool]:
    """(1 + 2^-23)(1 + 2^-7) in fp32 loses 2^-30, which is all that is left when the rest is taken away; of weights in storage no product is rounded."""
    if desk.row.significand_bits != 8:
        return
    strandwise = desk.wide.having(accumulation=desk.row)
    W = torch.tensor([[[1.0 + 2.0**-23, 1.0 + 2.0**-7 + 2.0**-23, 0.0, 0.0]]])
    order = chain(4, fused=False, block=2)
    y = strandwise.column(1.0 + 2.0**-7, -1.0, 0.0, 0.0)
    for matrices, holds in ((FP32, True), (None, False)):
        at = replace(strandwise.numerics, matrices=matrices, orders={KernelAt("asked", 1, 4): order})
        X = desk.rules.exact(W, at, strandwise.found)
        found = desk.rules.product_radius(X, y, strandwise.held(0.0), KernelCall.of("asked", W, y.value)).item()
        yield (Fraction(1, 2**30) <= Fraction(found)) is holds


def a_bias_is_an_operand_or_it_is_not(desk: Desk) -> Iterator[bool]:
    """Where it is none it is charged no rounding; and one that nothing rounds is none either."""
    if desk.row != FP32:
        return
    odd = 1 + TF32.unit_roundoff
    for operands, bias_is_an_operand, charged in ((TF32, True, True), (TF32, False, False), (None, True, False)):
        at = desk.having(operands=operands, bias_is_an_operand=bias_is_an_operand)
        found = at.layer([1.0], [0.0], odd, odd, apart=True)
        yield bool((found.entry_radius > TF32.unit_roundoff / 2).all()) is charged


def a_kernel_that_flushes_has_room_for_the_sum_with_its_bias(desk: Desk) -> Iterator[bool]:
    """Of 2k + 1 smallest normal numbers that are charged for k products, k are lost at most: three more for the sum with the bias are not needed."""
    normal, u, k = desk.row.smallest_normal, desk.u, 4
    at = (desk.wide if desk.short else desk).having(flushing=frozenset({"asked"}))
    # Three products just below λ are flushed, if the accumulator begins there; one of 3λ/2 is not. With -λ it is λ/2, which is flushed as well.
    below = 1 - u if at.numerics.accumulation.smallest_normal == normal else 0.0
    W, x = [below, below, below, 1.5], [normal] * k
    lost = (3 * Fraction(below) + Fraction(1, 2)) * Fraction(normal)
    X, y = at.column(*W).mT, at.column(*x)
    products = at.rules.product_radius(X, y, at.held(1.5 * normal), KernelCall.of("asked", X.value, y.value))
    yield lost <= Fraction(products.item())
    yield at.inside(at.layer(W, x, -normal, 0.0, apart=True), lost)


def a_matrix_without_a_form_is_rounded_entry_by_entry(desk: Desk) -> Iterator[bool]:
    """As a shared one is: an entry of the operands' format loses nothing beside one that is not."""
    if desk.row != FP32:
        return
    short = desk.having(operands=TF32)
    bare = replace(short.matrix(1 + TF32.unit_roundoff, 1.0), form=None)
    found = desk.rules.operand_error_of_matrix(bare, short.numerics).dense(2, 2)
    yield bool((found[..., 0] > TF32.unit_roundoff).all()) and bool((found[..., 1] < 2.0**-1060).all())


SWITCHES = [each for each in list(vars().values()) if getattr(each, "__annotations__", {}).get("return") == Iterator[bool]]


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.__name__)
def test_every_switch_decides_something(switch: object, row: Format) -> None:
    found = list(switch(Desk(value_and_radius, row)))  # type: ignore[operator]
    assert all(found), [place for place, right in enumerate(found) if not right]
