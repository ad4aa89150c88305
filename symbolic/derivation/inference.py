"""Inferences that are not equalities of polynomials: what is not zero, what is zero, what has rank one.

Each checks its premises by normal form against what is known, and gives the fact that it shows and the line of the proof that says so. That the
rules are right is elementary linear algebra; that these are all that is ever needed is not claimed.
"""

from collections.abc import Callable, Iterable, Sequence

from symbolic.derivation.knowledge import Assumption, Knowledge
from symbolic.derivation.step import Step, StepFails
from symbolic.terms import Symbol, Term, Zero, lift
from symbolic.terms.binding import Fresh, bare, exchanged
from symbolic.terms.notation import latex, text
from symbolic.terms.term import BuiltIn, Operation

Inferred = tuple[Assumption, Step]

NONZERO_BY_MAP = "what a map with f(0) = 0 takes to a value other than 0 is not 0"
ZERO_BY_MAP = "a map with f(0) = 0 takes 0 to 0"
RANK_OF_OUTER_PRODUCT = "a nonzero column times a nonzero row has rank 1"


def nonzero_by_map(known: Knowledge, value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> Inferred:
    """value ≠ 0, because image(value) = target ≠ 0 and image(0) = 0."""
    needed, algebra = _mapped(known, value, image, target), known.algebra()
    if not algebra.is_nonzero(algebra.normal_form(target)):
        raise StepFails(f"{text(target)} is not known to be other than 0")
    fact = f"{text(value)} ≠ 0"
    line, line_latex = f"{text(image(value))} = {text(target)} ≠ 0, so {fact}", rf"{latex(image(value))} = {latex(target)} \neq 0"
    step = Step(line, rf"{line_latex} \Rightarrow {latex(value)} \neq 0", NONZERO_BY_MAP, _named([*needed, *_reasons(known, target)]), rule)
    return Assumption(nonzero=value), step


def zero_by_map(known: Knowledge, value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> Inferred:
    """target = 0, because value = 0 is known, image(value) = target and image(0) = 0."""
    needed, zero = _mapped(known, value, image, target), Zero(value.shape)
    if not known.follows(value, zero):
        raise StepFails(f"{text(value)} is not known to be 0")
    hypothesis = _named([*(known.least(value, zero) or ()), *needed])
    step = Step(f"{text(target)} = {text(image(value))} = 0", f"{latex(target)} = {latex(image(value))} = 0", ZERO_BY_MAP, hypothesis, rule)
    return Assumption(zero=target), step


def rank_of_outer_product(known: Knowledge, value: Term, column: Term, row: Term, rule: str) -> Inferred:
    """rank(value) = 1, because value = column @ row with column ≠ 0 and row ≠ 0, of sizes (p, 1) and (1, q)."""
    needed, algebra = known.least(value, column @ row), known.algebra()
    nonzero = all(algebra.is_nonzero(algebra.normal_form(x)) for x in (column, row.mT))
    if column.shape[1] != "1" or needed is None or not nonzero:
        raise StepFails(f"{text(value)} = {text(column)} {text(row)} with both factors not zero")
    rank = BuiltIn(Operation.RANK, (value,))
    fact = Assumption(equal=(rank, lift(1)))
    return fact, Step(fact.text, fact.latex, RANK_OF_OUTER_PRODUCT, _named(needed), rule)


def _mapped(known: Knowledge, value: Term, image: Callable[[Term], Term], target: Term) -> Sequence[str]:
    """What image(value) = target follows from. A map that is no map of zero to zero would prove anything."""
    hole = Symbol(Fresh(), value.shape, "x", "x")
    for argument in (value, Zero(value.shape)):
        if bare(exchanged(image(hole), {hole.name: argument})) != bare(image(argument)):
            raise StepFails(f"that the map treats {text(argument)} as it treats anything else")
    needed = known.least(image(value), target)
    if needed is None:
        raise StepFails(f"{text(image(value))} = {text(target)}")
    if not known.follows(image(Zero(value.shape)), Zero(target.shape)):
        raise StepFails(f"{text(image(Zero(value.shape)))} = 0")
    return needed


def _reasons(known: Knowledge, target: Term) -> list[str]:
    """The names of what says that the target is not zero."""
    for assumption in known.assumed:
        algebra = known.algebra([assumption])
        if algebra.is_nonzero(algebra.normal_form(target)):
            return [assumption.text] if algebra.nonzero else []
    return []


def _named(hypotheses: Iterable[str]) -> str | None:
    return " and ".join(dict.fromkeys(hypotheses)) or None
