"""The order of a kernel's sum, found by asking it.

The tree is *revealed* as FPRev does it (Xie et al., "FPRev: revealing the order of floating-point summation", 2025): with
M at leaf i, -M at leaf j, M large enough to absorb all else, and 1 at every other leaf, what survives are the leaves
outside the smallest subtree that holds both, so l_ij = n - result is the size of that subtree, and the l_ij determine the
tree. Each row of the matrix, or each case, is asked about a pair of its own, so a few products of full size suffice.

A *guess*, as an earlier run kept it, is not revealed again, but has to show one l_ij for each of its nodes, with i below its one child and j below its
other. No other binary tree has all of these. *Proof*, by induction from the leaves up: let the sets A and B of leaves below the children be those of two
nodes of the kernel's tree. Its node at which i ∈ A and j ∈ B meet lies above both, so it has all of A ∪ B below it, and no more, for it has l_ij = |A| + |B|.

Either is then *confirmed* bit for bit (``confirmed_order.py``): that tells how strands are stored, and that partial sums are rounded to nearest in the
accumulator that stood beside it. A kernel that is not confirmed has no known order, and the bound for any order is used.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from numeric.formats import Format, torch_dtype
from numeric.machine.bench import Bench
from numeric.machine.confirmed_order import confirmed
from numeric.machine.summation_tree import ADD, PUSH, Order, Tree, order_of, with_single_strands

DEPTH = 48
"""How deep strands may be nested in strands: no library's are, and a kernel that looks so is not asked further."""


def revealed(bench: Bench, *, bias: bool, operands: Format | None = None, guess: Order | None = None) -> Order | None:
    """The order in which the kernel adds, if it can be revealed and is confirmed for this call; else None.

    bias: whether the bias is one of the terms; where it is added apart, after the sum was rounded to storage, it is not.
    operands: the format to which operands are rounded first. One that does not reach far enough for M cannot be asked with the rounding
    switched on; the same kernel is asked without, and its tree confirmed with. guess: an order to be tried first.
    """
    short = operands is not None and operands.max_exponent < bench.results.max_exponent
    far = replace(bench, running=nullcontext) if short else bench
    if guess is not None and _has_nodes(far, guess, bias=bias) and confirmed(bench, guess, bias=bias, operands=operands):
        return replace(guess, fused=_fuses(bench, guess, operands))
    tree = _reveal(far, bias=bias)
    if tree is None:
        return None
    found = order_of(tree)
    for order in (found, replace(found, stored_strands=True), with_single_strands(found, bench.columns - 1)):
        if confirmed(bench, order, bias=bias, operands=operands):
            return replace(order, fused=_fuses(bench, order, operands))
    return None


def _has_nodes(bench: Bench, order: Order, *, bias: bool) -> bool:
    """Whether the kernel adds as many leaves, and has for each of the order's nodes one of the same size, at which the same two leaves meet."""
    if order.leaves != bench.columns + bias:
        return False
    sizes = order.meetings
    return not sizes or _subtree_sizes(bench, list(sizes), bias=bias) == sizes


def _reveal(bench: Bench, *, bias: bool) -> Tree | None:
    """Build the tree from the outside in: the leaves that join a group's pivot at the same node are a group of their own."""
    whole = list(range(bench.columns + bias))
    if len(whole) == 1:
        return 0
    joined: dict[int, tuple[int, list[list[int]]]] = {}
    """By a group's place in the queue, its pivot and the groups that join it, one after the other."""
    places: dict[tuple[int, ...], int] = {}
    level, depth = [whole], 0
    while level:
        depth += 1
        if depth > DEPTH:
            return None
        # From either end in turn, lest a sum that begins at the other end costs a level for each term.
        pivots = [group[0] if depth % 2 else group[-1] for group in level]
        pairs = [(pivot, other) for pivot, group in zip(pivots, level, strict=True) for other in group if other != pivot]
        sizes = _subtree_sizes(bench, pairs, bias=bias)
        if sizes is None:
            return None
        inner: list[list[int]] = []
        for pivot, group in zip(pivots, level, strict=True):
            joining: dict[int, list[int]] = defaultdict(list)
            for other in group:
                if other != pivot:
                    joining[sizes[pivot, other]].append(other)
            parts, held = [joining[size] for size in sorted(joining)], 1
            for size, part in zip(sorted(joining), parts, strict=True):
                held += len(part)
                if held != size:
                    return None  # a node that adds more than two numbers at once, as tensor cores have
            places[tuple(group)] = len(joined)
            joined[len(joined)] = (pivot, parts)
            inner += [part for part in parts if len(part) > 1]
        level = inner

    def built(group: list[int]) -> Tree:
        if len(group) == 1:
            return group[0]
        pivot, parts = joined[places[tuple(group)]]
        return (pivot, *(built(part) for part in parts))

    return built(whole)


def _subtree_sizes(bench: Bench, pairs: Sequence[tuple[int, int]], *, bias: bool) -> dict[tuple[int, int], int] | None:
    """l_ij by pair, or None if an answer is no size."""
    at_once = bench.by_row if bench.asks_by_row else bench.by_case
    k, window = bench.columns, 2**bench.results.significand_bits
    survivors = dict.fromkeys(pairs, 0.0)
    # A count is read off exactly only up to 2^p, so the units stand in one window of leaves after the other.
    asked = [(pair, first) for first in range(0, k + bias, window) for pair in pairs]
    # Cases share one bias, so where they are asked, pairs with it are asked apart, and windows that hold it.
    kinds = {row: None if bench.asks_by_row else (k in row[0], row[1] + window > k) for row in asked}
    for kind in dict.fromkeys(kinds.values()):
        some = [row for row in asked if kinds[row] == kind]
        for start in range(0, len(some), at_once):
            part = some[start : start + at_once]
            for (pair, _), count in zip(part, _surviving(bench, part, bias=bias).tolist(), strict=True):
                survivors[pair] += count
    sizes = {pair: k + bias - count for pair, count in survivors.items()}
    return {pair: int(size) for pair, size in sizes.items()} if all(size.is_integer() and 2 <= size <= k + bias for size in sizes.values()) else None


def _surviving(bench: Bench, asked: Sequence[tuple[tuple[int, int], int]], *, bias: bool) -> Tensor:
    """How many units outlive the pair, of those in a window.  asked: pairs, each with the first leaf of a window; as many as there are. Returns (asked,)."""
    k, p, storage = bench.columns, bench.rows, bench.results
    # fp16 reaches from 2^-24 to 2^15 only; the others have range to spare. Either quotient absorbs any sum of units in its accumulator.
    large, unit = (2.0**15, 2.0**-24) if storage.max_exponent < 100 else (2.0 ** min(storage.max_exponent // 2, 120), 1.0)
    places, leaf = torch.arange(len(asked)), torch.arange(k + 1)
    begun = torch.tensor([first for _, first in asked]).unsqueeze(-1)
    terms = ((leaf >= begun) & (leaf < begun + 2**storage.significand_bits)).double() * unit  # the last is the bias
    firsts, seconds = (torch.tensor(ends) for ends in zip(*(pair for pair, _ in asked), strict=True))
    terms[places, firsts], terms[places, seconds] = large, -large
    products, offsets = terms[:, :k], terms[:, k]
    if bench.asks_by_row:
        some = torch.arange(p) % len(asked)  # rows that are left over ask again
        results = bench.run(products[some], torch.ones((1, k), dtype=torch.float64), bench.offset(offsets[some], bias=bias))[0, : len(asked)]
    else:
        X = torch.ones((1, k), dtype=torch.float64).expand(p, -1)
        results = bench.run(X, products, bench.offset(offsets[:1].expand(p), bias=bias))[: len(asked), 0]
    return results / unit


def _fuses(bench: Bench, order: Order, operands: Format | None) -> bool:
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
    factor, begun = 1.0 + 2.0**-half, -(1.0 + 2.0 ** (1 - half))
    at_once = bench.by_row if bench.asks_by_row else bench.by_case
    for start in range(0, len(added), at_once):
        part = torch.tensor(added[start : start + at_once])
        rows = torch.zeros((len(part), k), dtype=torch.float64)
        rows[:, first], rows[torch.arange(len(part)), part] = begun, factor
        plain = torch.full((1, k), factor, dtype=torch.float64)
        plain[:, first] = 1.0
        if bench.asks_by_row:
            results = bench.run(rows[torch.arange(bench.rows) % len(part)], plain, bench.no_bias)
        else:
            results = bench.run(plain.expand(bench.rows, -1), rows, bench.no_bias)
        if not bool((results == 2.0 ** (-2 * half)).all()):
            return False
    return True
