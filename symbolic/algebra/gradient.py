"""The gradient of a scalar polynomial with respect to a matrix, by rules of our own.

For a matrix X, dL = tr((∇L)ᵀ dX). Since d tr(PXQ) = tr(QP dX) and d tr(PXᵀQ) = tr((QP)ᵀ dX),

    ∇ tr(PXQ) = (QP)ᵀ,    ∇ tr(PXᵀQ) = QP,

for each occurrence of X in a word in turn (product rule), and the ordinary product rule for a monomial of several scalars.
A 1x1 word is its own trace.
Source: Magnus and Neudecker, Matrix Differential Calculus (3rd ed. 2019), chapter 9; Petersen and Pedersen, The Matrix Cookbook
(2012), Eqs. (100)-(104).
Cross-checked in the tests against the exact derivative of the components.

A scalar that contains an inverse or an opaque function of X is refused: no rule here is for it.
"""

from collections.abc import Hashable

from symbolic.algebra.normal_form import Inverse, Monomial, Polynomial, Scalar, hidden, occurs, of_scalars, of_word, zero
from symbolic.terms import Shape
from symbolic.vocabulary import ShapeMismatch


class NoRule(ShapeMismatch):
    """A gradient of something for which there is no rule here: the statement cannot be written down."""


def gradient(loss: Polynomial, name: Hashable, shape: Shape) -> Polynomial:
    """∇L of the same shape as the symbol of this identity, for a 1x1 polynomial L."""
    assert loss.shape == ("1", "1"), f"a gradient is of a 1x1 value, not of {loss.shape}"
    total = zero(shape, loss.known)
    for (scalars, _), value in loss.terms:
        for position, (generator, exponent) in enumerate(scalars):
            if occurs(name, generator) if isinstance(generator, Inverse) else any(hidden(name, letter) for letter in generator.word):
                raise NoRule(f"no rule for the gradient of {generator} with respect to {name}")
            if isinstance(generator, Inverse):
                continue
            inner = _of_trace(generator, name, shape, loss)
            rest: Monomial = scalars[:position] + (((generator, exponent - 1),) if exponent > 1 else ()) + scalars[position + 1 :]
            total = total + inner * of_scalars(rest, loss.known) * (value * exponent)
    return total


def _of_trace(scalar: Scalar, name: Hashable, shape: Shape, loss: Polynomial) -> Polynomial:
    total = zero(shape, loss.known)
    for place, factor in enumerate(scalar.word):
        if factor.name == name:
            # QP, which leads from the factor's columns back to its rows
            around = of_word(scalar.word[place + 1 :] + scalar.word[:place], (factor.columns, factor.rows), loss.known)
            total = total + (around if factor.transposed else around.mT)
    return total
