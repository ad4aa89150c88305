"""The value-and-radius arithmetic: a running error analysis, batched in float64.

A ``WithRadius`` is a number that the machine holds together with a bound on its distance from the number that real
arithmetic would have reached:  |value - exact| ≤ radius, entry by entry. Run a plain formula over such values and the
machine computes it in its own format, by its own kernels, while the radius is carried along; nobody transcribes an
error bound by hand, and no term of second order is dropped.

The rules, x̂ the value, r its radius, ω(ẑ) ≤ u|ẑ| the error of one rounding (``rounding_error``), η' that of an underflow:

    x ± y     r_x + r_y + ω(ẑ)                                            Higham (2.4), fl(t) = t/(1+δ), |δ| ≤ u
    x yᵀ      r_x(|ŷ| + r_y) + |x̂|r_y + u|x̂||ŷ| + η'                      Higham (2.8)
    X y       R_X(|ŷ| + r_y) + |X̂|r_y + σ + ω(ẑ) + underflow              Higham §3.1 and §3.3
    x / s     (r_x + |x̂|r_s/|ŝ|)/(|ŝ| - r_s) + u|x̂|/|ŝ| + η'              exact quotient rule, then Higham (2.8)
    Wx + b    the product's rule with one term more, and the rounding of Wx where it is stored before b is added

σ is the error of the sum in the accumulator: u_acc(1+u_acc)^h Σ_t|s_t| over the partial sums where the kernel's order is
known, γ_n Σ_k|X̂_k ŷ_k| for any order where it is not (``summation_tree.py``, ``partial_sums.py``); ω(ẑ) is added where the
accumulator is wider than the storage. The bound uses magnitudes that the machine computed on the way (|v̂|, |ŝ|, |Ŵ'|,
partial sums, ...); it never uses a difference of the two sides, which is what is under test.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from numeric.arithmetics.envelope import Envelope, outward
from numeric.arithmetics.growth import grown
from numeric.arithmetics.hazard import Hazards, foretell_overflow
from numeric.arithmetics.largest_entry import largest_entry
from numeric.arithmetics.partial_sums import Form, Terms, partial_sums
from numeric.arithmetics.roundoff import entrywise_rounding, first_place, gamma, operand_error, rounding_error, subnormal_part, sum_error
from numeric.formats import Format, in_storage, round_to, torch_dtype
from numeric.machine import ErrorModel, Refinement
from numeric.machine.kernels import DENSE, INNER_PRODUCT, OUTER_PRODUCT, PRODUCT, SHARED_PRODUCT
from numeric.machine.operands import KernelCall
from numeric.machine.summation_tree import Order


@dataclass(frozen=True, slots=True)
class WithRadius:
    """A batch of computed matrices, each with an error radius and an upper bound of its magnitude."""

    value: Tensor
    """(cases, p, q) or (p, q), in the storage format, as the machine computed it."""
    radius: Envelope
    """|value - exact| ≤ radius."""
    magnitude: Envelope
    """|value| ≤ magnitude; equal to |value| for vectors."""
    numerics: ErrorModel
    hazards: Hazards = field(repr=False)
    form: Form | None = field(default=None, repr=False)
    """What the value is close to, for partial sums; None for a matrix of which nothing short is known."""

    @property
    def entry_radius(self) -> Tensor:
        """The radius of each entry: (cases or 1, p, q) float64, on the value's device."""
        return self.radius.dense(*self.value.shape[-2:], on=self.value.device)

    @property
    def mT(self) -> "WithRadius":
        """The transpose."""
        form = None if self.form is None else self.form.mT
        return WithRadius(self.value.mT, self.radius.mT, self.magnitude.mT, self.numerics, self.hazards, form)

    def __matmul__(self, other: "WithRadius") -> "WithRadius":
        return self._outer(other) if self.value.shape[-1] == 1 else self._product(other)

    def __add__(self, other: "WithRadius | float") -> "WithRadius":
        return self._sum(self._lifted(other), 1.0)

    def __sub__(self, other: "WithRadius | float") -> "WithRadius":
        return self._sum(self._lifted(other), -1.0)

    def __truediv__(self, other: "WithRadius | float") -> "WithRadius":
        n, other = self.numerics, self._lifted(other)
        size, spread = _magnitude(other), other.entry_radius
        low = (size - spread) * (1.0 - 2.0**-50)  # rounded down: two operations of float64
        singular = ~(low > (n.storage.smallest_normal if n.elementwise_flushes else 0.0))
        # A denominator that overflowed is told as that, by foretell_overflow and not_finite.
        self.hazards.underflow |= (singular & torch.isfinite(size)).reshape(-1)
        # A case with a singular denominator is refused; the ones keep its numbers from spoiling the batch.
        size, low = torch.where(singular, 1.0, size), torch.where(singular, 1.0, low)
        with n.running():
            value = self.value / other.value
        quotient = self.magnitude.divided(size)
        rounding = quotient.scaled(n.elementwise_roundoff) + Envelope(parts=(torch.full_like(low, n.elementwise_underflow),))
        inherited = self.radius + self.magnitude.scaled(outward(spread / size, 1))
        if n.elementwise_flushes:
            inherited = inherited + Envelope(parts=(torch.full_like(low, n.storage.smallest_normal),))
        signed = torch.where(singular, 1.0, other.value.double())
        form = None if self.form is None else self.form.divided(signed, rounding)
        return self._made(value, inherited.divided(low) + rounding, quotient + rounding, form)

    def _lifted(self, other: "WithRadius | float") -> "WithRadius":
        """A real constant as the machine holds it; what it loses by being stored is its radius."""
        if isinstance(other, WithRadius):
            return other
        stored = torch.full((1, 1), other, dtype=self.value.dtype, device=self.value.device)
        return exact(stored, self.numerics, self.hazards, radius=outward((stored.double() - other).abs(), 1))

    def _outer(self, other: "WithRadius") -> "WithRadius":
        """A column times a row: one rounding an entry, and the sum has one term."""
        n = self.numerics.met(KernelCall.of(OUTER_PRODUCT, self.value, other.value)).numerics
        with n.running():
            value = self.value @ other.value
        x, y = _magnitude(self), _magnitude(other)
        rx, ry = self.entry_radius, other.entry_radius
        lost, flushes = n.elementwise_underflow, OUTER_PRODUCT in n.flushing
        if flushes:  # the product in the accumulator, or the result in storage: either would do, for a product that is zero is stored as it is
            lost += 2 * n.accumulation.smallest_normal + n.storage.smallest_normal
        rounding = Envelope(outers=((outward(x * n.elementwise_roundoff, 1), y),), parts=(torch.full_like(x[..., :1, :], lost),))
        if flushes:
            rounding = rounding + Envelope(outers=((subnormal_part(x, n), y), (x, subnormal_part(y, n))))
        if n.operands is not None:
            ox, oy = (operand_error(part, n) for part in (self.value, other.value))
            # y + oy: to nearest a number loses u/(1 + u) of it, and u is counted, so y alone would do where nothing is subnormal.
            rounding = rounding + Envelope(outers=((ox, outward(y + oy, 1)), (x, oy)))
            foretell_overflow(self.hazards, torch.maximum(x.amax((-2, -1), keepdim=True), y.amax((-2, -1), keepdim=True)), n.operands)
        radius = Envelope(outers=((rx, outward(y + ry, 1)), (x, ry))) + rounding
        form = Form(None, ((self.value.double(), other.value.double()),), rounding)
        return self._made(value, radius, Envelope(outers=((x, y),)) + rounding, form)

    def _product(self, other: "WithRadius") -> "WithRadius":
        """A matrix times a column, or a row times a column."""
        with self.numerics.running():
            value = self.value @ other.value
        kernel = SHARED_PRODUCT if self.value.dim() == 2 else INNER_PRODUCT if self.value.shape[-2] == 1 else PRODUCT
        radius = product_radius(self, other, value, KernelCall.of(kernel, self.value, other.value))
        return self._made(value, Envelope(parts=(radius,)), None, None)

    def _sum(self, other: "WithRadius", sign: float) -> "WithRadius":
        n, lost = self.numerics, Envelope()
        with n.running():
            value = self.value + other.value if sign > 0 else self.value - other.value
        if n.elementwise_flushes:  # two operands and a result; 2λ would do, for where both operands are read as zero the result is zero as it is
            lost = Envelope(parts=(torch.full((1, 1, 1), 3 * n.storage.smallest_normal, dtype=torch.float64, device=value.device),))
        if min(value.shape[-2:]) == 1:
            largest = (_magnitude(self) + _magnitude(other)).amax((-2, -1), keepdim=True)
            # Without the factor it would hold as well: a sum below Ω is rounded to at most Ω.
            foretell_overflow(self.hazards, outward(largest * (1.0 + n.elementwise_roundoff), 2), n.storage)
            rounding = Envelope(parts=(sum_error(self.value, other.value, value, n),))
            return self._made(value, self.radius + other.radius + rounding + lost, None, None)
        magnitude = self.magnitude + other.magnitude
        coarse = magnitude.scaled(n.elementwise_roundoff) + lost
        form = None if self.form is None or other.form is None else self.form.plus(other.form, sign, coarse)
        return self._made(value, self.radius + other.radius + entrywise_rounding(value, magnitude, n) + lost, magnitude + coarse, form)

    def _made(self, value: Tensor, radius: Envelope, magnitude: Envelope | None, form: Form | None) -> "WithRadius":
        """The result, after asking whether its magnitude could have passed Ω."""
        if magnitude is not None:
            foretell_overflow(self.hazards, magnitude.largest(), self.numerics.storage)
        if min(value.shape[-2:]) == 1:
            self.hazards.came_out(value)
            radius = Envelope(parts=(radius.dense(*value.shape[-2:], on=value.device),))
            magnitude, form = Envelope(parts=(value.double().abs(),)), Form(value.double())
        assert magnitude is not None
        return WithRadius(value, radius, magnitude, self.numerics, self.hazards, form)


def exact(value: Tensor, numerics: ErrorModel, hazards: Hazards, *, radius: Tensor | None = None) -> WithRadius:
    """A number that the machine was given: its radius is zero unless one is stated.

    value: (cases, p, q) or (p, q), in the storage format. radius: float64, the same shape.
    """
    wide = value.double()
    return WithRadius(value, Envelope(parts=() if radius is None else (radius,)), Envelope(parts=(wide.abs(),)), numerics, hazards, Form(wide))


def from_module(value: Tensor, radius: Tensor, like: WithRadius) -> WithRadius:
    """A column that a module computed, with the radius that a rule gave it.  value, radius: (cases, p, 1)."""
    return exact(value, like.numerics, like.hazards, radius=radius)


def stored(x: WithRadius, target: Format, numerics: ErrorModel) -> WithRadius:
    """x as it is kept for another arithmetic: rounded to the target, if it is not of that format, and computed with in ``numerics``.

    target: the format of x's dtype, one that is held in that dtype, or a native one that is narrower.
    """
    value = in_storage(x.value, target)
    if value is x.value:
        return in_arithmetic(x, numerics)
    foretell_overflow(x.hazards, x.magnitude.largest(), target)
    half = torch.full((1, 1, 1), target.half_subnormal, dtype=torch.float64, device=value.device)
    u = torch.full((1, 1, 1), target.unit_roundoff, dtype=torch.float64, device=value.device)
    coarse = x.magnitude.scaled(target.unit_roundoff) + Envelope(parts=(half,))
    fine = Envelope(parts=(half,), weighted=((first_place(value), u),))
    lost = fine if numerics.refines(Refinement.FIRST_PLACE) and value.dim() == 3 else coarse
    form = None if x.form is None else Form(x.form.shared, x.form.outers, x.form.slack + coarse)
    kept = WithRadius(value, x.radius + lost, x.magnitude + coarse, numerics, x.hazards, form)
    return from_module(value, kept.entry_radius, kept) if min(value.shape[-2:]) == 1 else kept


def cast_up(x: WithRadius, numerics: ErrorModel) -> WithRadius:
    """x in a wider arithmetic, which holds it exactly."""
    return WithRadius(x.value.to(torch_dtype(numerics.storage)), x.radius, x.magnitude, numerics, x.hazards, x.form)


def in_arithmetic(x: WithRadius, numerics: ErrorModel) -> WithRadius:
    """x as it is, to be computed with in another arithmetic."""
    return WithRadius(x.value, x.radius, x.magnitude, numerics, x.hazards, x.form)


@largest_entry.register
def _largest_entry(x: WithRadius) -> WithRadius:
    """Exact, for a maximum rounds nothing."""
    assert x.radius.is_zero, "the scale of an inexact vector would need a radius"
    return exact(x.value.abs().amax((-2, -1), keepdim=True), x.numerics, x.hazards)


def dense_layer(weight: WithRadius, bias: WithRadius | None, x: WithRadius, value: Tensor, kernel: str = DENSE) -> WithRadius:
    """The rule for fl(Wx + b), whose value a module has computed.

    weight: (cases, p, k) or (p, k); bias: (cases, p, 1) or (p, 1), or None; x, value: (cases, k, 1) and (cases, p, 1).
    kernel: the name of what the module ran.
    """
    call = KernelCall.of(kernel, weight.value, x.value, None if bias is None else bias.value)
    n, order, apart = weight.numerics.met(call)
    if bias is None:
        radius = product_radius(weight, x, value, call)
        x.hazards.came_out(value)
        return from_module(value, radius, x)
    size, offset = value.double().abs(), bias.value.double().abs()
    inherited = bias.entry_radius
    if n.operands is not None and n.bias_is_an_operand:
        inherited = outward(inherited + operand_error(bias.value, n), 1)
        offset = outward(offset * (1.0 + n.operands.unit_roundoff), 2)
    if kernel in n.flushing:
        inherited = outward(inherited + subnormal_part(offset, n), 1)  # a bias that is read as zero
    if not apart:
        radius = product_radius(weight, x, value, call, bias=bias.value)
        x.hazards.came_out(value)
        return from_module(value, outward(radius + inherited, 2), x)
    # fl(fl(Wx) + b) = ẑ(1+δ), so |fl(Wx)| ≤ |ẑ|(1+u) + |b|; nor is it larger than its terms can make it.
    u = n.elementwise_roundoff
    product = torch.minimum(outward(size * (1.0 + u) + offset, 3), largest_product(weight, x, n))
    radius = product_radius(weight, x, product, call)
    # The sum that is added to b may have been rounded up. Storing it moves it by half of its last place at most, and nothing passes Ω before it
    # is half of a last place beyond it, so that needs no term.
    growth = grown(weight.value.shape[-1], order, n) * (1.0 if n.operands is None else (1.0 + n.operands.unit_roundoff) ** 2)
    foretell_overflow(x.hazards, outward((weight.magnitude.apply(_magnitude(x)) * growth + offset).amax((-2, -1), keepdim=True), 9), n.storage)
    x.hazards.came_out(value)
    # The sum with the bias is an elementwise one; it is computed from numbers of the storage, and loses no underflow unless it flushes.
    # (As there, 2λ would do for what is read as zero and written so.)
    lost = 3 * n.storage.smallest_normal if n.elementwise_flushes or kernel in n.flushing else 0.0
    return from_module(value, outward(radius + rounding_error(value, n) + inherited + lost, 4), x)


def largest_product(X: WithRadius, y: WithRadius, n: ErrorModel) -> Tensor:
    """No smaller than X̂ŷ as the accumulator holds it: Σ|x_k y_k|(1+γ_k), and what underflow adds.  Higham, §3.1. Returns (cases, p, 1) float64."""
    k = X.value.shape[-1]
    absolute = X.magnitude.apply(_magnitude(y))
    if n.operands is not None:
        return torch.full_like(absolute, torch.inf)  # operands that are rounded first may grow
    return outward(absolute * (1.0 + gamma(k, n.sum_roundoff)) + k * n.accumulation.half_subnormal, 4)


def product_radius(X: WithRadius, y: WithRadius, value: Tensor, call: KernelCall, *, bias: Tensor | None = None) -> Tensor:
    """|fl(X̂ŷ + b) - (Xy + b)|: inherited errors, then the roundings of the sum.  Returns (cases, p, 1).

    value: (cases, p, 1), the result, or a bound of its magnitude or of what was rounded to it. call: what computed it.
    """
    (n, order, _), k = X.numerics.met(call), X.value.shape[-1]
    size, spread = _magnitude(y), y.entry_radius
    absolute = X.magnitude.apply(size)
    column = y.value.double()
    inherited = X.radius.apply(outward(size + spread, 1))
    if not y.radius.is_zero:
        inherited = inherited + X.magnitude.apply(spread)
    slack = Envelope()
    if n.operands is not None:
        own, from_y = operand_error_of_matrix(X, n), operand_error(y.value, n)
        inherited = outward(inherited + own.apply(outward(size + from_y, 1)) + X.magnitude.apply(from_y), 2)
        # As rounded |x̃| is at most |x| and what x loses; the column is known as it is rounded.
        column = round_to(y.value, n.operands).double()
        rounded = column.abs()
        absolute = outward(X.magnitude.apply(rounded) + own.apply(rounded), 1)
        slack = own
        foretell_overflow(X.hazards, torch.maximum(X.magnitude.largest(), size.amax((-2, -1), keepdim=True)), n.operands)
    terms, products = k, absolute
    if bias is not None:
        # The bias, too, if it is rounded as an operand is.
        absolute = outward(absolute + bias.double().abs() * (1.0 if n.operands is None else 1.0 + n.operands.unit_roundoff), 3)
        terms = k + 1
    exact_products = n.product_is_exact and n.refines(Refinement.EXACT_PRODUCTS)
    u = n.sum_roundoff
    if order is not None and order.leaves == terms and X.form is not None and not n.truncates:
        form = Form(X.form.shared, X.form.outers, X.form.slack + slack)
        rounding = _sum_error_in_order(Terms(form, column, absolute, bias), products, order, n, exact_products=exact_products)
    else:
        rounding = gamma(terms - exact_products, u) * absolute
    # Of what underflow loses: second order, and no operands here need it. Of what could overflow: 1 + γ/2 would do, for just below Ω a rounding adds u/2.
    # Storing the sum needs no factor: what it moves it by is ω(ẑ), and a sum below Ω is rounded to at most Ω.
    growth = grown(terms, order, n)
    lost = terms * n.accumulation.half_subnormal * growth
    if n.accumulation != n.storage:
        rounding = outward(rounding + rounding_error(value, n, once=True), 2)
        lost += n.storage.half_subnormal
    if call.kernel in n.flushing:  # of the products and of their sums; at most as many as there are terms are flushed, for zero stays zero
        lost += (2 * terms * n.accumulation.smallest_normal + n.storage.smallest_normal) * growth
        inherited = inherited + _flushed_operands(X, y, size)
    foretell_overflow(X.hazards, outward(absolute.amax((-2, -1), keepdim=True) * growth, 3), n.storage)
    # An underflow early in the sum is a summand like any other, and the roundings after it make it grow with the rest.
    return outward(inherited + rounding + lost, 9)


def _sum_error_in_order(terms: Terms, products: Tensor, order: Order, n: ErrorModel, *, exact_products: bool) -> Tensor:
    """Error of a sum whose order is known.  products: (cases, p, 1), the magnitudes of those of its terms that are products."""
    exact_products = exact_products or (order.stored_strands and n.matrices is None)  # short numbers, summed in a wider format
    inner = n.opmath.unit_roundoff if order.stored_strands else n.sum_roundoff
    apart = not exact_products and not order.fused  # each product is rounded; of a fused sum only those that begin a strand
    sums = partial_sums(terms, order, exact_products=exact_products or apart)
    accumulated = sums.accumulated + products if apart else sums.accumulated
    growth = 1.0 + gamma(order.height, inner)
    if order.stored_strands:
        # Second order: to nearest a number loses u/(1 + u) of it, and u is counted, so for these sums 1 would do.
        outer = n.storage.unit_roundoff
        return outward((accumulated * inner + sums.stored * outer) * (growth * (1.0 + gamma(2 * order.strands, outer))), 6)
    return outward(accumulated * inner * growth, 3)


def operand_error_of_matrix(X: WithRadius, n: ErrorModel) -> Envelope:
    """What a matrix loses by being rounded to the operands' format, entry by entry; of a matrix a case, nothing if all of it is of that format already.

    *Proof.* Rounding to nearest leaves a number of the format as it is, so |fl(x) - x| = 0 where fl(x) = x, and fl is computed here of the very
    numbers that the product reads. Of any other x, |fl(x) - x| ≤ u|x| + η/2 (Higham (2.4), and η/2 below the smallest normal number). A weight that
    was stored in fp8 is of the format in each case that did not overflow; W + ΔW in fp32 is not of tf32, and is charged.
    """
    assert n.operands is not None
    if X.value.dim() == 2 or X.form is None or X.value.shape[-2] == 1:
        return Envelope(parts=(operand_error(X.value, n),))
    changes = (round_to(X.value, n.operands) != X.value).flatten(-2).any(-1).double().reshape(-1, 1, 1)
    return X.magnitude.scaled(changes * n.operands.unit_roundoff) + Envelope(parts=(changes * n.operands.half_subnormal,))


def _magnitude(x: WithRadius) -> Tensor:
    """|x̂| of a vector or a scalar."""
    return x.value.double().abs()


def _flushed_operands(X: WithRadius, y: WithRadius, size: Tensor) -> Tensor:
    """What is lost if subnormal entries of either operand are read as zero.

    |X| over subnormal ŷ_j, and λ|y| for the subnormal entries that X may hold.
    """
    from_y = X.magnitude.apply(subnormal_part(size, X.numerics))
    from_x = outward(size.sum((-2, -1), keepdim=True) * X.numerics.storage.smallest_normal, size.shape[-2])
    return from_y + from_x
