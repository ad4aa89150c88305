"""How much the roundings of a sum can make of a term, against a count of those that it goes through, tree by tree."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numeric.arithmetics.growth import grown
from numeric.formats import format_named
from numeric.machine import FP64
from numeric.machine.summation_tree import ADD, PUSH, Order, Tree, order_of

TREES = st.recursive(st.just(0), lambda inner: st.lists(inner, min_size=2, max_size=4).map(tuple), max_leaves=24).filter(lambda tree: tree != 0)
WIDE, NARROW = format_named("fp32"), format_named("bf16")
U = Fraction(8, 2**53)
"""A few roundings of float64."""
MODEL = replace(FP64, storage=NARROW, accumulation=WIDE, opmath=WIDE)


def stated(order: Order) -> Fraction:
    """As its proof says, in rationals."""

    def gamma(k: int, u: Fraction) -> Fraction:
        return k * u / (1 - k * u)

    u, v = (Fraction(row.unit_roundoff) for row in (WIDE, NARROW))
    return (1 + gamma(order.height + 1, u)) * (1 + gamma(2 * order.strands, v) if order.stored_strands else 1)


def numbered(tree: object) -> Tree:
    """With its leaves in turn."""
    leaves = iter(range(1000))

    def of(part: object) -> Tree:
        return next(leaves) if part == 0 else tuple(of(inner) for inner in part)  # type: ignore[attr-defined]

    return of(tree)


def roundings(order: Order) -> list[tuple[int, int]]:
    """Of each leaf, how many roundings its product, and the sums that it is in, go through in the accumulator, and how many in storage."""
    counts: dict[int, list[int]] = {}
    stack: list[list[int]] = []
    for op, leaf in order.program:
        if op in (PUSH, ADD):
            counts[leaf] = [1, 0]
        if op == PUSH:
            stack.append([leaf])
            continue
        held = [leaf] if op == ADD else stack.pop()
        if op != ADD and order.stored_strands:
            for each in (*stack[-1], *held):
                counts[each][1] += 1 + (counts[each][1] == 0)  # a strand is stored once, and each sum of two when it is made
        else:
            for each in (*stack[-1], *held):
                counts[each][0] += 1
        stack[-1] += held
    if order.stored_strands:
        for each in counts.values():
            each[1] += each[1] == 0
    return [(inner, outer) for inner, outer in counts.values()]


@pytest.mark.parametrize("stored", [False, True])
@given(tree=TREES)
def test_no_term_grows_more(tree: object, stored: bool) -> None:
    order = replace(order_of(numbered(tree)), stored_strands=stored)
    found = Fraction(grown(order.leaves, order, MODEL))
    assert found >= (1 - U) * stated(order)
    u, v = (Fraction(row.unit_roundoff) for row in (WIDE, NARROW))
    exact = max((1 + u) ** inner * (1 + v) ** outer for inner, outer in roundings(order))
    assert exact <= found
    assert found <= (1 + U) * stated(order)
    anywhere = Fraction(grown(order.leaves, None, replace(MODEL, accumulation=NARROW)))
    terms = order.leaves * Fraction(NARROW.unit_roundoff)
    assert abs(anywhere - 1 / (1 - terms)) <= U * anywhere
    assert found <= anywhere or stored, "a known order is worth something"


def test_a_long_sum_of_short_strands_is_bounded() -> None:
    """300 terms in bf16 could grow without limit in an order that nobody knows."""
    blocks = tuple(tuple(range(start, min(start + 8, 300))) for start in range(0, 300, 8))
    order = replace(order_of(blocks), stored_strands=True)
    assert grown(300, order, MODEL) < 2
    assert grown(300, None, replace(MODEL, accumulation=NARROW)) == float("inf")
    assert grown(299, order, replace(MODEL, accumulation=NARROW)) == float("inf"), "an order of another number of terms is none"
