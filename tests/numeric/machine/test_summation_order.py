"""The order of a sum: revealed from a kernel that adds in it, refused where a kernel does not, and what partial sums are worth."""

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from operator import add, or_
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.arithmetics.envelope import Envelope
from numeric.arithmetics.partial_sums import Form, Terms, partial_sums
from numeric.formats import format_named, torch_dtype
from numeric.machine.bench import Bench, usual_bench
from numeric.machine.confirmed_order import confirmed
from numeric.machine.kernels import ProductKernel
from numeric.machine.summation_order import revealed
from numeric.machine.summation_tree import ADD, MERGE, PUSH, Order, order_of

K = 11
FP32 = format_named("fp32")


def plain(terms: list[Tensor], tree, store: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
    """The sum in the order of a tree, by recursion."""
    if isinstance(tree, int):
        return terms[tree]
    first, *rest = (plain(terms, part, store) for part in tree)
    for part in rest:
        first = store(first + part)
    return first


def chain(leaves: list[int]):
    return tuple(leaves)


def pairwise(leaves: list[int]):
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    return (pairwise(leaves[:half]), pairwise(leaves[half:]))


TREES = {
    "one after the other": chain(list(range(K))),
    "backwards": chain(list(range(K))[::-1]),
    "in another order": chain([3, 0, 7, 1, 10, 2, 9, 8, 4, 6, 5]),
    "pairwise": pairwise(list(range(K))),
    "two blocks": (chain(list(range(6))), chain(list(range(6, K)))),
    "four strands": chain([chain(list(range(start, K, 4))) for start in range(4)]),
}


def kernel(tree, X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    """Products rounded apart, then added in the accumulator in the tree's order, then stored."""
    wide = torch.float64 if X.dtype == torch.float64 else torch.float32
    terms = [X[:, :, k].to(wide) * y[:, k].to(wide) for k in range(X.shape[-1])]
    return plain(terms, tree).to(X.dtype).unsqueeze(-1)


def bench(run: Callable[[Tensor, Tensor, Tensor | None], Tensor], name: str = "fp32", columns: int = K, batch: int = 32) -> Bench:
    row = format_named(name)
    return usual_bench(ProductKernel("planted", run, own_matrix=True), (5, columns), row, batch)


def nodes(order: Order, leaves: Sequence[Any], join: Callable[[Any, Any], Any]) -> list[Any]:
    """What stands at each node of the program's tree, if parts are so joined."""
    stack: list[Any] = []
    found = []
    for op, leaf in order.program:
        assert op in (PUSH, ADD, MERGE)
        part = stack.pop() if op == MERGE else leaves[leaf]
        stack.append(part if op == PUSH else join(stack.pop(), part))
        found.append(stack[-1])
    return found


def leaves_below(order: Order) -> set[frozenset[int]]:
    """The sets of leaves that are added up at the nodes; they determine the tree."""
    return {leaves for leaves in nodes(order, [frozenset([leaf]) for leaf in range(order.leaves)], or_) if len(leaves) > 1}


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_an_order_is_revealed(tree, name: str) -> None:
    found = revealed(bench(partial(kernel, tree), name), bias=False)
    assert found is not None
    assert leaves_below(found) == leaves_below(order_of(tree))
    assert found.leaves == K
    assert not found.stored_strands


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
def test_a_tree_that_is_not_the_kernels_is_not_confirmed(name: str) -> None:
    """The planted negative: every pair of different orders gives different bits somewhere."""
    for kernels_own, tree in TREES.items():
        asked = bench(partial(kernel, tree), name)
        for other in TREES:
            assert confirmed(asked, order_of(TREES[other]), bias=False) == (other == kernels_own), (kernels_own, other)


def fused_adds(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    """Four exact products at a time are added without a rounding, as tensor cores do."""
    products = X.double() * y.double().mT
    total = torch.zeros(X.shape[:2], dtype=torch.float32)
    for start in range(0, X.shape[-1], 4):
        total = (total.double() + products[:, :, start : start + 4].sum(-1)).float()
    return total.to(X.dtype).unsqueeze(-1)


def depends_on_the_data(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    """One after the other for the operands that reveal an order, pairwise for all others."""
    asked = bool((X == 1).all())
    return kernel(TREES["one after the other" if asked else "pairwise"], X, y, b)


def differs_by_row(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    one, other = kernel(TREES["one after the other"], X, y, b), kernel(TREES["backwards"], X, y, b)
    return torch.cat([one[:, :-1], other[:, -1:]], dim=1)


@pytest.mark.parametrize("lie", [fused_adds, depends_on_the_data, differs_by_row])
def test_a_kernel_without_one_order_has_none(lie: Callable) -> None:
    assert revealed(bench(lie, "fp32"), bias=False) is None
    assert revealed(bench(partial(kernel, TREES["pairwise"]), "fp32"), bias=False) is not None


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_strands_that_are_stored_before_they_are_added_are_known_as_such(name: str) -> None:
    dtype = torch_dtype(format_named(name))

    def blockwise(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
        terms = [X[:, :, k].float() * y[:, k].float() for k in range(K)]
        first, second = plain(terms, chain(list(range(6)))).to(dtype), plain(terms, chain(list(range(6, K)))).to(dtype)
        return (first + second).unsqueeze(-1)

    found = revealed(bench(blockwise, name), bias=False)
    assert found is not None
    assert found.stored_strands
    assert leaves_below(found) == leaves_below(order_of(TREES["two blocks"]))


def test_more_terms_than_a_short_format_can_count() -> None:
    """bf16 has no 257: the units stand in windows of 256."""
    tree = (chain(list(range(300))), chain(list(range(300, 600))))
    found = revealed(bench(partial(kernel, tree), "bf16", columns=600, batch=600), bias=False)
    assert found is not None
    assert leaves_below(found) == leaves_below(order_of(tree))


@pytest.mark.parametrize("name", ["fp64", "fp32"])
def test_a_product_that_is_rounded_apart_is_told_from_one_that_is_not(name: str) -> None:
    def fused(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
        total = torch.zeros((len(X), X.shape[1]), dtype=X.dtype)
        for case in range(len(X)):
            for i in range(X.shape[1]):
                held = Fraction(0)
                for p, q in zip(X[case, i].tolist(), y[case].flatten().tolist(), strict=True):
                    held = Fraction(torch.tensor(float(held + Fraction(p) * Fraction(q)), dtype=X.dtype).item())
                total[case, i] = float(held)
        return total.unsqueeze(-1)

    apart = revealed(bench(partial(kernel, TREES["one after the other"]), name), bias=False)
    together = revealed(bench(fused, name, batch=8), bias=False)
    assert apart is not None
    assert together is not None
    assert (apart.fused, together.fused) == (False, True)


numbers = st.integers(-1000, 1000).map(lambda n: n / 8)


@settings(max_examples=100, deadline=None)
@given(st.lists(numbers, min_size=K, max_size=K), st.lists(numbers, min_size=K, max_size=K), st.sampled_from(sorted(TREES)), numbers, numbers)
def test_partial_sums_are_those_of_the_tree(x: list[float], y: list[float], name: str, v: float, c: float) -> None:
    """A row x + v·aᵀ in its short form, against the sums over the tree in exact rationals."""
    order = order_of(TREES[name])
    a = [c + k for k in range(K)]
    form = Form(torch.tensor([x], dtype=torch.float64), ((torch.tensor([[[v]]], dtype=torch.float64), torch.tensor([[a]], dtype=torch.float64)),))
    column = torch.tensor(y, dtype=torch.float64).reshape(1, K, 1)
    terms = [(Fraction(p) + Fraction(v) * Fraction(q)) * Fraction(r) for p, q, r in zip(x, a, y, strict=True)]
    absolute = torch.tensor([[[float(sum(map(abs, terms)))]]], dtype=torch.float64)
    found = partial_sums(Terms(form, column, absolute), order, exact_products=False)
    exact = sum((abs(total) for total in nodes(order, terms, add)), Fraction(0))
    bound = Fraction(found.accumulated.item())
    assert exact <= bound
    assert bound <= exact + sum(map(abs, terms)) * Fraction(1, 2**30) + Fraction(1, 2**1000)
    assert found.stored.item() <= absolute.item() * 2.0**-30 + 2.0**-1000


def test_what_a_form_leaves_out_is_in_its_slack() -> None:
    """A row that is 1/4 away from its form in every entry: each partial sum is that much larger, times y."""
    order = order_of(TREES["one after the other"])
    y = torch.ones((1, K, 1), dtype=torch.float64)
    slack = Envelope(parts=(torch.full((1, 1, 1), 0.25, dtype=torch.float64),))
    absolute = torch.full((1, 1, 1), 1.25 * K, dtype=torch.float64)
    exact = sum(1.25 * k for k in range(1, K + 1))
    with_slack = partial_sums(Terms(Form(torch.ones((1, K), dtype=torch.float64), (), slack), y, absolute), order, exact_products=False)
    without = partial_sums(Terms(Form(torch.ones((1, K), dtype=torch.float64)), y, absolute), order, exact_products=False)
    assert without.accumulated.item() < exact <= with_slack.accumulated.item()


def test_strands_that_are_stored_are_rounded_before_and_after_they_are_added() -> None:
    """Strands 1+2 and 3+4: 3 and 7 are rounded in the accumulator as they are formed, and 3, 7 and 10 in storage."""
    order = dataclasses.replace(order_of(((0, 1), (2, 3))), stored_strands=True)
    y = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64).reshape(1, 4, 1)
    form, absolute = Form(torch.ones((1, 4), dtype=torch.float64)), torch.full((1, 1, 1), 10.0, dtype=torch.float64)
    found = partial_sums(Terms(form, y, absolute), order, exact_products=True)
    for part, exact in ((found.accumulated, 10), (found.stored, 20)):
        assert exact <= Fraction(float(part)) <= exact * (1 + Fraction(1, 2**30))


def test_a_divided_form_is_within_its_slack() -> None:
    """Its columns and rows are divided in float64, which rounds; the slack covers what they are then off by, and is needed."""
    generator = torch.Generator().manual_seed(0)
    col, row, divisor = (torch.rand(shape, generator=generator, dtype=torch.float64) + 0.1 for shape in ((8, 3, 1), (8, 1, 5), (8, 1, 1)))
    divided = Form(None, ((col, row),)).divided(divisor, Envelope())
    assert divided is not None
    ((left, right),) = divided.outers
    slack = divided.slack.dense(3, 5)
    off = 0
    for case in range(8):
        for i in range(3):
            for j in range(5):
                exact = Fraction(float(col[case, i, 0])) * Fraction(float(row[case, 0, j])) / Fraction(float(divisor[case, 0, 0]))
                error = abs(Fraction(float(left[case, i, 0])) * Fraction(float(right[case, 0, j])) - exact)
                assert error <= Fraction(float(slack[case, i, j]))
                off += error > 0
    assert off > 0
