"""Arithmetic entry by entry and matrix products over arrays of balls, each written from its definition."""

from typing import Any

import numpy as np
from flint import arb

from tests.numeric.operator_rules.against_exact import Reference

Array = np.ndarray


def ball(x: Any) -> Any:
    """An array as it is, a Python number as a ball."""
    return x if isinstance(x, np.ndarray | arb) else arb(float(x))


def times(x: Array, y: Array) -> Array:
    """The matrix product, by its sums; nothing is a sum of no terms."""
    if x.shape[-1]:
        return np.matmul(x, y)
    return np.full((*x.shape[:-1], y.shape[-1]), arb(0), dtype=object)


def _add(self: Any, other: Any, *, alpha: float = 1) -> Any:
    return ball(self) + ball(other) * ball(alpha)


def _sub(self: Any, other: Any, *, alpha: float = 1) -> Any:
    return ball(self) - ball(other) * ball(alpha)


def _rsub(self: Any, other: Any, alpha: float = 1) -> Any:
    return ball(other) - ball(self) * ball(alpha)


def _added(self: Array, one: Array, two: Array, *, beta: float = 1, alpha: float = 1) -> Array:
    product = times(one, two) * ball(alpha)
    return product if beta == 0 else product + self * ball(beta)


def _addmv(self: Array, mat: Array, vec: Array, *, beta: float = 1, alpha: float = 1) -> Array:
    return _added(self[..., None], mat, vec[:, None], beta=beta, alpha=alpha)[..., 0]


REFERENCES: dict[str, Reference] = {
    "aten.add.Tensor": _add,
    "aten.add.Scalar": _add,
    "aten.sub.Tensor": _sub,
    "aten.sub.Scalar": _sub,
    "aten.rsub.Tensor": _rsub,
    "aten.rsub.Scalar": _rsub,
    **dict.fromkeys(("aten.mul.Tensor", "aten.mul.Scalar"), lambda self, other: ball(self) * ball(other)),
    **dict.fromkeys(("aten.div.Tensor", "aten.div.Scalar"), lambda self, other: ball(self) / ball(other)),
    "aten.reciprocal.default": lambda self: 1 / self,
    "aten.neg.default": lambda self: -self,
    "aten.mm.default": lambda self, mat2: times(self, mat2),
    "aten.bmm.default": lambda self, mat2: times(self, mat2),
    "aten.mv.default": lambda self, vec: times(self, vec[:, None])[..., 0],
    "aten.dot.default": lambda self, tensor: times(self[None], tensor[:, None])[0, 0],
    "aten.addmm.default": lambda self, mat1, mat2, **scaled: _added(self, mat1, mat2, **scaled),
    "aten.baddbmm.default": lambda self, batch1, batch2, **scaled: _added(self, batch1, batch2, **scaled),
    "aten.addmv.default": _addmv,
}
