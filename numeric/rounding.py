"""The value-and-radius arithmetic: a running error analysis, batched in float64.

A ``Rounded`` is a number that the machine holds together with a bound on its distance from the number that real
arithmetic would have reached:  |value - exact| ≤ radius, entry by entry. Run a plain formula over such values and the
machine computes it in its own format, by its own kernels, while the radius is carried along; nobody transcribes an
error bound by hand, and no term of second order is dropped.

The rules, x̂ the value, r its radius, u the roundoff of one operation, η' the error of an underflow:

    x ± y     r_x + r_y + u|ẑ|                                            Higham (2.4), fl(t) = t/(1+δ), |δ| ≤ u
    x yᵀ      r_x(|ŷ| + r_y) + |x̂|r_y + u|x̂||ŷ| + η'                      Higham (2.8)
    X y       R_X(|ŷ| + r_y) + |X̂|r_y + γ_k|X̂||ŷ| + ρ|ẑ| + underflow      Higham §3.1, any order of summation
    x / s     (r_x + |x̂|r_s/|ŝ|)/(|ŝ| - r_s) + u|x̂|/|ŝ| + η'              exact quotient rule, then Higham (2.8)
    Wx + b    the product's rule with k+1 terms, and the rounding of Wx where it is stored before b is added

γ_k = k·u_acc/(1 - k·u_acc) with the accumulator's roundoff, ρ = u where the accumulator is wider than the storage and
0 where it is not. The bound uses magnitudes that the machine computed on the way (|v̂|, |ŝ|, ...); it never uses a
difference of the two sides, which is what is under test. A running analysis: Higham, §3.3.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from numeric.envelope import Envelope, widen
from numeric.formats import Format
from numeric.numerics import Numerics


def gamma(k: int, unit_roundoff: float) -> float:
    """γ_k = ku/(1 - ku); infinite where ku ≥ 1.  Higham, Lemma 3.1."""
    ku = k * unit_roundoff
    return ku / (1.0 - ku) if ku < 1.0 else float("inf")


@dataclass(slots=True)
class Hazards:
    """What can go wrong in the cases of a batch: foretold by the operands, or seen in a result."""

    overflow: Tensor
    """(cases,) bool: a magnitude could pass Ω, so an infinity would be no surprise."""
    underflow: Tensor
    """(cases,) bool: a denominator cannot be told from zero."""
    not_finite: Tensor
    """(cases,) bool: a vector or a scalar on the way came out infinite or NaN. A later step can hide it: x/∞ = 0."""


def hazards(cases: int, device: torch.device | str = "cpu") -> Hazards:
    """No hazards yet, for that many cases."""
    return Hazards(*(torch.zeros(cases, dtype=torch.bool, device=device) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Rounded:
    """A batch of computed matrices, each with an error radius and an upper bound of its magnitude."""

    value: Tensor
    """(cases, p, q) or (p, q), in the storage format, as the machine computed it."""
    radius: Envelope
    """|value - exact| ≤ radius."""
    magnitude: Envelope
    """|value| ≤ magnitude; equal to |value| for vectors."""
    numerics: Numerics
    hazards: Hazards = field(repr=False)

    @property
    def mT(self) -> "Rounded":
        """The transpose."""

        def flip(e: Envelope) -> Envelope:
            return Envelope(tuple((row.mT, col.mT) for col, row in e.outers), tuple(part.mT for part in e.parts))

        return Rounded(self.value.mT, flip(self.radius), flip(self.magnitude), self.numerics, self.hazards)

    def __matmul__(self, other: "Rounded") -> "Rounded":
        if self.value.shape[-1] == 1:
            return self._outer(other)
        return self._product(other)

    def __add__(self, other: "Rounded | float") -> "Rounded":
        other = self._lifted(other)
        return self._sum(other, self.value + other.value)

    def __sub__(self, other: "Rounded | float") -> "Rounded":
        other = self._lifted(other)
        return self._sum(other, self.value - other.value)

    def __truediv__(self, other: "Rounded | float") -> "Rounded":
        other = self._lifted(other)
        n = self.numerics
        size, spread = _magnitude(other), other.radius.dense(1, 1)
        low = (size - spread) * (1.0 - 2.0**-50)  # rounded down: two operations of float64
        singular = ~(low > (n.storage.smallest_normal if n.elementwise_flushes else 0.0))
        # A denominator that overflowed is told as that, by foretell_overflow and not_finite.
        self.hazards.underflow |= (singular & torch.isfinite(size)).reshape(-1)
        # A case with a singular denominator is refused; the ones keep its numbers from spoiling the batch.
        size, low = torch.where(singular, 1.0, size), torch.where(singular, 1.0, low)
        quotient = self.magnitude.divided(size)
        eta = torch.full_like(low, n.elementwise_underflow)
        inherited = self.radius + self.magnitude.scaled(widen(spread / size, 1))
        if n.elementwise_flushes:
            inherited = inherited + Envelope(parts=(torch.full_like(low, n.storage.smallest_normal),))
        radius = inherited.divided(low) + quotient.scaled(n.elementwise_roundoff) + Envelope(parts=(eta,))
        return self._made(self.value / other.value, radius, quotient.scaled(1.0 + n.elementwise_roundoff) + Envelope(parts=(eta,)))

    def _lifted(self, other: "Rounded | float") -> "Rounded":
        """A real constant as the machine holds it; what it loses by being stored is its radius."""
        if isinstance(other, Rounded):
            return other
        stored = torch.full((1, 1), other, dtype=self.value.dtype, device=self.value.device)
        return exact(stored, self.numerics, self.hazards, radius=widen((stored.double() - other).abs(), 1))

    def _outer(self, other: "Rounded") -> "Rounded":
        """A column times a row: one rounding an entry, and the sum has one term."""
        value = self.value @ other.value
        u = self.numerics.elementwise_roundoff
        x, y = _magnitude(self), _magnitude(other)
        rx, ry = self.radius.dense(x.shape[-2], 1), other.radius.dense(1, y.shape[-1])
        lost = self.numerics.elementwise_underflow
        if self.numerics.product_flushes:  # the product in the accumulator, and the result in storage
            lost += 2 * self.numerics.accumulation.smallest_normal + self.numerics.storage.smallest_normal
        eta = torch.full_like(x[..., :1, :], lost)
        flush = Envelope(outers=((_subnormal(x, self.numerics), y), (x, _subnormal(y, self.numerics)))) if self.numerics.product_flushes else Envelope()
        radius = Envelope(outers=((rx, widen(y + ry, 1)), (x, ry), (widen(x * u, 1), y)), parts=(eta,)) + flush
        return self._made(value, radius, Envelope(outers=((widen(x * (1.0 + u), 1), y),), parts=(eta,)))

    def _product(self, other: "Rounded") -> "Rounded":
        """A matrix times a column, or a row times a column."""
        value = self.value @ other.value
        radius = product_radius(self, other, value, terms=self.value.shape[-1])
        return self._made(value, Envelope(parts=(radius,)), None)

    def _sum(self, other: "Rounded", value: Tensor) -> "Rounded":
        u = self.numerics.elementwise_roundoff
        lost = Envelope()
        if self.numerics.elementwise_flushes:
            lost = Envelope(parts=(torch.full((1, 1, 1), 3 * self.numerics.storage.smallest_normal, dtype=torch.float64, device=value.device),))
        if min(value.shape[-2:]) == 1:
            foretell_overflow(self.hazards, widen((_magnitude(self) + _magnitude(other)).amax((-2, -1), keepdim=True) * (1.0 + u), 2), self.numerics.storage)
            rounding = Envelope(parts=(widen(value.double().abs() * u, 1),))
            return self._made(value, self.radius + other.radius + rounding + lost, None)
        magnitude = self.magnitude + other.magnitude
        return self._made(value, self.radius + other.radius + magnitude.scaled(u) + lost, magnitude.scaled(1.0 + u))

    def _made(self, value: Tensor, radius: Envelope, magnitude: Envelope | None) -> "Rounded":
        """The result, after asking whether its magnitude could have passed Ω."""
        if min(value.shape[-2:]) == 1:
            self.hazards.not_finite |= ~torch.isfinite(value).all(-1).all(-1)
        if magnitude is None:
            radius = Envelope(parts=(radius.dense(*value.shape[-2:]),))
            magnitude = Envelope(parts=(value.double().abs(),))
        else:
            foretell_overflow(self.hazards, magnitude.largest(), self.numerics.storage)
        return Rounded(value, radius, magnitude, self.numerics, self.hazards)


def exact(value: Tensor, numerics: Numerics, hazards: Hazards, *, radius: Tensor | None = None) -> Rounded:
    """A number that the machine was given: its radius is zero unless one is stated.

    value: (cases, p, q) or (p, q), in the storage format. radius: float64, the same shape.
    """
    return Rounded(value, Envelope(parts=() if radius is None else (radius,)), Envelope(parts=(value.double().abs(),)), numerics, hazards)


def computed(value: Tensor, radius: Tensor, like: Rounded) -> Rounded:
    """A column that a module computed, with the radius that a rule gave it.  value, radius: (cases, p, 1)."""
    return Rounded(value, Envelope(parts=(radius,)), Envelope(parts=(value.double().abs(),)), like.numerics, like.hazards)


def largest_entry(x: Rounded) -> Rounded:
    """max|x| of each case; exact, for a maximum rounds nothing.  x: (cases, d, 1), exact. Returns (cases, 1, 1)."""
    assert x.radius == Envelope(), "the scale of an inexact vector would need a radius"
    return exact(x.value.abs().amax((-2, -1), keepdim=True), x.numerics, x.hazards)


def dense_layer(weight: Rounded, bias: Rounded, x: Rounded, value: Tensor, *, apart: bool) -> Rounded:
    """The rule for fl(Wx + b), whose value a module has computed.

    weight: (cases, p, k) or (p, k); bias: (cases, p, 1) or (p, 1); x, value: (cases, k, 1) and (cases, p, 1).
    apart: whether Wx is rounded to storage before b is added.
    """
    numerics = weight.numerics
    x.hazards.not_finite |= ~torch.isfinite(value).all(-1).all(-1)
    size, offset = value.double().abs(), bias.value.double().abs()
    radius = product_radius(weight, x, value, terms=weight.value.shape[-1] + 1, offset=offset)
    radius = radius + bias.radius.dense(size.shape[-2], 1)
    if numerics.product_flushes:
        radius = radius + _subnormal(offset, numerics)  # a bias that is read as zero
    if apart:
        # fl(fl(Wx) + b) = ẑ(1+δ), so |fl(Wx)| ≤ |ẑ|(1+u) + |b|; it was rounded once more than the rule above says.
        u = numerics.elementwise_roundoff
        # Where sums flush, both operands can be read as zero: one λ more than for one underflow.
        lost = numerics.elementwise_underflow + (numerics.storage.smallest_normal if numerics.elementwise_flushes else 0.0)
        radius = radius + widen(u * (size * (1.0 + u) + offset) + lost, 6)
    return computed(value, widen(radius, 3), x)


def product_radius(X: Rounded, y: Rounded, value: Tensor, *, terms: int, offset: Tensor | None = None) -> Tensor:
    """|fl(X̂ŷ + offset) - (Xy + offset)|: inherited errors, then the roundings of the sum.  Returns (cases, p, 1)."""
    n = X.numerics
    size, spread = _magnitude(y), y.radius.dense(y.value.shape[-2], 1)
    absolute = X.magnitude.apply(size)
    if offset is not None:
        absolute = widen(absolute + offset, 1)
    result = value.double().abs()
    inherited = X.radius.apply(widen(size + spread, 1))
    if y.radius.parts or y.radius.outers:
        inherited = inherited + X.magnitude.apply(spread)
    rounding = gamma(terms, n.accumulation.unit_roundoff) * absolute
    lost = terms * n.accumulation.smallest_subnormal / 2
    if n.accumulation != n.storage:
        rounding = rounding + n.storage.unit_roundoff * result
        lost += n.storage.smallest_subnormal / 2
    if n.product_flushes:
        lost += 2 * terms * n.accumulation.smallest_normal + n.storage.smallest_normal
        inherited = inherited + _flushed_operands(X, y, size)
    growth = (1.0 + gamma(terms, n.accumulation.unit_roundoff)) * (1.0 + n.storage.unit_roundoff)
    foretell_overflow(X.hazards, widen(absolute.amax((-2, -1), keepdim=True) * growth, 3), n.storage)
    # An underflow early in the sum is a summand like any other, and the roundings after it make it grow with the rest.
    return widen(inherited + rounding + lost * growth, 9)


def foretell_overflow(hazards: Hazards, largest: Tensor, storage: Format) -> None:
    """Mark the cases in which a magnitude could round to infinity.  largest: (cases, 1, 1) or (1, 1, 1)."""
    hazards.overflow |= ~(largest < storage.largest).reshape(-1)


def _magnitude(x: Rounded) -> Tensor:
    """|x̂| of a vector or a scalar."""
    return x.value.double().abs()


def _subnormal(size: Tensor, n: Numerics) -> Tensor:
    """The entries that a kernel which flushes would read as zero; zero elsewhere."""
    return torch.where(size < n.storage.smallest_normal, size, torch.zeros_like(size))


def _flushed_operands(X: Rounded, y: Rounded, size: Tensor) -> Tensor:
    """What is lost if subnormal entries of either operand are read as zero.

    |X| over subnormal ŷ_j, and λ|y| for the subnormal entries that X may hold.
    """
    from_y = X.magnitude.apply(_subnormal(size, X.numerics))
    from_x = widen(size.sum((-2, -1), keepdim=True) * X.numerics.storage.smallest_normal, size.shape[-2])
    return from_y + from_x
