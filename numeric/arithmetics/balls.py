"""Ball arithmetic: the rigorous reference, by python-flint's ``arb_mat``.

A ball is a midpoint and a radius that is sure to contain the real number. The same plain formulas run over balls as
over torch tensors, at 320 bits, so that a measured side can be compared with the number that real arithmetic has.
Source: Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Comput. 66 (2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from flint import arb, arb_mat

from numeric.arithmetics.intervals import check_intervals
from numeric.arithmetics.largest_entry import largest_entry

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
        ((divisor,),) = _lifted(other).matrix.tolist()  # 1x1, or a ValueError
        return Ball(self.matrix / divisor)

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
