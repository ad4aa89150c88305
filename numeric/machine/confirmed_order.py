"""Whether a kernel adds in an order: bit for bit, on sums that are little but rounding errors.

The products of all operands here are exact in the accumulator, so the result is decided by the order alone. The sums are of four kinds.

- *Cancelling*: the exact sum is 0, and what comes out is the rounding errors of all nodes.
- *Any*: if two strands are stored that cancel each other, both are rounded alike, and the sum is 0 as if neither were. These show that.
- *Absorbing*, where there are few terms, of which the others round too seldom: M at leaf i, -M at leaf j, M so large that its last place is as large
  as all the others. What is added before M is gone loses its last bits, so the result is decided by which leaves are below the node at which
  i and j meet. Two such leaves are asked about for each node of the order; as ``summation_order.py`` proves, that determines the tree.
- *Similar*, of few terms as well: none is so small that it would not count, so that a strand of one product, or a bias added apart, is seen.

That a tree is not refused is a statement about these operands. With many terms of few bits two trees that differ in three leaves can agree on all of them, so
a tree has to be revealed, too (``summation_order.py``).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numeric.formats import Format, torch_dtype
from numeric.machine.bench import Bench
from numeric.machine.summation_tree import Order, sum_in_order

PATTERNS = 64
"""How many vectors a row is confirmed with, at least; where there are more terms than this, each of which rounds, ``FEWER``."""

FEWER = 4

ROWS, AT_ONCE = 8, 4
"""How many rows an order is confirmed on, and how many of them in one run, where rows can differ: in every run other terms cancel."""

FEW_LEAVES = 8
"""With how many leaves, at most, two of each node absorb the others in their turn."""

ABSORBING, VECTORS_EACH = 16, 4
"""In how many rows, at least, and with how many vectors each."""


def confirmed(bench: Bench, order: Order, *, bias: bool, operands: Format | None = None) -> bool:
    """Whether every output is bit for bit what the tree gives, in every row and case.

    The matrix has few different rows, so that few sums, one for each of them and each vector, have to be added up here. bias: whether the bias is a term;
    operands: the format to which operands are rounded first.
    """
    draw = _Draw.of(bench, operands)
    rows = min(AT_ONCE, bench.by_row)
    places = [torch.arange(start, start + rows) for start in range(0, ROWS - rows + 1, rows)]
    if not all(_agrees(bench, order, *_cancelling(draw, some % AT_ONCE == AT_ONCE - 1, bias=bias), bias=bias) for some in places):
        return False
    if order.leaves > FEW_LEAVES:
        return True
    nodes = list(order.meetings)
    pairs = nodes * -(-ABSORBING // max(1, len(nodes)))
    parts = [pairs[start : start + bench.by_row] for start in range(0, len(pairs), bench.by_row)]
    return all(_agrees(bench, order, *_absorbing(draw, part), bias=bias) for part in parts) and _agrees(bench, order, *_similar(draw, rows), bias=bias)


@dataclass(frozen=True, slots=True)
class _Draw:
    """Numbers of few bits, so that their products are exact, in the format to which operands are rounded."""

    bench: Bench
    accumulator: int
    """How many bits it has."""
    bits: int
    """How many bits a number has."""
    generator: torch.Generator

    @classmethod
    def of(cls, bench: Bench, operands: Format | None) -> "_Draw":
        accumulator = 53 if bench.results.significand_bits > 24 else 24
        bits = min((operands or bench.results).significand_bits, accumulator // 2)
        return cls(bench, accumulator, bits, torch.Generator().manual_seed(bench.columns * 1009 + bench.rows))

    def __call__(self, exponents: tuple[int, int], *shape: int) -> Tensor:
        """Numbers of any sign, and of magnitude 2^e to 2^(e+1) with e in a half-open range."""
        significand = torch.randint(2 ** (self.bits - 1), 2**self.bits, shape, generator=self.generator).double() * 2.0 ** (1 - self.bits)
        sign = 1.0 - 2.0 * torch.randint(0, 2, shape, generator=self.generator)
        return significand * sign * torch.exp2(torch.randint(*exponents, shape, generator=self.generator).double())


def _cancelling(draw: _Draw, any_sum: Tensor, *, bias: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (rows, k), vectors (some, k) and the bias (1,).  any_sum: (rows,) bool, those whose terms need not cancel."""
    rows, k = len(any_sum), draw.bench.columns
    spread = (-6, 8) if draw.bits < 8 else (-4, 4)  # what few bits do not fill, exponents must
    x, others = draw(spread, rows, k), draw(spread, rows, k)
    y = draw(spread, max(draw.bench.by_case, PATTERNS if k <= PATTERNS else FEWER), k)
    shuffled = torch.randperm(k, generator=draw.generator)
    pairs = k // 2
    left, right = shuffled[:pairs], shuffled[pairs : 2 * pairs]
    x[:, right], y[:, right] = x[:, left], -y[:, left]
    x[:, shuffled[2 * pairs :]] = 0.0
    offset = torch.zeros(1, dtype=torch.float64)
    if bias and k > 2:  # the bias is cancelled by a product of its own
        offset = draw(spread, 1)
        x[:, left[0]], y[:, left[0]] = offset[0], -1.0
        x[:, right[0]], y[:, right[0]] = 0.0, 0.0
    x[any_sum] = others[any_sum]
    return x, y, offset


def _absorbing(draw: _Draw, pairs: list[tuple[int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """A row (pairs, k), an entry of the bias (pairs,) and ``VECTORS_EACH`` vectors (pairs * VECTORS_EACH, k) for each pair.

    M is 2^14 to 2^15, which every format reaches by two factors, and products of the others are about as large as its last place.
    """
    k, last_place = draw.bench.columns, 14 - (draw.accumulator - 1)
    of_row, of_vector = last_place // 2, last_place - last_place // 2
    x, y = draw((of_row, of_row + 1), len(pairs), k), draw((of_vector - 2, of_vector + 4), len(pairs) * VECTORS_EACH, k)
    offset, large = draw((last_place - 2, last_place + 4), len(pairs)), draw((7, 8), len(pairs))
    for row, pair in enumerate(pairs):
        for leaf, sign in zip(pair, (1.0, -1.0), strict=True):
            if leaf < k:
                x[row, leaf], y[row * VECTORS_EACH : (row + 1) * VECTORS_EACH, leaf] = sign * large[row], 2.0**7
            else:
                offset[row] = sign * large[row] * 2.0**7
    return x, y, offset


def _similar(draw: _Draw, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (rows, k), ``PATTERNS`` vectors and a bias (rows,) of which no term is so small that it would not count."""
    spread, k = (-1, 2), draw.bench.columns
    return draw(spread, rows, k), draw(spread, PATTERNS, k), draw((-2, 3), rows)


def _agrees(bench: Bench, order: Order, x: Tensor, y: Tensor, offset: Tensor, *, bias: bool) -> bool:
    """Whether each row times each vector comes out as the order gives it, wherever it is computed.  x: (rows, k); y: (some, k); offset: (rows or 1,)."""
    storage, dtype = bench.results, torch_dtype(bench.results)
    accumulator, wide = (np.float64, torch.float64) if storage.significand_bits > 24 else (np.float32, torch.float32)
    products = (x.mT.unsqueeze(1) * y.mT.unsqueeze(-1)).numpy().astype(accumulator)  # (k, vectors, rows)
    terms = [*products, np.broadcast_to(offset.numpy().astype(accumulator), products.shape[1:])]

    def stored(sums: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(sums)).to(dtype)

    def merge(strand: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray((stored(strand) + stored(other)).to(wide).numpy()) if order.stored_strands else strand + other

    total = stored(sum_in_order(order, terms, merge)).double()
    of_row = torch.arange(bench.rows) % len(x)
    parts = bench.runs(x[of_row], y, bench.offset(offset.expand(len(x))[of_row], bias=bias))
    return all(bool((results == expected[:, None, of_row]).all()) for (_, results), expected in zip(parts, total.split(bench.by_case), strict=True))
