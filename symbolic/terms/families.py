"""Sequences of matrices with a symbolic index: A₀, ..., Aᵢ₋₁, Aᵢ, ..., Aₙ.

On numbers an index is an integer and a sequence defined by recursion is computed from its start. On terms an index is a letter plus an integer:
Aᵢ₋₁ and Aᵢ are two symbols of which nothing is known, and a sequence defined by recursion is unfolded exactly once, at i; so a
proof by induction sees the start, one step, and nothing else, and costs the same for every n.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from symbolic.terms.term import Defined, Shape, Symbol

_SUBSCRIPTS = str.maketrans("0123456789+-in", "₀₁₂₃₄₅₆₇₈₉₊₋ᵢₙ")


@dataclass(frozen=True, slots=True)
class Index:
    """``letter`` + ``offset``; the letter "i" is the step's index, "n" the last one, "" none."""

    letter: str
    offset: int = 0
    disguise: str | None = None
    """A letter to be printed in place of its own."""

    def __add__(self, offset: int) -> "Index":
        return Index(self.letter, self.offset + offset, self.disguise)

    def __sub__(self, offset: int) -> "Index":
        return self + -offset

    def __str__(self) -> str:
        letter = self.letter if self.disguise is None else self.disguise
        return f"{letter}{self.offset:+d}" if letter and self.offset else letter or str(self.offset)

    def disguised(self) -> "Index":
        """An index that reads like this one and is no index that a statement could know: for whether it says the same of every index."""
        return Index("any", self.offset, self.letter)


START, STEP, LAST = Index(""), Index("i"), Index("n")

_FOLDED: ContextVar[bool] = ContextVar("folded", default=False)


@contextmanager
def folded() -> Iterator[None]:
    """Within the block no sequence is unfolded: each member is a symbol, at every index alike."""
    token = _FOLDED.set(True)
    try:
        yield
    finally:
        _FOLDED.reset(token)


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


def member(family: Family, index: Index) -> Symbol:
    """The family's symbol at a symbolic index."""
    shown = family.text or family.name
    return _symbol(family.name, (family.rows, family.columns), index, shown, family.latex or shown)


def recursive_term(text: str, latex: str, index: Index, start: Callable[[], Any], step: Callable[[Any, Any], Any]) -> Any:
    """The term at a symbolic index of the sequence that begins with start() and goes on by step(previous, index).

    A member's identity is its sequence's definition, not its name: two sequences that are both called W are not confused.
    """
    if index == START and not _FOLDED.get():
        return start()
    shape = start().shape
    generic = step(_symbol(text, shape, STEP - 1, text, latex), STEP)
    name = f"{text}#{sha256(repr((start(), generic)).encode()).hexdigest()[:16]}"
    if index == STEP and not _FOLDED.get():
        return Defined(text + subscript(index), f"{latex}_{{{index}}}", step(_symbol(name, shape, STEP - 1, text, latex), STEP))
    return _symbol(name, shape, index, text, latex)


def recursive_value(text: str, latex: str, index: int, start: Callable[[], Any], step: Callable[[Any, Any], Any]) -> Any:
    """The same on numbers: computed from the start."""
    value = start()
    for k in range(1, index + 1):
        value = step(value, k)
    return value


def subscript(index: Index) -> str:
    """The index as Unicode subscripts."""
    return str(index).translate(_SUBSCRIPTS)


def _symbol(name: str, shape: Shape, index: Index, text: str, latex: str) -> Symbol:
    return Symbol(f"{name}[{index}]", shape, text + subscript(index), f"{latex}_{{{index}}}")
