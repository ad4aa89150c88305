"""Modules and contexts that the tests of the corpus share, and what "the same number" means between two ways to it."""

from functools import cache

import torch
from torch import Tensor, nn

from tests.real_blocks.real_block import D, RealBlock

N, BATCH = 4, 3
"""Tokens in a context, cases in a batch."""
POSITIONS = torch.arange(N + 1)

ROUNDINGS = 2.0**13
"""What a block is held to, 1e-12 of its output, in roundings of float64."""
TERMS = 2.0**9
"""More than the terms of all sums on the way to one entry of an output, in every block of the corpus. The rest of ROUNDINGS is for what a norm, or the
division by a small entry, makes of a rounding before it."""
SEEN = 2.0**-26
"""What must be seen of a wrong patch, relative to the output: half of float64's digits, the square root of its unit roundoff."""


@cache
def module_of(block: RealBlock, dtype: torch.dtype = torch.float64) -> nn.Module:
    """The block's module, built once; no test changes it."""
    return block.build().to(dtype)


def drawn(batch: int, dtype: torch.dtype = torch.float64, *, seed: int = 5, length: int = N) -> tuple[Tensor, Tensor]:
    """Contexts (batch, length, d) and queries (batch, d)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, D, dtype=dtype, generator=generator), torch.randn(batch, D, dtype=dtype, generator=generator)


def apart(left: Tensor, right: Tensor) -> float:
    """The largest difference, relative to the largest entry on the right."""
    return float((left - right).abs().max() / right.abs().max())


def agree(left: Tensor, right: Tensor) -> bool:
    """Whether two float64 results are the same number but for rounding."""
    return left.dtype == right.dtype == torch.float64 and apart(left, right) <= ROUNDINGS * torch.finfo(torch.float64).eps / 2


def names(block: RealBlock) -> str:
    return block.name
