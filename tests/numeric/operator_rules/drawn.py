"""Operands that are drawn: every shape up to four axes, odd sizes, every way to lie in memory, numbers of every size."""

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.operator_rules.call import format_of

KINDS = ("plain", "zeros", "apart", "tiny", "huge", "edge")
"""Of the numbers: of the size of 1; half of them 0; of sizes far apart; about the smallest normal number; about the largest; such that roundings are worst."""
ENTRIES = 90
"""Of a tensor at most: each is compared in ball arithmetic."""


@dataclass(slots=True)
class Draw:
    """Draws operands of a dtype."""

    dtype: torch.dtype
    kind: str
    random: random.Random

    @classmethod
    def of(cls, dtype: torch.dtype, kind: str, seed: int) -> "Draw":
        """The same operands for the same seed."""
        return cls(dtype, kind, random.Random(f"{dtype} {kind} {seed}"))

    def shape(self, least: int = 0, most: int = 4) -> tuple[int, ...]:
        """Of so many axes."""
        made: list[int] = []
        for _ in range(self.random.randint(least, most)):
            made.append(self.random.choice([1, 2, 3, 5, 7, 9, 17, 33]))
            if math.prod(made) > ENTRIES:
                made[-1] = 1
        return tuple(made)

    def numbers(self, count: int, kind: str | None = None) -> Tensor:
        """So many numbers, float64, each one of the dtype."""
        kind, form = kind or self.kind, format_of(self.dtype)
        made = torch.tensor([self.random.gauss(0.0, 1.0) for _ in range(count)], dtype=torch.float64)
        if kind == "zeros":
            made[torch.tensor([self.random.random() < 0.5 for _ in range(count)], dtype=torch.bool)] = 0.0
        elif kind == "apart":
            most = 8 if self.dtype == torch.float16 else 30
            made = made * torch.tensor([2.0 ** self.random.randint(-most, most) for _ in range(count)], dtype=torch.float64)
        elif kind == "tiny":
            made = made * form.smallest_normal * torch.tensor([2.0 ** self.random.randint(-9, 3) for _ in range(count)], dtype=torch.float64)
        elif kind == "edge":  # just above a power of 2, and of the size of half a unit in its last place
            u = form.unit_roundoff
            made = torch.tensor([self.random.choice([1.0, -1.0]) * self._worst(u) for _ in range(count)], dtype=torch.float64)
        elif kind == "huge":
            made = made.clamp(-3.0, 3.0) * (form.largest / 4.0)
        return made.to(self.dtype).double()

    def _worst(self, u: float) -> float:
        return self.random.choice([1.0, 1.0, 1.0 + 2.0 * u, 1.0 + 2.0 * u * self.random.randint(2, 9), u, u, u * (1.0 - u), 3.0 * u, 1.5, 2.0 - 2.0 * u])

    def tensor(self, shape: tuple[int, ...] | None = None, kind: str | None = None, *, dense: bool = False) -> Tensor:
        """A tensor, lying in memory in one way or another.  dense: no two indices of one entry."""
        shape = self.shape() if shape is None else shape
        ways = ["whole", "transposed", "sliced"] + ([] if dense else ["expanded"])
        return self.laid(self.numbers(math.prod(shape), kind).to(self.dtype).reshape(shape), self.random.choice(ways))

    def laid(self, x: Tensor, way: str) -> Tensor:
        """The same numbers, lying so; of an expanded tensor an axis has one number only."""
        if not x.numel() or not x.dim() or way == "whole":
            return x
        axis = self.random.randrange(x.dim())
        if way == "transposed":
            return x.movedim(0, axis).contiguous().movedim(axis, 0)
        if way == "sliced":
            wide = torch.zeros(*x.shape[:axis], 2 * x.shape[axis] + 1, *x.shape[axis + 1 :], dtype=x.dtype)
            part = wide.narrow(axis, 1, 2 * x.shape[axis])[(slice(None),) * axis + (slice(None, None, 2),)]
            return part.copy_(x)
        return x.narrow(axis, 0, 1).expand(x.shape)

    def axis(self, x: Tensor) -> int:
        """One of its axes, counted from either end."""
        return self.random.randrange(-x.dim(), x.dim()) if x.dim() else self.random.choice([-1, 0])

    def places(self, count: int, shape: tuple[int, ...], *, once: bool = False) -> Tensor:
        """Whole numbers below ``count``; with ``once`` no one twice."""
        size = math.prod(shape)
        made = self.random.sample(range(count), size) if once else [self.random.randrange(count) for _ in range(size)]
        return torch.tensor(made, dtype=torch.int64).reshape(shape)

    def mask(self, shape: tuple[int, ...]) -> Tensor:
        """Truth values."""
        return torch.tensor([self.random.random() < 0.5 for _ in range(math.prod(shape))], dtype=torch.bool).reshape(shape)

    def number(self) -> float:
        """A Python number: whole, short or of many digits."""
        return self.random.choice([0, 1, 2, -3, 0.5, 0.1, -1.7, self.random.gauss(0.0, 1.0)])

    def spread(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape that broadcasts to another."""
        kept = shape[self.random.randint(0, len(shape)) :]
        return tuple(self.random.choice([1, size]) for size in kept)
