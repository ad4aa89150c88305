"""Modules at which the strands of a network meet: of a gated network, and of a mixture of experts.

They are modules, and not operators in some forward method, so that what reads what can be seen (``wiring.py``), and so that each
has its rounding rule (``table.py``).
"""

import torch
from torch import Tensor, nn


class Product(nn.Module):
    """The product of two vectors, entry by entry."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x, y: (..., p). Returns (..., p)."""
        return x * y


class LargestOnly(nn.Module):
    """Keeps the k largest entries, and all that equal the smallest of them; the others become zero."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., p), p ≥ k. Returns (..., p)."""
        least = x.topk(self.k, dim=-1).values[..., -1:]
        return torch.where(x >= least, x, torch.zeros_like(x))


class WeightedSum(nn.Module):
    """Σ_k γ_k y_k, added up in the order of the terms."""

    def forward(self, gates: Tensor, *terms: Tensor) -> Tensor:
        """gates: (..., E); terms: E of (..., d). Returns (..., d)."""
        total = gates[..., :1] * terms[0]
        for k, term in enumerate(terms[1:], start=1):
            total = total + gates[..., k : k + 1] * term
        return total
