"""The values on which a statement is run: its symbols, its opaque functions, and what is not a formula of the paper.

A claim's sides are functions of one ``Values``: ``v.W`` is the claim's symbol W, ``v.f`` its opaque function f, ``v.formulas`` the
paper's formulas, taken from the module at the moment of proof. The same functions run on terms (to prove), on exact rationals (to
search) and on plain fractions (to check again what was found); ``Kind`` is what an arithmetic must offer beside operators.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symbolic.evaluator import Plain
from symbolic.exact import Exact
from symbolic.terms import Application, Constant, Defined, Identity, Shape, Trace, Zero


@dataclass(frozen=True, slots=True)
class Kind:
    """What one arithmetic offers beside its operators; sizes are letters and ``sizes`` says what each is worth."""

    define: Callable[[str, str, Any], Any]
    number: Callable[[Fraction], Any]
    identity: Callable[[str], Any]
    zero: Callable[[Shape], Any]
    trace: Callable[[Any], Any]
    rank: Callable[[Any], Any]
    nonzero: Callable[[Any], Any]


class Values:
    """Symbols and functions by name, as attributes, and the operations of one arithmetic."""

    def __init__(self, symbols: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], formulas: Any, kind: Kind) -> None:
        self._named = {**symbols, **functions}
        self.formulas = formulas
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        try:
            return self._named[name]
        except KeyError:
            raise AttributeError(f"the claim declares no symbol or function {name!r}") from None

    def define(self, text: str, latex: str, value: Any) -> Any:
        """A name for a value: shown as the name from here on, worth the value."""
        return self._kind.define(text, latex, value)

    def number(self, value: int | Fraction) -> Any:
        """A rational number, as a 1x1 value."""
        return self._kind.number(Fraction(value))

    def identity(self, size: str) -> Any:
        """The identity matrix."""
        return self._kind.identity(size)

    def zero(self, rows: str, columns: str = "1") -> Any:
        """The zero matrix."""
        return self._kind.zero((rows, columns))

    def trace(self, x: Any) -> Any:
        """The trace, as a 1x1 value."""
        return self._kind.trace(x)

    def rank(self, x: Any) -> Any:
        """The rank, as a 1x1 value."""
        return self._kind.rank(x)

    def nonzero(self, x: Any) -> Any:
        """1 if x ≠ 0, else 0, as a 1x1 value: [x ≠ 0] in Iverson's brackets."""
        return self._kind.nonzero(x)


TERMS = Kind(
    define=Defined,
    number=Constant,
    identity=Identity,
    zero=Zero,
    trace=Trace,
    rank=lambda x: Application("rank", (x,), ("1", "1"), "rank", r"\operatorname{rank}"),
    nonzero=lambda x: Application("nonzero", (x,), ("1", "1"), "nonzero", r"\operatorname{nonzero}"),
)


def exact_kind(sizes: Mapping[str, int]) -> Kind:
    """The operations over exact rationals at these sizes."""
    return Kind(
        define=lambda text, latex, value: value,
        number=lambda value: Exact.of([[value]]),
        identity=lambda size: Exact.of(_identity(_size(size, sizes))),
        zero=lambda shape: Exact.of([[0] * _size(shape[1], sizes) for _ in range(_size(shape[0], sizes))]),
        trace=Exact.trace,
        rank=Exact.rank,
        nonzero=lambda x: Exact.of([[int(not x.is_zero())]]),
    )


def plain_kind(sizes: Mapping[str, int]) -> Kind:
    """The operations of the second opinion at these sizes."""
    return Kind(
        define=lambda text, latex, value: value,
        number=lambda value: Plain([[value]]),
        identity=lambda size: Plain(_identity(_size(size, sizes))),
        zero=lambda shape: Plain([[0] * _size(shape[1], sizes) for _ in range(_size(shape[0], sizes))]),
        trace=Plain.trace,
        rank=Plain.rank,
        nonzero=lambda x: Plain([[int(not x.is_zero())]]),
    )


def _size(name: str, sizes: Mapping[str, int]) -> int:
    return 1 if name == "1" else sizes[name]


def _identity(n: int) -> list[list[int]]:
    return [[int(i == j) for j in range(n)] for i in range(n)]
