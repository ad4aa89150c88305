"""Products whose order of summation, or whose accumulator, is planted; and an error model that asks them."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from numeric.formats import modes_named
from numeric.machine import ErrorModel, kernels, probe
from numeric.machine.kernels import ProductKernel

Run = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def in_bits(x: Tensor, bits: int, *, cut: bool) -> Tensor:
    """float64 numbers with so many bits in their significand: to nearest, ties to even, or cut off."""
    fraction, exponent = torch.frexp(x)
    scaled = torch.ldexp(fraction, torch.tensor(bits))
    return torch.ldexp(torch.trunc(scaled) if cut else torch.round(scaled), exponent - bits)


def one_by_one(X: Tensor, y: Tensor, b: Tensor | None, leaves: Sequence[int], held: Callable[[Tensor], Tensor]) -> Tensor:
    """The products, exact in float64, one after the other in an accumulator, and the bias last.  X: (cases or 1, p, k); y: (cases, k, 1)."""
    products = X.double() * y.double().mT
    total = torch.zeros(products.shape[:2], dtype=torch.float64)
    for k in leaves:
        total = held(total + products[..., k])
    if b is not None:
        total = held(total + b.double())
    return total.to(y.dtype).unsqueeze(-1)


def in_order(leaves: Callable[[Tensor, Tensor], Sequence[int]]) -> Run:
    """An accumulator in fp32, and an order that depends on the operands."""
    return lambda X, y, b: one_by_one(X, y, b, leaves(X, y), lambda total: total.float().double())


def narrow(bits: int, *, cut: bool) -> Run:
    """An accumulator of so many bits."""
    return lambda X, y, b: one_by_one(X, y, b, range(X.shape[-1]), lambda total: in_bits(total, bits, cut=cut))


def planted(run: Run, name: str, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int] = (8, 16), batch: int = 512) -> ErrorModel:
    """What the machine is found to be if all its products run so."""
    honest = kernels.kernels()
    rows = {key: ProductKernel(key, run, row.layer, row.bias, row.patched, own_matrix=True) for key, row in honest.items()}
    monkeypatch.setattr(kernels, "kernels", lambda: rows)
    return probe(modes_named([name])[0], shapes=(shape,), batch=batch).layer
