"""What a statement is made of: its symbols, its opaque functions, its hypotheses, and how all of them are shown."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from symbolic.statements.values import Values

Expression = Callable[[Values], Any]
"""Something that is computed from a claim's symbols, such as a side of its statement, for values of any arithmetic."""


@dataclass(frozen=True, slots=True)
class Formula:
    """How something is shown: in a terminal, and as LaTeX without delimiters."""

    text: str
    latex: str


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Something assumed; ``nonzero``, ``no_zero_entry`` or ``equal`` is what it says of the values, none if it is built into the statement."""

    text: str
    latex: str
    nonzero: Callable[[Values], Any] | None = None
    """The value that is not zero, or a list of such values."""
    no_zero_entry: Callable[[Values], Any] | None = None
    """The column that is not zero in any entry: what may be divided by entry by entry."""
    equal: Callable[[Values], tuple[Any, Any]] | None = None
    """The two values that are equal; as a rule of calculation, the first may be replaced by the second."""
    solve: tuple[str, Callable[[Values], Any]] | None = None
    """A symbol, and what to put in its place to make the hypothesis true: for the search, which would seldom meet it by chance."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A symbol of a claim. Its sizes are letters, or "1"."""

    name: str
    rows: str
    columns: str
    text: str = ""
    latex: str = ""


def _unchanged(x: Any) -> Any:
    """The identity, the simplest concrete function: easy to read in a counterexample."""
    return x


def _bend(x: Any) -> Any:
    """t³ - 2t + 1 in every entry; exact on rationals."""
    return x.map(lambda t: t**3 - 2 * t + 1)


@dataclass(frozen=True, slots=True)
class Function:
    """An opaque function: proved for every one, and made concrete only in a counterexample, which says so."""

    name: str
    rows: str
    columns: str
    text: str
    latex: str
    concrete: Callable[..., Any] = _unchanged
    """What it is in a counterexample."""
    note: str = ""
    """The same in words."""

    @property
    def bent(self) -> "Function":
        """A concrete function that is neither linear nor zero at zero, unless the claim is about one of its own."""
        return replace(self, concrete=_bend) if self.concrete is _unchanged else self


def listed(value: Any) -> tuple[Any, ...]:
    """One value, or several, as a tuple of them."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)
