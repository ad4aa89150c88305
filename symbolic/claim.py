"""Claims and mutants: plain data about a statement, and the functions that state and prove it.

A statement is an equation left = right under hypotheses. A statement with "if and only if" is an equation too, between indicators: rank ΔW = [WΔA ≠ 0].
A mutant is the same claim with one thing changed: a formula, a side, a hypothesis. What is proved, searched and evaluated is the sides; the text beside them is
written by hand for the reader, and no program checks that the two say the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from symbolic.statements.values import Values
from symbolic.terms.families import Family

if TYPE_CHECKING:
    from symbolic.derivation.derivation import Derivation

Side = Callable[[Values], Any]
"""One side of a statement, for values of any arithmetic."""


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


def unchanged(x: Any) -> Any:
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
    concrete: Callable[..., Any] = unchanged
    """What it is in a counterexample."""
    note: str = ""
    """The same in words."""

    @property
    def bent(self) -> "Function":
        """A concrete function that is neither linear nor zero at zero, unless the claim is about one of its own."""
        return replace(self, concrete=_bend) if self.concrete is unchanged else self


@dataclass(frozen=True, slots=True)
class Mutant:
    """A claim changed to be false. What is not given is as in the claim."""

    id: str
    description: str
    """What was changed."""
    why: str
    """Why somebody might believe it."""
    statement: Formula
    formulas: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Formulas of the paper, by name, that are replaced."""
    left: Side | None = None
    right: Side | None = None
    without: tuple[str, ...] = ()
    """Hypotheses that are dropped, by their text."""
    where: Callable[[Values], bool] | None = None
    """Which instances are worth showing, where more than one kind refutes the mutant."""
    note: str = ""
    """What the counterexample shows, in words."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement with its source, its hypotheses, its proof and its mutants."""

    id: str
    title: str
    source: str
    symbols: tuple[Matrix, ...]
    hypotheses: tuple[Hypothesis, ...]
    statement: Formula
    left: Side
    """The left side, or a tuple of them where the statement has several parts."""
    right: Side
    proof: "Callable[[Values, Derivation], None]"
    mutants: tuple[Mutant, ...]
    functions: tuple[Function, ...] = ()
    families: tuple[Family, ...] = ()
    """Sequences of matrices; a claim that has some is about every length n."""
    sizes: Mapping[str, str] = field(default_factory=dict)
    """Sizes that a counterexample takes equal, because its concrete functions need it: {"k": "m"}."""
    scope: str = "all sizes"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a proof."""

    text: str
    latex: str
    rule: str
    """The rule that leads from the line before to this one."""
    hypothesis: str | None = None
    """The hypotheses without which the rule does not apply, found by trying without."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Exact rationals at which two sides differ, in stored form: entries are strings such as "-3/2", and matrices are lists of rows."""

    sizes: dict[str, int]
    values: dict[str, list[list[str]]]
    """By the names that are printed, such as "A(x)"; matrices that have nothing to do with the sides are left out."""
    left: list[list[str]]
    right: list[list[str]]
    """A side that has no value is [["undefined"]]."""
    note: str


def listed(value: Any) -> tuple[Any, ...]:
    """One value, or several, as a tuple of them."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be proved or refuted: a claim as it stands, or as a mutant changes it."""

    claim: Claim
    left: Side
    right: Side
    hypotheses: tuple[Hypothesis, ...]
    formulas: Any
    """The module ``symbolic.formulas``, or what a mutant makes of it."""
    where: Callable[[Values], bool] | None = None
    note: str = ""
    undefined: bool = False
    """Whether a side without a value refutes as well as any: so it is where a hypothesis was dropped."""
