"""The same formulas over exact rationals, and a second opinion that shares no line with them."""

from symbolic.exact.rationals import Exact, Irrational, Undefined
from symbolic.exact.second_opinion import Plain

__all__ = ["Exact", "Irrational", "Plain", "Undefined"]
