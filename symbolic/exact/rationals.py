"""Matrices of exact rationals (python-flint's ``fmpq_mat``) that run the formulas of ``symbolic.formulas`` unchanged.

Here the search for counterexamples computes, because it evaluates thousands of instances; ``symbolic.exact.second_opinion``, which shares no
line with this file, checks again what was found.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from flint import fmpq, fmpq_mat

from symbolic.vocabulary import ShapeMismatch


class Undefined(ArithmeticError):
    """A side has no value here: something was divided by zero."""


class Irrational(ArithmeticError):
    """This arithmetic cannot say anything of the instance: a square root is not rational, or a derivative is not exact."""


class Exact:
    """One matrix of rationals; an integer or a fraction in place of an operand is that 1x1 matrix. Between two columns * and / go entry by entry."""

    __slots__ = ("matrix",)

    def __init__(self, matrix: fmpq_mat) -> None:
        self.matrix = matrix

    @classmethod
    def of(cls, rows: Sequence[Sequence[int | Fraction]]) -> "Exact":
        """The matrix with these rows."""
        return cls(fmpq_mat(len(rows), len(rows[0]), [_rational(x.numerator, x.denominator) for row in rows for x in row]))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.matrix.nrows(), self.matrix.ncols()

    def __matmul__(self, other: "Exact") -> "Exact":
        left, right = self.matrix, other.matrix
        if left.ncols() != right.nrows():
            _refuse(self, other)
        return Exact(left * right)

    def __add__(self, other: "Exact | int | Fraction") -> "Exact":
        left, right = self.matrix, _lift(other).matrix
        if left.nrows() != right.nrows() or left.ncols() != right.ncols():
            _refuse(self, Exact(right))
        return Exact(left + right)

    def __sub__(self, other: "Exact | int | Fraction") -> "Exact":
        left, right = self.matrix, _lift(other).matrix
        if left.nrows() != right.nrows() or left.ncols() != right.ncols():
            _refuse(self, Exact(right))
        return Exact(left - right)

    def __neg__(self) -> "Exact":
        return Exact(-self.matrix)

    def __mul__(self, other: "Exact | int | Fraction") -> "Exact":
        scalar = _lift(other)
        if scalar.shape == (1, 1):
            return Exact(self.matrix * scalar.matrix[0, 0])
        if self.shape == scalar.shape and self.shape[1] == 1:
            return self._entrywise(scalar, lambda x, y: x * y)
        _require(self.shape == (1, 1), self, scalar)
        return Exact(scalar.matrix * self.matrix[0, 0])

    __rmul__ = __mul__

    def __truediv__(self, other: "Exact | int | Fraction") -> "Exact":
        scalar = _lift(other)
        if scalar.shape != (1, 1):
            _require(self.shape == scalar.shape and self.shape[1] == 1, self, scalar)
            if scalar.has_zero_entry():
                raise Undefined("entrywise division by zero")
            return self._entrywise(scalar, lambda x, y: x / y)
        if scalar.matrix[0, 0] == 0:
            raise Undefined("division by zero")
        return Exact(self.matrix / scalar.matrix[0, 0])

    def __pow__(self, exponent: float) -> "Exact":
        _require(self.shape == (1, 1), self, self)
        if exponent == 2:
            return self @ self
        assert exponent == 0.5, f"only the powers 2 and 1/2 are defined, not {exponent}"
        value = self.matrix[0, 0]
        roots = [isqrt(max(int(part), 0)) for part in (value.p, value.q)]
        if value < 0 or fmpq(*roots) ** 2 != value:
            raise Irrational(f"the square root of {value}")
        return Exact(fmpq_mat(1, 1, [fmpq(*roots)]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exact) and self.shape == other.shape and bool(self.matrix == other.matrix)

    __hash__ = None  # type: ignore[assignment]  # a value to compute with, not a key

    @property
    def mT(self) -> "Exact":
        """The transpose."""
        return Exact(self.matrix.transpose())

    def norm(self) -> "Exact":
        """‖x‖ of a column. Raises Irrational."""
        return (self.mT @ self) ** 0.5

    def trace(self) -> "Exact":
        """The trace, as a 1x1 matrix."""
        _require(self.shape[0] == self.shape[1], self, self)
        return Exact(fmpq_mat(1, 1, [sum((self.matrix[i, i] for i in range(self.shape[0])), fmpq(0))]))

    def rank(self) -> "Exact":
        """The rank, as a 1x1 matrix."""
        return Exact.of([[self.matrix.rank()]])

    def inverse(self) -> "Exact":
        """The inverse of a square matrix. Raises Undefined."""
        try:
            return Exact(self.matrix.inv())
        except ZeroDivisionError as error:
            raise Undefined("the inverse of a singular matrix") from error

    def is_zero(self) -> bool:
        """Whether every entry is zero."""
        return not any(entry for row in self.matrix.table() for entry in row)

    def has_zero_entry(self) -> bool:
        """Whether some entry is zero."""
        return not all(entry for row in self.matrix.table() for entry in row)

    def _entrywise(self, other: "Exact", operation: Callable[[fmpq, fmpq], fmpq]) -> "Exact":
        pairs = zip(self.matrix.entries(), other.matrix.entries(), strict=True)
        return Exact(fmpq_mat(*self.shape, [operation(x, y) for x, y in pairs]))

    def map(self, function: Callable[[Fraction], Fraction]) -> "Exact":
        """A function applied to every entry."""
        return Exact.of([[function(Fraction(x)) for x in row] for row in self.rows()])

    def rows(self) -> list[list[str]]:
        """The entries as strings such as "-3/2", by rows: the stored form."""
        return [[str(x) for x in row] for row in self.matrix.table()]


@lru_cache(maxsize=4096)
def _rational(numerator: int, denominator: int) -> fmpq:
    """The same few numbers stand in nearly all instances."""
    return fmpq(numerator, denominator)


def _lift(value: Exact | int | Fraction) -> Exact:
    return value if isinstance(value, Exact) else Exact.of([[value]])


def _require(fits: bool, left: Exact, right: Exact) -> None:
    if not fits:
        _refuse(left, right)


def _refuse(left: Exact, right: Exact) -> None:
    raise ShapeMismatch(f"cannot combine {left.shape} with {right.shape}.")
