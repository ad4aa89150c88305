"""Products of whole matrices: what rounding does to one, and chains of inexact ones, entry by entry.

    |fl(XY) - XY| ≤ γ_k|X||Y| + underflow                       Higham, "Accuracy and Stability", (3.13); in any order of the k terms
    |F̂P̂ - FP| ≤ |F̂|r + ρ(|P̂| + r)      if |F̂ - F| ≤ ρ, |P̂ - P| ≤ r:      F̂P̂ - FP = F̂(P̂ - P) + (F̂ - F)P

The radii are float64 numbers rounded outward (``envelope.outward``).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.arithmetics.envelope import outward
from numeric.arithmetics.roundoff import gamma
from numeric.machine import ErrorModel


@dataclass(frozen=True, slots=True)
class Enclosed:
    """Matrices with a radius for each entry: |value - exact| ≤ radius.  Both (..., p, q) float64."""

    value: Tensor
    radius: Tensor

    @property
    def above(self) -> Tensor:
        """An upper bound of |exact|."""
        return outward(self.value.abs() + self.radius, 1)


def product_error(X: Tensor, Y: Tensor, value: Tensor, n: ErrorModel) -> Tensor:
    """|fl(XY) - XY|, for a kernel that adds in any order.

    X: (..., p, k); Y: (..., k, q); value: (..., p, q), the product as computed; all in the storage format. Returns float64.
    """
    assert n.operands is None, "operands that are rounded first have no rule here"
    k = X.shape[-1]
    x, y = X.double().abs(), Y.double().abs()
    u, growth = n.sum_roundoff, (1.0 + gamma(k, n.sum_roundoff)) * (1.0 + n.storage.unit_roundoff)
    error, lost = (x @ y) * gamma(k, u), k * n.accumulation.half_subnormal * growth
    if n.accumulation != n.storage:
        error = error + value.double().abs() * n.storage.unit_roundoff
        lost += n.storage.half_subnormal
    if n.flushing:  # whichever kernel it is: subnormal entries read as zero, products and results written so
        read = x.sum(-1, keepdim=True) + y.sum(-2, keepdim=True)
        error = error + read * n.storage.smallest_normal
        lost += (2 * k * n.accumulation.smallest_normal + n.storage.smallest_normal) * growth
    return outward(error + lost, 2 * k + 6)


def chained(F: Enclosed, P: Enclosed, n: ErrorModel) -> Enclosed:
    """F P, computed in float64.  F: (..., p, k); P: (..., k, q); n: a model of float64."""
    assert n.storage.dtype == "float64"
    value = F.value @ P.value
    inherited = F.value.abs() @ P.radius + F.radius @ P.above
    return Enclosed(value, outward(inherited + product_error(F.value, P.value, value, n), 2 * P.value.shape[-2] + 2))


def applied_above(E: Tensor, X: Tensor) -> Tensor:
    """E X rounded up.  E: (..., p, k), X: (..., k, q), both float64 and nonnegative."""
    return outward(E @ X, 2 * E.shape[-1])


def running_sums(parts: Tensor) -> Tensor:
    """Sums of the first 1, 2, ... parts, rounded up.  parts: (trials, n, ...) float64, nonnegative."""
    return outward(torch.cumsum(parts, dim=1), parts.shape[1])
