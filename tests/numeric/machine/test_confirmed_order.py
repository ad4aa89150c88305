"""No order but a kernel's own is confirmed, or believed as a guess: all orders of few terms, and neighbours of orders of many."""

from dataclasses import replace

import pytest
import torch

from numeric.formats import format_named, torch_dtype
from numeric.machine.confirmed_order import confirmed
from numeric.machine.operands import Operand
from numeric.machine.summation_order import revealed
from numeric.machine.summation_tree import Order, one_after_the_other, order_of
from tests.numeric.machine.summation_trees import added, adding, joined, stored, trees

FORMATS = [("fp64", None), ("fp32", None), ("bf16", None), ("fp16", None), ("fp32", "tf32"), ("fp32", "fp8-e4m3"), ("fp32", "fp8-e5m2")]
"""What is stored, and the operands where they are shorter."""


def false_orders(name: str, operands: str | None, shape: tuple[int, int], orders: list[Order], *, bias: bool) -> list[tuple[Order, Order]]:
    """Each kernel and each other order that would be confirmed of it. Every kernel's own order has to be. The sums are added up once more, by a plain stack."""
    found, short, dtype = [], operands and format_named(operands), torch_dtype(format_named(name))
    for guess in orders:
        bench, terms = adding(guess, shape, name, bias=bias)
        assert confirmed(bench, guess, bias=bias, operands=short or None)
        together = [torch.cat([term.flatten() for term in leaf]) for leaf in zip(*terms, strict=True)]
        right = added(guess, together, dtype)
        others = [kernel for kernel in orders if torch.equal(added(kernel, together, dtype), right)]
        found += [(kernel, guess) for kernel in others if joined(kernel, bias=bias) != joined(guess, bias=bias)]
    return found


def all_orders(leaves: int, *, strands: bool) -> list[Order]:
    """Of all trees, and of all ways to store their strands."""
    orders = [order_of(tree) for tree in trees(tuple(range(leaves)))]
    return [way for order in orders for way in (order, *stored(order))] if strands else orders


@pytest.mark.parametrize(("name", "operands"), FORMATS)
def test_of_few_terms_no_false_order_is_confirmed(name: str, operands: str | None) -> None:
    """Of two products and a bias, and of one, where the only question is what is stored."""
    strands = name in ("bf16", "fp16")
    for leaves in (2, 3):
        assert not false_orders(name, operands, (6, leaves - 1), all_orders(leaves, strands=strands), bias=True)


def test_of_four_terms_no_false_order_is_confirmed() -> None:
    assert not false_orders("bf16", None, (6, 3), all_orders(4, strands=False), bias=True)


@pytest.mark.soak
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize(("name", "operands"), FORMATS)
def test_of_up_to_five_terms_no_false_order_is_confirmed(name: str, operands: str | None, bias: bool) -> None:
    """One row alone, as an inner product has, and many; in 16 bits, all ways to store the strands of up to four."""
    for leaves in (2, 3, 4, 5):
        for rows in (1, 2, 6, 40):
            orders = all_orders(leaves, strands=leaves < 5 and name in ("bf16", "fp16"))
            assert not false_orders(name, operands, (rows, leaves - bias), orders, bias=bias), (leaves, rows)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "operands"), [("fp32", None), ("bf16", None), ("fp32", "fp8-e5m2")])
def test_of_six_terms_no_false_order_is_confirmed(name: str, operands: str | None) -> None:
    orders = all_orders(6, strands=False)
    assert len(orders) == 945
    assert not false_orders(name, operands, (6, 5), orders, bias=True)


def test_an_order_is_determined_by_where_two_leaves_of_each_node_meet() -> None:
    """What a guess has to show, of no other tree of two to five leaves."""
    for leaves in (2, 3, 4, 5):
        orders = all_orders(leaves, strands=False)
        below = [sorted(joined(order, bias=False), key=len) for order in orders]
        for order in orders:
            agree = [nodes for nodes in below if all(len(next(node for node in nodes if node >= {*pair})) == size for pair, size in order.meetings.items())]
            assert len(order.meetings) == leaves - 1
            assert agree == [sorted(joined(order, bias=False), key=len)]


@pytest.mark.parametrize(("name", "columns", "bias"), [("bf16", 2, True), ("bf16", 40, False), ("fp16", 3, True), ("fp32", 5, True)])
def test_a_guess_that_is_another_order_is_not_believed(name: str, columns: int, bias: bool) -> None:
    """A chain, and guesses in which three leaves next to each other are added up in another order: with 40 terms of bf16 `confirmed` alone believes some."""
    leaves = list(range(columns + bias))
    bench, _ = adding(order_of(tuple(leaves)), (6, columns), name, bias=bias)
    own = revealed(bench, bias=bias)
    assert own is not None
    believed = 0
    for place in range(2, len(leaves), 1 + columns // 8):
        guess = order_of((*leaves[: place - 1], leaves[place], leaves[place - 1], *leaves[place + 1 :]))
        believed += confirmed(bench, guess, bias=bias)
        assert revealed(bench, bias=bias, guess=guess) == own
    assert (believed > 0) is (columns == 40)


def test_a_guess_of_other_length_is_not_believed() -> None:
    bench, _ = adding(one_after_the_other(5, bias=False), (6, 5), "fp32", bias=False)
    own = revealed(bench, bias=False)
    assert own is not None
    assert own.leaves == 5
    for guess in (one_after_the_other(4, bias=False), one_after_the_other(5, bias=True)):
        assert revealed(bench, bias=False, guess=guess) == own


@pytest.mark.parametrize("strides", [(1,), (0,)], ids=["a bias", "one number expanded"])
def test_where_rows_share_their_bias_they_are_asked_one_at_a_time(strides: tuple[int, ...]) -> None:
    own = order_of((((0, 3), 2), 1))
    bench, _ = adding(own, (6, 3), "fp32", bias=True, batch=2)
    shared = replace(bench, call=replace(bench.call, bias=Operand("float32", (6,), strides)))
    assert shared.by_row == (6 if strides == (1,) else 1)
    found = revealed(shared, bias=True)
    assert found is not None
    assert joined(found, bias=True) == joined(own, bias=True)
