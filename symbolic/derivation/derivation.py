"""A derivation: the object on which a proof script writes, and which accepts no line that does not follow.

A proof is, for each part of a statement, a chain from its left side to its right side. Each link is an equality of two terms; the derivation checks it by
normal form and finds out by itself which hypotheses it needed, by trying without. A case distinction is over x = 0 or x ≠ 0, and each case must
reach the right side. A proof by induction has two obligations, and its step may use its hypothesis and no other equation.
What is not an equality of polynomials (ranks, factors that are not zero) has a method in ``symbolic.derivation.inference``, which checks its premises.

Two kinds of line are not checked by any program and say so in their rule: "notation" explains a name, "in words" says what the equalities that
were checked mean together (for every x, there is a D, the smallest). What a claim's sides say does not rest on them.

A proof script is trusted to use these methods and to leave the object's fields alone; a function that it hands over is trusted to treat every
argument alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from symbolic.algebra import entrywise
from symbolic.algebra.equality import Algebra, monic, squares
from symbolic.algebra.normal_form import Nonzero, Polynomial
from symbolic.algebra.rewriting import rule_of
from symbolic.claim import Hypothesis, Step, listed
from symbolic.derivation import inference
from symbolic.derivation.assumption import Assumption, StepFails
from symbolic.statements.values import Values
from symbolic.terms.families import LAST, START, STEP, folded
from symbolic.terms.printing import latex, text
from symbolic.terms.term import Term, lift
from symbolic.vocabulary.errors import MissingHypothesis

Forms = list[tuple[Assumption, Polynomial]]


@dataclass
class Derivation:
    """The lines written so far, and what is known at this point."""

    values: Values
    lefts: tuple[Term, ...]
    rights: tuple[Term, ...]
    steps: list[Step] = field(default_factory=list)
    assumed: list[Assumption] = field(default_factory=list)
    _part: int = 0
    _origin: Term | None = None
    _at: Term | None = None
    _reached: set[int] = field(default_factory=set)
    _open: int = 0
    """Case distinctions that were begun and not gone through to the end."""

    @property
    def left(self) -> Term:
        """The left side of the part that is being proved."""
        return self.lefts[self._part]

    @property
    def right(self) -> Term:
        """The right side of the part that is being proved."""
        return self.rights[self._part]

    def part(self, number: int) -> None:
        """Go to another part of the statement, counted from 0."""
        if number >= len(self.lefts):
            raise StepFails(f"the statement has no part {number + 1}")
        self._part = number

    def assume(self, hypothesis: Hypothesis) -> None:
        """Take a hypothesis of the claim as known."""
        for value in listed(hypothesis.nonzero(self.values)) if hypothesis.nonzero else ():
            self.assumed.append(Assumption(hypothesis.text, nonzero=value))
        if hypothesis.no_zero_entry:
            self.assumed.append(Assumption(hypothesis.text, no_zero_entry=hypothesis.no_zero_entry(self.values)))
        if hypothesis.equal:
            self.assumed.append(Assumption(hypothesis.text, equal=hypothesis.equal(self.values)))

    def start(self, rule: str = "the left side") -> None:
        """Begin the chain at the statement's left side."""
        self.chain(self.left, rule)

    def chain(self, term: Any, rule: str) -> None:
        """Begin a chain at any term: a lemma, which a later line may use once ``remember`` has given it a name."""
        self._origin = self._at = term
        self._check(f'"{rule}"', lambda: self._meaningful(term))
        self._write("", term, rule, None)

    def then(self, term: Any, rule: str) -> None:
        """The next term of the chain, equal to the one before."""
        following, previous = lift(term), self._at
        if previous is None:
            raise StepFails("a chain begins with start() or chain(), and each case and each induction with a chain of its own")
        needed: list[str] = []

        def follows() -> bool:
            least = self.least(previous, following)
            needed.extend(least or ())
            return least is not None

        self._check(f'"{rule}": {text(previous)} = {text(following)}', follows)
        self._at = following
        self._write("= ", following, rule, " and ".join(needed) or None)
        if self._origin == self.left and following == self.right:
            self._reached.add(self._part)

    def finish(self, rule: str = "the right side") -> None:
        """End the chain at the statement's right side."""
        if self._origin != self.left:
            raise StepFails("only a chain that began at the left side proves the statement")
        if self._at == self.right:
            self._reached.add(self._part)
        else:
            self.then(self.right, rule)

    def remember(self, said: str) -> None:
        """Keep what the chain has shown, that its first term equals its last, as a rule of calculation."""
        if self._origin is None or self._at is None:
            raise StepFails("nothing was shown yet")
        self.assumed.append(Assumption(said, equal=(self._origin, self._at)))

    def notation(self, text: str, latex: str, rule: str) -> None:
        """A line that only says how something is written or read; nothing is proved by it."""
        self.steps.append(Step(text, latex, f"notation: {rule}"))

    def conclusion(self, text: str, latex: str, rule: str) -> None:
        """What the equalities shown so far mean in words; the rule says why, and no program checks it."""
        self.steps.append(Step(text, latex, f"in words: {rule}"))

    def dichotomy(self, name: str, latex_name: str, value: Term, zero: tuple[Term, Term] | None = None) -> Iterator[bool]:
        """Go through the cases value = 0 (yields True) and value ≠ 0 (yields False); what both reach is reached.

        Each case begins where the distinction began: with the same part, the same chain and what was known then.
        zero: the rule of calculation that value = 0 gives, as (word, what it equals); without one, value = 0 is only recognised as such.
        """
        if zero and not self.algebra().equal(zero[0] - zero[1], value):
            raise StepFails(f"{name} = 0 does not say {text(zero[0])} = {text(zero[1])}")
        kept, part, reached, chained = list(self.assumed), self._part, frozenset(self._reached), (self._origin, self._at)
        self._open += 1
        by_case: list[set[int]] = []
        for vanishes in (True, False):
            sign, latex_sign = ("=", "=") if vanishes else ("≠", r"\neq")
            said = f"{name} {sign} 0"
            known = Assumption(said, equal=zero, zero=None if zero else value) if vanishes else Assumption(said, nonzero=value)
            self.assumed[:] = [*kept, known]
            self._part, self._reached, (self._origin, self._at) = part, set(reached), chained
            self.steps.append(Step(f"Case {said}", rf"\text{{Case }} {latex_name} {latex_sign} 0", "excluded middle", said))
            yield vanishes
            by_case.append(self._reached)
            if by_case[-1] <= reached:
                raise StepFails(f"the case {said} does not reach the right side")
        self.assumed[:] = kept
        # What only one case has shown is not shown: neither a part of the statement, nor the chain that was being written.
        self._part, self._reached, self._origin, self._at = part, by_case[0] & by_case[1], None, None
        self._open -= 1

    def induction(self, said: str, statement: Callable[[Any], tuple[Term, Term]], base: Callable[[], None], step: Callable[[], None]) -> None:
        """Prove statement(k) for k = 0, ..., n: base() writes a chain for 0, step() one for i that may use statement(i-1) alone.

        said: the statement at n, as it is quoted where it is used. All equations that were known before are put away during base and step.
        The statement has to say the same of every index: what it says of 0, of i - 1, of i and of n is compared with what it says of an
        index that it does not know.
        """
        with folded():
            if any(statement(index) != statement(index.disguised()) for index in (START, STEP - 1, STEP, LAST)):
                raise StepFails(f'induction: "{said}" does not say the same of every index')
        kept, part, reached = list(self.assumed), self._part, set(self._reached)
        hypothesis = Assumption("the induction hypothesis", equal=statement(STEP - 1))
        for name, index, script, given in (("base, i = 0", START, base, []), ("step, from i - 1 to i", STEP, step, [hypothesis])):
            self.assumed = [a for a in kept if a.nonzero is not None or a.no_zero_entry is not None] + given
            before, after = statement(index)
            self.steps.append(Step(f"Induction, {name}", rf"\text{{Induction, {name}}}", f"to show: {text(before)} = {text(after)}"))
            self._origin = self._at = None
            script()
            if self._origin != before or self._at != after:
                raise StepFails(f"induction, {name}: {text(before)} = {text(after)} is not reached")
        self.assumed, self._part, self._reached = [*kept, Assumption(said, equal=statement(LAST))], part, reached
        self._origin = self._at = None
        before, after = statement(LAST)
        self.steps.append(Step(f"{text(before)} = {text(after)}", f"{latex(before)} = {latex(after)}", "induction on i, up to n"))

    nonzero_by_map = inference.nonzero_by_map
    zero_by_map = inference.zero_by_map
    rank_of_outer_product = inference.rank_of_outer_product

    def done(self) -> None:
        """Raise StepFails unless every part of the statement was reached from its left side."""
        if self._open:
            raise StepFails("a case distinction was left before its second case")
        if not self.lefts or len(self.lefts) != len(self.rights):
            raise StepFails(f"the statement has {len(self.lefts)} left sides and {len(self.rights)} right sides")
        missing = [number for number in range(len(self.lefts)) if number not in self._reached]
        if missing:
            where = f" of part {missing[0] + 1}" if len(self.lefts) > 1 else ""
            raise StepFails(f"the chain does not reach the right side{where}")

    def follows(self, left: Term, right: Term) -> bool:
        """Whether left = right by normal form, from everything that is assumed."""
        return self.algebra().equal(left, right)

    def least(self, left: Term, right: Term) -> Sequence[str] | None:
        """The fewest of the things known from which left = right follows by normal form, or None.

        Every subset is tried, not only all of them together: rules of calculation may get in each other's way, and one of them may turn a denominator into
        something of which it is not known that it is not zero. Raises MissingHypothesis if with every subset something is divided by that may be zero.
        """
        undefined: list[MissingHypothesis] = []
        tried, divisors = 0, self._divisors()
        for count in range(len(self.assumed) + 1):
            for chosen in combinations(self.assumed, count):
                tried += 1
                try:
                    if self._algebra(chosen, *divisors).equal(left, right):
                        return list(dict.fromkeys(assumption.text for assumption in chosen))
                except MissingHypothesis as error:
                    undefined.append(error)
        if len(undefined) == tried:
            raise undefined[0]
        return None

    def algebra(self, used: Sequence[Assumption] | None = None) -> Algebra:
        """Everything assumed makes a division meaningful; only what is in ``used`` may be cancelled or calculated with."""
        return self._algebra(self.assumed if used is None else used, *self._divisors())

    def _divisors(self) -> tuple[Forms, Forms, Nonzero]:
        """The normal forms of what is known not to be zero, and to be zero in no entry, and the scalars that may be divided by."""
        forms: Forms = []
        for assumption in self.assumed:  # in order: a later one may divide by what an earlier one keeps from being zero
            if assumption.nonzero is not None:
                reader = Algebra(squares(form for _, form in forms))
                forms.append((assumption, reader.normal_form(assumption.nonzero)))
        whole = squares(form for _, form in forms)
        return forms, [(a, Algebra(whole).normal_form(a.no_zero_entry)) for a in self.assumed if a.no_zero_entry is not None], whole

    def _algebra(self, chosen: Sequence[Assumption], forms: Forms, columns: Forms, whole: Nonzero) -> Algebra:
        nonzero = [form for assumption, form in forms if assumption in chosen]
        known = whole if len(nonzero) == len(forms) else Nonzero(whole.defined, squares(nonzero).cancelled)
        reader = Algebra(known, divisors=frozenset(form for _, form in columns))
        rules = [rule_of(reader.normal_form(a.equal[0]), reader.normal_form(a.equal[1])) for a in chosen if a.equal is not None]
        rules += [rule for a, form in columns if a in chosen for rule in entrywise.cancelling(form)]
        zeros = [reader.normal_form(a.zero) for a in chosen if a.zero is not None]
        kept = replace(reader, rules=tuple(rule for rule in rules if rule), nonzero=frozenset(monic(form) for form in nonzero))
        return replace(kept, zeros=frozenset(monic(form) for form in zeros if form.terms))

    def _meaningful(self, term: Term) -> bool:
        """True, if nothing in the term is divided by that may be zero, by what is known or without its equations. Raises MissingHypothesis."""
        try:
            self.algebra([assumption for assumption in self.assumed if assumption.equal is None]).normal_form(term)
        except MissingHypothesis:
            self.algebra().normal_form(term)
        return True

    def _check(self, where: str, holds: Callable[[], bool]) -> None:
        try:
            if holds():
                return
        except MissingHypothesis as error:
            raise StepFails(f"step {len(self.steps) + 1}, {where}: {error}") from error
        raise StepFails(f"step {len(self.steps) + 1}, {where} does not follow")

    def _write(self, sign: str, term: Term, rule: str, hypothesis: str | None) -> None:
        self.steps.append(Step(sign + text(term), sign + latex(term), rule, hypothesis))
