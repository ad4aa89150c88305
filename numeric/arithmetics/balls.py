"""Ball arithmetic: the rigorous reference, by python-flint's ``arb_mat``.

A ball is a midpoint and a radius that is sure to contain the real number. The same plain formulas run over balls as
over torch tensors, at 320 bits, so that a measured side can be compared with the number that real arithmetic has.
Source: Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Comput. 66 (2017).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from flint import arb, arb_mat, ctx

from numeric.arithmetics.intervals import check_intervals, interval, overlaps, working
from numeric.arithmetics.largest_entry import largest_entry
from symbolic import formulas

if TYPE_CHECKING:
    from numeric.sides.variant import Variant

BITS = 320
"""Working precision: over 53 + 2·53 bits of operands and products, with room for sums; a radius says what is left."""

OLDEST_FLINT = (0, 9)


class UnusableReference(Exception):
    """The reference gave a wrong answer to a question whose answer is known."""


@dataclass(frozen=True, slots=True)
class Ball:
    """A matrix of balls."""

    matrix: arb_mat

    @property
    def mT(self) -> "Ball":
        """The transpose."""
        return Ball(self.matrix.transpose())

    def __matmul__(self, other: "Ball") -> "Ball":
        return Ball(self.matrix * other.matrix)

    def __add__(self, other: "Ball | float") -> "Ball":
        return Ball(self.matrix + _lifted(other).matrix)

    def __sub__(self, other: "Ball | float") -> "Ball":
        return Ball(self.matrix - _lifted(other).matrix)

    def __truediv__(self, other: "Ball | float") -> "Ball":
        return Ball(self.matrix / _lifted(other).matrix[0, 0])

    def entries(self) -> list[arb]:
        """All entries, row by row."""
        return list(self.matrix.entries())


def _lifted(other: Ball | float) -> Ball:
    """A real constant, exactly."""
    return other if isinstance(other, Ball) else Ball(arb_mat([[arb(other)]]))


@largest_entry.register
def _(a: Ball) -> Ball:
    """The scale needs only to be the number that the format uses: the largest of exact entries."""
    return Ball(arb_mat([[max((abs(x) for x in a.entries()), key=lambda x: x.mid())]]))


def ball(rows: Sequence[Sequence[float]]) -> Ball:
    """Exact balls of finite floats, by rows."""
    return Ball(arb_mat([[arb(x) for x in row] for row in rows]))


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


def compare(
    W: Ball,
    b: Ball,
    z: Sequence[Sequence[float]],
    left: Sequence[Sequence[float]],
    right: Sequence[Sequence[float]],
    left_radius: Sequence[Sequence[float]],
    right_radius: Sequence[Sequence[float]],
    moved: Sequence[Sequence[float]],
) -> Agreement:
    """Compare the sides of many cases with Wz + b, which both claim to be: by Theorem 2.2, and beside what â + ε moves, which ``certify`` asks too.

    W: (m, d); b: (m, 1); z: cases of d floats; the others: cases of m floats.
    """
    saved, ctx.prec = ctx.prec, BITS
    try:
        products = (W.matrix * arb_mat([list(case) for case in z]).transpose()).transpose().tolist()
        offsets = b.entries()
        worst = [arb(0), arb(0)]
        inside = True
        for case, row in enumerate(products):
            exact = [x + y for x, y in zip(row, offsets, strict=True)]
            errors = [abs(y - x) for x, y in zip(left[case], exact, strict=True)]
            other_errors = [abs(y - x + move) for x, move, y in zip(right[case], moved[case], exact, strict=True)]  # never float with float
            worst = [_max_above(w, e) for w, e in zip(worst, (errors, other_errors), strict=True)]
            radii = [*left_radius[case], *right_radius[case]]
            inside = inside and all(e <= r for e, r in zip(errors + other_errors, radii, strict=True))
        return Agreement(len(products), _float_above(worst[0]), _float_above(worst[1]), inside)
    finally:
        ctx.prec = saved


def _max_above(bound: arb, errors: Sequence[arb]) -> arb:
    """The larger of a bound and the upper ends of some balls."""
    for e in errors:
        if not e <= bound:
            bound = e.upper()
    return bound


def certify(
    W: Ball,
    b: Ball,
    z: Sequence[float],
    a: Sequence[float],
    variant: "Variant",
    left: Sequence[float],
    right: Sequence[float],
    left_radius: Sequence[float],
    right_radius: Sequence[float],
    *,
    again: Sequence[float] | None = None,
    moved: Sequence[float] | None = None,
) -> Certificate:
    """Compare both measured sides of one case, at the first dense layer, with real arithmetic.

    W: (m, d); b: (m, 1); z, a: d floats, a ≠ 0; left, right and their radii: m floats. again: â + ε as the patched pass computed it,
    and moved, m floats: what the sides are taken to differ by for it, whose own error counts as the right side's.
    """
    saved, ctx.prec = ctx.prec, BITS
    try:
        z_ball, a_ball = ball([[x] for x in z]), ball([[x] for x in a])
        again_ball = a_ball if again is None else ball([[x] for x in again])
        delta = formulas.context_vector(z_ball, a_ball)
        exact_left = formulas.first_layer(W, b, z_ball).entries()
        exact_right = formulas.first_layer(formulas.patched_weight(W, variant.update(W, delta, a_ball)), b, again_ball).entries()
        exact_move = formulas.perturbation(W, delta, a_ball, again_ball - a_ball).entries()
        taken = [arb(0)] * len(exact_left) if moved is None else [arb(x) for x in moved]
        left_errors = [abs(arb(x) - y) for x, y in zip(left, exact_left, strict=True)]
        right_errors = [abs(arb(x) - move - y) for x, move, y in zip(right, taken, exact_left, strict=True)]
        agree = all((x + move).overlaps(y) for x, move, y in zip(exact_left, exact_move, exact_right, strict=True))
        place = _nearest_to_its_bound(left_errors, left_radius, right_errors, right_radius)
        with working():
            W_row, b_row = interval([[float(x) for x in W.matrix.table()[place]]]), interval([[float(b.matrix[place, 0])]])
            zi, ai, again_i = (interval([[x] for x in column]) for column in (z, a, a if again is None else again))
            other_left = formulas.first_layer(W_row, b_row, zi)
            other_right = formulas.first_layer(formulas.patched_weight(W_row, variant.update(W_row, formulas.context_vector(zi, ai), ai)), b_row, again_i)
            seconded = overlaps(other_left.rows[0][0], exact_left[place]) and overlaps(other_right.rows[0][0], exact_right[place])
        # A comparison of balls is true only if it is true of all their points.
        within = all(e <= arb(r) for e, r in zip(left_errors + right_errors, [*left_radius, *right_radius], strict=True))
        return Certificate(_upper(left_errors), _upper(right_errors), agree and within, seconded)
    finally:
        ctx.prec = saved


def _nearest_to_its_bound(left: list[arb], left_radius: Sequence[float], right: list[arb], right_radius: Sequence[float]) -> int:
    """The entry at which a side comes nearest to its radius: the one that is worth a second opinion."""
    shares = [max(_share(e, r), _share(f, s)) for e, r, f, s in zip(left, left_radius, right, right_radius, strict=True)]
    return shares.index(max(shares))


def _share(error: arb, radius: float) -> float:
    upper = _float_above(error.upper())
    return upper / radius if radius > 0 else math.inf if upper > 0 else 0.0


def _upper(errors: list[arb]) -> float:
    return max(_float_above(e.upper()) for e in errors)


def _float_above(x: arb) -> float:
    """The nearest float, or the next one where that lies below: ``float`` alone rounds an upper end downwards half of the time."""
    near = float(x)
    return near if arb(near) >= x else math.nextafter(near, math.inf)


def check_reference() -> None:
    """Ask the reference questions whose answers are known, wrong ones among them. Raises UnusableReference."""
    found = version("python-flint")
    if tuple(int(part) for part in found.split(".")[:2]) < OLDEST_FLINT:
        raise UnusableReference(f"python-flint {found} is too old: 0.8 has a wrong arb.neg(); install 0.9 or later.")
    half, third = arb(1) / 2, arb(1) / 3
    right = [-half == arb(-0.5), (third * 3).overlaps(arb(1)), abs(-third).overlaps(third), third <= arb(0.5), ball([[0.5]]).entries()[0] == half]
    wrong = [-half == half, third.overlaps(arb(0.25)), third <= arb(0.25), half < half, (-third).overlaps(third)]
    if not all(right) or any(wrong):
        raise UnusableReference(f"python-flint {found} fails its self-test: {right}, {wrong}.")
    second = check_intervals()
    if not all(second):
        raise UnusableReference(f"mpmath {version('mpmath')}, the second opinion, fails its self-test: {second}.")
