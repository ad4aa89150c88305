"""Batches of awkward operands of a format, from a seed: what the strategies draw number by number, by the thousand.

Numbers near one and over the whole range, subnormal ones, zeros, near Ω, of few bits or of all; and for two of them, pairs that cancel, that tie, and
pairs of which one is almost nothing beside the other.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.formats import Format, torch_dtype
from numeric.formats.format import FORMATS

NATIVE = tuple(row for row in FORMATS if row.native)
"""The formats in which torch computes."""
NAMES = [row.name for row in NATIVE]


@dataclass(slots=True)
class Draw:
    """Draws for one format."""

    storage: Format
    generator: torch.Generator

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Tensor:
        """Both ends included."""
        return torch.randint(low, high + 1, shape, generator=self.generator)

    def stored(self, exact: Tensor) -> Tensor:
        """Numbers that the format holds, as it holds them."""
        kept = exact.to(torch_dtype(self.storage))
        assert torch.equal(kept.double(), exact)
        return kept

    def numbers(self, shape: tuple[int, ...]) -> Tensor:
        """Four in eight near one, two anywhere, one near an end of the range, one of a few bits."""
        p, lowest, highest = self.storage.significand_bits, self.storage.min_exponent, self.storage.max_exponent
        kind = self.integers(0, 7, shape)
        exponent = torch.where(kind < 4, self.integers(-3, 3, shape), self.integers(max(lowest, -p - 3), 3, shape))
        anywhere = self.integers(lowest - p + 1, highest, shape)
        ends = torch.where(self.integers(0, 1, shape) == 0, self.integers(lowest - p + 1, lowest + 1, shape), self.integers(highest - 1, highest, shape))
        exponent = torch.where((kind == 4) | (kind == 5), anywhere, torch.where(kind == 6, ends, exponent))
        few = torch.tensor([0, 2 ** (p - 1), 2 ** (p - 1) + 1, 2**p - 1, 2 ** (p - 1) + 2 ** (p // 2), 3 * 2 ** (p - 2)])
        few = few[self.integers(0, len(few) - 1, shape)]
        significand = torch.where(self.integers(0, 3, shape) == 0, few, self.integers(2 ** (p - 1), 2**p - 1, shape))
        place = exponent - p + 1
        floor = lowest - p + 1
        significand = significand >> (floor - place).clamp(0, 62)
        sign = 2.0 * self.integers(0, 1, shape) - 1.0
        return self.stored(torch.ldexp(significand.double(), place.clamp(min=floor).int()) * sign)

    def beside(self, x: Tensor) -> Tensor:
        """For each number another: any, one that nearly cancels it, an odd multiple of half a unit in its last place, or less."""
        shape, p = tuple(x.shape), self.storage.significand_bits
        floor = self.storage.min_exponent - p + 1
        size = x.double()
        _, exponent = torch.frexp(size)
        unit = torch.ldexp(torch.ones_like(size), (exponent - p).clamp(min=floor))
        near = size + unit * self.integers(-3, 3, shape)
        tie = torch.ldexp((2 * self.integers(0, 3, shape) + 1).double(), (exponent - p - 1).clamp(min=floor))
        less = torch.ldexp((2 * self.integers(0, 3, shape) + 1).double(), (exponent - p - self.integers(1, p + 3, shape)).clamp(min=floor))
        kind = self.integers(0, 5, shape)
        chosen = torch.where(kind == 0, near, torch.where(kind == 1, tie, torch.where(kind == 2, less, self.numbers(shape).double())))
        chosen = torch.where(chosen.abs() <= self.storage.largest, chosen, size)
        return self.stored(torch.where(self.integers(0, 1, shape) == 0, chosen, -chosen).to(torch_dtype(self.storage)).double())

    def shares(self, shape: tuple[int, ...]) -> Tensor:
        """By what share of its radius a true number differs: quarters, the ends as likely as all that lies between.  float64."""
        return self.integers(-8, 8, shape).clamp(-4, 4).double() / 4


def draw(storage: Format, seed: int) -> Draw:
    """Draws that a seed determines."""
    return Draw(storage, torch.Generator().manual_seed(seed))
