"""From terms to normal forms under hypotheses: here it is decided whether two terms are equal.

An ``Algebra`` knows what is not zero and which equations hold. A term is read from the leaves up; after every operation the equations are applied, so
that they reach into the arguments of opaque functions too, and equal arguments give the same letter (congruence).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from symbolic.algebra import entrywise
from symbolic.algebra.gradient import gradient
from symbolic.algebra.normal_form import NOTHING_KNOWN, Nonzero, Polynomial, Scalar, Value, constant, identity, letter, zero
from symbolic.algebra.rewriting import RewriteRule, rewrite
from symbolic.algebra.words import Letter
from symbolic.terms import Application, Symbol, Term, Zero
from symbolic.terms.binding import opened
from symbolic.terms.term import (
    BuiltIn,
    Constant,
    Defined,
    Difference,
    Gradient,
    Identity,
    Operation,
    Product,
    Quotient,
    Scaled,
    Sum,
    Trace,
    Transposed,
)


@dataclass(frozen=True, slots=True)
class Algebra:
    """What is known: scalars that are not zero, rules of calculation, and matrices that are not zero."""

    known: Nonzero = NOTHING_KNOWN
    rules: tuple[RewriteRule, ...] = ()
    nonzero: frozenset[Polynomial] = frozenset()
    zeros: frozenset[Polynomial] = frozenset()
    """What is known to be zero, up to a rational factor, without being a rule of calculation."""
    divisors: frozenset[Polynomial] = frozenset()
    """The columns known to have no zero entry: what may be divided by entry by entry."""

    def normal_form(self, term: Term) -> Polynomial:
        """The term as a polynomial in normal form. Raises MissingHypothesis if it divides by what may be zero."""
        return rewrite(self._read(term), self.rules)

    def equal(self, left: Term, right: Term) -> bool:
        """Whether the two are equal for all matrices of all sizes that satisfy what is known."""
        if left.shape != right.shape:
            return False
        return self.is_zero(rewrite(self.normal_form(left) - self.normal_form(right), self.rules))

    def is_zero(self, polynomial: Polynomial) -> bool:
        """Whether this is zero by normal form, or, up to a rational factor, one of the matrices known to be zero."""
        return polynomial.is_zero() or monic(polynomial) in self.zeros

    def is_nonzero(self, polynomial: Polynomial) -> bool:
        """Whether this is, up to a rational factor, one of the matrices known not to be zero, or a number other than zero."""
        if not polynomial.terms:
            return False
        scaled = monic(polynomial)
        return scaled in self.nonzero or scaled == constant(Fraction(1))

    def _read(self, term: Term) -> Polynomial:
        match term:
            case Symbol():
                return rewrite(letter(term.name, term.shape, self.known), self.rules)
            case Constant():
                return constant(term.value, self.known)
            case Identity():
                return identity(term.size, self.known)
            case Zero():
                return zero(term.shape, self.known)
            case Product():
                return rewrite(self._read(term.left) @ self._read(term.right), self.rules)
            case Sum():
                return self._read(term.left) + self._read(term.right)
            case Difference():
                return self._read(term.left) - self._read(term.right)
            case Scaled():
                return self._read(term.scalar) * self._read(term.body)
            case Quotient():
                return self._read(term.body) / self._read(term.scalar)
            case Transposed():
                return self._read(term.body).mT
            case Trace():
                return rewrite(self._read(term.body).trace(), self.rules)
            case Defined():
                return self._read(term.body)
            case Gradient():
                body, variable = opened(term)  # nothing is known of this variable, so nothing that holds at a point is used before differentiating
                slope = gradient(self._read(body), variable.name, variable.shape)
                return rewrite(rewrite(slope, [RewriteRule((Letter(variable.name, False, *variable.shape),), self._read(term.at))]), self.rules)
            case Application():
                return rewrite(letter(Value(term.name, self._read_all(term.arguments)), term.shape, self.known), self.rules)
            case BuiltIn():
                return rewrite(self._apply(term.operation, self._read_all(term.arguments), term), self.rules)

    def _read_all(self, terms: Iterable[Term]) -> tuple[Polynomial, ...]:
        return tuple(rewrite(self._read(term), self.rules) for term in terms)

    def _apply(self, operation: Operation, arguments: tuple[Polynomial, ...], term: BuiltIn) -> Polynomial:
        match operation:
            case Operation.ENTRYWISE_PRODUCT:
                return entrywise.times(*arguments)
            case Operation.ENTRYWISE_QUOTIENT:
                x, y = arguments
                return entrywise.over(x, y, self.divisors)
            case Operation.RANK | Operation.NONZERO:
                (argument,) = arguments
                if self.is_zero(argument):
                    return zero(("1", "1"), self.known)
                if operation is Operation.NONZERO and self.is_nonzero(argument):
                    return constant(Fraction(1), self.known)
                arguments = (monic(argument),)  # neither depends on a rational factor other than 0
        return letter(Value(operation, arguments), term.shape, self.known)


def monic(polynomial: Polynomial) -> Polynomial:
    """The polynomial scaled so that its first coefficient is 1."""
    return polynomial * (1 / polynomial.terms[0][1])


def squares(polynomials: Iterable[Polynomial]) -> Nonzero:
    """What may be divided by because these matrices are not zero.

    Over the reals tr(XᵀX) > 0, which for a column is aᵀa; so is its square root; and a 1x1 matrix is itself not zero.
    """
    divisors: set[Scalar | Polynomial] = set()
    for x in polynomials:
        square = (x.mT @ x).trace()
        divisors.add(Scalar((Letter(Value(Operation.ROOT, (square,))),)))
        for scalar in (square, x) if x.shape == ("1", "1") else (square,):
            if len(scalar.terms) > 1:
                divisors.add(monic(scalar))
            for (scalars, _), _ in scalar.terms if len(scalar.terms) == 1 else ():
                divisors.update(generator for generator, _ in scalars if isinstance(generator, Scalar))
    return Nonzero(frozenset(divisors), frozenset(divisors))
