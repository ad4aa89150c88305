"""The normal form: matrix polynomials of symbolic size as sums of words, in which equality is a comparison.

A *word* is a product of symbols and transposed symbols, cut wherever an inner size is 1: the 1x1 pieces (aᵀa, xᵀWy)
are *scalars*, they commute, so they go in front, each written as the smaller of itself and its transpose (xᵀy = yᵀx).
A trace is a scalar of a *cyclic* word, written as its smallest rotation or transposed rotation; if it passes through a
size 1 it is cut there and is an ordinary scalar. A polynomial is a finite sum of rational x monomial of scalars x word.

What this decides. Two terms without inverses have the same normal form if and only if they are equal for all real
matrices of all sizes. "If they have, they are" is soundness: only the ring axioms, (XY)ᵀ = YᵀXᵀ, the commuting of 1x1
matrices and the invariance of a trace under rotation and transposition are used, and they hold at every size.
Conversely let p ≠ 0 be in normal form. Multiply by a fresh matrix and take the trace, so that p is a sum of monomials in
scalars; pick one, of degree k, and polarise, which loses nothing in characteristic 0, so that every symbol occurs once.
Give every inner index of that monomial a basis vector of its own (at a size 1 there is only one: this is why words are
cut there), and let every symbol be the matrix unit that leads from its left index to its right one. The monomial is 1
there. Another one in the same letters is not zero there only if it joins the same indices, and then it is the same up
to what the normal form identifies. So p does not vanish identically once every symbolic size is at least k, unless it is a
zero of the pick's coefficient, which may contain sizes because tr 1 = d; a polynomial in sizes has large non-zeros. (Sharper
for one square size n: no polynomial identity has degree below 2n, Amitsur and Levitzki, Proc. AMS 1 (1950); no relation
between traces of products and transposes has degree at most n, Procesi, Adv. Math. 19 (1976).) At a FIXED small size
more identities hold, 1x1 matrices commute for one; the normal form answers for all sizes at once and does not find them.

Inverses. The inverse of a scalar is a new generator, allowed only if a hypothesis says that the scalar is not zero;
otherwise it is refused by name. Over the reals a ≠ 0 gives aᵀa ≠ 0. Equality of fractions is decided by clearing
denominators, which is complete because polynomials in the scalars have no zero divisors. Whether a scalar is KNOWN not to
be zero is decided only for products of declared ones and for declared sums: sound, not complete.

Opaque functions. f(u) is a letter whose identity is f and the normal form of u: equal arguments give equal letters. Different
polynomials differ at almost every point, where some f takes any values we please, so this is complete too, except where
the arguments hold inverses of sums, which are not brought to a normal form: there it is only sound.

Not decided, only sound: whatever uses an equation as a hypothesis (``symbolic.algebra.rewriting``), the rules for rank and for
"not zero" (``symbolic.derivation.derivation``), entrywise products (``symbolic.algebra.entrywise``), and square roots, of which nothing is known here.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from symbolic.algebra.words import Letter, Word, cut, smaller, smallest_turn, transposed
from symbolic.terms import Shape
from symbolic.terms.binding import Entry, names
from symbolic.terms.term import Operation
from symbolic.vocabulary import MissingHypothesis, ShapeMismatch


@dataclass(frozen=True, slots=True, order=True)
class Scalar:
    """A generator of the scalars: a 1x1 word, or the trace of a cyclic word; tr of the empty word of size d is d itself."""

    word: Word
    cyclic: bool = False
    size: str = ""

    def __str__(self) -> str:
        inside = "·".join(map(str, self.word)) or self.size
        return f"tr({inside})" if self.cyclic else inside


@dataclass(frozen=True, slots=True)
class Inverse:
    """The inverse of a scalar generator, or of a sum of scalars."""

    of: "Scalar | Polynomial"

    def __str__(self) -> str:
        return f"1/({self.of})"


Generator = Scalar | Inverse
Monomial = tuple[tuple[Generator, int], ...]
"""Generators with positive exponents, in a fixed order."""


@dataclass(frozen=True)
class Value:
    """The identity of f(u): the function, which a claim names, or an operation, and the normal form and shape of each argument."""

    of: str | Operation
    arguments: tuple["Polynomial", ...]

    @cached_property
    def _hash(self) -> int:
        return hash((self.of, self.arguments))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _text(self) -> str:
        return f"{self.of}({', '.join(map(str, self.arguments))})"

    def __str__(self) -> str:
        return self._text


@dataclass(frozen=True, slots=True)
class Nonzero:
    """What may be divided by, and what may be cancelled: scalars, or sums of scalars scaled to leading coefficient 1."""

    defined: frozenset["Scalar | Polynomial"] = frozenset()
    cancelled: frozenset["Scalar | Polynomial"] = frozenset()


NOTHING_KNOWN = Nonzero()


@dataclass(frozen=True)
class Polynomial:
    """A matrix polynomial in normal form, of one symbolic shape; runs the formulas of ``symbolic.formulas`` unchanged."""

    shape: Shape
    terms: tuple[tuple[tuple[Monomial, Word], Fraction], ...]
    known: Nonzero = field(default=NOTHING_KNOWN, compare=False)

    @cached_property
    def _hash(self) -> int:
        return hash((self.shape, self.terms))

    def __hash__(self) -> int:
        return self._hash

    def __matmul__(self, other: "Polynomial") -> "Polynomial":
        if self.shape[1] != other.shape[0]:
            raise ShapeMismatch(f"@ cannot combine {self.shape} with {other.shape}.")
        return _collect((self.shape[0], other.shape[1]), _products(self, other), self.known)

    def __mul__(self, other: "Polynomial | int | Fraction") -> "Polynomial":
        if isinstance(other, int | Fraction):
            other = constant(Fraction(other), self.known)
        if ("1", "1") not in (self.shape, other.shape):
            raise ShapeMismatch(f"* needs a 1x1 operand, not {self.shape} and {other.shape}.")
        return _collect(self.shape if other.shape == ("1", "1") else other.shape, _products(self, other), self.known)

    __rmul__ = __mul__

    def __add__(self, other: "Polynomial") -> "Polynomial":
        if self.shape != other.shape:
            raise ShapeMismatch(f"+ cannot combine {self.shape} with {other.shape}.")
        return _collect(self.shape, [*self.terms, *other.terms], self.known)

    def __neg__(self) -> "Polynomial":
        return Polynomial(self.shape, tuple((key, -value) for key, value in self.terms), self.known)

    def __sub__(self, other: "Polynomial") -> "Polynomial":
        return self + -other

    def __truediv__(self, other: "Polynomial") -> "Polynomial":
        return self * other.inverse()

    @property
    def mT(self) -> "Polynomial":
        """The transpose."""
        turned = (((scalars, transposed(word)), value) for (scalars, word), value in self.terms)
        return _collect((self.shape[1], self.shape[0]), turned, self.known)

    def inverse(self) -> "Polynomial":
        """1/self for a 1x1 polynomial that the hypotheses keep from being zero. Raises MissingHypothesis, ShapeMismatch."""
        if self.shape != ("1", "1"):
            raise ShapeMismatch(f"only a 1x1 value can be inverted, not one of shape {self.shape}.")
        if not self.terms:
            raise MissingHypothesis("division by zero.")
        ((scalars, _), leading), *rest = self.terms
        if rest:
            monic = self * (1 / leading)
            if monic not in self.known.defined:
                raise MissingHypothesis(f"division by {self}, and no hypothesis says that it is not zero.")
            return of_scalars(((Inverse(monic), 1),), self.known) * (1 / leading)
        result = constant(1 / leading, self.known)
        for generator, exponent in scalars:
            inverse: Generator = Inverse(generator) if isinstance(generator, Scalar) else generator
            if isinstance(generator, Scalar) and generator not in self.known.defined:
                raise MissingHypothesis(f"division by {generator}, and no hypothesis says that it is not zero.")
            if isinstance(inverse, Inverse) and inverse is generator:  # 1/(1/s) = s
                base = inverse.of if isinstance(inverse.of, Polynomial) else of_scalars(((inverse.of, 1),), self.known)
            else:
                base = of_scalars(((inverse, 1),), self.known)
            for _ in range(exponent):
                result = result @ base
        return result

    def trace(self) -> "Polynomial":
        """The trace of a square polynomial."""
        if self.shape[0] != self.shape[1]:
            raise ShapeMismatch(f"only a square value has a trace, not one of shape {self.shape}.")
        turned = (((_multiply(scalars, _trace(word, self.shape[0])), ()), value) for (scalars, word), value in self.terms)
        return _collect(("1", "1"), turned, self.known)

    def is_zero(self) -> bool:
        """Whether this is zero for all matrices that satisfy the hypotheses, of all sizes: decided by clearing denominators."""
        cleared = self
        while (sums := next(_inverted_sums(cleared), None)) is not None:
            top = max(dict(scalars).get(sums, 0) for (scalars, _), _ in cleared.terms)
            total = Polynomial(self.shape, (), self.known)
            for (scalars, word), value in cleared.terms:
                exponents = dict(scalars)
                missing = top - exponents.pop(sums, 0)
                part = _collect(self.shape, [((_sorted(exponents), word), value)], self.known)
                for _ in range(missing):
                    assert isinstance(sums.of, Polynomial)
                    part = part * sums.of
                total = total + part
            cleared = total
        return not cleared.terms

    def __str__(self) -> str:
        return " + ".join(_term_text(value, scalars, word) for (scalars, word), value in self.terms) or "0"


def letter(name: Hashable, shape: Shape, known: Nonzero = NOTHING_KNOWN) -> Polynomial:
    """A single symbol, as a polynomial."""
    return _collect(shape, [_normal((), (Letter(name, False, *shape),), Fraction(1))], known)


def occurs(name: Hashable, inside: "Letter | Generator | Polynomial") -> bool:
    """Whether a symbol occurs in something, also in the arguments of opaque functions and in what defines a sequence."""
    match inside:
        case Polynomial():
            return any(occurs(name, part) for (scalars, word), _ in inside.terms for part in (*word, *(generator for generator, _ in scalars)))
        case Inverse():
            return occurs(name, inside.of)
        case Scalar():
            return any(occurs(name, part) for part in inside.word)
    return inside.name == name or hidden(name, inside)


def hidden(name: Hashable, inside: Letter) -> bool:
    """Whether a letter that is not this symbol depends on it."""
    match inside.name:
        case Value():
            return any(occurs(name, argument) for argument in inside.name.arguments)
        case Entry():
            made = inside.name.of
            return any(name == each for part in (made.start, made.step) for each in names(part))
    return False


def constant(value: Fraction, known: Nonzero = NOTHING_KNOWN) -> Polynomial:
    """A rational number, as a 1x1 polynomial."""
    return _collect(("1", "1"), [(((), ()), value)], known)


def identity(size: str, known: Nonzero = NOTHING_KNOWN) -> Polynomial:
    """The identity matrix: the empty word."""
    return _collect((size, size), [(((), ()), Fraction(1))], known)


def zero(shape: Shape, known: Nonzero = NOTHING_KNOWN) -> Polynomial:
    """The zero matrix: the empty sum."""
    return Polynomial(shape, (), known)


def of_scalars(scalars: Monomial, known: Nonzero = NOTHING_KNOWN) -> Polynomial:
    """A monomial of scalars, as a 1x1 polynomial."""
    return Polynomial(("1", "1"), (((scalars, ()), Fraction(1)),), known)


def of_word(word: Word, shape: Shape, known: Nonzero = NOTHING_KNOWN) -> Polynomial:
    """The product of a word's letters, as a polynomial; the empty word is the identity."""
    assert word or shape[0] == shape[1], "the empty word is a square matrix"
    return _collect(shape, [_normal((), word, Fraction(1))], known)


def _collect(shape: Shape, terms: Iterable[tuple[tuple[Monomial, Word], Fraction]], known: Nonzero) -> Polynomial:
    """Add up like terms after cancelling every scalar against its inverse where a hypothesis allows it."""
    total: dict[tuple[Monomial, Word], Fraction] = defaultdict(Fraction)
    for (scalars, word), value in terms:
        total[_cancel(scalars, known), word] += value
    kept = [(key, value) for key, value in total.items() if value]
    return Polynomial(shape, tuple(sorted(kept, key=lambda item: _term_order(item[0]))), known)


def _cancel(scalars: Monomial, known: Nonzero) -> Monomial:
    exponents = dict(scalars)
    for generator in list(exponents):
        if isinstance(generator, Inverse) and generator.of in known.cancelled and isinstance(generator.of, Scalar):
            common = min(exponents.get(generator.of, 0), exponents[generator])
            for either in (generator, generator.of):
                if common:
                    exponents[either] -= common
    return _sorted(exponents)


def _products(left: Polynomial, right: Polynomial) -> Iterator[tuple[tuple[Monomial, Word], Fraction]]:
    for (scalars, word), value in left.terms:
        for (others, tail), factor in right.terms:
            yield _normal(_multiply(scalars, others), word + tail, value * factor)


def _normal(scalars: Monomial, word: Word, value: Fraction) -> tuple[tuple[Monomial, Word], Fraction]:
    """Cut a word at its inner sizes 1 and move the 1x1 pieces among the scalars."""
    pieces, rest = cut(word)
    for piece in pieces:
        scalars = _multiply(scalars, ((Scalar(smaller(piece)), 1),))
    return (scalars, rest), value


def _trace(word: Word, size: str) -> Monomial:
    if not word:
        return () if size == "1" else ((Scalar((), True, size), 1),)
    for position, factor in enumerate(word):
        if factor.rows == "1":
            return _normal((), word[position:] + word[:position], Fraction(1))[0][0]
    return ((Scalar(smallest_turn(word), True), 1),)


def _multiply(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    exponents: dict[Generator, int] = defaultdict(int)
    for generator, exponent in (*left, *right):
        exponents[generator] += exponent
    return _sorted(exponents)


def _sorted(exponents: Mapping[Generator, int]) -> Monomial:
    return tuple(sorted(((g, e) for g, e in exponents.items() if e), key=lambda item: _order(item[0])))


def _order(generator: Generator) -> tuple[int, str]:
    return isinstance(generator, Inverse), str(generator)


def _term_order(key: tuple[Monomial, Word]) -> tuple[int, Word, list[tuple[tuple[int, str], int]]]:
    scalars, word = key
    return len(word), word, [(_order(generator), exponent) for generator, exponent in scalars]


def _inverted_sums(polynomial: Polynomial) -> Iterator[Inverse]:
    for (scalars, _), _ in polynomial.terms:
        for generator, _ in scalars:
            if isinstance(generator, Inverse) and isinstance(generator.of, Polynomial) and generator.of in polynomial.known.cancelled:
                yield generator


def _term_text(value: Fraction, scalars: Monomial, word: Word) -> str:
    parts = [f"({generator})" + (f"^{exponent}" if exponent > 1 else "") for generator, exponent in scalars]
    parts += map(str, word)
    return "·".join(([str(value)] if value != 1 or not parts else []) + parts)
