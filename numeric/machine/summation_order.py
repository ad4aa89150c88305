"""The order of a kernel's sum, found by asking it.

The tree is *revealed* as FPRev does it (Xie et al., "FPRev: revealing the order of floating-point summation", 2025): with
M at leaf i, -M at leaf j, M large enough to absorb all else, and 1 at every other leaf, what survives are the leaves
outside the smallest subtree that holds both, so l_ij = n - result is the size of that subtree, and the l_ij determine the
tree. Each row of the matrix, or each case, is asked about a pair of its own, so a few products of full size suffice. What is
revealed, or was kept from an earlier run, is a guess.

The guess is then *confirmed*: on operands whose exact sum is 0 and whose products are exact, so that the result is nothing but rounding
errors, every output of the kernel must be bit for bit what the tree gives, in every row and case. A confirmed order also shows that partial sums are
rounded to nearest in the accumulator that stood beside it. A kernel that is not confirmed has no known order, and the bound for any order is used.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numeric.formats import Format, torch_dtype
from numeric.machine.bench import Bench
from numeric.machine.summation_tree import ADD, PUSH, Order, Tree, order_of, sum_in_order, with_single_strands

DEPTH = 48
"""How deep strands may be nested in strands: no library's are, and a kernel that looks so is not asked further."""

PATTERNS = 64
"""How many vectors a row is confirmed with, at least; where there are more terms than this, each of which rounds, ``FEWER``."""

FEWER = 4

ROWS, AT_ONCE = 8, 4
"""How many rows an order is confirmed on, and how many of them in one run, where rows can differ: in every run other terms cancel."""


def revealed(bench: Bench, *, bias: bool, operands: Format | None = None, guess: Order | None = None) -> Order | None:
    """The order in which the kernel adds, if it can be revealed and is confirmed for this call; else None.

    bias: whether the bias is one of the terms; where it is added apart, after the sum was rounded to storage, it is not.
    operands: the format to which operands are rounded first. One that does not reach far enough for M cannot be asked with the rounding
    switched on; the same kernel is asked without, and its tree confirmed with. guess: an order to be tried first.
    """
    if guess is not None and guess.leaves == bench.columns + bias and confirmed(bench, guess, bias=bias, operands=operands):
        return replace(guess, fused=_fuses(bench, guess, operands))
    short = operands is not None and operands.max_exponent < bench.results.max_exponent
    tree = _reveal(replace(bench, running=nullcontext) if short else bench, bias=bias)
    if tree is None:
        return None
    found = order_of(tree)
    for order in (found, replace(found, stored_strands=True), with_single_strands(found, bench.columns - 1)):
        if confirmed(bench, order, bias=bias, operands=operands):
            return replace(order, fused=_fuses(bench, order, operands))
    return None


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
        results = bench.run(products[some], torch.ones((1, k), dtype=torch.float64), _offset(bench, offsets[some], bias=bias))[0, : len(asked)]
    else:
        X = torch.ones((1, k), dtype=torch.float64).expand(p, -1)
        results = bench.run(X, products, _offset(bench, offsets[:1].expand(p), bias=bias))[: len(asked), 0]
    return results / unit


def _offset(bench: Bench, offset: Tensor, *, bias: bool) -> Tensor | None:
    """The bias that a kernel is given: none where it takes none, zeros where it is not one of the terms."""
    return offset if bias and bench.kernel.bias else bench.no_bias


def confirmed(bench: Bench, order: Order, *, bias: bool, operands: Format | None = None) -> bool:
    """Whether every output is bit for bit what the tree gives, on sums that are nothing but rounding errors, and in one row of four on any sums.

    The first show what is lost in an accumulator that is wider than the result. If two strands are stored that cancel each other, both are rounded
    alike, and the sum is 0 as if neither were: that, the others show. The matrix has few different rows, so that few sums, one for each of them and each
    vector, have to be added up here.
    """
    generator, rows = torch.Generator().manual_seed(bench.columns * 1009 + bench.rows), min(AT_ONCE, bench.by_row)
    places = [torch.arange(start, start + rows) for start in range(0, ROWS - rows + 1, rows)]
    return all(_confirmed_on(some % AT_ONCE == AT_ONCE - 1, bench, order, operands, generator, bias=bias) for some in places)


def _confirmed_on(any_sum: Tensor, bench: Bench, order: Order, operands: Format | None, generator: torch.Generator, *, bias: bool) -> bool:
    """any_sum: (rows,) bool, those whose terms need not cancel."""
    rows, k, storage, dtype = len(any_sum), bench.columns, bench.results, torch_dtype(bench.results)
    accumulator, wide = (np.float64, torch.float64) if storage.significand_bits > 24 else (np.float32, torch.float32)
    bits = min((operands or storage).significand_bits, (53 if wide == torch.float64 else 24) // 2)
    spread = (-6, 8) if bits < 8 else (-4, 4)  # what few bits do not fill, exponents must

    def short(*shape: int) -> Tensor:
        """Numbers of few bits, so that products are exact, and of many sizes, so that sums are not."""
        significand = torch.randint(2 ** (bits - 1), 2**bits, shape, generator=generator).double() * 2.0 ** (1 - bits)
        sign = 1.0 - 2.0 * torch.randint(0, 2, shape, generator=generator)
        return significand * sign * torch.exp2(torch.randint(*spread, shape, generator=generator).double())

    x, others, y = short(rows, k), short(rows, k), short(max(bench.by_case, PATTERNS if k <= PATTERNS else FEWER), k)
    shuffled = torch.randperm(k, generator=generator)
    pairs = k // 2
    left, right = shuffled[:pairs], shuffled[pairs : 2 * pairs]
    x[:, right], y[:, right] = x[:, left], -y[:, left]
    x[:, shuffled[2 * pairs :]] = 0.0
    offset = torch.zeros(1, dtype=torch.float64)
    if bias and k > 2:  # the bias is cancelled by a product of its own
        offset = short(1)
        x[:, left[0]], y[:, left[0]] = offset[0], -1.0
        x[:, right[0]], y[:, right[0]] = 0.0, 0.0
    x[any_sum] = others[any_sum]
    products = (x.mT.unsqueeze(1) * y.mT.unsqueeze(-1)).numpy().astype(accumulator)  # (k, vectors, rows)
    terms = [*products, np.broadcast_to(offset.numpy().astype(accumulator), products.shape[1:])]

    def stored(sums: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(sums)).to(dtype)

    def merge(strand: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray((stored(strand) + stored(other)).to(wide).numpy()) if order.stored_strands else strand + other

    total = stored(sum_in_order(order, terms, merge)).double()
    given = _offset(bench, offset.expand(bench.rows), bias=bias)
    of_row = torch.arange(bench.rows) % rows
    parts = bench.runs(x[of_row], y, given)
    return all(bool((results == expected[:, None, of_row]).all()) for (_, results), expected in zip(parts, total.split(bench.by_case), strict=True))


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
