"""Claims and mutants: plain data about a statement, and the functions that state and prove it.

A statement is an equation left = right under hypotheses. A statement with "if and only if" is an equation too, between indicators: rank ΔW = [WΔA ≠ 0].
A mutant is the same claim with one thing changed: a formula, a side, a hypothesis. What is proved, searched, evaluated and printed is the sides; the text
beside them is a remark for the reader, is marked as such where it is shown, and no program checks that the two say the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from symbolic.derivation import Derivation
from symbolic.statements import Expression, Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import Family


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
    left: Expression | None = None
    right: Expression | None = None
    without: tuple[str, ...] = ()
    """Hypotheses that are dropped, by their text."""
    where: Callable[[Values], bool] | None = None
    """Which instances are worth showing, where more than one kind refutes the mutant."""
    note: str = ""
    """What the counterexample shows, in words."""


def no_normalisation(description: str, statement: Formula, why: str = "an outer product looks like the whole update", **changed: Any) -> Mutant:
    """Eq. (1), or what stands in its place, without the division by ‖a‖²."""
    return Mutant("no-normalisation", description, why, statement, **{"formulas": {"rank_one_update": lambda W, delta, a: (W @ delta) @ a.mT}, **changed})


def zero_allowed(zero: str, why: str, statement: Formula, **changed: Any) -> Mutant:
    """The claim without the hypothesis that something is not zero.  zero: its name; in the hypothesis too, unless ``without`` is given."""
    return Mutant("zero-allowed", f"no hypothesis {zero} ≠ 0", why, statement, **{"without": (f"{zero} ≠ 0",), **changed})


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement with its source, its hypotheses, its proof and its mutants."""

    id: str
    title: str
    source: str
    symbols: tuple[Matrix, ...]
    hypotheses: tuple[Hypothesis, ...]
    statement: Formula
    left: Expression
    """The left side, or a tuple of them where the statement has several parts."""
    right: Expression
    proof: Callable[[Values, Derivation], None]
    mutants: tuple[Mutant, ...]
    functions: tuple[Function, ...] = ()
    families: tuple[Family, ...] = ()
    """Sequences of matrices; a claim that has some is about every length n."""
    sizes: Mapping[str, str] = field(default_factory=dict)
    """Sizes that a counterexample takes equal, because its concrete functions need it: {"k": "m"}."""
    scope: str = "all sizes"

    @property
    def about_every_n(self) -> bool:
        """Whether it is about sequences of any length, or about every step of one."""
        return bool(self.families) or self.scope == "all sizes, all n"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be proved or refuted: a claim as it stands, or as a mutant changes it."""

    claim: Claim
    left: Expression
    right: Expression
    hypotheses: tuple[Hypothesis, ...]
    formulas: Any
    """The module ``symbolic.formulas``, or what a mutant makes of it."""
    where: Callable[[Values], bool] | None = None
    note: str = ""
    undefined: bool = False
    """Whether a side without a value refutes as well as any: so it is where a hypothesis was dropped."""
