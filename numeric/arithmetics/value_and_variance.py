"""The value-and-variance arithmetic: how large a rounding error is to be expected. It is shown, and never judges.

**Model.** The rounding errors of single operations are independent of one another and uniform on [-c, c], c = u·ufp(z) the
largest error of rounding to nearest (``roundoff.rounding_error``); so each has zero mean and variance c²/3. Real rounding
errors are neither random nor independent: that is why this is no bound that a verdict may use. Higham and Mary, "A new
approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41 (2019), and "Sharper probabilistic backward
error analysis for basic linear algebra kernels with random data", 42 (2020), for independent errors with zero mean; Ipsen
and Zhou, "Probabilistic error analysis for inner products", SIAM J. Matrix Anal. Appl. 41 (2020), for martingales and
Azuma's inequality; Connolly, Higham and Mary, "Stochastic rounding and its probabilistic backward error analysis", SIAM J.
Sci. Comput. 43 (2021), in which the hypotheses are theorems, with errors up to twice as large.

**Propagation** is to first order, about the computed values: what is dropped is of relative size O(n u). Errors that many
entries have in common are carried as linear maps of one source (``sensitivities.py``): those of v̂_i and ŝ go through the
whole row i of Û and add up along it before they are squared; the roundings of the entries of Û and Ŵ′ are each entry's own
(``entry_roundings.py``):

    v̂ = fl(Wδ̂)        W ε_δ + ε_v                                    ε_v, ε_δ, ε_s: sources of m, d and 1 errors
    Û = fl(v̂âᵀ/ŝ)     (W ε_δ + ε_v - v̂ ε_s/ŝ) âᵀ/ŝ                   and u|v̂_i â_j/ŝ|/√3 an entry, twice
    Ŵ′ = fl(W + Û)     the same                                       and u|Ŵ′_ij|/√3 an entry
    fl(Ŵ′â + b)        W ε_δ + ε_v - v̂ ε_s/ŝ                          and √Σ_j(σ_ij â_j)², and the sum's own

**Sums.** A node t of the summation tree errs by at most u|s_t|, so Σ_t u² s_t²/3 is added; where the order is not known,
that of one term after the other is *assumed*, beginning with the bias (for terms of both signs, blocks have smaller partial sums).
An accumulator wider than the storage gets 2n u_acc² (Σ|x_k y_k|)²/3 instead, which holds in any order and is small beside
what storing the result costs. Products that are rounded apart add Σ u²(x_k y_k)²/3.

What is not uniform with zero mean enters with the square of its largest size for a variance (Hoeffding's proxy): sums that are
cut off, numbers that are flushed to zero, and an â that came out otherwise in the patched pass. Not in the model: that W and
W + ΔW, rounded as operands to a narrower format, err alike where ΔW is small; and that products below the smallest normal
number, of one column with many entries, err alike.
"""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from numeric.arithmetics.entry_roundings import Roundings, absorbing
from numeric.arithmetics.envelope import halves
from numeric.arithmetics.largest_entry import largest_entry
from numeric.arithmetics.partial_sums import Form, Terms, root_of_squares
from numeric.arithmetics.roundoff import first_place, gamma, operand_error, rounding_error, subnormal_part, sum_error
from numeric.arithmetics.sensitivities import Columns, LinearMap, Source, SourceTerm, absolute_above, gathered, identity_map, outer_map
from numeric.arithmetics.uniform_errors import UNIFORM
from numeric.formats import Format, round_to, torch_dtype
from numeric.machine import ErrorModel
from numeric.machine.kernels import DENSE, INNER_PRODUCT, OUTER_PRODUCT, SHARED_PRODUCT
from numeric.machine.summation_tree import one_after_the_other


@dataclass(frozen=True, slots=True)
class Given:
    """What came first, by which the same rounding of the same operand is known again; it holds the tensors, so that their ids stay theirs."""

    operands: dict[tuple[int, str], tuple[Tensor, Source]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WithVariance:
    """A batch of computed matrices, with the errors that are to be expected in them."""

    value: Tensor | None
    """A column, (cases, n, 1), or a matrix that all cases share, (p, q), in the storage format; of a case's own matrix only ``near`` is kept."""
    near: LinearMap
    """The value in float64, of a case's own matrix to within its roundings."""
    terms: tuple[SourceTerm, ...]
    roundings: Roundings
    numerics: ErrorModel
    given: Given = field(repr=False)
    turned: bool = False
    """Whether it is a row: the column stands for its transpose."""
    known: Tensor | None = field(default=None, repr=False)
    """κ, of a dense layer's output: (cases, p, 1)."""
    rounded_to: Format | None = None
    """The format of all its entries, where a case's own matrix was stored in it: a product that rounds its operands to that format leaves it as it is."""

    @property
    def mT(self) -> "WithVariance":
        """The transpose; of a column, for formulas transpose nothing else."""
        assert self._column
        return replace(self, turned=not self.turned)

    def __matmul__(self, other: "WithVariance") -> "WithVariance":
        if self._column and not self.turned:
            return self._outer(other) if other.turned else self._multiplied(other)
        return self._product(other)

    def __add__(self, other: "WithVariance | float") -> "WithVariance":
        return self._sum(self._lifted(other), 1.0)

    def __sub__(self, other: "WithVariance | float") -> "WithVariance":
        return self._sum(self._lifted(other), -1.0)

    def __truediv__(self, other: "WithVariance | float") -> "WithVariance":
        n, other = self.numerics, self._lifted(other)
        by = other.held.double()
        assert by.shape[1:] == (1, 1)
        by = torch.where(by == 0, 1.0, by)  # a case with a singular denominator is refused; the one keeps its numbers from spoiling the batch
        if self._column:
            with n.running():
                value = self.held / other.held
            terms = tuple(replace(term, follows=term.follows.divided(by)) for term in self.terms)
            sensitive = tuple(SourceTerm(term.source, outer_map(value.double(), term.follows.divided(-by))) for term in other.terms)
            fresh = torch.hypot(UNIFORM * rounding_error(value, n), torch.full_like(by, _lost(n)))
            return replace(column(value, n, self.given, (*terms, *sensitive), fresh), turned=self.turned)
        near = self.near.divided(by)
        assert not near.shared
        first, second = halves(by)
        terms = tuple(replace(term, follows=term.follows.scaled(1.0 / first), right=term.row / second) for term in self.terms)
        sensitive = tuple(SourceTerm(term.source, outer_map(col, term.follows.divided(-by)), row) for term in other.terms for col, row in near.outers)
        own = Roundings(((UNIFORM * n.elementwise_roundoff, near),), torch.full_like(by, _lost(n)))
        return replace(self, near=near, terms=(*terms, *sensitive), roundings=self.roundings.divided(by).plus(own), rounded_to=None)

    @property
    def held(self) -> Tensor:
        """``value``, of what has one."""
        assert self.value is not None
        return self.value

    @property
    def _column(self) -> bool:
        return self.value is not None and self.value.dim() == 3

    def _lifted(self, other: "WithVariance | float") -> "WithVariance":
        """A real constant as the machine holds it, without the error of storing it."""
        if isinstance(other, WithVariance):
            return other
        return exactly(torch.full((1, 1, 1), other, dtype=torch_dtype(self.numerics.storage), device=_device(self)), self.numerics, self.given)

    def _operand(self, n: ErrorModel) -> "WithVariance":
        """As a product of that arithmetic reads it: rounded to the operands' format, the same each time."""
        assert self.known is None, "an error that is known is carried no further than the layer's output"
        if n.operands is None or n.operands == self.rounded_to:
            return self
        if self.value is None:
            return replace(self, roundings=self.roundings.plus(Roundings(((UNIFORM * n.operands.unit_roundoff, self.near),))))
        key = (id(self.value), n.operands.name)
        if key not in self.given.operands:
            self.given.operands[key] = (self.value, Source(UNIFORM * operand_error(self.value, n)))
        terms = (*self.terms, SourceTerm(self.given.operands[key][1], identity_map(self.value)))
        return replace(self, terms=gathered(terms) if self._column else terms)

    def _outer(self, other: "WithVariance") -> "WithVariance":
        """A column times a row: one rounding an entry."""
        n = self.numerics.of(OUTER_PRODUCT, self.held.shape[-2], other.held.shape[-2])
        x, y = self._operand(n), other._operand(n)
        col, row = x.held.double(), y.held.double().mT
        near = LinearMap(outers=((col, row),))
        terms = tuple(replace(term, right=row) for term in x.terms) + tuple(replace(term, right=col.mT, turned=True) for term in y.terms)
        lost = _lost(n)
        if OUTER_PRODUCT in n.flushing:
            lost += 2 * n.accumulation.smallest_normal + n.storage.smallest_normal
        own = Roundings(((UNIFORM * n.elementwise_roundoff, near),), torch.full_like(col[..., :1, :], lost))
        return WithVariance(None, near, terms, own, self.numerics, self.given)

    def _multiplied(self, scalar: "WithVariance") -> "WithVariance":
        """A column times a number a case."""
        n = self.numerics.of(OUTER_PRODUCT, self.held.shape[-2], scalar.held.shape[-2])
        x, y = self._operand(n), scalar._operand(n)
        with n.running():
            value = self.held @ scalar.held
        col, by = x.held.double(), y.held.double()
        terms = tuple(replace(term, follows=term.follows.scaled(by)) for term in x.terms)
        terms += tuple(SourceTerm(term.source, outer_map(col, term.follows)) for term in y.terms)
        fresh = torch.hypot(UNIFORM * rounding_error(value, n), torch.full_like(by, _lost(n)))
        return column(value, self.numerics, self.given, terms, fresh)

    def _product(self, other: "WithVariance") -> "WithVariance":
        """A matrix that all cases share times a column, or a row times a column."""
        with self.numerics.running():
            value = (self.held.mT if self.turned else self.held) @ other.held
        kernel = INNER_PRODUCT if self.turned else SHARED_PRODUCT  # of a case's own matrix no value is held
        terms, fresh = _product_errors(self, other, value, kernel, None)
        return column(value, self.numerics, self.given, terms, fresh)

    def _sum(self, other: "WithVariance", sign: float) -> "WithVariance":
        n = self.numerics
        assert self.known is None
        assert other.known is None
        assert self.turned == other.turned, "nothing is broadcast"
        lost = 3 * n.storage.smallest_normal if n.elementwise_flushes else 0.0
        plus_or_minus = torch.full((1, 1, 1), sign, dtype=torch.float64, device=_device(self))
        theirs = tuple(replace(term, follows=term.follows.scaled(plus_or_minus)) for term in other.terms)
        if self._column:
            with n.running():
                value = self.held + other.held if sign > 0 else self.held - other.held
            fresh = torch.hypot(UNIFORM * sum_error(self.held, other.held, value, n), torch.full_like(plus_or_minus, lost))
            return replace(column(value, n, self.given, (*self.terms, *theirs), fresh), turned=self.turned)
        near = self.near.plus(other.near.scaled(plus_or_minus))
        own = Roundings(((UNIFORM * n.elementwise_roundoff, near),), torch.full_like(plus_or_minus, lost), absorbing(near, n.storage))
        return WithVariance(None, near, (*self.terms, *theirs), self.roundings.plus(other.roundings).plus(own), n, self.given)


def exactly(value: Tensor, numerics: ErrorModel, given: Given, *, wide: Tensor | None = None) -> WithVariance:
    """A number that the machine was given.  value: (cases, n, 1), or (p, q) for all cases; wide: the same in float64, if it is at hand."""
    wide = value.double() if wide is None else wide
    one = torch.ones((1, 1, 1), dtype=torch.float64, device=value.device)
    near = LinearMap(outers=((wide, one),)) if value.dim() == 3 else LinearMap(shared=((one, wide),))
    return WithVariance(value, near, (), Roundings(), numerics, given)


def column(value: Tensor, numerics: ErrorModel, given: Given, terms: tuple[SourceTerm, ...], fresh: Tensor) -> WithVariance:
    """A column that the machine computed, with a source of its own.  fresh: (cases, n, 1), standard deviations."""
    own = SourceTerm(Source(fresh.expand_as(value)), identity_map(value))
    return replace(exactly(value, numerics, given), terms=gathered((*terms, own)))


def in_arithmetic(x: WithVariance, numerics: ErrorModel) -> WithVariance:
    """x as it is, to be computed with in another arithmetic."""
    return replace(x, numerics=numerics)


def cast_up(x: WithVariance, numerics: ErrorModel) -> WithVariance:
    """x in a wider arithmetic, which holds it exactly.  x: a column."""
    return replace(x, value=x.held.to(torch_dtype(numerics.storage)), numerics=numerics)


def stored(x: WithVariance, target: Format, numerics: ErrorModel) -> WithVariance:
    """x as it is kept for another arithmetic, rounded to the target.  The arguments are those of ``value_and_radius.stored``."""
    dtype = torch_dtype(target)
    if target.native and dtype == torch_dtype(x.numerics.storage):
        return in_arithmetic(x, numerics)
    u = UNIFORM * target.unit_roundoff
    if x.value is None:
        lost = torch.full((1, 1, 1), UNIFORM * target.half_subnormal, dtype=torch.float64, device=_device(x))
        own = Roundings(((u, x.near),), lost, absorbing(x.near, target))
        return replace(in_arithmetic(x, numerics), roundings=x.roundings.plus(own), rounded_to=target)
    value = x.value.to(dtype) if target.native else round_to(x.value, target)
    return column(value, numerics, x.given, x.terms, u * first_place(value.double()).clamp_min(target.smallest_normal))


@largest_entry.register
def _largest_entry(x: WithVariance) -> WithVariance:
    """Exact, for a maximum rounds nothing."""
    assert not x.terms
    return exactly(x.held.abs().amax((-2, -1), keepdim=True), x.numerics, x.given)


def dense_layer(weight: WithVariance, bias: WithVariance | None, x: WithVariance, value: Tensor, kernel: str = DENSE, *, apart: bool) -> WithVariance:
    """fl(Wx + b), whose value a module has computed.  The arguments are those of ``value_and_radius.dense_layer``."""
    n, known = weight.numerics.of(kernel, value.shape[-2], x.held.shape[-2]), weight.roundings.known(x.held.double())
    if bias is None:
        terms, fresh = _product_errors(weight, x, value, kernel, None)
        return replace(column(value, weight.numerics, weight.given, terms, fresh), known=known)
    offset = bias._operand(n) if n.bias_is_an_operand else bias
    product, summed = (value.double() - bias.held.double(), None) if apart else (value, bias.held)
    terms, fresh = _product_errors(weight, x, product, kernel, summed)
    if apart:
        fresh = torch.hypot(fresh, UNIFORM * rounding_error(value, n))
    if kernel in n.flushing:
        fresh = torch.hypot(fresh, subnormal_part(bias.held.double().abs(), n))
    return replace(column(value, weight.numerics, weight.given, (*terms, *offset.terms), fresh), known=known)


def _product_errors(X: WithVariance, y: WithVariance, value: Tensor, kernel: str, bias: Tensor | None) -> tuple[tuple[SourceTerm, ...], Tensor]:
    """The errors that a product inherits, and the standard deviation of those that it makes.

    value: (cases, p, 1), for its shape and the size of the result; bias: (p, 1), if it is one of the terms.
    """
    rows, k = value.shape[-2], y.held.shape[-2]
    n = X.numerics.of(kernel, rows, k)
    left, right = X._operand(n), y._operand(n)
    columns = right.held.double()
    size = columns.abs()
    of = LinearMap(outers=((torch.ones_like(columns[..., :1, :]), left.near.outers[0][0].mT),)) if left.turned else left.near
    terms = [SourceTerm(term.source, of.after(term.follows)) for term in right.terms if isinstance(term.follows, LinearMap)]
    assert len(terms) == len(right.terms), "errors of a shared matrix meet one product, not two"
    terms += [_applied(term, left, columns) for term in left.terms]
    fresh = left.roundings.deviation(columns)
    offset = torch.zeros_like(value[..., :1, :1], dtype=torch.float64) if bias is None else bias.double().abs()
    exact_products, u, leaves = n.product_is_exact, n.sum_roundoff, k + (bias is not None)
    if n.truncates:
        fresh = torch.hypot(fresh, gamma(leaves, u) * (absolute_above(of, size) + offset))
    elif n.accumulation.significand_bits > n.storage.significand_bits:
        fresh = torch.hypot(fresh, UNIFORM * u * math.sqrt(2 * leaves) * (absolute_above(of, size) + offset))
    else:
        order = n.order(kernel, rows, k)
        if order is None or order.leaves != leaves:
            order = one_after_the_other(k, bias=bias is not None)
        exact_products = exact_products or (order.stored_strands and n.matrices is None)
        form = Form(of.outers[0][1]) if left.turned else Form(of.shared[0][1] if of.shared else None, of.outers)
        apart = not exact_products and not order.fused  # each product is rounded; of a fused sum only those that begin a strand
        sums = root_of_squares(Terms(form, columns, absolute_above(of, size) + offset, bias), order, exact_products=exact_products or apart)
        inner = n.opmath.unit_roundoff if order.stored_strands else u
        fresh = torch.hypot(fresh, UNIFORM * torch.hypot(inner * sums.accumulated, n.storage.unit_roundoff * sums.stored))
        if apart:
            fresh = torch.hypot(fresh, UNIFORM * inner * of.deviation(size))
    lost = UNIFORM * math.sqrt(leaves) * n.accumulation.half_subnormal
    if n.accumulation != n.storage:
        fresh = torch.hypot(fresh, UNIFORM * rounding_error(value, n, once=True))
        lost += UNIFORM * n.storage.half_subnormal
    if kernel in n.flushing:
        lost += 2 * leaves * n.accumulation.smallest_normal + n.storage.smallest_normal
        fresh = torch.hypot(fresh, of.deviation(subnormal_part(size, n)))
    return tuple(terms), torch.hypot(fresh, torch.full_like(fresh, lost))


def _applied(term: SourceTerm, X: WithVariance, y: Tensor) -> SourceTerm:
    """What an error in a matrix, or in a row, makes of a column."""
    if X.turned or term.turned:  # a row: (L ε)ᵀ y
        assert isinstance(term.follows, LinearMap)
        col = torch.ones_like(y[..., :1, :]) if X.turned else term.row.mT
        return SourceTerm(term.source, LinearMap(outers=((col, term.follows.against(y)),)))
    if term.right is not None:
        return SourceTerm(term.source, term.follows.scaled(term.right @ y))
    return SourceTerm(term.source, Columns(y))  # the rounding of a matrix that all cases share


def _lost(n: ErrorModel) -> float:
    """Standard deviation of the underflow of an elementwise product or quotient."""
    return n.elementwise_underflow if n.elementwise_flushes else UNIFORM * n.elementwise_underflow


def _device(x: WithVariance) -> torch.device:
    return x.value.device if x.value is not None else x.near.outers[0][0].device
