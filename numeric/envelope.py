"""A nonnegative matrix, kept as a sum of outer products, that bounds another one entry by entry.

The radius of v aᵀ/s is itself a short sum of outer products, so a case costs O(m + d) numbers instead of m·d:

    E = Σ_k col_k row_kᵀ + Σ_l part_l        (a part broadcasts: a whole matrix, a column, or one number)

**Its own rounding cannot make it too small.** Every number here is a sum of products of nonnegative float64 numbers,
which float64 evaluates with a relative error of at most γ_n downwards for n operations (Higham, §3.1, Lemma 3.1) and an
absolute error of 2^-1075 for each product that underflows. ``widen`` multiplies by 1 + n·2^-51 and adds n·2^-1074,
with n at least the number of operations since the last ``widen``; that covers both.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDOFF = 2.0**-52
TINY = 2.0**-1074


def widen(x: Tensor, operations: int) -> Tensor:
    """An upper bound of what x would be without float64's own rounding.  x: nonnegative float64.

    Source: Higham, §3.1: (1 + γ_n) ≤ 1 + 2n·2^-53 for n·2^-53 ≤ 1/2; one operation more for the product here.
    """
    wide = x * (1.0 + 2 * (operations + 2) * ROUNDOFF) + (operations + 1) * TINY
    # 0·∞, where float64 itself overflowed, bounds nothing; as an infinity it says so.
    return torch.nan_to_num(wide, nan=torch.inf, posinf=torch.inf)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Σ col rowᵀ + Σ part ≥ 0, of shape (cases, p, q) when broadcast."""

    outers: tuple[tuple[Tensor, Tensor], ...] = ()
    """Pairs of (cases, p, 1) and (cases, 1, q)."""
    parts: tuple[Tensor, ...] = ()
    """Tensors that broadcast to (cases, p, q)."""

    def __add__(self, other: "Envelope") -> "Envelope":
        """The sum; exact, since nothing is computed."""
        return Envelope(self.outers + other.outers, self.parts + other.parts)

    def scaled(self, factor: Tensor | float) -> "Envelope":
        """The product with a nonnegative number a case.  factor: (cases, 1, 1) or a float."""
        return Envelope(
            tuple((widen(col * factor, 1), row) for col, row in self.outers),
            tuple(widen(part * factor, 1) for part in self.parts),
        )

    def divided(self, divisor: Tensor) -> "Envelope":
        """The quotient by a positive number a case, in two factors near its square root, so that 1/‖a‖² cannot overflow.

        divisor: (cases, 1, 1), float64. The first factor is a power of two, so the second is exact.
        """
        _, exponent = torch.frexp(divisor)
        first = torch.ldexp(torch.ones_like(divisor), torch.div(exponent, 2, rounding_mode="floor"))
        second = divisor / first
        return Envelope(
            tuple((widen(col / first, 1), widen(row / second, 1)) for col, row in self.outers),
            tuple(widen(widen(part / first, 1) / second, 1) for part in self.parts),
        )

    def apply(self, x: Tensor) -> Tensor:
        """E x, rounded up.  x: (cases, q, 1), nonnegative. Returns (cases, p, 1)."""
        q = x.shape[-2]
        total = torch.zeros((1, 1, 1), dtype=torch.float64, device=x.device)
        for col, row in self.outers:
            total = total + widen(col * widen(row @ x, 2 * q), 1)
        for part in self.parts:
            wide = part if part.shape[-1] == q else part.expand(*part.shape[:-1], q)
            total = total + widen(wide @ x, 2 * q)
        return widen(total, len(self.outers) + len(self.parts))

    def largest(self) -> Tensor:
        """An upper bound of the largest entry of each case.  Returns (cases, 1, 1)."""
        total = torch.zeros((1, 1, 1), dtype=torch.float64)
        for col, row in self.outers:
            total = total.to(col.device) + widen(col.amax((-2, -1), keepdim=True) * row.amax((-2, -1), keepdim=True), 1)
        for part in self.parts:
            total = total.to(part.device) + part.amax((-2, -1), keepdim=True)
        return widen(total, len(self.outers) + len(self.parts))

    def dense(self, p: int, q: int) -> Tensor:
        """The whole (cases, p, q) tensor, rounded up: for vectors, and for tests of matrices."""
        total = torch.zeros((1, p, q), dtype=torch.float64)
        for col, row in self.outers:
            total = total.to(col.device) + widen(col * row, 1)
        for part in self.parts:
            total = total.to(part.device) + part
        return widen(total, len(self.outers) + len(self.parts))
