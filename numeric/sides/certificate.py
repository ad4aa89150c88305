"""Both measured sides against real arithmetic, by balls, with mpmath's intervals for a second opinion.

left    = fl(Wz + b)               exact: Wz + b
right   = fl((W + ΔW)(a + ε) + b)  exact: Wz + b + (WΔA)(aᵀε)/‖a‖² + Wε,  the last two of which are predicted and taken away
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, arb_mat, ctx
from torch import Tensor

from numeric.arithmetics import Ball, ball
from numeric.arithmetics.balls import BITS
from numeric.arithmetics.intervals import interval, overlaps, working
from numeric.sides.both_sides import Sides
from numeric.sides.variant import Variant
from symbolic import formulas

Floats = Sequence[float]


@dataclass(frozen=True, slots=True)
class ExactLayer:
    """The first dense layer, as it is."""

    W: Ball
    """(m, d)."""
    b: Ball
    """(m, 1)."""

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor) -> "ExactLayer":
        """weight: (m, d); bias: (m,)."""
        return cls(ball(weight.double().tolist()), ball([[x] for x in bias.double().tolist()]))

    @property
    def entries(self) -> int:
        """m; where cases choose among matrices, of the first one, which all read."""
        return int(self.W.matrix.nrows())


@dataclass(frozen=True, slots=True)
class Operands:
    """What the update of one case is made from, and where the patched layer is asked; d floats each."""

    z: Floats
    a: Floats
    """â ≠ 0."""
    again: Floats
    """â + ε as the patched pass computed it."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A side of one case, as measured, and its radius; m floats each."""

    value: Floats
    radius: Floats


def enclosures(sides: Sides, case: int, entries: int | None = None) -> tuple[Enclosure, Enclosure]:
    """Both sides of a case at the first dense layer.  entries: how many, if not all."""
    sites = (side.first_layer for side in (sides.left, sides.right))
    left, right = (Enclosure(site.value[case, :entries].tolist(), site.radius[case, :entries].tolist()) for site in sites)
    return left, right


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the reference says of one case."""

    left: float
    """Certified: an upper bound of ‖left - exact‖∞."""
    right: float
    """Certified: an upper bound of ‖right - exact‖∞."""
    inside: bool
    """Whether both sides lie in their own radii, entry by entry, and both exact sides agree."""
    seconded: bool
    """Whether mpmath's intervals came to the same, at the entry nearest to its bound."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Many cases whose sides were compared with the exact one."""

    cases: int
    left: float
    """Certified: an upper bound of ‖left - exact‖∞ over them."""
    right: float
    inside: bool
    """Whether every side lies in its own radius, entry by entry."""


def agreement(layer: ExactLayer, z: Sequence[Floats], left: Sequence[Enclosure], right: Sequence[Enclosure], moved: Sequence[Floats]) -> Agreement:
    """Compare the sides of many cases with Wz + b, which both claim to be: by Theorem 2.2, and beside what â + ε moves, which ``certify`` asks too.

    z: d floats, by case; moved: m floats, by case, what the right side is taken to differ by.
    """
    with ctx.workprec(BITS):
        products = (layer.W.matrix * arb_mat([list(case) for case in z]).transpose()).transpose().tolist()
        offsets = layer.b.entries()
        worst = [arb(0), arb(0)]
        inside = True
        for case, row in enumerate(products):
            exact = [x + y for x, y in zip(row, offsets, strict=True)]
            errors = [abs(y - x) for x, y in zip(left[case].value, exact, strict=True)]
            other_errors = [abs(y - x + move) for x, move, y in zip(right[case].value, moved[case], exact, strict=True)]  # never float with float
            worst = [_max_above(w, e) for w, e in zip(worst, (errors, other_errors), strict=True)]
            radii = [*left[case].radius, *right[case].radius]
            inside = inside and all(e <= r for e, r in zip(errors + other_errors, radii, strict=True))
        return Agreement(len(products), _float_above(worst[0]), _float_above(worst[1]), inside)


def certify(layer: ExactLayer, operands: Operands, variant: Variant, left: Enclosure, right: Enclosure, moved: Floats | None = None) -> Certificate:
    """Compare both measured sides of one case, at the first dense layer, with real arithmetic.

    moved: m floats, what the sides are taken to differ by since the patched pass computed another â, whose own error counts as the right side's.
    """
    W, b = layer.W, layer.b
    with ctx.workprec(BITS):
        z, a, again = (ball([[x] for x in column]) for column in (operands.z, operands.a, operands.again))
        delta = formulas.context_vector(z, a)
        exact_left = formulas.first_layer(W, b, z).entries()
        exact_right = formulas.first_layer(formulas.patched_weight(W, variant.update(W, delta, a)), b, again).entries()
        exact_move = formulas.perturbation(W, delta, a, again - a).entries()
        taken = [arb(0)] * len(exact_left) if moved is None else [arb(x) for x in moved]
        left_errors = [abs(arb(x) - y) for x, y in zip(left.value, exact_left, strict=True)]
        right_errors = [abs(arb(x) - move - y) for x, move, y in zip(right.value, taken, exact_left, strict=True)]
        agree = all((x + move).overlaps(y) for x, move, y in zip(exact_left, exact_move, exact_right, strict=True))
        # The entry at which a side comes nearest to its radius is the one that is worth a second opinion.
        shares = [max(_share(e, r), _share(f, s)) for e, r, f, s in zip(left_errors, left.radius, right_errors, right.radius, strict=True)]
        place = shares.index(max(shares))
        seconded = _seconded(layer, operands, variant, place, (exact_left[place], exact_right[place]))
        # A comparison of balls is true only if it is true of all their points.
        within = all(e <= arb(r) for e, r in zip(left_errors + right_errors, [*left.radius, *right.radius], strict=True))
        return Certificate(_upper(left_errors), _upper(right_errors), agree and within, seconded)


def _seconded(layer: ExactLayer, operands: Operands, variant: Variant, place: int, exact: tuple[arb, arb]) -> bool:
    """Whether intervals come to the same at one entry, on both sides."""
    with working():
        W, b = interval([[float(x) for x in layer.W.matrix.table()[place]]]), interval([[float(layer.b.matrix[place, 0])]])
        z, a, again = (interval([[x] for x in column]) for column in (operands.z, operands.a, operands.again))
        left = formulas.first_layer(W, b, z)
        right = formulas.first_layer(formulas.patched_weight(W, variant.update(W, formulas.context_vector(z, a), a)), b, again)
        return overlaps(left.rows[0][0], exact[0]) and overlaps(right.rows[0][0], exact[1])


def _max_above(bound: arb, errors: Sequence[arb]) -> arb:
    """The larger of a bound and the upper ends of some balls."""
    for e in errors:
        if not e <= bound:
            bound = e.upper()
    return bound


def _share(error: arb, radius: float) -> float:
    upper = _float_above(error.upper())
    return upper / radius if radius > 0 else math.inf if upper > 0 else 0.0


def _upper(errors: list[arb]) -> float:
    return max(_float_above(e.upper()) for e in errors)


def _float_above(x: arb) -> float:
    """The nearest float, or the next one where that lies below: ``float`` alone rounds an upper end downwards half of the time."""
    near = float(x)
    return near if arb(near) >= x else math.nextafter(near, math.inf)
