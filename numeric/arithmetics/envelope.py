"""A nonnegative matrix, kept as a sum of outer products, that bounds another one entry by entry.

The radius of v aᵀ/s is itself a short sum of outer products, so a case costs O(m + d) numbers instead of m·d:

    E = Σ_k col_k row_kᵀ + Σ_l part_l        (a part broadcasts: a whole matrix, a column, or one number)

**Its own rounding cannot make it too small.** Every number here is a sum of products of nonnegative float64 numbers. For
n operations float64 gives x̂ ≥ x(1 - γ_n) - n·2^-1075 (Higham, §3.1, Lemma 3.1; 2^-1075 for each product that underflows),
hence x ≤ x̂(1 + 2n·2^-53) + n·2^-1074. Between two neighbours among the float64 numbers lie at least x̂·2^-53 and at least
2^-1074, so the 3n-th number above x̂ is not below x. ``outward`` takes it, with n at least the number of operations since
the last ``outward``: nonnegative floats are ordered as their bits are, so that is one exact addition of integers.

What a product loses to underflow must not grow afterwards: between a product and a multiplication by more than 1, or a division by less, stands an
``outward`` of its own.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from numeric.machine.environment_questions import whole_products

_Term = TypeVar("_Term")

ROUNDOFF = 2.0**-52
"""Twice float64's unit roundoff."""


def outward(x: Tensor, operations: int) -> Tensor:
    """An upper bound of what x would be without float64's own rounding.

    x: float64, nonnegative and not -0, as sums and products of absolute values are.
    """
    raised = x.view(torch.int64) + 3 * operations
    # NaN (0·∞, where float64 itself overflowed) bounds nothing; as an infinity it says so. Past the largest number the
    # bits are an infinity's or a NaN's.
    return raised.view(torch.float64).nan_to_num_(nan=torch.inf, posinf=torch.inf)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Σ col rowᵀ + Σ part ≥ 0, of shape (cases, p, q) when broadcast."""

    outers: tuple[tuple[Tensor, Tensor], ...] = ()
    """Pairs of (cases, p, 1) and (cases, 1, q)."""
    parts: tuple[Tensor, ...] = ()
    """Tensors that broadcast to (cases, p, q)."""
    weighted: tuple[tuple[Tensor, Tensor], ...] = ()
    """Pairs of (cases, p, q), nonnegative, in whatever format it lies in, and of (cases, 1, 1) float64, by which it is multiplied."""

    @property
    def mT(self) -> "Envelope":
        """The transpose."""
        return Envelope(
            tuple((row.mT, col.mT) for col, row in self.outers), tuple(part.mT for part in self.parts), tuple((part.mT, by) for part, by in self.weighted)
        )

    @property
    def is_zero(self) -> bool:
        """Whether there is nothing in it."""
        return not (self.outers or self.parts or self.weighted)

    def __add__(self, other: "Envelope") -> "Envelope":
        """The sum. Outer products with one and the same row are added up, and so are parts of one shape, so that there stay few of them."""
        outers = merged(self.outers + other.outers, lambda pair: id(pair[1]), lambda one, more: (outward(one[0] + more[0], 1), one[1]))
        parts = merged(self.parts + other.parts, lambda part: part.shape, lambda one, more: outward(one + more, 1))
        return Envelope(outers, parts, self.weighted + other.weighted)

    def scaled(self, factor: Tensor | float) -> "Envelope":
        """The product with a nonnegative number a case.  factor: (cases, 1, 1) or a float."""
        return Envelope(
            tuple((outward(col * factor, 1), row) for col, row in self.outers),
            tuple(outward(part * factor, 1) for part in self.parts),
            tuple((part, outward(by * factor, 1)) for part, by in self.weighted),
        )

    def divided(self, divisor: Tensor) -> "Envelope":
        """The quotient by a positive number a case, in two factors near its square root, so that 1/‖a‖² cannot overflow.

        divisor: (cases, 1, 1), float64.
        """
        first, second = halves(divisor)
        rows = {id(row): outward(row / second, 1) for _, row in self.outers}  # what is one row stays one
        return Envelope(
            tuple((outward(col / first, 1), rows[id(row)]) for col, row in self.outers),
            tuple(outward(outward(part / first, 1) / second, 1) for part in self.parts),
            tuple((part, outward(outward(by / first, 1) / second, 1)) for part, by in self.weighted),
        )

    def apply(self, x: Tensor) -> Tensor:
        """E x, rounded up.  x: (cases, q, 1), nonnegative. Returns (cases, p, 1)."""
        q = x.shape[-2]
        total = torch.zeros((1, 1, 1), dtype=torch.float64, device=x.device)
        for col, row in self.outers:
            total = total + outward(col * outward((row.mT * x).sum(-2, keepdim=True), 2 * q), 1)
        for part in self.parts:
            total = total + outward(_applied(part, x), 2 * q)
        for part, by in self.weighted:
            total = total + outward(_applied_in_its_format(part, x) * by, 1)
        return outward(total, self._terms)

    def largest(self) -> Tensor:
        """An upper bound of the largest entry of each case.  Returns (cases, 1, 1)."""
        total = torch.zeros((1, 1, 1), dtype=torch.float64)
        for col, row in self.outers:
            total = total.to(col.device) + outward(col.amax((-2, -1), keepdim=True) * row.amax((-2, -1), keepdim=True), 1)
        for part in self.parts:
            total = total.to(part.device) + part.amax((-2, -1), keepdim=True)
        for part, by in self.weighted:
            total = total.to(part.device) + outward(part.amax((-2, -1), keepdim=True).double() * by, 1)
        return outward(total, self._terms)

    def dense(self, p: int, q: int, *, on: torch.device | str = "cpu") -> Tensor:
        """The whole (cases, p, q) tensor, rounded up: for vectors, and for tests of matrices.  on: where the zeros of an envelope without parts are."""
        total = torch.zeros((1, p, q), dtype=torch.float64, device=on)
        for col, row in self.outers:
            total = total + outward(col * row, 1)
        for part in self.parts:
            total = total + part
        for part, by in self.weighted:
            total = total + outward(part.double() * by, 1)
        return outward(total, self._terms)

    @property
    def _terms(self) -> int:
        return len(self.outers) + len(self.parts) + len(self.weighted)


def halves(divisor: Tensor) -> tuple[Tensor, Tensor]:
    """Two numbers near its square root whose product it is; the first is a power of two, so the second is exact."""
    _, exponent = torch.frexp(divisor)
    first = torch.ldexp(torch.ones_like(divisor), torch.div(exponent, 2, rounding_mode="floor"))
    return first, divisor / first


def merged(terms: Iterable[_Term], key: Callable[[_Term], Hashable], add: Callable[[_Term, _Term], _Term]) -> tuple[_Term, ...]:
    """The terms of a sum, those of one key in one."""
    found: dict[Hashable, _Term] = {}
    for term in terms:
        place = key(term)
        found[place] = add(found[place], term) if place in found else term
    return tuple(found.values())


def _applied(part: Tensor, x: Tensor) -> Tensor:
    """part @ x, a part of one column standing for equal ones.  x: (cases, q, 1). Returns what broadcasts to (cases, p, 1)."""
    if part.shape[-1] != x.shape[-2]:
        return part * x.sum(-2, keepdim=True)
    if part.dim() == 2:  # one matrix for all cases: one large product is many times faster than a small one a case
        return (x.squeeze(-1) @ part.mT).unsqueeze(-1)
    return part @ x


def _applied_in_its_format(part: Tensor, x: Tensor) -> Tensor:
    """part @ x, rounded up, in fp32 unless the part is of fp64: a matrix a case is the one thing here that is large.

    An fp32 number next above x is used for x, and what q products and sums of nonnegative fp32 numbers lose, to underflow or
    to a kernel that flushes, is added: q·2^-125, and of the rest 1/(1 - γ_2q) - 1 ≤ 4q·2^-24 for q ≤ 2^20 (with a = 2q·2^-24 ≤ 1/8 it is
    a/(1 - 2a) ≤ 4a/3). No kernel here uses that up: one that adds in blocks of which none is long loses less.
    """
    q = x.shape[-2]
    if part.dtype == torch.float64:  # which no switch shortens
        return outward(part @ x, 2 * q)
    assert q <= 2**20
    above = (x.float().view(torch.int32) + 1).view(torch.float32)
    with whole_products():
        found = (part.float() @ above).double()
    return outward((found + q * 2.0**-125) * (1.0 + q * 2.0**-22), 2)
