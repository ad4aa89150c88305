"""Ball arithmetic: the rigorous reference, by python-flint's ``arb_mat``.

A ball is a midpoint and a radius that is sure to contain the real number. The same plain formulas run over balls as
over torch tensors, at 320 bits, so that a measured side can be compared with the number that real arithmetic has.
Source: Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Comput. 66 (2017).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from flint import arb, arb_mat, ctx

from numeric.variants import Variant, largest_entry
from symbolic import formulas

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


def certify(
    W: Ball,
    b: Ball,
    z: Sequence[float],
    a: Sequence[float],
    variant: Variant,
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
        # A comparison of balls is true only if it is true of all their points.
        within = all(e <= arb(r) for e, r in zip(left_errors + right_errors, [*left_radius, *right_radius], strict=True))
        return Certificate(_upper(left_errors), _upper(right_errors), agree and within)
    finally:
        ctx.prec = saved


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
