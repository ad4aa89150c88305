"""How far a result follows independent errors: sources, linear maps from them, and the standard deviations that come out.

To first order the error of a computed vector is Σ_k L_k ε_k over the sources ε_k, each a vector of independent errors with
zero mean (to ``Source.deviation`` their standard deviations σ belong), so the variance of its entry i is Σ_k Σ_j (L_k)_ij² σ_kj².
A map is kept in a short form, I·k + Σ scale·S + Σ col row with S shared by all cases, so that a case costs O(m + d) numbers:

    Σ_j (S + col row)_ij² σ_j² = (S² σ²)_i + 2 col_i (S (row σ²))_i + col_i² Σ_j row_j² σ_j².

What comes from one source is added up before it is squared: (W + v aᵀ/s) ε - v (aᵀε)/s is Wε, not two independent errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.arithmetics.envelope import halves, merged


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Independent errors with zero mean; the object itself is their identity."""

    deviation: Tensor
    """Standard deviation of each. (cases, n, 1) or (n, 1) float64 for a vector; (p, n) for a matrix that all cases share."""


@dataclass(frozen=True, slots=True)
class LinearMap:
    """identity·I + Σ scale·S + Σ col row: from a vector of n errors to p entries."""

    identity: Tensor | None = None
    """(cases, 1, 1) or (1, 1, 1)."""
    shared: tuple[tuple[Tensor, Tensor], ...] = ()
    """Pairs of a scale, (cases, 1, 1) or (1, 1, 1), and a matrix (p, n)."""
    outers: tuple[tuple[Tensor, Tensor], ...] = ()
    """Pairs of (cases, p, 1) and (cases, 1, n)."""

    def scaled(self, factor: Tensor) -> "LinearMap":
        """The product with a number a case.  factor: (cases, 1, 1)."""
        identity = None if self.identity is None else self.identity * factor
        shared = tuple((scale * factor, matrix) for scale, matrix in self.shared)
        return LinearMap(identity, shared, tuple((col * factor, row) for col, row in self.outers))

    def divided(self, divisor: Tensor) -> "LinearMap":
        """The quotient by a number a case, in two factors near its square root, so that 1/‖a‖² cannot overflow.  divisor: (cases, 1, 1)."""
        first, second = halves(divisor)
        identity = None if self.identity is None else self.identity / first / second
        shared = tuple((scale / first / second, matrix) for scale, matrix in self.shared)
        return LinearMap(identity, shared, tuple((col / first, row / second) for col, row in self.outers))

    def plus(self, other: "LinearMap") -> "LinearMap":
        """The sum; multiples of one matrix become one."""
        identity = other.identity if self.identity is None else self.identity if other.identity is None else self.identity + other.identity
        shared = merged(self.shared + other.shared, lambda pair: id(pair[1]), lambda one, more: (one[0] + more[0], one[1]))
        return LinearMap(identity, shared, self.outers + other.outers)

    def after(self, inner: "LinearMap") -> "LinearMap":
        """This map of what the inner one gives."""
        found = LinearMap() if inner.identity is None else self.scaled(inner.identity)
        if inner.shared:
            if self.shared or self.outers:
                raise NotImplementedError("a product of two matrices that all cases share has no short form")
            assert self.identity is not None
            found = found.plus(LinearMap(shared=inner.shared).scaled(self.identity))
        return found.plus(LinearMap(outers=tuple((self.of(col), row) for col, row in inner.outers)))

    def of(self, x: Tensor) -> Tensor:
        """What it makes of a column.  x: (cases, n, 1). Returns (cases, p, 1)."""
        parts = [] if self.identity is None else [self.identity * x]
        parts += [scale * _times(matrix, x) for scale, matrix in self.shared]
        parts += [col * (row @ x) for col, row in self.outers]
        return sum(parts[1:], start=parts[0])

    def against(self, y: Tensor) -> Tensor:
        """yᵀ of the map: y (cases, p, 1). Returns (cases, 1, n)."""
        parts = [] if self.identity is None else [(self.identity * y).mT]
        parts += [scale * _times(matrix.mT, y).mT for scale, matrix in self.shared]
        parts += [(y.mT @ col) * row for col, row in self.outers]
        return sum(parts[1:], start=parts[0])

    def deviation(self, sigma: Tensor) -> Tensor:
        """√Σ_j (map)_ij² σ_j².  sigma: (cases, n, 1) or (n, 1), nonnegative. Returns (cases, p, 1)."""
        if self.identity is not None and not self.shared and not self.outers:
            return self.identity.abs() * sigma
        if self.identity is None and not self.shared and len(self.outers) == 1:
            col, row = self.outers[0]
            return col.abs() * root_sum_squares(row.mT * sigma)
        if self.identity is None and not self.shared and not self.outers:
            return torch.zeros((1, 1, 1), dtype=torch.float64, device=sigma.device)
        # Numbers near 1 are squared, whatever the range of the format.
        unit, (size, near_one) = power_of_two_above(sigma.amax((-2, -1), keepdim=True)), self._near_one()
        return near_one._root_of_squares((sigma / unit).square()) * unit * size

    def _near_one(self) -> "tuple[Tensor, LinearMap]":
        """A power of two a case, and the map divided by it, with numbers of size 1 at most in each part.  Returns (cases or 1, 1, 1) and the map."""
        units = [power_of_two_above(matrix.abs().amax()) for _, matrix in self.shared]
        shared = [(scale * unit, matrix / unit) for unit, (scale, matrix) in zip(units, self.shared, strict=True)]
        outers = [_balanced(col, row) for col, row in self.outers]
        sizes = [scale.abs() for scale, _ in shared] + [col.abs().amax((-2, -1), keepdim=True) for col, _ in outers]
        sizes += [] if self.identity is None else [self.identity.abs()]
        largest = sizes[0]
        for other in sizes[1:]:
            largest = torch.maximum(largest, other)
        size = power_of_two_above(largest)
        identity = None if self.identity is None else self.identity / size
        return size, LinearMap(identity, tuple((scale / size, matrix) for scale, matrix in shared), tuple((col / size, row) for col, row in outers))

    def _root_of_squares(self, weights: Tensor) -> Tensor:
        """√Σ_j (map)_ij² weights_j.  weights: (cases, n, 1) or (n, 1). Returns (cases, p, 1)."""
        outers = self.outers
        total = torch.zeros((1, 1, 1), dtype=torch.float64, device=weights.device)
        for scale, matrix in self.shared:
            total = total + scale.square() * _times(matrix.square(), weights)
            total = total + sum(2 * scale * col * _times(matrix, row.mT * weights) for col, row in outers)
        assert len(self.shared) < 2, "products of two shared matrices are not needed"
        for index, (col, row) in enumerate(outers):
            total = total + col.square() * (row.square() @ weights)
            total = total + sum(2 * col * other * ((row * across) @ weights) for other, across in outers[:index])
        if self.identity is not None:
            total = total + weights * self.identity * (self.identity + 2 * self._diagonal())
        return total.clamp_min(0).sqrt()

    def _diagonal(self) -> Tensor:
        """Of what stands beside the identity.  Returns (cases, n, 1)."""
        parts = [scale * matrix.diagonal().unsqueeze(-1) for scale, matrix in self.shared] + [col * row.mT for col, row in self.outers]
        return sum(parts[1:], start=parts[0])


@dataclass(frozen=True, slots=True)
class Columns:
    """E ↦ E t: from a matrix of errors that all cases share to p entries."""

    t: Tensor
    """(cases, n, 1)."""

    def scaled(self, factor: Tensor) -> "Columns":
        """The product with a number a case."""
        return Columns(self.t * factor)

    def divided(self, divisor: Tensor) -> "Columns":
        """The quotient by a number a case."""
        return Columns(self.t / divisor)

    def plus(self, other: "Columns") -> "Columns":
        """The sum."""
        return Columns(self.t + other.t)

    def deviation(self, sigma: Tensor) -> Tensor:
        """√Σ_j σ_ij² t_j².  sigma: (p, n). Returns (cases, p, 1)."""
        return LinearMap(shared=((torch.ones((1, 1, 1), dtype=torch.float64, device=sigma.device), sigma),)).deviation(self.t.abs())


def identity_map(x: Tensor) -> LinearMap:
    """From the errors of the entries of a column to the column.  x: for its device."""
    return LinearMap(identity=torch.ones((1, 1, 1), dtype=torch.float64, device=x.device))


def outer_map(col: Tensor, follows: LinearMap | Columns) -> LinearMap:
    """The column times the one row of the map."""
    assert isinstance(follows, LinearMap)
    return LinearMap(outers=((col, follows.against(torch.ones_like(col[..., :1, :]))),))


def absolute_above(of: LinearMap, size: Tensor) -> Tensor:
    """At least Σ_k |X_ik y_k|, by the triangle inequality.  size: |y|. Returns (cases, p, 1)."""
    shared = tuple((scale.abs(), matrix.abs()) for scale, matrix in of.shared)
    return LinearMap(None, shared, tuple((col.abs(), row.abs()) for col, row in of.outers)).of(size)


@dataclass(frozen=True, slots=True)
class SourceTerm:
    """One source's part in an error."""

    source: Source
    follows: LinearMap | Columns
    """From the source to a column of p entries, or of q entries if turned."""
    right: Tensor | None = None
    """(cases, 1, q), in a matrix: the error is (column)·right, the same along a row; (cases, 1, p), and the error is (column·right)ᵀ, if turned."""
    turned: bool = False

    @property
    def row(self) -> Tensor:
        """``right``, of a term that has it."""
        assert self.right is not None
        return self.right


def gathered(terms: Sequence[SourceTerm]) -> tuple[SourceTerm, ...]:
    """The terms of a column, those of one source in one."""
    assert all(term.right is None for term in terms)

    def added(one: SourceTerm, more: SourceTerm) -> SourceTerm:
        return SourceTerm(one.source, one.follows.plus(more.follows))  # type: ignore[arg-type]  # of one source, so of one kind

    return merged(terms, lambda term: id(term.source), added)


def deviation(terms: Sequence[SourceTerm]) -> Tensor:
    """The standard deviation of each entry of a column.  Returns (cases, p, 1)."""
    total = torch.zeros((1, 1, 1), dtype=torch.float64)
    for part in (term.follows.deviation(term.source.deviation) for term in gathered(terms)):
        total = torch.hypot(total.to(part.device), part)
    return total


def root_sum_squares(x: Tensor) -> Tensor:
    """√Σx² over a column, without overflow or underflow on the way.  x: (cases, n, 1). Returns (cases, 1, 1)."""
    unit = power_of_two_above(x.abs().amax((-2, -1), keepdim=True))
    return (x / unit).square().sum(-2, keepdim=True).sqrt() * unit


def power_of_two_above(x: Tensor) -> Tensor:
    """A power of two just above x ≥ 0; 1 for zero and where x is not finite."""
    _, exponent = torch.frexp(x)
    plain = (x > 0) & torch.isfinite(x)
    return torch.where(plain, torch.ldexp(torch.ones_like(x), exponent.clamp(-1021, 1023)), 1.0)


def _balanced(col: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """The same outer product with a row of size 1."""
    unit = power_of_two_above(row.abs().amax((-2, -1), keepdim=True))
    return col * unit, row / unit


def _times(matrix: Tensor, x: Tensor) -> Tensor:
    """matrix @ x with one matrix for all cases, as one large product.  x: (cases, n, 1) or (n, 1). Returns (cases, p, 1) or (p, 1)."""
    return (x.squeeze(-1) @ matrix.mT).unsqueeze(-1)
