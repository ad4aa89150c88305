"""Sequences of matrices with a symbolic index: A₀, ..., Aᵢ₋₁, Aᵢ, ..., Aₙ.

On numbers an index is an integer and a sequence defined by recursion is computed from its start. On terms an index is a letter plus an integer:
Aᵢ₋₁ and Aᵢ are two symbols of which nothing is known, and a sequence defined by recursion is unfolded exactly once, at i; so a
proof by induction sees the start, one step, and nothing else, and costs the same for every n.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from symbolic.terms.binding import Entry, Family, Index, Member, indexed, recursion, subscripted
from symbolic.terms.term import Defined, Symbol

START, STEP, LAST = Index(""), Index("i"), Index("n")
STEP_LETTERS = "ijhostux"
"""Letters for the index of a step: the first that nothing in sight mentions is taken."""

_FOLDED: ContextVar[bool] = ContextVar("folded", default=False)


@contextmanager
def folded() -> Iterator[None]:
    """Within the block no sequence is unfolded: each member is a symbol, at every index alike."""
    token = _FOLDED.set(True)
    try:
        yield
    finally:
        _FOLDED.reset(token)


def member(family: Family, index: Index) -> Symbol:
    """The family's symbol at a symbolic index."""
    return indexed(Member(family, index))


def recursive_term(text: str, latex: str, index: Index, start: Callable[[], Any], step: Callable[[Any, Any], Any]) -> Any:
    """The term at a symbolic index of the sequence that begins with start() and goes on by step(previous, index).

    A member's identity is its sequence's definition, not its name: two sequences that are both called W are not confused.
    """
    first, unfolded = start(), not _FOLDED.get()
    if index == START and unfolded:
        return first
    sequence = recursion(text, latex, first, step)
    if unfolded and isinstance(index.letter, str) and index.letter in STEP_LETTERS and index.letter and not index.offset:
        return Defined(*subscripted(text, latex, index), step(indexed(Entry(sequence, index - 1)), index))
    return indexed(Entry(sequence, index))


def recursive_value(text: str, latex: str, index: int, start: Callable[[], Any], step: Callable[[Any, Any], Any]) -> Any:
    """The same on numbers: computed from the start."""
    value = start()
    for k in range(1, index + 1):
        value = step(value, k)
    return value
