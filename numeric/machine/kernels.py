"""The kernels that a measurement runs, by name: what the probes ask, and what a bound knows them by.

Each is the very call of a measurement, on X (cases, p, k), y (cases, k, 1) and a bias (p,), giving (cases, p, 1). Which
matrix and which bias are one for all cases and which are a case's own decides what a library runs, so each has a name.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

PRODUCT, SHARED_PRODUCT, INNER_PRODUCT, OUTER_PRODUCT = "batched product", "shared product", "inner product", "outer product"
DENSE, PATCHED_WEIGHT, PATCHED_BIAS = "dense layer", "dense layer, own weight", "dense layer, own bias"
SEVERAL_COLUMNS, MATRIX_LEFT, ONE_COLUMN = "batched product, several columns", "dense layer, matrix on the left, no bias", "matrix times vector"
BARE = {name: f"{name}, no bias" for name in (DENSE, PATCHED_WEIGHT)}
"""The same of layers without a bias, for which a library may run another kernel."""
ALL_KERNELS = frozenset(
    {
        *(PRODUCT, SHARED_PRODUCT, INNER_PRODUCT, OUTER_PRODUCT, SEVERAL_COLUMNS, MATRIX_LEFT, ONE_COLUMN),
        *(DENSE, PATCHED_WEIGHT, PATCHED_BIAS, *BARE.values()),
    }
)

BATCH = 512
"""Cases that a measurement hands to a kernel at once, unless it is told otherwise or they would not fit."""


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
    """Whether it is a patched layer's."""
    own_matrix: bool = False
    """Whether each case has a matrix of its own; otherwise it uses X[0]."""
    own_bias: bool = False
    """Whether each case has a bias of its own."""
    on_demand: bool = False
    """Whether it is asked about only where it is met, and not before a run."""


def _dense(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    return F.linear(y.squeeze(-1), X[0], b).unsqueeze(-1)


def _own_weight(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    rows = y.squeeze(-1).unsqueeze(1)
    if b is None:
        return torch.bmm(rows, X.mT).squeeze(1).unsqueeze(-1)
    return torch.baddbmm(b.unsqueeze(1) if b.dim() == 2 else b, rows, X.mT).squeeze(1).unsqueeze(-1)


def _own_bias(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
    assert b is not None
    return torch.addmm(b.expand(len(y), -1), y.squeeze(-1), X[0].mT).unsqueeze(-1)


def _several_columns(X: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
    """All columns are given alike; where they do not come out alike, nothing is known of their order: NaN."""
    columns = torch.bmm(y.mT, X.mT).mT
    return columns[..., :1] + torch.where(columns.amax(-1, keepdim=True) == columns.amin(-1, keepdim=True), 0.0, torch.nan).to(columns.dtype)


def kernels() -> dict[str, ProductKernel]:
    """All of them, by name."""
    rows = (
        ProductKernel(PRODUCT, lambda X, y, _: X @ y, own_matrix=True),
        ProductKernel(SHARED_PRODUCT, lambda X, y, _: X[0] @ y),
        ProductKernel(INNER_PRODUCT, lambda X, y, _: X[:, :1] @ y, own_matrix=True),
        ProductKernel(OUTER_PRODUCT, lambda X, y, _: outer_product(X, y), own_matrix=True),
        ProductKernel(DENSE, _dense, layer=True, bias=True),
        ProductKernel(PATCHED_WEIGHT, _own_weight, layer=True, bias=True, patched=True, own_matrix=True),
        ProductKernel(PATCHED_BIAS, _own_bias, layer=True, bias=True, patched=True, own_bias=True),
        ProductKernel(BARE[DENSE], _dense, layer=True),
        ProductKernel(BARE[PATCHED_WEIGHT], _own_weight, layer=True, patched=True, own_matrix=True),
        ProductKernel(SEVERAL_COLUMNS, _several_columns, own_matrix=True, on_demand=True),
        ProductKernel(MATRIX_LEFT, lambda X, y, _: (X[0] @ y.squeeze(-1).mT).mT.unsqueeze(-1), on_demand=True),
        ProductKernel(ONE_COLUMN, lambda X, y, _: torch.mv(X[0], y[0, :, 0]).expand(len(y), -1).unsqueeze(-1), on_demand=True),
    )
    return {row.name: row for row in rows}


def outer_product(column: Tensor, row: Tensor) -> Tensor:
    """The batched product of a column and a row, as in v aᵀ.  column: (cases, p, 1); row: (cases, 1, k)."""
    return column @ row
