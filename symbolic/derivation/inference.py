"""Inferences that are not equalities of polynomials: what is not zero, what is zero, what has rank one.

Each checks its premises by normal form against what is known, and gives the fact that it shows and the line of the proof that says so. That the
rules are right is elementary linear algebra; that these are all that is ever needed is not claimed.
"""

from collections.abc import Callable, Iterable, Sequence

from symbolic.derivation.knowledge import Assumption, Knowledge
from symbolic.derivation.step import Step, StepFails
from symbolic.terms import Symbol, Term, Zero, lift
from symbolic.terms.binding import Fresh, exchanged
from symbolic.terms.notation import latex, text
from symbolic.terms.term import BuiltIn, Operation

Inferred = tuple[Assumption, Step]

NONZERO_BY_MAP = "what a map with f(0) = 0 takes to a value other than 0 is not 0"
ZERO_BY_MAP = "a map with f(0) = 0 takes 0 to 0"
RANK_OF_OUTER_PRODUCT = "a nonzero column times a nonzero row has rank 1"


def nonzero_by_map(known: Knowledge, value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> Inferred:
    """value ≠ 0, because image(value) = target ≠ 0 and image(0) = 0."""
    (mapped, needed), algebra = _mapped(known, value, image, target), known.algebra()
    if not algebra.is_nonzero(algebra.normal_form(target)):
        raise StepFails(f"{text(target)} is not known to be other than 0")
    fact = f"{text(value)} ≠ 0"
    line, line_latex = f"{text(mapped)} = {text(target)} ≠ 0, so {fact}", rf"{latex(mapped)} = {latex(target)} \neq 0"
    step = Step(line, rf"{line_latex} \Rightarrow {latex(value)} \neq 0", NONZERO_BY_MAP, _named([*needed, *_reasons(known, target)]), rule)
    return Assumption(nonzero=value), step


def zero_by_map(known: Knowledge, value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> Inferred:
    """target = 0, because value = 0 is known, image(value) = target and image(0) = 0."""
    (mapped, needed), zero = _mapped(known, value, image, target), Zero(value.shape)
    if not known.follows(value, zero):
        raise StepFails(f"{text(value)} is not known to be 0")
    hypothesis = _named([*(known.least(value, zero) or ()), *needed])
    step = Step(f"{text(target)} = {text(mapped)} = 0", f"{latex(target)} = {latex(mapped)} = 0", ZERO_BY_MAP, hypothesis, rule)
    return Assumption(zero=target), step


def rank_of_outer_product(known: Knowledge, value: Term, column: Term, row: Term, rule: str) -> Inferred:
    """rank(value) = 1, because value = column @ row with column ≠ 0 and row ≠ 0, of sizes (p, 1) and (1, q)."""
    needed, algebra = known.least(value, column @ row), known.algebra()
    if column.shape[1] != "1":
        raise StepFails(f"that {text(column)} is one column")
    if needed is None:
        raise StepFails(f"{text(value)} = {text(column)} {text(row)}")
    if not algebra.is_nonzero(algebra.normal_form(column)):
        raise StepFails(f"{text(column)} ≠ 0")
    if not algebra.is_nonzero(algebra.normal_form(row.mT)):
        raise StepFails(f"{text(row)} ≠ 0")
    rank = BuiltIn(Operation.RANK, (value,))
    fact = Assumption(equal=(rank, lift(1)))
    return fact, Step(fact.text, fact.latex, RANK_OF_OUTER_PRODUCT, _named(needed), rule)


def _mapped(known: Knowledge, value: Term, image: Callable[[Term], Term], target: Term) -> tuple[Term, Sequence[str]]:
    """image(value), and what image(value) = target follows from. The map is asked once, for an argument of which nothing is known."""
    hole = Symbol(Fresh(), value.shape, "x", "x")
    general = image(hole)
    mapped, of_zero = (exchanged(general, {hole.name: argument}) for argument in (value, Zero(value.shape)))
    needed = known.least(mapped, target)
    if needed is None:
        raise StepFails(f"{text(mapped)} = {text(target)}")
    if not known.follows(of_zero, Zero(target.shape)):
        raise StepFails(f"{text(of_zero)} = 0")
    return mapped, needed


def _reasons(known: Knowledge, target: Term) -> list[str]:
    """The names of what says that the target is not zero."""
    for assumption in known.assumed:
        algebra = known.algebra([assumption])
        if algebra.is_nonzero(algebra.normal_form(target)):
            return [assumption.text] if algebra.nonzero else []
    return []


def _named(hypotheses: Iterable[str]) -> str | None:
    return " and ".join(dict.fromkeys(hypotheses)) or None
