"""What a formula looks like when it is run on symbols, and how it is printed."""

from symbolic.terms.binding import Family, Index, subscript
from symbolic.terms.term import Application, Shape, Symbol, Term, Zero, lift, unfold

__all__ = ["Application", "Family", "Index", "Shape", "Symbol", "Term", "Zero", "lift", "subscript", "unfold"]
