"""Terms: what a formula looks like when it is run on symbols instead of numbers.

A term is a tree of matrix symbols of symbolic shape under ``@``, ``+``, ``-``, scaling, transposition, division by a 1x1
term, trace and opaque functions. A shape is a pair of sizes, each a letter ("d", "m", ...) or "1"; two sizes are equal
only if they are the same letter, so a term that can be built is meaningful for every choice of the sizes. Between two
columns of one size ``*`` and ``/`` go entry by entry. The tree keeps the order in which the formula was evaluated: that
is what is printed. What it means is the business of ``symbolic.algebra.normal_form``; how it looks, of ``symbolic.terms.notation``.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

from symbolic.vocabulary import ShapeMismatch

Shape = tuple[str, str]
Rational = int | Fraction


class Operation(Enum):
    """An operation of which ``symbolic.algebra.equality`` knows rules. A claim's own function is none of these, whatever it is called."""

    RANK = "rank"
    NONZERO = "nonzero"
    POSITIVE = "positive"
    ROOT = "√"
    ENTRYWISE_PRODUCT = "⊙"
    ENTRYWISE_QUOTIENT = "⊘"

    def __str__(self) -> str:
        return self.value


class Operators:
    """The operators of every term; an integer or a fraction in place of an operand is that 1x1 constant."""

    __slots__ = ()

    shape: Any  # a field of a leaf, a property of a node

    def __matmul__(self: Any, other: "Term") -> "Term":
        return Product(self, other)

    def __add__(self: Any, other: "Term | Rational") -> "Term":
        return Sum(self, lift(other))

    def __sub__(self: Any, other: "Term | Rational") -> "Term":
        return Difference(self, lift(other))

    def __neg__(self: Any) -> "Term":
        return Scaled(Constant(Fraction(-1)), self)

    def __mul__(self: Any, other: "Term | Rational") -> "Term":
        if _columns(self, other):
            return BuiltIn(Operation.ENTRYWISE_PRODUCT, (self, lift(other)), self.shape)
        return Scaled(lift(other), self) if isinstance(other, int | Fraction) or other.shape == ("1", "1") else Scaled(self, other)

    def __rmul__(self: Any, other: Rational) -> "Term":
        return Scaled(lift(other), self)

    def __truediv__(self: Any, other: "Term | Rational") -> "Term":
        if _columns(self, other):
            return BuiltIn(Operation.ENTRYWISE_QUOTIENT, (self, lift(other)), self.shape)
        return Quotient(self, lift(other))

    def __pow__(self: Any, exponent: float) -> "Term":
        if exponent == 0.5:
            return BuiltIn(Operation.ROOT, (self,))
        assert exponent == 2, f"only the powers 2 and 1/2 are defined, not {exponent}"
        return Product(self, self)

    @property
    def mT(self: Any) -> "Term":
        """The transpose; the name that torch gives it."""
        return Transposed(self)

    def norm(self: Any) -> "Term":
        """The Euclidean norm ‖x‖ of a column, the square root of xᵀx."""
        return Product(Transposed(self), self) ** 0.5


@dataclass(frozen=True, slots=True)
class Symbol(Operators):
    """A matrix of which nothing is known. ``name`` is its identity (``symbolic.terms.binding`` has other kinds); ``text`` and ``latex`` show it."""

    name: Hashable
    shape: Shape
    text: str
    latex: str


@dataclass(frozen=True, slots=True)
class Constant(Operators):
    """A rational number, as a 1x1 matrix."""

    value: Fraction
    shape: Shape = ("1", "1")


@dataclass(frozen=True, slots=True)
class Identity(Operators):
    """The identity matrix of a symbolic size."""

    size: str

    @property
    def shape(self) -> Shape:
        """(size, size)."""
        return self.size, self.size


@dataclass(frozen=True, slots=True)
class Zero(Operators):
    """The zero matrix of a symbolic shape."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class Product(Operators):
    """left @ right; the inner sizes must be the same letter."""

    left: "Term"
    right: "Term"

    def __post_init__(self) -> None:
        _require(self.left.shape[1] == self.right.shape[0], "@", self.left, self.right)

    @property
    def shape(self) -> Shape:
        """Rows of the left factor, columns of the right one."""
        return self.left.shape[0], self.right.shape[1]


@dataclass(frozen=True, slots=True)
class _OfOneShape(Operators):
    left: "Term"
    right: "Term"

    def __post_init__(self) -> None:
        _require(self.left.shape == self.right.shape, "+" if isinstance(self, Sum) else "-", self.left, self.right)

    @property
    def shape(self) -> Shape:
        """That of both operands."""
        return self.left.shape


class Sum(_OfOneShape):
    """left + right, of one shape; nothing is broadcast."""

    __slots__ = ()


class Difference(_OfOneShape):
    """left - right, of one shape; nothing is broadcast."""

    __slots__ = ()


class _ShapedAsBody(Operators):
    __slots__ = ()

    body: Any

    @property
    def shape(self) -> Shape:
        """That of the body."""
        return self.body.shape


@dataclass(frozen=True, slots=True)
class Scaled(_ShapedAsBody):
    """A 1x1 term times a matrix of any shape."""

    scalar: "Term"
    body: "Term"

    def __post_init__(self) -> None:
        _require(self.scalar.shape == ("1", "1"), "*", self.scalar, self.body)


@dataclass(frozen=True, slots=True)
class Quotient(_ShapedAsBody):
    """A matrix of any shape over a 1x1 term."""

    body: "Term"
    scalar: "Term"

    def __post_init__(self) -> None:
        _require(self.scalar.shape == ("1", "1"), "/", self.body, self.scalar)


@dataclass(frozen=True, slots=True)
class Transposed(Operators):
    """The transpose of a term."""

    body: "Term"

    @property
    def shape(self) -> Shape:
        """Columns and rows exchanged."""
        return self.body.shape[1], self.body.shape[0]


@dataclass(frozen=True, slots=True)
class Trace(Operators):
    """The trace of a square term, as a 1x1 matrix."""

    body: "Term"
    shape: Shape = ("1", "1")

    def __post_init__(self) -> None:
        _require(self.body.shape[0] == self.body.shape[1], "trace", self.body, self.body)


@dataclass(frozen=True, slots=True)
class Application(Operators):
    """A claim's opaque function at its arguments: nothing is known of it but that equal arguments give equal values."""

    name: str
    arguments: tuple["Term", ...]
    shape: Shape
    text: str
    latex: str


@dataclass(frozen=True, slots=True)
class BuiltIn(Operators):
    """An operation of the suite's own at its arguments."""

    operation: Operation
    arguments: tuple["Term", ...]
    shape: Shape = ("1", "1")


@dataclass(frozen=True, slots=True)
class Defined(_ShapedAsBody):
    """A name for a term: shown as the name, worth what it stands for."""

    text: str
    latex: str
    body: "Term"


@dataclass(frozen=True, slots=True)
class Gradient(Operators):
    """∇L at a point: ``body`` is L as a term in the symbol ``variable``, ``at`` the point."""

    body: "Term"
    variable: Symbol
    at: "Term"

    def __post_init__(self) -> None:
        _require(self.body.shape == ("1", "1"), "∇", self.body, self.variable)

    @property
    def shape(self) -> Shape:
        """That of the variable."""
        return self.variable.shape


Term = Symbol | Constant | Identity | Zero | Product | Sum | Difference | Scaled | Quotient | Transposed | Trace | Application | BuiltIn | Gradient | Defined


def lift(value: "Term | Rational") -> "Term":
    """A number as the 1x1 constant term; a term as itself."""
    return Constant(Fraction(value)) if isinstance(value, int | Fraction) else value


def unfold(term: Term) -> Term:
    """The term that a name stands for."""
    return term.body if isinstance(term, Defined) else term


def _columns(left: "Term", right: "Term | Rational") -> bool:
    """Whether these are two columns of one size other than 1: then * and / go entry by entry, as they do for torch's tensors."""
    return not isinstance(right, int | Fraction) and left.shape == right.shape and left.shape[1] == "1" and left.shape[0] != "1"


def _require(fits: bool, operation: str, left: Term, right: Term) -> None:
    if not fits:
        rows, columns = (f"{shape[0]}x{shape[1]}" for shape in (left.shape, right.shape))
        raise ShapeMismatch(f"{operation} cannot combine {rows} with {columns}; sizes are equal only if they are the same letter.")
