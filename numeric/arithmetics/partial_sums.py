"""How large the partial sums of a product become, for a running error analysis at O(m + d) numbers a case.

The error of a sum whose order is known is bounded by u Σ_t |s_t| over the nodes t of its tree (``summation_order.py``). The
s_t are sums of the machine's own operands, evaluated again in float64: magnitudes, not differences of the two sides. A
patched weight fl(W + fl(v aᵀ/s)) is an (m, d) matrix a case, but it is close to a short form,

    X = S + Σ_k col_k row_kᵀ + E,   |E| ≤ slack,          S shared by all cases, the slack of the order of u|X|,

whose partial sums against y cost O(m) numbers a step: Σ_{j≤t} X_ij y_j = (S y)_i,t + Σ_k col_k,i (row_k·y)_t. With c the
number of float64 operations in one s_t,

    |s_t| ≤ |s̃_t| + γ_c(2^-53) Σ|X_ij y_j| + c·2^-1074 + (slack |y|)_i.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from numeric.arithmetics.envelope import Envelope, outward
from numeric.arithmetics.sensitivities import power_of_two_above
from numeric.machine.summation_order import ADD, MERGE, PUSH, Order


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
        _, exponent = torch.frexp(divisor)
        first = torch.ldexp(torch.ones_like(divisor), torch.div(exponent, 2, rounding_mode="floor"))
        second = divisor / first
        outers = tuple((col / first, row / second) for col, row in self.outers)
        # Three roundings of float64, the last one of a product that nobody forms.
        rounded = Envelope(outers=tuple((outward(col.abs() * 2.0**-50, 1), row.abs()) for col, row in outers))
        return Form(None, outers, self.slack.divided(divisor.abs()) + lost + rounded)


@dataclass(frozen=True, slots=True)
class PartialSums:
    """Upper bounds of Σ_t |s_t| over the nodes of a tree at which something is rounded.  Each (cases, p, 1) float64."""

    accumulated: Tensor
    """Rounded in the accumulator."""
    stored: Tensor
    """Rounded to the storage format: strands that are stored before they are added, and what they add up to."""


def partial_sums(form: Form, y: Tensor, order: Order, absolute: Tensor, *, bias: Tensor | None, exact_products: bool) -> PartialSums:
    """Bounds of the partial sums of a product.

    y: (cases, q, 1) float64, the machine's operand; absolute: (cases, p, 1), Σ|X_ij y_j| + |b_i|; bias: (cases, p, 1) or (p, 1).
    exact_products: whether a single product is held without an error.
    """
    found = _walked(form, y, order, absolute, torch.abs, bias=bias, exact_products=exact_products)
    # A product, an addition and, for each outer product, two of each: rounded to nearest, of either sign, so not a matter for ``outward``.
    operations = (2 + 4 * len(form.outers)) * (y.shape[-2] + 2)
    doubt = outward(absolute * (operations * 2.0**-52) + operations * 2.0**-1074, 3) + form.slack.apply(y.abs())
    above = found.nodes * doubt
    return PartialSums(*(outward(part + above, found.nodes + 3) for part in (found.accumulated, found.stored)))


def root_of_squares(form: Form, y: Tensor, order: Order, absolute: Tensor, *, bias: Tensor | None, exact_products: bool) -> PartialSums:
    """√Σ_t s_t² instead of Σ_t |s_t|, for an expected bound: no upper bound, but the number itself, to within float64's rounding and the slack.

    The arguments are those of ``partial_sums``. The sums are divided by a power of two a case, lest a square underflow.
    """
    unit = power_of_two_above(absolute.amax((-2, -1), keepdim=True))
    bias = None if bias is None else bias.double() / unit
    found = _walked(form, y / unit, order, absolute, torch.square, bias=bias, exact_products=exact_products)
    return PartialSums(*(part.sqrt() * unit for part in (found.accumulated, found.stored)))


@dataclass(frozen=True, slots=True)
class _Walked:
    """Sums over the nodes of a tree, and how many nodes there were."""

    accumulated: Tensor
    stored: Tensor
    nodes: int


def _walked(form: Form, y: Tensor, order: Order, like: Tensor, measure: Callable[[Tensor], Tensor], *, bias: Tensor | None, exact_products: bool) -> _Walked:
    """The sums over the nodes of a measure of the partial sums there, each (cases, p, 1).  like: (cases, p, 1), for its shape."""
    q = y.shape[-2]
    columns = y.squeeze(-1)
    shared = form.shared
    turned = None if shared is None else shared.movedim(-1, 0).contiguous()  # one column of the matrix after the other
    scalars = [row.squeeze(-2) * columns for _, row in form.outers]
    cols = [col.squeeze(-1) for col, _ in form.outers]
    offset = None if bias is None else bias.double().squeeze(-1)
    total, stored = (torch.zeros(like.shape[:-1], dtype=torch.float64, device=y.device) for _ in range(2))
    stack: list[tuple[Tensor, list[Tensor]]] = []
    nodes = 0

    def size(top: Tensor, parts: list[Tensor]) -> Tensor:
        for col, part in zip(cols, parts, strict=True):
            top = torch.addcmul(top, col, part)
        return measure(top)

    for op, leaf in order.program:
        if op == PUSH:
            if leaf == q:
                assert offset is not None
                stack.append((offset.expand_as(total).clone(), [torch.zeros_like(columns[:, :1]) for _ in scalars]))
                continue  # a bias is what it is
            start = torch.zeros_like(total) if turned is None else turned[leaf] * columns[:, leaf : leaf + 1]
            stack.append((start, [scalar[:, leaf : leaf + 1].clone() for scalar in scalars]))
            if exact_products:
                continue
        elif op == ADD:
            top, parts = stack[-1]
            if leaf == q:
                assert offset is not None
                top.add_(offset)
            else:
                if turned is not None:
                    top.addcmul_(turned[leaf].expand_as(top), columns[:, leaf : leaf + 1].expand_as(top))
                for part, scalar in zip(parts, scalars, strict=True):
                    part.add_(scalar[:, leaf : leaf + 1])
        else:
            more, others = stack.pop()
            top, parts = stack[-1]
            if order.stored_strands:
                stored.add_(size(top, parts)).add_(size(more, others))
                nodes += 2
            top.add_(more)
            for part, other in zip(parts, others, strict=True):
                part.add_(other)
        (stored if op == MERGE and order.stored_strands else total).add_(size(*stack[-1]))
        nodes += 1
    return _Walked(total.unsqueeze(-1), stored.unsqueeze(-1), nodes)
