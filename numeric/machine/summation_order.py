"""In which order a kernel adds, found by asking it; and what the order is worth.

A sum of n terms is a binary tree: its leaves are the terms (products x_k y_k, and the bias of a dense layer), every other
node is one rounded addition. With s_t the exact sum below node t, and û_t what the machine holds there,

    |û_root - s_root| ≤ (1+u)^h u Σ_t |s_t|,   h the height of the tree                      (running error analysis)

*Proof.* At a node with children l and r, û = (û_l + û_r)(1+δ), |δ| ≤ u, hence e ≤ (1+u)(e_l + e_r) + u|s|; unroll. A fused
multiply-add is such a node with an exact leaf; where products are rounded apart, each leaf adds u|x_k y_k|. Higham,
§3.3 and §4.2 (the bound of any order is its worst case, |s_t| ≤ Σ|x_k y_k|).

The tree is revealed as FPRev does it (Xie et al., "FPRev: revealing the order of floating-point summation", 2025): with
M at leaf i, -M at leaf j, M large enough to absorb all else, and 1 at every other leaf, what survives are the leaves
outside the smallest subtree that holds both, so l_ij = n - result is the size of that subtree, and the l_ij determine the
tree. It is then *confirmed*: on operands whose exact sum is 0 and whose products are exact, so that the result is
nothing but rounding errors, every output of the kernel must be bit for bit what the tree gives. A kernel that is not
confirmed has no known order, and the bound for any order is used.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Union

import torch
from torch import Tensor

from numeric.formats import Format, torch_dtype
from numeric.machine.kernels import Bench

Tree = Union[int, tuple["Tree", "Tree"]]  # noqa: UP007 - a string cannot be joined by |
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
    def words(self) -> str:
        """E.g. "one after the other"; for the report."""
        shape = "one after the other" if self.strands == 1 else f"in {self.strands} strands"
        stored = ", each rounded to storage before they are added" if self.stored_strands else ""
        return f"{shape}{stored}; products {'' if self.fused else 'may be '}{'not ' if self.fused else ''}rounded apart"


def order_of(tree: Tree) -> Order:
    """The program of a tree."""
    program: list[tuple[str, int]] = []

    def emit(node: Tree) -> tuple[int, int]:
        """Write the program; return (leaves, height)."""
        if isinstance(node, int):
            program.append((PUSH, node))
            return 1, 0
        left, right = node
        if isinstance(left, int) and not isinstance(right, int):
            left, right = right, left
        leaves, height = emit(left)
        if isinstance(right, int):
            program.append((ADD, right))
            return leaves + 1, height + 1
        more, other = emit(right)
        program.append((MERGE, -1))
        return leaves + more, max(height, other) + 1

    leaves, height = emit(tree)
    return Order(tuple(program), leaves, height)


def one_after_the_other(terms: int, *, bias: bool) -> Order:
    """The order of a plain loop that begins with the bias, so that every partial sum is as large as that makes it."""
    leaves = [terms] * bias + list(range(terms))
    return Order(((PUSH, leaves[0]), *((ADD, leaf) for leaf in leaves[1:])), len(leaves), len(leaves) - 1)


def _sum_in_order(order: Order, term: Callable[[int], Tensor], merge: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The sum as the tree gives it.  term: the value of a leaf; merge: adds the sums of two strands."""
    stack: list[Tensor] = []
    for op, leaf in order.program:
        if op == PUSH:
            stack.append(term(leaf))
        elif op == ADD:
            stack[-1] = stack[-1] + term(leaf)
        else:
            top = stack.pop()
            stack[-1] = merge(stack[-1], top)
    return stack[-1]


def revealed(bench: Bench, *, bias: bool, operands: Format | None = None) -> Order | None:
    """The order in which the kernel adds, if it can be revealed and is confirmed at this shape; else None.

    bias: whether the bias is one of the terms; where it is added apart, after the sum was rounded to storage, it is not.
    operands: the format to which operands are rounded first. One that does not reach far enough for M cannot be asked with the rounding
    switched on; the same kernel is asked without, and its tree confirmed with.
    """
    short = operands is not None and operands.max_exponent < bench.results.max_exponent
    tree = _reveal(replace(bench, running=nullcontext) if short else bench, bias=bias)
    if tree is None:
        return None
    for order in (order_of(tree), replace(order_of(tree), stored_strands=True)):
        if confirmed(bench, order, bias=bias, operands=operands):
            return replace(order, fused=_fuses(bench, order, operands, bias=bias))
    return None


def _subtree_sizes(bench: Bench, pairs: Sequence[tuple[int, int]], *, bias: bool) -> dict[tuple[int, int], int] | None:
    """l_ij by pair, or None if two outputs of one case disagree or an answer is no size."""
    found: dict[tuple[int, int], int] = {}
    with_bias = [pair for pair in pairs if bench.columns in pair]
    for some in (with_bias, [pair for pair in pairs if bench.columns not in pair]):
        for start in range(0, len(some), bench.batch):
            part = some[start : start + bench.batch]
            sizes = _sizes(bench, part, bias=bias)
            if sizes is None:
                return None
            found.update(zip(part, sizes, strict=True))
    return found


def _sizes(bench: Bench, pairs: Sequence[tuple[int, int]], *, bias: bool) -> list[int] | None:
    k, storage = bench.columns, bench.results
    leaves = k + bias
    # fp16 reaches from 2^-24 to 2^15 only; the others have range to spare. Either quotient absorbs any sum of units in its accumulator.
    large, unit = (2.0**15, 2.0**-24) if storage.max_exponent < 100 else (2.0 ** min(storage.max_exponent // 2, 120), 1.0)
    survivors = torch.zeros(len(pairs), dtype=torch.float64)
    X = torch.ones((bench.matrices, bench.rows, k), dtype=bench.matrix)
    # A count is read off exactly only up to 2^p, so the units stand in one window of leaves after the other.
    window = 2**storage.significand_bits
    for first in range(0, leaves, window):
        y = torch.zeros((bench.batch, k, 1), dtype=torch.float64)
        y[:, first : first + window] = unit
        offset = torch.full((bench.rows,), unit if first <= k < first + window else 0.0, dtype=torch.float64)
        for case, (i, j) in enumerate(pairs):
            for leaf, sign in ((i, 1.0), (j, -1.0)):
                if leaf < k:
                    y[case, leaf] = sign * large
                else:
                    offset[:] = sign * large
        got = bench.run(X, y, _offset(bench, offset, bias=bias))[: len(pairs)]
        if not bool((got == got[:, :1]).all()):
            return None
        survivors += got[:, 0] / unit
    sizes = leaves - survivors
    if not bool(((sizes == sizes.round()) & (sizes >= 2) & (sizes <= leaves)).all()):
        return None
    return [int(size) for size in sizes]


def _offset(bench: Bench, offset: Tensor, *, bias: bool) -> Tensor | None:
    """The bias that a kernel is given: none where it takes none, zeros where it is not one of the terms."""
    return offset if bias and bench.kernel.bias else bench.no_bias


def _reveal(bench: Bench, *, bias: bool) -> "Tree | None":
    """Build the tree from the outside in: the leaves that join leaf i at the same node are a subtree of their own."""

    def build(leaves: list[int]) -> "Tree | None":
        if len(leaves) == 1:
            return leaves[0]
        first = leaves[0]
        sizes = _subtree_sizes(bench, [(first, other) for other in leaves[1:]], bias=bias)
        if sizes is None:
            return None
        joining: dict[int, list[int]] = defaultdict(list)
        for (_, other), size in sizes.items():
            joining[size].append(other)
        tree: Tree = first
        held = 1
        for size in sorted(joining):
            part = build(joining[size])
            held += len(joining[size])
            if part is None or held != size:
                return None  # a node that adds more than two numbers at once, as tensor cores have
            tree = (tree, part)
        return tree

    return build(list(range(bench.columns + bias)))


def confirmed(bench: Bench, order: Order, *, bias: bool, operands: Format | None = None) -> bool:
    """Whether every output is bit for bit what the tree gives, on sums that are nothing but rounding errors."""
    k, storage, dtype = bench.columns, bench.results, torch_dtype(bench.results)
    generator = torch.Generator().manual_seed(k * 1009 + bench.rows)
    accumulator = torch.float64 if storage.significand_bits > 24 else torch.float32
    bits = min((operands or storage).significand_bits, (53 if accumulator == torch.float64 else 24) // 2)
    spread = (-6, 8) if bits < 8 else (-4, 4)  # what few bits do not fill, exponents must

    def short(*shape: int) -> Tensor:
        """Numbers of few bits, so that products are exact, and of many sizes, so that sums are not."""
        significand = torch.randint(2 ** (bits - 1), 2**bits, shape, generator=generator).double() * 2.0 ** (1 - bits)
        sign = 1.0 - 2.0 * torch.randint(0, 2, shape, generator=generator)
        return significand * sign * torch.exp2(torch.randint(*spread, shape, generator=generator).double())

    X, y = short(bench.matrices, bench.rows, k), short(bench.batch, k, 1)
    shuffled = torch.randperm(k, generator=generator)
    pairs = k // 2
    left, right = shuffled[:pairs], shuffled[pairs : 2 * pairs]
    X[:, :, right] = X[:, :, left]
    y[:, right] = -y[:, left]
    X[:, :, shuffled[2 * pairs :]] = 0.0
    offset = torch.zeros(bench.rows, dtype=torch.float64)
    if bias and k > 2:  # the bias is cancelled by a product of its own
        offset = short(bench.rows)
        X[:, :, left[0]], y[:, left[0]] = offset, -1.0
        X[:, :, right[0]], y[:, right[0]] = 0.0, 0.0
    got = bench.run(X, y, _offset(bench, offset, bias=bias)).to(dtype)
    columns, y, offset = (t.to(accumulator) for t in (X.movedim(-1, 0).contiguous(), y, offset))

    def term(leaf: int) -> Tensor:
        return offset.expand(bench.batch, -1) if leaf == k else columns[leaf] * y[:, leaf]

    def merge(strand: Tensor, other: Tensor) -> Tensor:
        return (strand.to(dtype) + other.to(dtype)).to(accumulator) if order.stored_strands else strand + other

    total = _sum_in_order(order, term, merge)
    return bool((total.to(dtype) == got).all())


def _fuses(bench: Bench, order: Order, operands: Format | None, *, bias: bool) -> bool:
    """Whether every product that is added to a partial sum keeps all its bits until then.

    (1 + 2^-h)² = 1 + 2^(1-h) + 2^-2h with 2h ≥ p has at least one bit too many for the accumulator; added to -(1 + 2^(1-h)) it leaves
    2^-2h if it was not rounded by itself, and 0 if it was.
    """
    k, storage = bench.columns, bench.results
    if operands is not None or (storage.significand_bits < 24 and bench.matrix == torch_dtype(storage)):
        return True  # products of short numbers are exact in a wider accumulator
    if storage.significand_bits < 24:
        return False  # weights wider than activations: not asked
    half = (storage.significand_bits + 1) // 2
    first = next(leaf for op, leaf in order.program if op == PUSH)
    added = [leaf for op, leaf in order.program if op == ADD and leaf < k]
    if first == k or order.strands > 1:
        return False  # not asked of these
    for start in range(0, len(added), bench.batch):
        part = added[start : start + bench.batch]
        y = torch.zeros((bench.batch, k, 1), dtype=torch.float64)
        # X is one matrix of (1 + 2^-h), so the first product is made of y alone.
        X = torch.full((bench.matrices, bench.rows, k), 1.0 + 2.0**-half, dtype=torch.float64)
        X[:, :, first] = 1.0
        for case, leaf in enumerate(part):
            y[case, first], y[case, leaf] = -(1.0 + 2.0 ** (1 - half)), 1.0 + 2.0**-half
        got = bench.run(X, y, bench.no_bias)[: len(part)]
        if not bool((got == 2.0 ** (-2 * half)).all()):
            return False
    return True
