"""When two terms are equal."""

from symbolic.algebra.equality import Algebra, monic, squares
from symbolic.algebra.normal_form import Nonzero, Polynomial
from symbolic.algebra.rewriting import rule_of

__all__ = ["Algebra", "Nonzero", "Polynomial", "monic", "rule_of", "squares"]
