"""The second opinion on a counterexample: from its stored form, in plain fractions and loops.

Nothing here is shared with the prover, with the search, or with python-flint: if either of those is wrong about a
counterexample, this does not repeat the mistake. A statement is run as it stands: its two sides are Python functions of
matrix-like values, and ``Plain`` is one more kind of value.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import isqrt
from typing import Any


class Plain:
    """A matrix as a list of rows of fractions. Between two columns * and / go entry by entry."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self.rows = [[Fraction(x) for x in row] for row in rows]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.rows[0])

    def __matmul__(self, other: "Plain") -> "Plain":
        columns = list(zip(*other.rows, strict=True))
        return Plain([[sum((x * y for x, y in zip(row, column, strict=True)), Fraction(0)) for column in columns] for row in self.rows])

    def __add__(self, other: Any) -> "Plain":
        other = other if isinstance(other, Plain) else Plain([[other]])
        return Plain([[x + y for x, y in zip(p, q, strict=True)] for p, q in zip(self.rows, other.rows, strict=True)])

    def __neg__(self) -> "Plain":
        return self.map(lambda x: -x)

    def __sub__(self, other: Any) -> "Plain":
        return self + -other

    def __mul__(self, other: Any) -> "Plain":
        if not isinstance(other, Plain):
            return self.map(lambda x: x * other)
        if self.shape == other.shape and self.shape[1] == 1:
            return Plain([[x * y] for (x,), (y,) in zip(self.rows, other.rows, strict=True)])
        matrix, scalar = (other, self) if len(self.rows) == len(self.rows[0]) == 1 else (self, other)
        ((factor,),) = scalar.rows
        return matrix.map(lambda x: x * factor)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Plain":
        if isinstance(other, Plain) and self.shape == other.shape and self.shape[1] == 1:
            return Plain([[x / y] for (x,), (y,) in zip(self.rows, other.rows, strict=True)])
        ((divisor,),) = other.rows if isinstance(other, Plain) else ((other,),)
        return self.map(lambda x: x / divisor)

    def __pow__(self, exponent: float) -> "Plain":
        ((value,),) = self.rows
        return Plain([[value * value if exponent == 2 else _root(value)]])

    @property
    def mT(self) -> "Plain":
        """The transpose."""
        return Plain(list(zip(*self.rows, strict=True)))

    def norm(self) -> "Plain":
        """‖x‖ of a column."""
        return (self.mT @ self) ** 0.5

    def trace(self) -> "Plain":
        """The trace, as a 1x1 matrix."""
        return Plain([[sum((row[i] for i, row in enumerate(self.rows)), Fraction(0))]])

    def map(self, function: Callable[[Fraction], Any]) -> "Plain":
        """A function applied to every entry."""
        return Plain([[function(x) for x in row] for row in self.rows])

    def rank(self) -> "Plain":
        """The rank by elimination, as a 1x1 matrix."""
        rows, rank = [list(row) for row in self.rows], 0
        for j in range(len(rows[0])):
            pivot = next((i for i in range(rank, len(rows)) if rows[i][j]), None)
            if pivot is None:
                continue
            rows[rank], rows[pivot] = rows[pivot], rows[rank]
            for i in range(rank + 1, len(rows)):
                factor = rows[i][j] / rows[rank][j]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[rank], strict=True)]
            rank += 1
        return Plain([[rank]])

    def is_zero(self) -> bool:
        """Whether every entry is zero."""
        return not any(x for row in self.rows for x in row)

    def has_zero_entry(self) -> bool:
        """Whether some entry is zero."""
        return any(x == 0 for row in self.rows for x in row)


def sides(compute: Callable[[], Sequence[Plain]]) -> list[list[list[str]]]:
    """The parts of one side in stored form: their entries by rows, or [["undefined"]] alone where it divides by zero."""
    try:
        return [[[str(x) for x in row] for row in part.rows] for part in compute()]
    except ZeroDivisionError:
        return [[["undefined"]]]


def matrices(values: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Plain]:
    """The matrices of a stored counterexample."""
    return {name: Plain(rows) for name, rows in values.items()}


def _root(value: Fraction) -> Fraction:
    root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    if root * root != value:
        raise ValueError(f"the square root of {value} is not rational")
    return root
