"""Entrywise products and quotients of columns: x ⊙ y = diag(y) x and x ⊘ y = diag(y)⁻¹ x.

diag(y) is a letter of shape (d, d), and linear in y; equal columns give equal letters. diag(y)⁻¹ is a letter too, allowed only where a hypothesis says that
no entry of y is zero, and then diag(y) diag(y)⁻¹ = diag(y)⁻¹ diag(y) = 1. These hold at every size. Nothing else is known of the two letters, not even
diag(y)ᵀ = diag(y) or x ⊙ y = y ⊙ x: this is sound, not complete.
"""

from collections.abc import Iterator, Set

from symbolic.algebra.normal_form import Polynomial, Value, identity, letter, of_scalars, of_word, zero
from symbolic.algebra.rewriting import RewriteRule
from symbolic.terms.term import Operation
from symbolic.vocabulary import MissingHypothesis


def times(x: Polynomial, y: Polynomial) -> Polynomial:
    """x ⊙ y.  x, y: (d, 1)."""
    return _diagonal(y) @ x


def over(x: Polynomial, y: Polynomial, divisors: Set[Polynomial]) -> Polynomial:
    """x ⊘ y, for a y of which it is known that no entry is zero.  x, y: (d, 1). Raises MissingHypothesis."""
    if y not in divisors:
        raise MissingHypothesis(f"entrywise division by {y}, and no hypothesis says that none of its entries is zero.")
    return _inverse(y) @ x


def cancelling(y: Polynomial) -> Iterator[RewriteRule]:
    """diag(y) diag(y)⁻¹ = 1 in both orders, as rules of calculation, if diag(y) is a letter; no entry of y is zero."""
    diagonal = _diagonal(y)
    if len(diagonal.terms) == 1 and diagonal.terms[0][0][0] == () and diagonal.terms[0][1] == 1:
        one = identity(y.shape[0], y.known)
        for left, right in ((diagonal, _inverse(y)), (_inverse(y), diagonal)):
            (((_, word), _),) = (left @ right).terms
            yield RewriteRule(word, one)


def _diagonal(y: Polynomial) -> Polynomial:
    """diag(y), term by term."""
    total = zero(_square(y), y.known)
    for (scalars, word), value in y.terms:
        one = letter(Value(Operation.ENTRYWISE_PRODUCT, (of_word(word, y.shape, y.known),)), _square(y), y.known)
        total = total + one * of_scalars(scalars, y.known) * value
    return total


def _inverse(y: Polynomial) -> Polynomial:
    return letter(Value(Operation.ENTRYWISE_QUOTIENT, (y,)), _square(y), y.known)


def _square(y: Polynomial) -> tuple[str, str]:
    return y.shape[0], y.shape[0]
