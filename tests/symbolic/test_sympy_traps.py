"""Where SymPy's own matrix calculus is wrong, ours is not: the reason why SymPy prints here and judges nothing.

If one of SymPy's traps is repaired one day, the first half of its test fails, and this file may be shortened.
"""

import pytest
import sympy
from symbolic_strategies import SYMBOLS

from symbolic.algebra import Algebra, squares
from symbolic.errors import MissingHypothesis, ShapeMismatch
from symbolic.normal_form import letter
from symbolic.terms import Identity

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
