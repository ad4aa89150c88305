"""Inferences that are not equalities of polynomials: what is not zero, what is zero, what has rank one.

Each checks its premises by normal form and adds one fact to what is known. That the rules are right is elementary linear algebra; that
these are all that is ever needed is not claimed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from symbolic.claim import Step
from symbolic.derivation.assumption import Assumption, StepFails
from symbolic.terms.printing import latex, text
from symbolic.terms.term import Application, Term, Zero, lift

if TYPE_CHECKING:
    from symbolic.derivation.derivation import Derivation


def nonzero_by_map(d: "Derivation", value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> None:
    """value ≠ 0, because image(value) = target ≠ 0 and image(0) = 0."""
    _mapped(d, value, image, target, rule)
    algebra = d.algebra()
    if not algebra.is_nonzero(algebra.normal_form(target)):
        _refuse(d, rule, f"{text(target)} is not known to be other than 0")
    said = f"{text(value)} ≠ 0"
    names = [*(d.least(image(value), target) or ()), *_reasons(d, target)]
    d.assumed.append(Assumption(said, nonzero=value))
    shown, shown_latex = f"{text(image(value))} = {text(target)} ≠ 0", rf"{latex(image(value))} = {latex(target)} \neq 0"
    hypothesis = " and ".join(dict.fromkeys(names)) or None
    d.steps.append(Step(f"{shown}, so {said}", rf"{shown_latex} \Rightarrow {latex(value)} \neq 0", rule, hypothesis))


def zero_by_map(d: "Derivation", value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> None:
    """target = 0, because value = 0 is known, image(value) = target and image(0) = 0."""
    _mapped(d, value, image, target, rule)
    if not d.follows(value, Zero(value.shape)):
        _refuse(d, rule, f"{text(value)} is not known to be 0")
    names = [*(d.least(value, Zero(value.shape)) or ()), *(d.least(image(value), target) or ())]
    said = f"{text(target)} = 0"
    d.assumed.append(Assumption(said, zero=target))
    hypothesis = " and ".join(dict.fromkeys(names)) or None
    d.steps.append(Step(f"{text(target)} = {text(image(value))} = 0", f"{latex(target)} = {latex(image(value))} = 0", rule, hypothesis))


def rank_of_outer_product(d: "Derivation", value: Term, column: Term, row: Term, rule: str) -> None:
    """rank(value) = 1, because value = column @ row with column ≠ 0 and row ≠ 0, of sizes (p, 1) and (1, q)."""
    least, algebra = d.least(value, column @ row), d.algebra()
    known = all(algebra.is_nonzero(algebra.normal_form(x)) for x in (column, row.mT))
    if column.shape[1] != "1" or least is None or not known:
        _refuse(d, rule, f"{text(value)} = {text(column)} {text(row)} with both factors not zero")
    rank = Application("rank", (value,), ("1", "1"), "rank", r"\operatorname{rank}")
    said = f"rank {text(value)} = 1"
    d.assumed.append(Assumption(said, equal=(rank, lift(1))))
    d.steps.append(Step(said, rf"\operatorname{{rank}} {latex(value)} = 1", rule, " and ".join(least or ()) or None))


def _mapped(d: "Derivation", value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> None:
    """A map that is no map of zero to zero would prove anything."""
    if d.least(image(value), target) is None:
        _refuse(d, rule, f"{text(image(value))} = {text(target)}")
    if not d.follows(image(Zero(value.shape)), Zero(target.shape)):
        _refuse(d, rule, f"{text(image(Zero(value.shape)))} = 0")


def _reasons(d: "Derivation", target: Term) -> list[str]:
    """The names of what says that the target is not zero."""
    for assumption in d.assumed:
        algebra = d.algebra([assumption])
        if algebra.is_nonzero(algebra.normal_form(target)):
            return [assumption.text] if algebra.nonzero else []
    return []


def _refuse(d: "Derivation", rule: str, what: str) -> NoReturn:
    raise StepFails(f'step {len(d.steps) + 1}, "{rule}": {what} does not follow')
