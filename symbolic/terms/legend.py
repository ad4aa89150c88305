"""What the names in print stand for: no two things are shown alike, and what a name is short for is written out.

Terms are compared as objects; a reader compares what is printed. So whatever is printed of a proof goes through one ``Legend``, which refuses a name that
stands for two things, or that reads like an expression.
"""

import re
from collections.abc import Hashable

from symbolic.terms.binding import Bound, Entry, Index, Member, bare, parts, subscripted
from symbolic.terms.notation import latex, text
from symbolic.terms.term import Application, Defined, Gradient, Operation, Symbol, Term
from symbolic.vocabulary import ShapeMismatch

_WORDS = {"tr", "‖", *map(str, Operation)}
"""Names of operations."""
_IN_BRACKETS = re.compile(r"\([^()]*\)")
_LIKE_AN_EXPRESSION = re.compile(r"^-|^[0-9/]+$|[ ‖∇√⊙⊘≠=[\]]|ᵀ$|^$")


class ShownAlike(ShapeMismatch):
    """A name stands for two things, or reads like an expression: what would be printed is not what is compared."""


class Legend:
    """The names that were printed so far."""

    def __init__(self) -> None:
        self._things: dict[str, object] = {}
        self._stems: dict[str, object] = {}
        """Families and sequences, by what stands before the index."""
        self._definitions: dict[str, tuple[str, Term]] = {}
        self._seen: set[Term] = set()

    def add(self, term: Term, bound: frozenset[Hashable] = frozenset()) -> None:
        """Raise ShownAlike if a name in the term stands for something else already.  bound: what a gradient further out binds."""
        if term in self._seen or (isinstance(term, Symbol) and term.name in bound):
            return
        self._seen.add(term)
        match term:
            case Symbol():
                self._symbol(term)
            case Defined():
                self._name(self._things, term.text, bare(term.body))
            case Application():
                self._name(self._things, term.text, ("the function", term.name))
            case Gradient():
                Legend().add(term.body)  # in which the variable must not be shown like anything else
                bound |= {term.variable.name}
        for part in parts(term):
            self.add(part, bound)
        if isinstance(term, Defined):
            self._define(term.text, term.latex, term.body)

    @property
    def definitions(self) -> dict[str, str]:
        """What each name is short for, as text and as LaTeX."""
        short = {shown: each for shown, each in self._definitions.items() if text(each[1]) != shown}
        return {f"{shown} = {text(term)}": f"{shown_latex} = {latex(term)}" for shown, (shown_latex, term) in short.items()}

    def _symbol(self, term: Symbol) -> None:
        self._name(self._things, term.text, term)
        match term.name:
            case Member():
                self._name(self._stems, term.name.family.text or term.name.family.name, term.name.family)
            case Entry():
                made = term.name.of
                self._name(self._stems, made.text, made)
                self._define(*subscripted(made.text, made.latex, Index("")), made.start)
                self._define(*subscripted(made.text, made.latex, Index(Bound(made.height))), made.step)
                for part in (made.start, made.step):
                    self.add(part)

    def _define(self, shown: str, shown_latex: str, term: Term) -> None:
        self._definitions.setdefault(shown, (shown_latex, term))

    def _name(self, names: dict[str, object], shown: str, thing: object) -> None:
        if shown in _WORDS or _LIKE_AN_EXPRESSION.search(_without_brackets(shown)):
            raise ShownAlike(f'"{shown}" reads like an expression or an operation; show it by a name.')
        if names.setdefault(shown, thing) != thing:
            raise ShownAlike(f'"{shown}" is shown for two things; show one of them by another name.')


def _without_brackets(shown: str) -> str:
    while (shorter := _IN_BRACKETS.sub("", shown)) != shown:
        shown = shorter
    return shown
