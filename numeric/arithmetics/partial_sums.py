"""How large the partial sums of a product become, for a running error analysis at O(m + d) numbers a case.

The error of a sum whose order is known is bounded by u Σ_t |s_t| over the nodes t of its tree (``summation_tree.py``). The
s_t are sums of the machine's own operands, evaluated again in float64: magnitudes, not differences of the two sides. A
patched weight fl(W + fl(v aᵀ/s)) is an (m, d) matrix a case, but it is close to a short form,

    X = S + Σ_k col_k row_kᵀ + E,   |E| ≤ slack,          S shared by all cases, the slack of the order of u|X|,

whose partial sums against y cost O(m) numbers a step: Σ_{j≤t} X_ij y_j = (S y)_i,t + Σ_k col_k,i (row_k·y)_t. With c the
number of float64 operations in one s_t,

    |s_t| ≤ |s̃_t| + γ_c(2^-53) Σ|X_ij y_j| + q·2^-1074 (1 + Σ_k|col_k,i|) + (slack |y|)_i,

as a term meets at most c = q + K + 2 roundings: one or two products, the additions of q terms and a bias, and those of K outer products. Half of
the second term would do: what is lost in a sum of terms that are as large as Σ|X_ij y_j| is left only if other terms cancel them, and both have their share
of it. Where they cancel altogether s̃_t = 0, and nothing else is there. An underflow of row_k,j y_j is multiplied by col_k; rounding to nearest loses
half of 2^-1074 in it, so half of the third term would do as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from numeric.arithmetics.envelope import Envelope, halves, outward
from numeric.arithmetics.sensitivities import power_of_two_above
from numeric.machine.summation_tree import ADD, MERGE, PUSH, Order


@dataclass(frozen=True, slots=True)
class Form:
    """What a computed matrix is close to.  |matrix - (shared + Σ col row)| ≤ slack."""

    shared: Tensor | None = None
    """(p, q) or (cases, p, q), float64."""
    outers: tuple[tuple[Tensor, Tensor], ...] = ()
    """Pairs of (cases, p, 1) and (cases, 1, q), float64, of any sign."""
    slack: Envelope = field(default_factory=Envelope)

    @property
    def mT(self) -> "Form":
        """The transpose."""
        return Form(None if self.shared is None else self.shared.mT, tuple((row.mT, col.mT) for col, row in self.outers), self.slack.mT)

    def plus(self, other: "Form", sign: float, lost: Envelope) -> "Form | None":
        """The form of a sum or a difference, of which so much is lost to rounding; None if it would not be short."""
        if self.shared is not None and other.shared is not None:
            return None
        shared = self.shared if other.shared is None else other.shared * sign
        turned = tuple((col * sign, row) for col, row in other.outers)
        return Form(shared, self.outers + turned, self.slack + other.slack + lost)

    def divided(self, divisor: Tensor, lost: Envelope) -> "Form | None":
        """The form of a quotient, in two factors near the square root of the divisor, as ``Envelope.divided``.  divisor: (cases, 1, 1)."""
        if self.shared is not None:
            return None
        first, second = halves(divisor)
        outers = tuple((col / first, row / second) for col, row in self.outers)
        # Three roundings of float64, the last one of a product that nobody forms.
        rounded = Envelope(outers=tuple((outward(col.abs() * 2.0**-50, 1), row.abs()) for col, row in outers))
        return Form(None, outers, self.slack.divided(divisor.abs()) + lost + rounded)


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a product X y + b."""

    form: Form
    """What X is close to."""
    y: Tensor
    """(cases, q, 1) float64, the machine's operand."""
    absolute: Tensor
    """(cases, p, 1): Σ|X_ij y_j| + |b_i|."""
    bias: Tensor | None = None
    """(cases, p, 1) or (p, 1), if it is one of the terms."""


@dataclass(frozen=True, slots=True)
class PartialSums:
    """Upper bounds of Σ_t |s_t| over the nodes of a tree at which something is rounded.  Each (cases, p, 1) float64."""

    accumulated: Tensor
    """Rounded in the accumulator."""
    stored: Tensor
    """Rounded to the storage format: strands that are stored before they are added, and what they add up to."""


def partial_sums(terms: Terms, order: Order, *, exact_products: bool) -> PartialSums:
    """Bounds of the partial sums of a product.  exact_products: whether a single product is held without an error."""
    sums, nodes = _summed(terms, order, torch.abs, exact_products=exact_products)
    # Rounded to nearest, of either sign, so not a matter for ``outward``; and γ_c ≤ (c + 1)·2^-53.
    roundings = terms.y.shape[-2] + len(terms.form.outers) + 2
    reach = 1.0 + sum((col.abs() for col, _ in terms.form.outers), start=torch.zeros_like(terms.absolute))
    doubt = outward(terms.absolute * ((roundings + 1) * 2.0**-53) + reach * (roundings * 2.0**-1074), 4) + terms.form.slack.apply(terms.y.abs())
    return PartialSums(*(outward(part + nodes * doubt, nodes + 3) for part in sums))


def root_of_squares(terms: Terms, order: Order, *, exact_products: bool) -> PartialSums:
    """√Σ_t s_t² instead of Σ_t |s_t|, for an expected bound: no upper bound, but the number itself, to within float64's rounding and the slack.

    The sums are divided by a power of two a case, lest a square underflow.
    """
    unit = power_of_two_above(terms.absolute.amax((-2, -1), keepdim=True))
    bias = None if terms.bias is None else terms.bias.double() / unit
    sums, _ = _summed(replace(terms, y=terms.y / unit, bias=bias), order, torch.square, exact_products=exact_products)
    return PartialSums(*(part.sqrt() * unit for part in sums))


def _summed(terms: Terms, order: Order, measure: Callable[[Tensor], Tensor], *, exact_products: bool) -> tuple[tuple[Tensor, Tensor], int]:
    """The sums of a measure of the partial sums, of those in the accumulator and of those that are stored, and how many there were."""
    shape = terms.absolute.shape[:-1]
    sums = tuple(torch.zeros(shape, dtype=torch.float64, device=terms.y.device) for _ in range(2))
    nodes = 0
    for stored, node in _nodes(terms, order, exact_products=exact_products):
        sums[stored].add_(measure(node))
        nodes += 1
    return (sums[0].unsqueeze(-1), sums[1].unsqueeze(-1)), nodes


def _nodes(terms: Terms, order: Order, *, exact_products: bool) -> Iterator[tuple[bool, Tensor]]:
    """The partial sums (cases, p) that are rounded, one after the other, and whether to storage; each is changed in place for the next."""
    q, shape = terms.y.shape[-2], terms.absolute.shape[:-1]
    columns = terms.y.squeeze(-1)
    shared = None if terms.form.shared is None else terms.form.shared.movedim(-1, 0).contiguous()  # one column of the matrix after the other
    scalars = [row.squeeze(-2) * columns for _, row in terms.form.outers]
    cols = [col.squeeze(-1) for col, _ in terms.form.outers]
    offset = None if terms.bias is None else terms.bias.double().squeeze(-1)
    stack: list[tuple[Tensor, list[Tensor]]] = []

    def whole(top: Tensor, parts: list[Tensor]) -> Tensor:
        for col, part in zip(cols, parts, strict=True):
            top = torch.addcmul(top, col, part)
        return top

    for op, leaf in order.program:
        if op == PUSH:
            if leaf == q:
                assert offset is not None
                stack.append((offset.expand(shape).clone(), [torch.zeros_like(columns[:, :1]) for _ in scalars]))
                continue  # a bias is what it is
            start = torch.zeros(shape, dtype=torch.float64, device=columns.device) if shared is None else shared[leaf] * columns[:, leaf : leaf + 1]
            stack.append((start, [scalar[:, leaf : leaf + 1].clone() for scalar in scalars]))
            if exact_products:
                continue
        elif op == ADD:
            top, parts = stack[-1]
            if leaf == q:
                assert offset is not None
                top.add_(offset)
            else:
                if shared is not None:
                    top.addcmul_(shared[leaf].expand_as(top), columns[:, leaf : leaf + 1].expand_as(top))
                for part, scalar in zip(parts, scalars, strict=True):
                    part.add_(scalar[:, leaf : leaf + 1])
        else:
            more, others = stack.pop()
            top, parts = stack[-1]
            if order.stored_strands:
                yield True, whole(top, parts)
                yield True, whole(more, others)
            top.add_(more)
            for part, other in zip(parts, others, strict=True):
                part.add_(other)
        yield op == MERGE and order.stored_strands, whole(*stack[-1])
