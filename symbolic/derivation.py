"""A derivation: the object on which a proof script writes, and which accepts no line that does not follow.

A proof is a chain from the left side of a statement to its right side. Each link is an equality of two terms; the derivation checks it by normal form
and finds out by itself which hypotheses it needed, by trying without. A case distinction is over x = 0 or x ≠ 0, and each case must
reach the right side. What is not an equality of polynomials (ranks, nonzero factors) has a method of its own, which checks its premises.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from symbolic.algebra import Algebra, monic, squares
from symbolic.claim import Hypothesis, Step
from symbolic.errors import MissingHypothesis
from symbolic.normal_form import Nonzero, Polynomial
from symbolic.printing import latex, text
from symbolic.rewriting import rule_of
from symbolic.terms import Application, Term, lift
from symbolic.values import Values


class StepFails(Exception):
    """A line of the proof does not follow; the message names it."""


@dataclass(frozen=True, slots=True)
class _Assumption:
    """A hypothesis made concrete for terms: exactly one of the two is given."""

    text: str
    nonzero: Term | None = None
    equal: tuple[Term, Term] | None = None


@dataclass
class Derivation:
    """The lines written so far, and what is known at this point."""

    values: Values
    left: Term
    right: Term
    steps: list[Step] = field(default_factory=list)
    _assumed: list[_Assumption] = field(default_factory=list)
    _at: Term | None = None
    _reached: bool = False

    def assume(self, hypothesis: Hypothesis) -> None:
        """Take a hypothesis of the claim as known."""
        if hypothesis.nonzero:
            self._assumed.append(_Assumption(hypothesis.text, nonzero=hypothesis.nonzero(self.values)))
        if hypothesis.equal:
            self._assumed.append(_Assumption(hypothesis.text, equal=hypothesis.equal(self.values)))

    def start(self, rule: str = "the left side") -> None:
        """Begin the chain at the statement's left side."""
        self.chain(self.left, rule)

    def chain(self, term: Term, rule: str) -> None:
        """Begin a chain at any term: a lemma that a later line uses."""
        self._at = term
        self._check(f'"{rule}"', lambda: self._algebra(self._assumed).normal_form(term) is not None)
        self._write("", term, rule, None)

    def notation(self, text: str, latex: str, rule: str) -> None:
        """A line that only says how something is written or read; nothing is proved by it."""
        self.steps.append(Step(text, latex, f"notation: {rule}"))

    def then(self, term: Any, rule: str) -> None:
        """The next term of the chain, equal to the one before."""
        following, previous = lift(term), self._at
        assert previous is not None, "a chain begins with start() or chain()"
        needed: list[str] = []

        def follows() -> bool:
            least = self._least(previous, following)
            needed.extend(least or ())
            return least is not None

        self._check(f'"{rule}": {text(previous)} = {text(following)}', follows)
        self._at = following
        self._reached = self._reached or following == self.right
        self._write("= ", following, rule, " and ".join(needed) or None)

    def finish(self, rule: str = "the right side") -> None:
        """End the chain at the statement's right side."""
        if self._at != self.right:
            self.then(self.right, rule)
        self._reached = True

    def dichotomy(self, name: str, latex_name: str, value: Term, zero: tuple[Term, Term] | None = None) -> Iterator[bool]:
        """Go through the cases value = 0 (yields True) and value ≠ 0 (yields False); each must finish the chain.

        zero: the rule of calculation that value = 0 gives, as (word, what it equals).
        """
        for vanishes in (True, False):
            sign, latex_sign = ("=", "=") if vanishes else ("≠", r"\neq")
            said = f"{name} {sign} 0"
            kept = list(self._assumed)
            equation = zero or (value, self.values.zero(*value.shape))
            assert self._algebra(self._assumed).equal(equation[0] - equation[1], value), f"{name} = 0 does not say {equation}"
            self._assumed.append(_Assumption(said, equal=equation) if vanishes else _Assumption(said, nonzero=value))
            self.steps.append(Step(f"Case {said}", rf"\text{{Case }} {latex_name} {latex_sign} 0", "excluded middle: a matrix is zero or not", said))
            self._reached = False
            yield vanishes
            if not self._reached:
                raise StepFails(f"the case {said} does not reach the right side")
            self._assumed[:] = kept

    @contextmanager
    def lemma(self) -> Iterator[None]:
        """A side chain: what it assumes is forgotten afterwards, and it does not count as reaching the right side."""
        kept, reached = list(self._assumed), self._reached
        yield
        self._assumed[:], self._reached = kept, reached

    def done(self) -> None:
        """Raise StepFails unless the chain from the left side reached the right one."""
        if not self._reached:
            raise StepFails("the chain does not reach the right side")

    def nonzero_by_product(self, value: Term, before: Term | None, after: Term | None, target: Term, rule: str) -> None:
        """value ≠ 0, because before @ value @ after = target ≠ 0: a zero factor would make the product zero."""
        product = value if before is None else before @ value
        product = product if after is None else product @ after
        least = self._least(product, target)
        algebra = self._algebra(self._assumed)
        if least is None or not algebra.is_nonzero(algebra.normal_form(target)):
            raise StepFails(f'"{rule}": {text(product)} = {text(target)} ≠ 0')
        said = f"{text(value)} ≠ 0"
        used = [a.text for a in self._assumed if a.nonzero is not None and monic(algebra.normal_form(a.nonzero)) == monic(algebra.normal_form(target))]
        self._assumed.append(_Assumption(said, nonzero=value))
        names = " and ".join(dict.fromkeys([*least, *used]))
        reason, reason_latex = f"{text(product)} = {text(target)} ≠ 0", rf"{latex(product)} = {latex(target)} \neq 0"
        self.steps.append(Step(f"{reason}, so {said}", rf"{reason_latex} \Rightarrow {latex(value)} \neq 0", rule, names or None))

    def rank_of_outer_product(self, value: Term, column: Term, row: Term, rule: str) -> None:
        """rank(value) = 1, because value = column @ row with column ≠ 0 and row ≠ 0, sizes (p, 1) and (1, q)."""
        least = self._least(value, column @ row)
        algebra = self._algebra(self._assumed)
        fits = column.shape[1] == "1" and least is not None
        if not fits or not all(algebra.is_nonzero(algebra.normal_form(x)) for x in (column, row.mT)):
            raise StepFails(f'"{rule}": {text(value)} = {text(column)} {text(row)} with both factors not zero')
        rank = Application("rank", (value,), ("1", "1"), "rank", r"\operatorname{rank}")
        said = f"rank {text(value)} = 1"
        self._assumed.append(_Assumption(said, equal=(rank, lift(1))))
        self.steps.append(Step(said, rf"\operatorname{{rank}} {latex(value)} = 1", rule, " and ".join(least or ()) or None))

    def follows(self, left: Term, right: Term) -> bool:
        """Whether left = right by normal form, from everything that is assumed."""
        return self._algebra(self._assumed).equal(left, right)

    def _least(self, left: Term, right: Term) -> Sequence[str] | None:
        """The fewest hypotheses under which left = right can be proved, or None if all together do not suffice."""
        if not self._algebra(self._assumed).equal(left, right):
            return None
        for count in range(len(self._assumed)):
            for chosen in combinations(self._assumed, count):
                if self._algebra(chosen).equal(left, right):
                    return [assumption.text for assumption in chosen]
        return [assumption.text for assumption in self._assumed]

    def _algebra(self, used: Sequence[_Assumption]) -> Algebra:
        """Everything assumed makes a division meaningful; only what is in ``used`` may be cancelled or calculated with."""
        forms: list[tuple[_Assumption, Polynomial]] = []
        for assumption in self._assumed:  # in order: a later one may divide by what an earlier one keeps from being zero
            if assumption.nonzero is not None:
                reader = Algebra(squares(form for _, form in forms))
                forms.append((assumption, reader.normal_form(assumption.nonzero)))
        chosen = [form for assumption, form in forms if assumption in used]
        known = Nonzero(squares(form for _, form in forms).defined, squares(chosen).cancelled)
        reader = Algebra(known)
        rules = [rule_of(reader.normal_form(a.equal[0]), reader.normal_form(a.equal[1])) for a in used if a.equal is not None]
        return Algebra(known, tuple(rule for rule in rules if rule), frozenset(monic(form) for form in chosen))

    def _check(self, where: str, holds: Callable[[], bool]) -> None:
        try:
            if holds():
                return
        except MissingHypothesis as error:
            raise StepFails(f"step {len(self.steps) + 1}, {where}: {error}") from error
        raise StepFails(f"step {len(self.steps) + 1}, {where} does not follow")

    def _write(self, sign: str, term: Term, rule: str, hypothesis: str | None) -> None:
        self.steps.append(Step(sign + text(term), sign + latex(term), rule, hypothesis))
