"""The kernels that a measurement runs, by name: what the probes ask, and what a bound knows them by.

Each is the very call of a measurement, on X (cases, p, k), y (cases, k, 1) and a bias (p,), giving (cases, p, 1). Which
matrix and which bias are one for all cases and which are a case's own decides what a library runs, so each has a name.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn import functional as F

from numeric.formats import Format, torch_dtype

PRODUCT, SHARED_PRODUCT, INNER_PRODUCT, OUTER_PRODUCT = "batched product", "shared product", "inner product", "outer product"
DENSE, PATCHED_WEIGHT, PATCHED_BIAS, PATCHED_PASS = "dense layer", "dense layer, own weight", "dense layer, own bias", "dense layer, patched pass"
BARE = {name: f"{name}, no bias" for name in (DENSE, PATCHED_WEIGHT, PATCHED_PASS)}
"""The same of layers without a bias, for which a library may run another kernel."""
ALL_KERNELS = frozenset({PRODUCT, SHARED_PRODUCT, INNER_PRODUCT, OUTER_PRODUCT, DENSE, PATCHED_WEIGHT, PATCHED_BIAS, PATCHED_PASS, *BARE.values()})

BATCH = 512
"""Cases that a measurement hands to a kernel at once."""

PROBED_ROWS = 64
"""Different rows that a probe asks about; each is repeated until the batch has the size of a measurement's."""


@dataclass(frozen=True, slots=True, order=True)
class KernelAt:
    """A kernel, by its name, at the shape (rows, columns) of its matrix: a library may run another code at every shape."""

    kernel: str
    rows: int
    columns: int

    def __str__(self) -> str:
        return f"{self.kernel} {self.rows}x{self.columns}"


@dataclass(frozen=True, slots=True)
class ProductKernel:
    """A way to multiply a matrix and a column."""

    name: str
    run: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    layer: bool = False
    """Whether it is a dense layer's."""
    bias: bool = False
    """Whether it adds a bias."""
    patched: bool = False
    """Whether it runs in the patched pass."""
    own_matrix: bool = False
    """Whether each case has a matrix of its own; otherwise it uses X[0]."""


def _dense(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    return F.linear(y.squeeze(-1), X[0], b).unsqueeze(-1)


def _own_weight(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    return vmap(lambda W, x: F.linear(x.unsqueeze(0), W, b).squeeze(0))(X, y.squeeze(-1)).unsqueeze(-1)


def _own_bias(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    if b is None:
        return _patched_pass(X, y, None)
    return vmap(lambda x, c: F.linear(x.unsqueeze(0), X[0], c).squeeze(0))(y.squeeze(-1), b.expand(len(y), -1)).unsqueeze(-1)


def _patched_pass(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    return vmap(lambda x: F.linear(x.unsqueeze(0), X[0], b).squeeze(0))(y.squeeze(-1)).unsqueeze(-1)


def kernels() -> dict[str, ProductKernel]:
    """All of them, by name."""
    rows = (
        ProductKernel(PRODUCT, lambda X, y, _: X @ y, own_matrix=True),
        ProductKernel(SHARED_PRODUCT, lambda X, y, _: X[0] @ y),
        ProductKernel(INNER_PRODUCT, lambda X, y, _: X[:, :1] @ y, own_matrix=True),
        ProductKernel(DENSE, _dense, layer=True, bias=True),
        ProductKernel(PATCHED_WEIGHT, _own_weight, layer=True, bias=True, patched=True, own_matrix=True),
        ProductKernel(PATCHED_BIAS, _own_bias, layer=True, bias=True, patched=True),
        ProductKernel(PATCHED_PASS, _patched_pass, layer=True, bias=True, patched=True),
        ProductKernel(BARE[DENSE], _dense, layer=True),
        ProductKernel(BARE[PATCHED_WEIGHT], _own_weight, layer=True, patched=True, own_matrix=True),
        ProductKernel(BARE[PATCHED_PASS], _patched_pass, layer=True, patched=True),
    )
    return {row.name: row for row in rows}


def outer_product(column: Tensor, row: Tensor) -> Tensor:
    """The batched product of a column and a row, as in v aᵀ.  column: (cases, p, 1); row: (cases, 1, k)."""
    return column @ row


@dataclass(frozen=True, slots=True)
class Bench:
    """A kernel at a shape, ready to be asked: in which dtypes, how many cases at once, under what."""

    kernel: ProductKernel
    rows: int
    columns: int
    matrix: torch.dtype
    """Of X and of the bias."""
    results: Format
    """Of y and of what comes out."""
    batch: int
    device: str
    running: Callable[[], AbstractContextManager[object]] = nullcontext

    @property
    def at(self) -> KernelAt:
        """The kernel and the shape."""
        return KernelAt(self.kernel.name, self.rows, self.columns)

    @property
    def no_bias(self) -> Tensor | None:
        """A bias that adds nothing: zeros, or none where the kernel takes none."""
        return torch.zeros(self.rows, dtype=torch.float64) if self.kernel.bias else None

    @property
    def matrices(self) -> int:
        """How many matrices the kernel takes."""
        return self.batch if self.kernel.own_matrix else 1

    def run(self, X: Tensor, y: Tensor, b: Tensor | None = None) -> Tensor:
        """The kernel's results as float64 on the CPU.  X: (matrices, rows, columns); y: (batch, columns, 1); b: (rows,). Returns (batch, rows)."""
        X, y = X.to(self.device, self.matrix), y.to(self.device, torch_dtype(self.results))
        with self.running():
            found = self.kernel.run(X, y, None if b is None else b.to(self.device, self.matrix))
        return found.double().cpu().squeeze(-1)

    def agrees(self, X: Tensor, y: Tensor) -> bool:
        """Whether every result is the exact one; some operands are asked about over and over, until there are as many as in a measurement.

        X: (some, rows, columns), or (1, rows, columns); y: (some, columns, 1); float64, so chosen that float64 finds the exact result.
        """
        found = self.run(repeated(X, self.matrices), repeated(y, self.batch), self.no_bias)
        return bool((found == repeated((X @ y).squeeze(-1), self.batch)).all())


def repeated(x: Tensor, count: int) -> Tensor:
    """Rows over and over, until there are that many.  x: (some, ...)."""
    return x.repeat(-(-count // len(x)), *(1 for _ in x.shape[1:]))[:count]
