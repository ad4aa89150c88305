"""A second opinion on the balls: the same plain formulas over mpmath's interval arithmetic, which shares no line with python-flint.

An interval, too, is sure to contain the real number, so the two must overlap; at 200 bits both are so narrow that a
formula evaluated wrongly by either would tear them apart.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flint import arb, ctx
from mpmath import iv, mp

from numeric.arithmetics.largest_entry import largest_entry

_BITS = 200


@contextmanager
def working() -> Iterator[None]:
    """mpmath's intervals at 200 bits, and balls wide enough for their ends, put back afterwards."""
    saved, iv.prec = iv.prec, _BITS
    balls, ctx.prec = ctx.prec, max(ctx.prec, 2 * _BITS)
    try:
        yield
    finally:
        iv.prec, ctx.prec = saved, balls


@dataclass(frozen=True, slots=True)
class Interval:
    """A matrix of intervals, by rows."""

    rows: list[list[Any]]

    @property
    def mT(self) -> "Interval":
        """The transpose."""
        return Interval([list(column) for column in zip(*self.rows, strict=True)])

    def __matmul__(self, other: "Interval") -> "Interval":
        columns = other.mT.rows
        return Interval([[sum((x * y for x, y in zip(row, column, strict=True)), iv.mpf(0)) for column in columns] for row in self.rows])

    def __add__(self, other: "Interval | float") -> "Interval":
        return Interval([[x + y for x, y in zip(*rows, strict=True)] for rows in zip(self.rows, _lifted(other).rows, strict=True)])

    def __sub__(self, other: "Interval | float") -> "Interval":
        return Interval([[x - y for x, y in zip(*rows, strict=True)] for rows in zip(self.rows, _lifted(other).rows, strict=True)])

    def __truediv__(self, other: "Interval | float") -> "Interval":
        ((divisor,),) = _lifted(other).rows
        return Interval([[x / divisor for x in row] for row in self.rows])


def _lifted(other: Interval | float) -> Interval:
    """A real constant, exactly."""
    return other if isinstance(other, Interval) else Interval([[iv.mpf(other)]])


@largest_entry.register
def _(a: Interval) -> Interval:
    """The largest of exact entries."""
    return Interval([[max((abs(x) for row in a.rows for x in row), key=lambda x: x.mid)]])


def interval(rows: Sequence[Sequence[float]]) -> Interval:
    """Exact intervals of finite floats, by rows."""
    return Interval([[iv.mpf(x) for x in row] for row in rows])


def overlaps(found: Any, ball: arb) -> bool:
    """Whether an interval and a ball have a point in common, as they must if both contain one number."""
    low, high = (_exactly(end) for end in (found.a, found.b))
    return not (bool(low > ball) or bool(high < ball))


def _exactly(end: Any) -> arb:
    """An end of an interval, a number of 200 bits."""
    with mp.workprec(2 * _BITS):  # where converting rounds nothing
        number = mp.mpf(end)
    return arb(int(mp.sign(number)) * int(number.man)) * arb(2) ** int(number.exp)


def check_intervals() -> list[bool]:
    """Questions whose answers are known, wrong ones among them; every answer ought to be true."""
    with working():
        third, three = iv.mpf(1) / 3, arb(1) / 3
        product = (interval([[1.0, 2.0]]) @ interval([[3.0], [-0.5]])).rows[0][0]
        right = [overlaps(third, three), overlaps(third * 3, arb(1)), overlaps(product, arb(2)), overlaps(-third, -three)]
        wrong = [overlaps(third, three * (1 + arb(2) ** -150)), overlaps(third, -three), overlaps(product, arb(3.5)), overlaps(third, arb(0.25))]
    return [*right, *(not answer for answer in wrong)]
