"""All trees of a sum of few terms, all ways to store their strands, and kernels that add so."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from typing import Any

import torch
from torch import Tensor

from numeric.formats import format_named, torch_dtype
from numeric.machine.bench import Bench, usual_bench
from numeric.machine.kernels import ProductKernel
from numeric.machine.summation_tree import ADD, MERGE, PUSH, Order, Tree


@cache
def trees(leaves: tuple[int, ...]) -> tuple[Tree, ...]:
    """Every binary tree on these leaves, each once: (2n - 3)!! for n of them."""
    if len(leaves) == 1:
        return leaves
    first, *rest = leaves
    sides = [chosen for size in range(len(rest)) for chosen in combinations(rest, size)]
    return tuple((left, right) for side in sides for left in trees((first, *side)) for right in trees(tuple(leaf for leaf in rest if leaf not in side)))


def stored(order: Order) -> Iterator[Order]:
    """The same tree with strands that are stored, where each leaf that is added may be a strand of its own instead."""
    parts = [[((op, leaf),), ((PUSH, leaf), (MERGE, -1))] if op == ADD else [((op, leaf),)] for op, leaf in order.program]
    for chosen in product(*parts):
        yield replace(order, program=tuple(step for part in chosen for step in part), stored_strands=True)


def joined(order: Order, *, bias: bool) -> dict[frozenset[int], bool]:
    """What the order does: the leaves that are added up at each node, and whether its two parts are stored before and their sum after it.

    A bias, the last leaf, is of the storage format: added to what was stored, it is as if both were stored, where the sum is stored next.
    """
    found: dict[frozenset[int], bool] = {}

    def walk(node: Any, *, stored_next: bool) -> tuple[frozenset[int], bool]:
        """The leaves below, and whether their sum is of the storage format."""
        if isinstance(node, int):
            return frozenset([node]), bias and node == order.leaves - 1
        op, *parts = node
        merging = order.stored_strands and op == MERGE
        (left, one), (right, other) = (walk(part, stored_next=merging) for part in parts)
        found[left | right] = merging or (one and other and stored_next)
        return left | right, found[left | right]

    stack: list[Any] = []
    for op, leaf in order.program:
        part = stack.pop() if op == MERGE else leaf
        stack.append(part if op == PUSH else (op, stack.pop(), part))
    walk(stack[0], stored_next=True)
    return found


def added(order: Order, terms: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """The sum of the terms, which are of the accumulator's dtype."""
    stack: list[Tensor] = []
    for op, leaf in order.program:
        if op == PUSH:
            stack.append(terms[leaf])
        elif op == ADD or not order.stored_strands:
            part = stack.pop() if op == MERGE else terms[leaf]
            stack.append(stack.pop() + part)
        else:
            second, first = stack.pop(), stack.pop()
            stack.append((first.to(dtype) + second.to(dtype)).to(first.dtype))
    return stack[-1].to(dtype)


def adding(order: Order, shape: tuple[int, int], name: str, *, bias: bool, batch: int = 8) -> tuple[Bench, list[list[Tensor]]]:
    """A kernel that rounds its products apart and adds in this order, and a list in which it leaves the terms of each of its sums.  shape: (p, k)."""
    terms_of: list[list[Tensor]] = []
    wide, storage = torch.float64 if name == "fp64" else torch.float32, format_named(name)

    def run(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
        terms = [X[..., k].to(wide) * y[:, k].to(wide) for k in range(X.shape[-1])]
        terms_of.append([*terms, *([] if b is None else [b.to(wide).expand_as(terms[0])])])
        return added(order, terms_of[-1], torch_dtype(storage)).unsqueeze(-1)

    kernel = ProductKernel("planted", run, bias=bias)
    return usual_bench(kernel, shape, storage, batch), terms_of
