"""What can go wrong in the cases of a batch: a case in which something did, or could, is not judged."""

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.formats import Format


@dataclass(slots=True)
class Hazards:
    """What can go wrong in the cases of a batch: foretold by the operands, or seen in a result."""

    overflow: Tensor
    """(cases,) bool: a magnitude could pass Ω, so an infinity would be no surprise."""
    underflow: Tensor
    """(cases,) bool: a denominator cannot be told from zero."""
    not_finite: Tensor
    """(cases,) bool: a vector or a scalar on the way came out infinite or NaN. A later step can hide it: x/∞ = 0."""
    undecided: Tensor
    """(cases,) bool: which entries are the largest cannot be told, so neither which experts are chosen."""


def hazards(cases: int, device: torch.device | str = "cpu") -> Hazards:
    """No hazards yet, for that many cases."""
    return Hazards(*(torch.zeros(cases, dtype=torch.bool, device=device) for _ in range(4)))


def foretell_overflow(hazards: Hazards, largest: Tensor, storage: Format) -> None:
    """Mark the cases in which a magnitude could round to infinity.  largest: (cases, 1, 1) or (1, 1, 1)."""
    hazards.overflow |= ~(largest < storage.largest).reshape(-1)
