"""The questions that a kernel is asked: operands whose exact result is representable, and reached only by a machine of one kind.

- *Accumulator*: 2^14, 2^(14-q) and -2^14 at random places: what holds a sum of the first two has more than q bits. Whatever
  the order, some place lets them meet before the third comes.
- *Rounding*: 1, -1 and 1.5 units in the accumulator's last place after 1: cut off, the rest is lost.
- *Subnormals*: operands, products and results below the smallest normal number, whose exact value is representable.
- *Products*: 1 + 2u, whose last bit a kernel that shortens its operands (tf32) would drop, times 1.
- *Bias*: (1 + u) + u is 1 + 2u if the sum is rounded once and 1 if 1 + u is stored before the bias is added.
- *Batch*: whether a product of one case has the same bits as the same product among many.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numeric.formats import Context, Format, torch_dtype
from numeric.machine.bench import Bench
from numeric.machine.kernels import outer_product
from numeric.machine.operands import KernelCall

PLACES = 16
"""How many times a question is asked whose answer hangs on where the numbers stand."""

ONE_BY_ONE = 64
"""How many columns are asked about one by one, at least, where there are as many."""


def accumulator_bits(bench: Bench, operands: Format, widest: int) -> int:
    """How many bits the narrowest format has in which a partial sum is held, at most ``widest``.

    With one or two terms no third one can take away what is to be seen, and the result is in storage: there an accumulator counts as that.
    """
    if bench.columns < 3:
        return min(widest, bench.results.significand_bits)
    if _holds(bench, widest - 1):
        return widest
    return next((q for q in range(operands.significand_bits, widest - 1) if not _holds(bench, q)), widest - 1)


def _holds(bench: Bench, q: int) -> bool:
    """Whether 2^14 + 2^(14-q) is held wherever it arises.

    Its terms are products of powers of two that every format has: 2^7·2^7, and 2^3, or 2^-5 where q ≥ 14, times the rest. One factor is a
    column's, the other a row's or a case's own.
    """
    k, generator = bench.columns, torch.Generator().manual_seed(bench.columns * 1009 + bench.rows)
    factor, rest = (2.0**3, 2.0 ** (11 - q)) if q < 14 else (2.0**-5, 2.0 ** (19 - q))
    values = torch.tensor([rest, 2.0**7, -(2.0**7)], dtype=torch.float64)
    for _ in range(PLACES // 4):
        small, large = torch.randperm(k, generator=generator).tensor_split([max(1, k // 3)])
        fixed = torch.full((k,), 2.0**7, dtype=torch.float64)
        fixed[small] = factor
        trials = min(max(PLACES, _at_once(bench)), ONE_BY_ONE)
        places = torch.stack([torch.cat([_some(small, 1, generator), _some(large, 2, generator)]) for _ in range(trials)])
        patterns = torch.zeros((trials, k), dtype=torch.float64).scatter_(-1, places, values.expand(places.shape))
        if any(bool((results != factor * rest).any()) for results in _results(bench, patterns, fixed)):
            return False
    return True


def _some(numbers: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """So many of them, in any order."""
    return numbers[torch.randperm(len(numbers), generator=generator)[:count]]


def _at_once(bench: Bench) -> int:
    """How many patterns can be asked in one run."""
    return bench.by_row if bench.asks_by_row else bench.by_case


def _results(bench: Bench, patterns: Tensor, fixed: Tensor) -> Iterator[Tensor]:
    """What comes out for each pattern times the fixed vector, each as a row of the matrix or as a case's vector.  patterns: (some, k); fixed: (k,)."""
    if not bench.asks_by_row:
        yield from (results for _, results in bench.runs(fixed.expand(bench.rows, -1), patterns, bench.no_bias))
        return
    for part in patterns.split(bench.by_row):
        yield bench.run(part[torch.arange(bench.rows) % len(part)], fixed.unsqueeze(0), bench.no_bias)


def unit_of_truncation(operands: Format, results: Format, accumulation: Format) -> float | None:
    """The smallest power of two S ≥ 1 such that 3uS, u the accumulator's roundoff, is a normal number; None if S would pass Ω."""
    step = 2 * accumulation.unit_roundoff
    unit = max(1.0, *(row.smallest_normal / step for row in (operands, results)))
    return unit if unit <= min(operands.largest, results.largest) else None


def truncates(bench: Bench, operands: Format, accumulation: Format) -> bool:
    """Whether a partial sum is cut off: S + 3uS, u the accumulator's roundoff, is S + 4uS to nearest and S + 2uS if cut off."""
    k, unit = bench.columns, unit_of_truncation(operands, bench.results, accumulation)
    if k < 3 or unit is None:
        return False
    step, generator = 2 * accumulation.unit_roundoff * unit, torch.Generator().manual_seed(k * 1013 + bench.rows)
    values = torch.tensor((unit, 1.5 * step, -unit), dtype=torch.float64)
    places = torch.stack([_some(torch.arange(k), 3, generator) for _ in range(min(max(PLACES, _at_once(bench)), ONE_BY_ONE))])
    patterns = torch.zeros((len(places), k), dtype=torch.float64).scatter_(-1, places, values.expand(places.shape))
    return any(bool((results < 1.5 * step).any()) for results in _results(bench, patterns, torch.ones(k, dtype=torch.float64)))


@dataclass(frozen=True, slots=True)
class SingleProduct:
    """A matrix's entry times a vector's, if all other products of the sum are zero."""

    left: float
    right: float
    expected: float

    @classmethod
    def exact(cls, left: float, right: float) -> "SingleProduct":
        """One that comes out as it is."""
        return cls(left, right, left * right)


@dataclass(frozen=True, slots=True)
class SingleProducts:
    """What a kernel makes of a product of two numbers, in whatever column they stand: all that is asked of it is asked at once."""

    bench: Bench
    operands: Format | None
    """The format to which the mode first rounds the operands."""
    right: frozenset[SingleProduct]
    """Those that came out as they should."""

    @classmethod
    def of(cls, bench: Bench, operands: Format | None, accumulations: Sequence[Format]) -> "SingleProducts":
        """Ask.  accumulations: the formats of which one may be the accumulator's."""
        unasked = cls(bench, operands, frozenset())
        products = [*unasked._last_bit(bench.results), *unasked._last_bit(unasked._kept), *unasked._rounded()]
        products += [product for accumulation in accumulations for product in unasked._subnormal(accumulation)]
        return cls(bench, operands, _right_in_each_column(bench, list(dict.fromkeys(products))))

    @property
    def _kept(self) -> Format:
        """The format of which each operand keeps all bits."""
        return self.operands or self.bench.results

    @property
    def whole(self) -> bool:
        """Whether the last bit of an operand of the storage counts, in a mode that rounds operands to a shorter format."""
        bench, operands = self.bench, self.operands
        if operands is None or bench.matrix != torch_dtype(bench.results) or bench.results.significand_bits <= operands.significand_bits:
            return False
        return self.right.issuperset(self._last_bit(bench.results))

    @property
    def shortened(self) -> bool:
        """Whether operands are rounded otherwise than the mode says: the last bit of one that should be kept is lost, or one is not rounded to nearest."""
        return not self.whole and not self.right.issuperset([*self._last_bit(self._kept), *self._rounded()])

    def flush(self, accumulation: Format) -> bool:
        """Whether a subnormal operand, product, partial sum or result came back as anything but itself.  accumulation: one of those asked about."""
        return not self.right.issuperset(self._subnormal(accumulation))

    def _last_bit(self, kept: Format) -> list[SingleProduct]:
        last = 1.0 + 2 * kept.unit_roundoff
        return [SingleProduct.exact(last, 1.0), SingleProduct.exact(1.0, last)]

    def _rounded(self) -> list[SingleProduct]:
        """1 and a quarter of the spacing more than half of it: to nearest, the next number."""
        if self.operands is None or self.bench.matrix != torch.float32:
            return []
        last, above = 1.0 + 2 * self._kept.unit_roundoff, 1.0 + 1.25 * self._kept.unit_roundoff
        products = [SingleProduct(above, 1.0, last)]
        return products if torch_dtype(self.bench.results) != torch.float32 else [*products, SingleProduct(1.0, above, last)]

    def _subnormal(self, accumulation: Format) -> list[SingleProduct]:
        storage, operands = self.bench.results, self._kept
        normal, half = storage.smallest_normal, 2.0 ** (accumulation.min_exponent // 2 - 2)
        eta = max(storage.smallest_subnormal, operands.smallest_subnormal)  # 3η has to be a number of both
        factors = [(3 * eta, 1.0), (1.0, 3 * eta), (8.0, eta)]
        if normal / 4 >= operands.smallest_subnormal:
            factors.append((normal / 4, 1.0))
        if half >= max(normal, operands.smallest_normal):
            factors.append((half, half))  # two normal operands, and a product that is subnormal in the accumulator
        return [SingleProduct.exact(*pair) for pair in factors]


def _right_in_each_column(bench: Bench, products: Sequence[SingleProduct]) -> frozenset[SingleProduct]:
    """Those that come out as they should in whatever column.

    All columns are asked if they fit into one run, else as many as do, or some evenly apart, the ends among them. A number of the side on which more can
    be asked stands alone in its vector, the other side's fills one.
    """
    k, by_row = bench.columns, bench.asks_by_row
    own, common = (list(dict.fromkeys(x)) for x in zip(*((p.left, p.right) if by_row else (p.right, p.left) for p in products), strict=True))
    columns = torch.linspace(0, k - 1, min(k, max(_at_once(bench), ONE_BY_ONE)), dtype=torch.float64).round().long().unique()
    patterns = torch.zeros((len(own), len(columns), k), dtype=torch.float64)
    patterns[:, torch.arange(len(columns)), columns] = torch.tensor(own, dtype=torch.float64).unsqueeze(-1)
    expected = torch.full((len(own), len(common)), torch.nan, dtype=torch.float64)
    for p in products:
        place = (own.index(p.left), common.index(p.right)) if by_row else (own.index(p.right), common.index(p.left))
        expected[place] = p.expected
    commons = torch.tensor(common, dtype=torch.float64).unsqueeze(-1).expand(-1, k)
    agrees = bench.table(patterns.flatten(0, 1), commons, expected.repeat_interleave(len(columns), 0)).reshape(len(own), len(columns), -1).all(1)

    def came_out(p: SingleProduct) -> bool:
        place = (own.index(p.left), common.index(p.right)) if by_row else (own.index(p.right), common.index(p.left))
        return bool(agrees[place])

    return frozenset(p for p in products if came_out(p))


def outer_takes_whole(call: KernelCall, storage: Format, operands: Format, running: Context, device: str) -> bool:
    """The same of the batched product of a column and a row."""
    last = 1.0 + 2 * storage.unit_roundoff
    return storage.significand_bits > operands.significand_bits and _outer_agrees([(last, 1.0), (1.0, last)], call, running, device)


def _outer_agrees(factors: Sequence[tuple[float, float]], call: KernelCall, running: Context, device: str) -> bool:
    """Whether the batched product of a column and a row is exact.  factors: what all entries of the one and of the other are, in turn from case to case."""
    by_case = all(len(operand.shape) == 3 and operand.free[0] for operand in (call.matrix, call.vector))
    at_once = call.batch if by_case else 1
    for some in (factors[start : start + at_once] for start in range(0, len(factors), at_once)):
        left, right = (torch.tensor(x, dtype=torch.float64) for x in zip(*some, strict=True))
        if by_case:
            left, right = (x[torch.arange(call.batch) % len(some)].reshape(-1, 1, 1) for x in (left, right))
        column, row = (operand.laid_out(x, device) for operand, x in ((call.matrix, left), (call.vector, right)))
        with running():
            product = outer_product(column, row)
        if bool((product.double() != (left * right).to(device)).any()):
            return False
    return True


def outer_flushes(call: KernelCall, storage: Format, operands: Format, running: Context, device: str) -> bool:
    """Whether the batched product of a column and a row, one product an entry, loses a subnormal operand or result."""
    eta = max(storage.smallest_subnormal, operands.smallest_subnormal)
    return not _outer_agrees([(3 * eta, 1.0), (1.0, 3 * eta), (storage.smallest_normal, 0.25), (8.0, eta)], call, running, device)


def elementwise_flushes(storage: Format, device: str, running: Context = nullcontext) -> bool:
    """Whether a sum, a difference, a product or a quotient loses a subnormal operand or result."""
    eta, normal = storage.smallest_subnormal, storage.smallest_normal
    numbers = (3 * eta, eta, normal, 4.0, 1.0, normal / 2, 8 * normal, 0.0625)
    x, y, z, a, b, c, d, e = (torch.full((ONE_BY_ONE,), v, dtype=torch.float64).to(device, torch_dtype(storage)) for v in numbers)
    with running():
        computed = [x + y, x - y, z - y, z / a, x / b, z / c, d * e]
    expected = [4 * eta, 2 * eta, normal - eta, normal / 4, 3 * eta, 2.0, normal / 2]
    return any(bool((got.double() != right).any()) for got, right in zip(computed, expected, strict=True))


def rounds_before_bias(bench: Bench, opmath: Format) -> bool:
    """Whether a dense layer stores Wx before it adds the bias: then 1 + u and u give 1, and together 1 + 2u.

    One product alone is s + u, where s = 1 + 2^-h + 2^(h-p), h half of the p bits, is a number of the storage whose last bit is 0.
    """
    k, storage = bench.columns, bench.results
    if opmath == storage:
        return False  # γ_{k+1} covers a sum of k+1 terms in any order
    u, half = storage.unit_roundoff, storage.significand_bits // 2
    row, column = torch.zeros(k, dtype=torch.float64), torch.ones((1, k), dtype=torch.float64)
    if k == 1:
        row[0], column[0, 0] = 1.0 + 2.0**-half, 1.0 + 2.0 ** (half - storage.significand_bits)
    else:
        row[0], row[1] = 1.0, u
    results = bench.run(row.expand(bench.rows, -1), column, torch.full((bench.rows,), u, dtype=torch.float64))
    return bool((results != float(row @ column[0]) + u).any())


def same_alone(bench: Bench) -> bool:
    """Whether the result of a dense layer for one case has the same bits alone and among many."""
    generator, some = torch.Generator().manual_seed(bench.columns), min(4, bench.by_case)
    W = torch.randn((bench.rows, bench.columns), generator=generator, dtype=torch.float64)
    x = torch.randn((bench.by_case, bench.columns), generator=generator, dtype=torch.float64)
    b = torch.randn(bench.rows, generator=generator, dtype=torch.float64)
    vector = bench.call.vector
    by_itself = replace(bench, call=replace(bench.call, vector=replace(vector, shape=(1, *vector.shape[1:]))))
    return torch.equal(bench.run(W, x, b)[:some], torch.cat([by_itself.run(W, x[case : case + 1], b) for case in range(some)]))
