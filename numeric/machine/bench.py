"""A kernel with operands of a given layout, ready to be asked with numbers of one's choice."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.formats import Format, torch_dtype
from numeric.machine.kernels import INNER_PRODUCT, OUTER_PRODUCT, KernelAt, ProductKernel
from numeric.machine.operands import KernelCall, Operand


@dataclass(frozen=True, slots=True)
class Bench:
    """A call, with the kernel that it calls. All cases of a run have one matrix, which is what every question needs."""

    kernel: ProductKernel
    call: KernelCall
    results: Format
    """Of what comes out."""
    device: str
    running: Callable[[], AbstractContextManager[object]] = nullcontext
    """What is switched on while it runs."""

    @property
    def rows(self) -> int:
        """p."""
        return self.call.rows

    @property
    def columns(self) -> int:
        """k, the terms of its sum."""
        return self.call.columns

    @property
    def at(self) -> KernelAt:
        """The kernel and the shape."""
        return KernelAt(self.kernel.name, self.rows, self.columns)

    @property
    def dtypes(self) -> tuple[torch.dtype, torch.dtype]:
        """The matrix's, which is the bias's too, and the vector's."""
        of_matrix, of_vector = (getattr(torch, operand.dtype) for operand in (self.call.matrix, self.call.vector))
        return of_matrix, of_vector

    @property
    def matrix(self) -> torch.dtype:
        """Of the matrix and of the bias."""
        return self.dtypes[0]

    @property
    def by_case(self) -> int:
        """How many cases can have vectors of their own in one run."""
        return self.call.batch if self.call.vector.free[0] else 1

    @property
    def by_row(self) -> int:
        """How many rows can differ, in the matrix and in the bias."""
        bias = self.call.bias
        return self.rows if self.call.matrix.free[-2] and (bias is None or bias.free[-1]) else 1

    @property
    def asks_by_row(self) -> bool:
        """Whether more can be asked in one run by rows of the matrix than by cases."""
        return self.by_row >= self.by_case

    @property
    def no_bias(self) -> Tensor | None:
        """A bias that adds nothing: zeros, or none where the kernel takes none."""
        return torch.zeros(self.rows, dtype=torch.float64) if self.kernel.bias else None

    def offset(self, bias_values: Tensor, *, bias: bool) -> Tensor | None:
        """The bias that the kernel is given: these values, zeros where it is not one of the terms, none where the kernel takes none.  bias_values: (p,)."""
        return bias_values if bias and self.kernel.bias else self.no_bias

    def run(self, X: Tensor, y: Tensor, bias: Tensor | None = None) -> Tensor:
        """The kernel's results.

        X: (p, k); y: (some, k), some of at most ``by_case`` vectors, which are asked about over and over until there are as many as cases;
        bias: (p,); all float64. Returns (cases, p) float64 on the CPU; case c has vector c modulo some.
        """
        assert len(y) <= self.by_case
        call = self.call
        vectors = y.repeat(-(-call.batch // len(y)), 1)[: call.batch].unsqueeze(-1)
        matrix, vector = call.matrix.laid_out(X, self.device), call.vector.laid_out(vectors, self.device)
        offset = None if bias is None else (call.bias or Operand.usual(self.matrix, self.rows)).laid_out(bias, self.device)
        with torch.no_grad(), self.running():
            results = self.kernel.run(matrix if matrix.dim() == 3 else matrix.unsqueeze(0), vector, offset)
        return results.double().cpu().squeeze(-1)

    def runs(self, X: Tensor, y: Tensor, bias: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """As many runs as any number of vectors takes.  y: (some, k). Yields the vectors of a run, and (cases, p) by vector: (some, rounds, p)."""
        for part in y.split(self.by_case):
            results = self.run(X, part, bias)
            rounds = len(results) // len(part)
            whole = results[: rounds * len(part)].reshape(rounds, len(part), -1)
            rest = results[rounds * len(part) :]
            if len(rest):  # the last cases, which are not a whole round, beside the first round's others
                whole = torch.cat([whole, torch.cat([rest, whole[0, len(rest) :]]).unsqueeze(0)])
            yield part, whole.movedim(0, 1)

    def table(self, patterns: Tensor, commons: Tensor, expected: Tensor) -> Tensor:
        """Whether the sum of products of each pattern with each common vector came out as it should, wherever it was computed.

        patterns: (P, k), each of which is a row of the matrix of its own, or a case's vector, whichever there are more of; commons: (Q, k), which stand on
        the other side; expected: (P, Q), NaN for what is not asked. Returns (P, Q) bool.
        """
        of_patterns, of_commons = (self.by_row, self.by_case) if self.asks_by_row else (self.by_case, self.by_row)
        agrees = torch.ones(expected.shape, dtype=torch.bool)
        for i in range(0, len(patterns), of_patterns):
            for j in range(0, len(commons), of_commons):
                place = slice(i, i + of_patterns), slice(j, j + of_commons)
                some, others, right = patterns[place[0]], commons[place[1]], expected[place]
                if right.isnan().all():
                    continue
                rows, vectors = (some, others) if self.asks_by_row else (others, some)
                of_row, of_case = torch.arange(self.rows) % len(rows), torch.arange(self.call.batch) % len(vectors)
                results = self.run(rows[of_row], vectors, self.no_bias)
                asked = (right if self.asks_by_row else right.mT)[of_row][:, of_case].mT
                wrong = (results != asked) & ~asked.isnan()
                of_results = of_row * len(vectors) + of_case.unsqueeze(-1)
                counted = torch.zeros(len(rows) * len(vectors), dtype=torch.int64).index_add_(0, of_results.flatten(), wrong.flatten().long())
                none = (counted == 0).reshape(len(rows), len(vectors))
                agrees[place] = none if self.asks_by_row else none.mT
        return agrees

    def agrees(self, X: Tensor, y: Tensor) -> bool:
        """Whether every result is the exact one.  X: (p, k); y: (some, k); so chosen that float64 finds the exact result."""
        return all(bool((results == (part @ X.mT).unsqueeze(1)).all()) for part, results in self.runs(X, y, self.no_bias))


def usual_bench(kernel: ProductKernel, shape: tuple[int, int], storage: Format, batch: int) -> Bench:
    """A kernel on the CPU with operands as torch makes them, all in one format.  shape: (p, k)."""
    dtype = torch_dtype(storage)
    return Bench(kernel, usual_call(kernel, *shape, (dtype, dtype), batch), storage, "cpu")


def usual_call(kernel: ProductKernel, rows: int, columns: int, dtypes: tuple[torch.dtype, torch.dtype], batch: int) -> KernelCall:
    """A call with operands that torch has just made.  dtypes: the matrix's and the vector's."""
    (of_matrix, of_vector), threads = dtypes, torch.get_num_threads()
    if kernel.name == OUTER_PRODUCT:
        return KernelCall(kernel.name, Operand.usual(of_matrix, batch, rows, 1), Operand.usual(of_vector, batch, 1, columns), None, threads)
    if kernel.name == INNER_PRODUCT:  # of a column's transpose, as in aᵀa
        return KernelCall(kernel.name, Operand.usual(of_matrix, batch, columns, 1).turned, Operand.usual(of_vector, batch, columns, 1), None, threads)
    matrix = Operand.usual(of_matrix, batch, rows, columns) if kernel.own_matrix else Operand.usual(of_matrix, rows, columns)
    bias = None if not kernel.bias else Operand.usual(of_matrix, batch, rows) if kernel.own_bias else Operand.usual(of_matrix, rows)
    return KernelCall(kernel.name, matrix, Operand.usual(of_vector, batch, columns, 1), bias, threads)
