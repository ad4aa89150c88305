"""In which order a kernel adds, and what the order is worth.

A sum of n terms is a binary tree: its leaves are the terms (products x_k y_k, and the bias of a dense layer), every other
node is one rounded addition. With s_t the exact sum below node t, and û_t what the machine holds there,

    |û_root - s_root| ≤ (1+u)^h u Σ_t |s_t|,   h the height of the tree                      (running error analysis)

*Proof.* At a node with children l and r, û = (û_l + û_r)(1+δ), |δ| ≤ u, hence e ≤ (1+u)(e_l + e_r) + u|s|; unroll. A fused
multiply-add is such a node with an exact leaf; where products are rounded apart, each leaf adds u|x_k y_k|. Higham,
§3.3 and §4.2 (the bound of any order is its worst case, |s_t| ≤ Σ|x_k y_k|).

How an order is found is in ``summation_order.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Union

Tree = Union[int, tuple["Tree", ...]]  # noqa: UP007 - a string cannot be joined by |
"""A leaf, or what is added one after the other: (a, b, c) is (a + b) + c."""

PUSH, ADD, MERGE = "push", "add", "merge"


@dataclass(frozen=True, slots=True)
class Order:
    """A summation tree, as a program for a stack machine: push a leaf, add a leaf to the top, or merge the two tops."""

    program: tuple[tuple[str, int], ...]
    leaves: int
    """The bias, where there is one, is the last."""
    height: int
    """The most additions that a leaf goes through."""
    fused: bool = False
    """Whether a product that is added to a partial sum is not rounded by itself."""
    stored_strands: bool = False
    """Whether each strand's sum is rounded to the storage format, and strands are added in it."""

    @property
    def strands(self) -> int:
        """How many sums are begun."""
        return sum(op == PUSH for op, _ in self.program)

    @property
    def meetings(self) -> dict[tuple[int, int], int]:
        """For each node two leaves, one below either child, and how many leaves are below it."""
        found: dict[tuple[int, int], int] = {}
        stack: list[tuple[int, int]] = []
        """A leaf of each sum that is begun, and how many it has."""
        for op, leaf in self.program:
            if op == PUSH:
                stack.append((leaf, 1))
            else:
                other, more = stack.pop() if op == MERGE else (leaf, 1)
                one, size = stack.pop()
                found[one, other] = size + more
                stack.append((one, size + more))
        return found

    @property
    def words(self) -> str:
        """E.g. "one after the other"; for the report."""
        shape = "one after the other" if self.strands == 1 else f"in {self.strands} strands"
        stored = ", each rounded to storage before they are added" if self.stored_strands else ""
        return f"{shape}{stored}; products {'' if self.fused else 'may be '}{'not ' if self.fused else ''}rounded apart"


def order_of(tree: Tree) -> Order:
    """The program of a tree. It calls itself as deep as tuples are nested, which is not the tree's height."""
    if isinstance(tree, int):
        return Order(((PUSH, tree),), 1, 0)
    first, second, *rest = tree
    if isinstance(first, int) and not isinstance(second, int):
        first, second = second, first
    begun = order_of(first)
    program, leaves, height = list(begun.program), begun.leaves, begun.height
    for part in (second, *rest):
        if isinstance(part, int):
            program.append((ADD, part))
            leaves, height = leaves + 1, height + 1
        else:
            strand = order_of(part)
            program += [*strand.program, (MERGE, -1)]
            leaves, height = leaves + strand.leaves, max(height, strand.height) + 1
    return Order(tuple(program), leaves, height)


def with_single_strands(order: Order, last: int) -> Order:
    """The same tree with strands that are stored, where a strand may have one term alone: a tree cannot tell that from one more term of a longer strand.

    last: the last product, which is such a strand where the terms are one too many for whole blocks. So is what is added when strands have met.
    """
    program: list[tuple[str, int]] = []
    depth, met = 0, False
    for op, leaf in order.program:
        depth += {PUSH: 1, ADD: 0, MERGE: -1}[op]
        met = met or (op == MERGE and depth == 1) or (op == ADD and depth == 1 and leaf == last)
        program += [(PUSH, leaf), (MERGE, -1)] if op == ADD and depth == 1 and met else [(op, leaf)]
    return replace(order, program=tuple(program), stored_strands=True)


def one_after_the_other(terms: int, *, bias: bool) -> Order:
    """The order of a plain loop that begins with the bias, so that every partial sum is as large as that makes it."""
    leaves = [terms] * bias + list(range(terms))
    return Order(((PUSH, leaves[0]), *((ADD, leaf) for leaf in leaves[1:])), len(leaves), len(leaves) - 1)


def sum_in_order(order: Order, terms: Sequence[Any], merge: Callable[[Any, Any], Any]) -> Any:
    """The sum as the tree gives it.  terms: the value of each leaf, of any kind that can be added; merge: adds the sums of two strands."""
    stack: list[Any] = []
    for op, leaf in order.program:
        if op == PUSH:
            stack.append(terms[leaf])
        elif op == ADD:
            stack[-1] = stack[-1] + terms[leaf]
        else:
            top = stack.pop()
            stack[-1] = merge(stack[-1], top)
    return stack[-1]
