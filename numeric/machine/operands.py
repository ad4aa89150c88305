"""How the operands of a product lie in memory: what a library may choose its kernel by, and what a probe has to lay out again.

A product's code, and with it the order of its sums, can depend on the strides of its operands (a transposed weight, a slice of a longer row), on
where they begin (vector loads want aligned addresses), on the batch and on the number of threads. A ``KernelCall`` is all of that.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from numeric.machine.kernels import OUTER_PRODUCT

CACHE_LINE = 64
"""Bytes of a cache line: a tensor's place in memory counts modulo this, and torch allocates at its multiples."""


@dataclass(frozen=True, order=True)
class Operand:
    """A tensor without its numbers."""

    dtype: str
    """Of torch, e.g. ``float32``."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In elements; 0 along an axis that was expanded. A library may choose by the stride of an axis with one entry, too."""
    offset: int = 0
    """Bytes from the last multiple of ``CACHE_LINE`` to the first entry."""

    @classmethod
    def of(cls, x: Tensor) -> "Operand":
        """How a tensor lies."""
        return cls(str(x.dtype).removeprefix("torch."), tuple(x.shape), x.stride(), x.data_ptr() % CACHE_LINE)

    @classmethod
    def usual(cls, dtype: torch.dtype, *shape: int) -> "Operand":
        """One that torch has just made: one row after the other, from a multiple of ``CACHE_LINE`` on."""
        return cls(str(dtype).removeprefix("torch."), shape, tuple(prod(shape[axis + 1 :]) for axis in range(len(shape))))

    @property
    def turned(self) -> "Operand":
        """Its transpose, as a view."""
        return replace(self, shape=(*self.shape[:-2], *self.shape[:-3:-1]), strides=(*self.strides[:-2], *self.strides[:-3:-1]))

    @cached_property
    def free(self) -> tuple[bool, ...]:
        """By axis, whether its entries can differ: there are several, and they were not expanded from one."""
        return tuple(stride != 0 and size > 1 for stride, size in zip(self.strides, self.shape, strict=True))

    @cached_property
    def overlaps(self) -> bool:
        """Whether two entries may share a place in memory, other than by expansion."""
        reach = 0
        for stride, size in sorted((stride, size) for stride, size in zip(self.strides, self.shape, strict=True) if stride != 0 and size > 1):
            if stride <= reach:
                return True
            reach += stride * (size - 1)
        return False

    @cached_property
    def span(self) -> int:
        """Entries of memory from its first to its last one."""
        return 1 + sum(stride * (size - 1) for stride, size in zip(self.strides, self.shape, strict=True))

    def laid_out(self, values: Tensor, device: str) -> Tensor:
        """A tensor that lies so, with these numbers.  values: what broadcasts to the shape; of an expanded axis the first entries are taken."""
        assert not self.overlaps
        dtype = getattr(torch, self.dtype)
        values = values.expand(self.shape)
        for axis, (size, free) in enumerate(zip(self.shape, self.free, strict=True)):
            if size > 1 and not free:
                values = values.narrow(axis, 0, 1)
        if values.numel() == 0:
            return torch.empty(self.shape, dtype=dtype, device=device)
        base = torch.empty(self.span + 2 * CACHE_LINE // dtype.itemsize, dtype=dtype, device=device)
        start = (self.offset - base.data_ptr()) % CACHE_LINE
        assert start % dtype.itemsize == 0
        lying = torch.as_strided(base, values.shape, self.strides, start // dtype.itemsize)
        lying.copy_(values)
        return lying.expand(self.shape)


@dataclass(frozen=True, order=True)
class KernelCall:
    """A kernel with its operands: what an error model belongs to."""

    kernel: str
    """Its name in ``kernels.py``."""
    matrix: Operand
    """(cases, p, k), or (p, k) if all cases share it; of an outer product the column, (cases, p, 1)."""
    vector: Operand
    """(cases, k, 1); of an outer product the row, (cases, 1, k)."""
    bias: Operand | None = None
    """(p,), or (cases, p)."""
    threads: int = 1

    @classmethod
    def of(cls, kernel: str, X: Tensor, y: Tensor, bias: Tensor | None = None) -> "KernelCall":
        """A call that was met.  X: (cases, p, k) or (p, k); y: (cases, k, 1) or (k, 1); bias: (p, 1) or (cases, p, 1)."""
        if X.dim() == 3 and y.dim() == 3 and len(X) != len(y):
            X, y = (t.expand(max(len(X), len(y)), -1, -1) for t in (X, y))
        y = y.unsqueeze(0) if y.dim() == 2 else y
        offset = None if bias is None else Operand.of(bias.squeeze(-1))
        return cls(kernel, Operand.of(X), Operand.of(y), offset, torch.get_num_threads())

    @property
    def batch(self) -> int:
        """Cases at once."""
        return self.vector.shape[0]

    @property
    def rows(self) -> int:
        """p."""
        return self.matrix.shape[-2]

    @property
    def columns(self) -> int:
        """k, the terms of a sum; of an outer product, the row's entries."""
        return (self.vector if self.kernel == OUTER_PRODUCT else self.matrix).shape[-1]

    @property
    def askable(self) -> bool:
        """Whether operands that lie so can hold any numbers: no axis that is summed over was expanded, and no two entries share a place."""
        operands = [x for x in (self.matrix, self.vector, self.bias) if x is not None]
        summed = self.matrix.shape[-1] == 1 or (self.matrix.free[-1] and self.vector.free[-2])
        return summed and not any(x.overlaps for x in operands)
