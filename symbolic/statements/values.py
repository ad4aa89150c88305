"""The values on which a statement is run: its symbols, its opaque functions, and what is not a formula of the paper.

A claim's sides are functions of one ``Values``: ``v.W`` is the claim's symbol W, ``v.f`` its opaque function f, ``v.formulas`` the
paper's formulas, taken from the module at the moment of proof. The same functions run on terms (to prove), on exact rationals (to
search) and on plain fractions (to check again what was found); ``Kind`` is what an arithmetic must offer beside operators.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from itertools import accumulate
from math import factorial
from operator import add
from typing import Any

from symbolic.exact import Exact, Irrational, Plain
from symbolic.terms import Index, Shape, Zero
from symbolic.terms.binding import slope
from symbolic.terms.families import LAST, START, STEP, recursive_term, recursive_value
from symbolic.terms.term import BuiltIn, Constant, Defined, Identity, Operation, Trace


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
    positive: Callable[[Any], Any]
    gradient: Callable[[Callable[[Any], Any], Any, str, str], Any]
    recursive: Callable[[str, str, Any, Callable[[], Any], Callable[[Any, Any], Any]], Any]
    n: Any
    """The number of tokens: an index on terms, an integer on numbers."""


class Indices:
    """Indices to go through, and not to pick from: on numbers the first is 1, and on terms it stands for all."""

    def __init__(self, members: tuple[Any, ...]) -> None:
        self._members = members

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


class Values:
    """Symbols and functions by name, as attributes, and the operations of one arithmetic."""

    def __init__(self, symbols: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], formulas: Any, kind: Kind) -> None:
        self._named = {**symbols, **functions}
        self.used: set[str] = set()
        """The names that were asked for so far."""
        self.formulas = formulas
        self._kind = kind
        self._steps: tuple[Any, ...] = (STEP,)

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._named[name]
        except KeyError:
            raise AttributeError(f"the claim declares no symbol or function {name!r}") from None
        self.used.add(name)
        return value

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

    def square(self, x: Any) -> Any:
        """‖x‖_F² = tr xᵀx, as a 1x1 value."""
        return self.trace(x.mT @ x)

    def rank(self, x: Any) -> Any:
        """The rank, as a 1x1 value."""
        return self._kind.rank(x)

    def nonzero(self, x: Any) -> Any:
        """1 if x ≠ 0, else 0, as a 1x1 value: [x ≠ 0] in Iverson's brackets."""
        return self._kind.nonzero(x)

    def positive(self, x: Any) -> Any:
        """1 if the 1x1 value is positive, else 0."""
        return self._kind.positive(x)

    def gradient(self, loss: Callable[[Any], Any], at: Any, text: str = "W", latex: str = "W") -> Any:
        """∇L at a point. On numbers by central differences, which for a polynomial of degree 4 or less are exact; where they may not be, no value."""
        return self._kind.gradient(loss, at, text, latex)

    @property
    def n(self) -> Any:
        """The last index of the claim's sequences."""
        return self._kind.n

    @property
    def start(self) -> Any:
        """The index 0."""
        return START if isinstance(self.n, Index) else 0

    def at_steps(self, *steps: Index) -> "Values":
        """The same terms, with these indices for what is said of every index."""
        other = Values({}, self._named, self.formulas, self._kind)
        other._steps = steps
        return other

    @property
    def indices(self) -> "Indices":
        """1, ..., n; on terms one that may be any of them, i, and n: what is said of each of the two is said of every index."""
        return Indices((*self._steps, LAST) if isinstance(self.n, Index) else tuple(range(1, self.n + 1)))

    def recursive(self, text: str, latex: str, index: Any, start: Callable[[], Any], step: Callable[[Any, Any], Any]) -> Any:
        """The member at this index of the sequence that begins with start() and goes on by step(previous, index)."""
        return self._kind.recursive(text, latex, index, start, step)

    def before_each(self, text: str, latex: str, start: Callable[[], Any], step: Callable[[Any, Any], Any]) -> list[tuple[Any, Any]]:
        """Each of ``indices`` with the member before it of that sequence: for what a hypothesis says of every step. On numbers in one pass."""
        if isinstance(self.n, Index):
            return [(index, self.recursive(text, latex, index - 1, start, step)) for index in self.indices]
        members = accumulate(list(self.indices)[:-1], step, initial=start())
        return list(zip(self.indices, members, strict=True))


TERMS = Kind(
    define=Defined,
    number=Constant,
    identity=Identity,
    zero=Zero,
    trace=Trace,
    rank=lambda x: BuiltIn(Operation.RANK, (x,)),
    nonzero=lambda x: BuiltIn(Operation.NONZERO, (x,)),
    positive=lambda x: BuiltIn(Operation.POSITIVE, (x,)),
    gradient=slope,
    recursive=recursive_term,
    n=LAST,
)


def _slope_number(loss: Callable[[Any], Any], at: Any, make: Callable[[list[list[int]]], Any]) -> Any:
    rows, columns = at.shape
    total = at - at
    for i in range(rows):
        for j in range(columns):
            unit = make([[int((p, q) == (i, j)) for q in range(columns)] for p in range(rows)])
            total = total + unit * _slope_along(partial(_moved, loss, at, unit))
    return total


def _moved(loss: Callable[[Any], Any], at: Any, unit: Any, steps: int) -> Any:
    return loss(at + unit * steps)


def _slope_along(along: Callable[[int], Any]) -> Any:
    """The derivative at 0 of a polynomial of degree 4 or less.

    Central differences of step 1 to K are exact to degree 2K if they are weighted by 2(-1)^(k+1) K!²/((K-k)!(K+k)!) (Fornberg, Math. Comp. 51,
    1988). If those for K = 2 and K = 3 are not the same, the degree is higher.
    """
    differences = [(along(k) - along(-k)) / (2 * k) for k in (1, 2, 3)]
    fourth, sixth = (reduce(add, (differences[k - 1] * weight for k, weight in enumerate(_weights(K), start=1))) for K in (2, 3))
    if not (fourth - sixth).is_zero():
        raise Irrational("the derivative of a polynomial of degree 5 or more")
    return fourth


def _weights(K: int) -> list[Fraction]:
    return [Fraction(2 * (-1) ** (k + 1) * factorial(K) ** 2, factorial(K - k) * factorial(K + k)) for k in range(1, K + 1)]


def exact_kind(sizes: Mapping[str, int]) -> Kind:
    """The operations over exact rationals at these sizes."""
    return _rational_kind(Exact.of, sizes)


def plain_kind(sizes: Mapping[str, int]) -> Kind:
    """The operations of the second opinion at these sizes."""
    return _rational_kind(Plain, sizes)


def _rational_kind(make: Callable[[Any], Any], sizes: Mapping[str, int]) -> Kind:
    """make: the matrix with these rows."""
    return Kind(
        define=lambda text, latex, value: value,
        number=lambda value: make([[value]]),
        identity=lambda size: make(_identity(_size(size, sizes))),
        zero=lambda shape: make([[0] * _size(shape[1], sizes) for _ in range(_size(shape[0], sizes))]),
        trace=lambda x: x.trace(),
        rank=lambda x: x.rank(),
        nonzero=lambda x: make([[int(not x.is_zero())]]),
        positive=lambda x: x.map(lambda entry: Fraction(entry > 0)),
        gradient=lambda loss, at, text, latex: _slope_number(loss, at, make),
        recursive=recursive_value,
        n=sizes.get("n"),
    )


def _size(name: str, sizes: Mapping[str, int]) -> int:
    return 1 if name == "1" else sizes[name]


def _identity(n: int) -> list[list[int]]:
    return [[int(i == j) for j in range(n)] for i in range(n)]
