"""Where SymPy's own matrix calculus is wrong, ours is not: the reason why SymPy prints here and judges nothing.

If one of SymPy's traps is repaired one day, the first half of its test fails, and this file may be shortened.
"""

import pytest
import sympy

from symbolic.algebra import Algebra, squares
from symbolic.algebra.normal_form import letter
from symbolic.terms.term import Gradient, Identity
from symbolic.vocabulary import MissingHypothesis, ShapeMismatch
from tests.symbolic.symbolic_strategies import SYMBOLS

x = SYMBOLS["x"]
WITH_X = Algebra(squares([letter("x", ("d", "1"))]))


def test_sympy_inverts_a_matrix_of_rank_one():
    """x xᵀ has no inverse for d > 1, and SymPy cancels it without a word."""
    column = sympy.MatrixSymbol("x", sympy.Symbol("d", integer=True, positive=True), 1)
    assert sympy.expand(sympy.Inverse(column * column.T) * column * column.T) == sympy.Identity(column.shape[0])


def test_only_a_1x1_value_has_an_inverse_here():
    with pytest.raises(ShapeMismatch):
        _ = x / (x @ x.mT)
    assert not WITH_X.equal(x @ x.mT / (x.mT @ x), Identity("d"))
    assert WITH_X.equal(x.mT @ x / (x.mT @ x), Identity("1"))
    with pytest.raises(MissingHypothesis):
        Algebra().normal_form(x.mT @ x / (x.mT @ x))


def test_sympy_differentiates_a_squared_norm_to_zero():
    """The entry of the 1x1 matrix aᵀa, which is ‖a‖², has the gradient 2a; SymPy says 0 without a word."""
    column = sympy.MatrixSymbol("a", sympy.Symbol("d", integer=True, positive=True), 1)
    assert (column.T * column)[0, 0].diff(column) == sympy.ZeroMatrix(*column.shape)


def test_the_gradient_of_a_squared_norm_is_twice_the_vector():
    assert Algebra().equal(Gradient(x.mT @ x, x, x), 2 * x)
    assert not Algebra().equal(Gradient(x.mT @ x, x, x), x - x)
