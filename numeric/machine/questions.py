"""The questions that a kernel is asked: operands whose exact result is representable, and reached only by a machine of one kind.

- *Accumulation*: a row that holds 1, -1 and many times u (the storage's roundoff) at random places. A partial sum
  1 + ku is exact in a wider accumulator and is rounded in the storage format, whatever the order of the sum.
- *Rounding*: 1, -1 and 1.5 units in the accumulator's last place after 1: cut off, the rest is lost.
- *Subnormals*: operands, products and results below the smallest normal number, whose exact value is representable.
- *Products*: 1 + 2u, whose last bit a kernel that shortens its operands (tf32) would drop, times 1.
- *Bias*: (1 + u) + u is 1 + 2u if the sum is rounded once and 1 if 1 + u is stored before the bias is added.
- *Batch*: whether a product of one case has the same bits as the same product among many.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from numeric.formats import Context, Format, torch_dtype
from numeric.machine.kernels import BATCH, PROBED_ROWS, Bench, outer_product, repeated


def accumulates_wide(bench: Bench, operands: Format) -> bool:
    """Whether no partial sum is rounded to the storage format."""
    p, k = bench.rows, bench.columns
    if k < 3:
        return False
    # At most 2^p entries of u, so that their sum is representable too; at random places, so that there are some in every block of a sum.
    rows = _at_random_places(bench, [1.0, -1.0, *[operands.unit_roundoff] * min(k - 2, 2**operands.significand_bits)], seed=k * 1009 + p)
    return bench.agrees(rows, torch.ones((PROBED_ROWS, k, 1), dtype=torch.float64))


def _at_random_places(bench: Bench, values: Sequence[float], *, seed: int) -> Tensor:
    """Rows that hold these numbers, and zeros.  Returns (some, rows, columns)."""
    shape = (PROBED_ROWS if bench.kernel.own_matrix else 1, bench.rows, bench.columns)
    places = torch.rand(shape, generator=torch.Generator().manual_seed(seed)).argsort(-1)[..., : len(values)]
    return torch.zeros(shape, dtype=torch.float64).scatter_(-1, places, torch.tensor(values, dtype=torch.float64).expand(places.shape))


def unit_of_truncation(operands: Format, results: Format, accumulation: Format) -> float | None:
    """The smallest power of two S ≥ 1 such that 3uS, u the accumulator's roundoff, is a normal number; None if S would pass Ω."""
    step = 2 * accumulation.unit_roundoff
    unit = max(1.0, *(row.smallest_normal / step for row in (operands, results)))
    return unit if unit <= min(operands.largest, results.largest) else None


def truncates(bench: Bench, operands: Format, accumulation: Format) -> bool:
    """Whether a partial sum is cut off: S + 3uS, u the accumulator's roundoff, is S + 4uS to nearest and S + 2uS if cut off."""
    p, k = bench.rows, bench.columns
    unit = unit_of_truncation(operands, bench.results, accumulation)
    if k < 3 or unit is None:
        return False
    step = 2 * accumulation.unit_roundoff * unit
    rows = _at_random_places(bench, (unit, 1.5 * step, -unit), seed=k * 1013 + p)
    got = bench.run(repeated(rows, bench.matrices), torch.ones((bench.batch, k, 1), dtype=torch.float64), bench.no_bias)
    return bool((got < 1.5 * step).any())


def _one_in_each_column(bench: Bench) -> Tensor:
    """Unit vectors, each column's in turn.  Returns (some, k, 1), no more than the batch."""
    cases = min(bench.batch, max(PROBED_ROWS, bench.columns))
    one = torch.zeros((cases, bench.columns, 1), dtype=torch.float64)
    one[torch.arange(cases), torch.arange(cases) % bench.columns, 0] = 1.0
    return one


def takes_whole(bench: Bench, operands: Format) -> bool:
    """Whether the last bit of an operand of the storage counts, in whatever column, in a mode that rounds operands to a shorter format."""
    if bench.matrix != torch_dtype(bench.results) or bench.results.significand_bits <= operands.significand_bits:
        return False
    return _keeps(bench, 1.0 + 2 * bench.results.unit_roundoff)


def _keeps(bench: Bench, number: float) -> bool:
    """Whether a number times 1 is that number, in whatever column, as an entry of the matrix and of the vector."""
    one = _one_in_each_column(bench)
    X = torch.full((1, bench.rows, bench.columns), number, dtype=torch.float64)
    return bench.agrees(X, one) and bench.agrees(torch.ones_like(X), one * number)


def outer_takes_whole(storage: Format, operands: Format, p: int, k: int, running: Context, device: str) -> bool:
    """The same of the batched product of a column and a row."""
    last = 1.0 + 2 * storage.unit_roundoff
    return storage.significand_bits > operands.significand_bits and _outer_agrees([(last, 1.0), (1.0, last)], storage, p, k, running, device)


def _outer_agrees(factors: Sequence[tuple[float, float]], storage: Format, p: int, k: int, running: Context, device: str) -> bool:
    """Whether the batched product of a column and a row is exact.  factors: what all entries of the one and of the other are."""
    for left, right in factors:
        column, row = (
            torch.full(shape, x, dtype=torch.float64).to(device, torch_dtype(storage)) for shape, x in (((BATCH, p, 1), left), ((BATCH, 1, k), right))
        )
        with running():
            product = outer_product(column, row)
        if bool((product.double() != left * right).any()):
            return False
    return True


def shortens(bench: Bench, operands: Format | None) -> bool:
    """Whether operands are rounded otherwise than the mode says: the last bit of one that should be kept is lost, or one is not rounded to nearest."""
    kept = operands or bench.results
    last, above = 1.0 + 2 * kept.unit_roundoff, 1.0 + 1.25 * kept.unit_roundoff
    if not _keeps(bench, last):
        return True
    if operands is None or bench.matrix != torch.float32:
        return False
    one, X = _one_in_each_column(bench), torch.ones((1, bench.rows, bench.columns), dtype=torch.float64)
    sides = [(X * above, one)]
    if torch_dtype(bench.results) == torch.float32:
        sides.append((X, one * above))
    return any(bool((bench.run(repeated(x, bench.matrices), repeated(y, bench.batch), bench.no_bias) != last).any()) for x, y in sides)


def product_flushes(bench: Bench, operands: Format, accumulation: Format) -> bool:
    """Whether a subnormal operand, product, partial sum or result came back as anything but itself."""
    p, k, storage = bench.rows, bench.columns, bench.results
    normal, half = storage.smallest_normal, 2.0 ** (accumulation.min_exponent // 2 - 2)
    eta = max(storage.smallest_subnormal, operands.smallest_subnormal)  # 3η has to be a number of both
    questions = [(3 * eta, 1.0), (1.0, 3 * eta), (8.0, eta)]
    if normal / 4 >= operands.smallest_subnormal:
        questions.append((normal / 4, 1.0))
    if half >= max(normal, operands.smallest_normal):
        questions.append((half, half))  # two normal operands, and a product that is subnormal in the accumulator
    for left, right in questions:
        X = torch.zeros((PROBED_ROWS if bench.kernel.own_matrix else 1, p, k), dtype=torch.float64)
        y = torch.zeros((PROBED_ROWS, k, 1), dtype=torch.float64)
        for case in range(len(X)):
            X[case, :, case % k] = left
        X[0, :, :] = left  # the shared product and the shared dense layer see this matrix alone
        y[torch.arange(PROBED_ROWS), torch.arange(PROBED_ROWS) % k, 0] = right
        if not bench.agrees(X, y):
            return True
    return False


def outer_flushes(storage: Format, operands: Format, p: int, k: int, running: Context, device: str) -> bool:
    """Whether the batched product of a column and a row, one product an entry, loses a subnormal operand or result."""
    eta = max(storage.smallest_subnormal, operands.smallest_subnormal)
    return not _outer_agrees([(3 * eta, 1.0), (1.0, 3 * eta), (storage.smallest_normal, 0.25), (8.0, eta)], storage, p, k, running, device)


def elementwise_flushes(storage: Format, device: str, running: Context = nullcontext) -> bool:
    """Whether a sum, a difference, a product or a quotient loses a subnormal operand or result."""
    eta, normal = storage.smallest_subnormal, storage.smallest_normal
    numbers = (3 * eta, eta, normal, 4.0, 1.0, normal / 2, 8 * normal, 0.0625)
    x, y, z, a, b, c, d, e = (torch.full((PROBED_ROWS,), v, dtype=torch.float64).to(device, torch_dtype(storage)) for v in numbers)
    with running():
        computed = [x + y, x - y, z - y, z / a, x / b, z / c, d * e]
    expected = [4 * eta, 2 * eta, normal - eta, normal / 4, 3 * eta, 2.0, normal / 2]
    return any(bool((got.double() != right).any()) for got, right in zip(computed, expected, strict=True))


def rounds_before_bias(bench: Bench, opmath: Format) -> bool:
    """Whether a dense layer stores Wx before it adds the bias: then 1 + u and u give 1, and together 1 + 2u."""
    p, k, storage = bench.rows, bench.columns, bench.results
    if k < 2 or opmath == storage:
        return False  # γ_{k+1} covers a sum of k+1 terms in any order
    u = storage.unit_roundoff
    W = torch.zeros((bench.matrices, p, k), dtype=torch.float64)
    W[:, :, 0], W[:, :, 1] = 1.0, u
    got = bench.run(W, torch.ones((bench.batch, k, 1), dtype=torch.float64), torch.full((p,), u, dtype=torch.float64))
    return bool((got != 1.0 + 2 * u).any())


def same_alone(bench: Bench) -> bool:
    """Whether the result of a dense layer for one case has the same bits alone and among many."""
    generator = torch.Generator().manual_seed(bench.columns)
    W = torch.randn((1, bench.rows, bench.columns), generator=generator, dtype=torch.float64)
    x = torch.randn((bench.batch, bench.columns, 1), generator=generator, dtype=torch.float64)
    b = torch.randn(bench.rows, generator=generator, dtype=torch.float64)
    among = bench.run(W, x, b)[:4]
    alone = torch.cat([replace(bench, batch=1).run(W, x[case : case + 1], b) for case in range(4)])
    return torch.equal(among, alone)
