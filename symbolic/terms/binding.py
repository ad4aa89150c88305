"""Letters that something binds: the index of a recursion or an induction, the variable of a gradient.

A binder's body is written down with a letter that exists nowhere else (``Fresh``), and then given a letter that depends on the body alone:
``Bound`` with one more than the greatest height of a binder inside it. So a body that means the same is the same (the letter's name was of no account), and no
letter is captured: a letter that is bound further out has a greater height, and a free one is not of this kind.
Source: Sato, Pollack, Schwichtenberg and Sakurai, "Viewing λ-terms through maps", Indag. Math. 24 (2013); the heights are those of Axelsson and
Claessen, "Using circular programs for higher-order syntax", ICFP 2013.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any

from symbolic.terms.term import Defined, Gradient, Operators, Shape, Symbol, Term

_LETTERS = "klmprstu"
_SUBSCRIPTS = str.maketrans("0123456789+-hijklmnoprstux", "₀₁₂₃₄₅₆₇₈₉₊₋ₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤₓ")


class Fresh:
    """A letter that is equal to no other."""

    __slots__ = ("text",)

    def __init__(self, text: str = "?") -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Bound:
    """The letter of a binder of this height; it has no meaning outside."""

    height: int

    def __str__(self) -> str:
        return _LETTERS[self.height - 1] if self.height <= len(_LETTERS) else f"k{self.height}"


@dataclass(frozen=True, slots=True)
class Index:
    """``letter`` + ``offset``; the letter "n" is the last index, "" none, any other text that of a step."""

    letter: "str | Bound | Fresh"
    offset: int = 0

    def __add__(self, offset: int) -> "Index":
        return Index(self.letter, self.offset + offset)

    def __sub__(self, offset: int) -> "Index":
        return self + -offset

    def __str__(self) -> str:
        letter = str(self.letter)
        return f"{letter}{self.offset:+d}" if letter and self.offset else letter or str(self.offset)


@dataclass(frozen=True, slots=True)
class Family:
    """A sequence of free matrices of one shape, from index ``first`` to n + ``beyond``."""

    name: str
    rows: str
    columns: str
    first: int = 0
    beyond: int = 0
    text: str = ""
    latex: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """The identity of a family's matrix at an index."""

    family: Family
    index: Index

    def __str__(self) -> str:
        return f"{self.family.name}[{self.index}]"


@dataclass(frozen=True)
class Recursion:
    """A sequence by what defines it: its first member, and a member as a term in the one before and the index, which are both ``Bound(height)``."""

    start: Term
    step: Term
    height: int
    text: str = field(compare=False)
    latex: str = field(compare=False)

    @cached_property
    def _hash(self) -> int:
        return hash((self.start, self.step))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def digest(self) -> str:
        """A text in its place, to sort by; nothing is compared by it."""
        return sha256(repr((self.start, self.step)).encode()).hexdigest()[:16]

    @property
    def shape(self) -> Shape:
        """That of every member."""
        return self.start.shape


@dataclass(frozen=True, slots=True)
class Entry:
    """The identity of a sequence's member at an index."""

    of: Recursion
    index: Index

    def __str__(self) -> str:
        return f"{self.of.text}#{self.of.digest}[{self.index}]"


def indexed(name: Member | Entry) -> Symbol:
    """The symbol of a member of a family or of a sequence."""
    if isinstance(name, Entry):
        return Symbol(name, name.of.shape, *subscripted(name.of.text, name.of.latex, name.index))
    family, shown = name.family, name.family.text or name.family.name
    return Symbol(name, (family.rows, family.columns), *subscripted(shown, family.latex or shown, name.index))


def subscript(index: Index) -> str:
    """The index as Unicode subscripts."""
    return str(index).translate(_SUBSCRIPTS)


def subscripted(text: str, latex: str, index: Index) -> tuple[str, str]:
    """A name with an index, in a terminal and in LaTeX."""
    return text + subscript(index), f"{latex}_{{{index}}}"


def recursion(text: str, latex: str, start: Term, step: Any) -> Recursion:
    """The sequence that begins with ``start`` and goes on by step(previous, index)."""
    previous, letter = Symbol(Fresh(), start.shape, text, latex), Fresh()
    body = bare(step(previous, Index(letter)))
    height = 1 + max(heights(body), default=0)
    bound = Bound(height)
    before = Symbol(bound, start.shape, *subscripted(text, latex, Index(bound, -1)))
    return _shared(bare(start), exchanged(body, {previous.name: before}, {letter: Index(bound)}), height, text, latex)


def slope(loss: Any, at: Term, text: str, latex: str) -> Gradient:
    """∇ loss at a point.  loss: a function of the variable, whose name is shown and is of no account."""
    letter = Symbol(Fresh(text), at.shape, text, latex)
    body = loss(letter)
    variable = replace(letter, name=Bound(1 + max(heights(body), default=0)))
    return Gradient(exchanged(body, {letter.name: variable}), variable, at)


def opened(gradient: Gradient) -> tuple[Term, Symbol]:
    """What a gradient is taken of, in a variable that is equal to nothing that anything is known of; and the variable."""
    variable = replace(gradient.variable, name=Fresh(f"∂{gradient.variable.text}"))
    return exchanged(gradient.body, {gradient.variable.name: variable}), variable


def exchanged(term: Term, symbols: Mapping[Hashable, Term] | None = None, letters: Mapping[Any, Index] | None = None) -> Term:
    """The term with other terms for symbols, by name, and other indices for letters; what a binder inside binds stays as it is."""
    symbols, letters = symbols or {}, letters or {}
    match term:
        case Symbol():
            if term.name in symbols:
                return symbols[term.name]
            other = _renamed(term.name, symbols, letters)
            return term if other == term.name else indexed(other)  # type: ignore[arg-type]
        case Gradient():
            inside = {name: other for name, other in symbols.items() if name != term.variable.name}
            return Gradient(exchanged(term.body, inside, letters), term.variable, exchanged(term.at, symbols, letters))
    return _mapped(term, lambda part: exchanged(part, symbols, letters))


def bare(term: Term) -> Term:
    """The term with every name that was given to a part of it written out."""
    return bare(term.body) if isinstance(term, Defined) else _mapped(term, bare)


def heights(term: Term) -> Iterator[int]:
    """The height of every binder in a term."""
    for part in within(term):
        if isinstance(part, Gradient) and isinstance(part.variable.name, Bound):
            yield part.variable.name.height
        elif isinstance(part, Symbol) and isinstance(part.name, Entry):
            yield part.name.of.height


def within(term: Term) -> Iterator[Term]:
    """The term and every part of it, also the definition of each sequence."""
    yield term
    if isinstance(term, Symbol) and isinstance(term.name, Entry):
        yield from within(term.name.of.start)
        yield from within(term.name.of.step)
    for part in parts(term):
        yield from within(part)


def names(term: Term) -> Iterator[Any]:
    """The identity of each symbol in a term, and the letter of each index."""
    for part in within(term):
        if isinstance(part, Symbol):
            yield part.name
            if isinstance(part.name, Member | Entry):
                yield part.name.index.letter


def _renamed(name: Hashable, symbols: Mapping[Hashable, Term], letters: Mapping[Any, Index]) -> Hashable:
    match name:
        case Member():
            return Member(name.family, _moved(name.index, letters))
        case Entry():
            made = name.of
            start, step = (exchanged(part, symbols, letters) for part in (made.start, made.step))
            return Entry(_shared(start, step, made.height, made.text, made.latex), _moved(name.index, letters))
    return name


def _moved(index: Index, letters: Mapping[Any, Index]) -> Index:
    return letters[index.letter] + index.offset if index.letter in letters else index


@lru_cache(10_000)
def _shared(start: Term, step: Term, height: int, text: str, latex: str) -> Recursion:
    """One object for a definition, so that comparing two is quick."""
    return Recursion(start, step, height, text, latex)


def parts(term: Term) -> Iterator[Term]:
    """The operands of a node."""
    for name in term.__dataclass_fields__:
        value = getattr(term, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Operators):
                yield part  # type: ignore[misc]


def _mapped(term: Term, change: Callable[[Any], Term]) -> Term:
    """The node with each part changed; the node itself if none is."""
    changes: dict[str, Any] = {}
    for name in term.__dataclass_fields__:
        value = getattr(term, name)
        if isinstance(value, Operators):
            other: Any = change(value)
            if other is not value:
                changes[name] = other
        elif isinstance(value, tuple) and any(isinstance(part, Operators) for part in value):
            changes[name] = tuple(map(change, value))
    return replace(term, **changes) if changes else term
