"""A derivation: the object on which a proof script writes, and which accepts no line that does not follow.

A proof is, for each part of a statement, a chain from its left side to its right side. Each link is an equality of two terms; the derivation checks it by
normal form and finds out by itself which hypotheses it needed, by trying without. A case distinction is over x = 0 or x ≠ 0, and each case must
reach the right side. A proof by induction has two obligations, and its step may use its hypothesis and no other equation. Both are scopes
(``symbolic.derivation.scope``): what is known after one is what was known before it and what the whole of it has shown. A scope that goes on or ends while a
later one is open, or that is left before its end, ends the derivation: no line is accepted after that.
What is not an equality of polynomials (ranks, factors that are not zero) has a method in ``symbolic.derivation.inference``, which checks its premises.

What is printed is what is compared: terms, facts and rules are rendered from the objects, and no two things are shown alike. What a script says about a line
stands beside it as a remark. Two kinds of line are remarks as a whole, are not checked by any program, and are marked as lines in words: one explains a
name, one says what the equalities that were checked mean together (for every x, there is a D, the smallest). What a claim's sides say does not rest on them.

A proof script is trusted to use these methods and to leave the object's fields alone; a function that it hands over is trusted to treat every
argument alike.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from symbolic.derivation import inference
from symbolic.derivation.knowledge import Assumption, Knowledge, assumptions
from symbolic.derivation.scope import Scope, State
from symbolic.derivation.step import Step, StepFails
from symbolic.statements import Hypothesis, Values
from symbolic.terms import Index, Term, lift
from symbolic.terms.binding import Fresh, bare, exchanged, names
from symbolic.terms.families import LAST, START, STEP_LETTERS, folded
from symbolic.terms.legend import Legend
from symbolic.terms.notation import latex, text
from symbolic.vocabulary import MissingHypothesis

Equation = tuple[Term, Term]


@dataclass
class Derivation:
    """The lines written so far, and what is known at this point."""

    values: Values
    lefts: tuple[Term, ...]
    rights: tuple[Term, ...]
    steps: list[Step] = field(default_factory=list)
    known: Knowledge = field(default_factory=Knowledge)
    legend: Legend = field(default_factory=Legend)
    hypotheses: tuple[Hypothesis, ...] = ()
    """What was assumed, in this order."""
    _part: int = 0
    _origin: Term | None = None
    _at: Term | None = None
    _reached: frozenset[int] = frozenset()
    _open: tuple[Scope, ...] = ()
    """The scopes that were begun and have not ended, the innermost last."""
    _over: str | None = None
    """Why no line is accepted any more, if none is."""

    def __post_init__(self) -> None:
        for side in (*self.lefts, *self.rights):
            self.legend.add(side)

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
        self._require_going_on()
        if not 0 <= number < len(self.lefts):
            raise StepFails(f"the statement has no part {number + 1}")
        self._part = number

    def assume(self, hypothesis: Hypothesis) -> None:
        """Take a hypothesis of the claim as known; the prover compares what was assumed with what the claim assumes."""
        self.hypotheses += (hypothesis,)
        for fact in assumptions(hypothesis, self.values):
            for term in fact.terms:
                self.legend.add(term)
            self.known += fact

    def start(self, rule: str = "the left side") -> None:
        """Begin the chain at the statement's left side."""
        self.chain(self.left, rule)

    def chain(self, term: Any, rule: str) -> None:
        """Begin a chain at any term: a lemma, which a later line may use once ``remember`` has given it a name."""
        self._require_going_on()
        with self._checking(f'"{rule}"'):
            self.known.require_meaning(term)
        self._origin = self._at = term
        self._write(term, rule)

    def then(self, term: Any, rule: str) -> None:
        """The next term of the chain, equal to the one before."""
        self._require_going_on()
        following, previous = lift(term), self._at
        if previous is None:
            raise StepFails("a chain begins with start() or chain(), and each case and each induction with a chain of its own")
        where = f'"{rule}": {text(previous)} = {text(following)}'
        with self._checking(where):
            needed = self.known.least(previous, following)
        if needed is None:
            raise StepFails(f"step {len(self.steps) + 1}, {where} does not follow")
        self._at = following
        self._write(following, rule, " and ".join(needed) or None, equal=True)
        if self._origin == self.left and following == self.right:
            self._reached |= {self._part}

    def finish(self, rule: str = "the right side") -> None:
        """End the chain at the statement's right side."""
        self._require_going_on()
        if self._origin != self.left:
            raise StepFails("only a chain that began at the left side proves the statement")
        if self._at == self.right:
            self._reached |= {self._part}
        else:
            self.then(self.right, rule)

    def remember(self, name: str) -> None:
        """Keep what the chain has shown, that its first term equals its last, as a rule of calculation."""
        self._require_going_on()
        if self._origin is None or self._at is None:
            raise StepFails("nothing was shown yet")
        self.known += Assumption(equal=(self._origin, self._at))

    def notation(self, text: str, latex: str, rule: str) -> None:
        """A line that only says how something is written or read; nothing is proved by it."""
        self._require_going_on()
        self.steps.append(Step(text, latex, "in words: how it is written", remark=rule, in_words=True))

    def conclusion(self, text: str, latex: str, rule: str) -> None:
        """What the equalities shown so far mean in words; the rule says why, and no program checks it."""
        self._require_going_on()
        self.steps.append(Step(text, latex, "in words: what it means", remark=rule, in_words=True))

    def dichotomy(self, name: str, latex_name: str, value: Term, zero: tuple[Term, Term] | None = None) -> Iterator[bool]:
        """Go through the cases value = 0 (yields True) and value ≠ 0 (yields False); what both reach is reached.

        Each case begins where the distinction began: with the same part, the same chain and what was known then.
        zero: the rule of calculation that value = 0 gives, as (word, what it equals); without one, value = 0 is only recognised as such.
        The distinction begins when the first case is asked for, and ends when no further one is found.
        """
        if zero and not self.known.follows(zero[0] - zero[1], value):
            raise StepFails(f"{text(value)} = 0 does not say {text(zero[0])} = {text(zero[1])}")
        with self._scope(f"the distinction of {text(value)} = 0 and {text(value)} ≠ 0") as scope:
            by_case: list[frozenset[int]] = []
            for vanishes in (True, False):
                case = Assumption(zero=value) if vanishes else Assumption(nonzero=value)
                self._return_to(scope.before)
                self.known += Assumption(equal=zero) if vanishes and zero else case
                self.steps.append(Step(f"Case {case.text}", rf"\text{{Case }} {case.latex}", "excluded middle", case.text, name))
                yield vanishes
                self._require_innermost(scope)
                by_case.append(self._reached)
                if by_case[-1] <= scope.before.reached:
                    raise StepFails(f"the case {case.text} does not reach the right side")
        # What only one case has shown is not shown: neither a part of the statement, nor the chain that was being written.
        self._reached = by_case[0] & by_case[1]

    def induction(self, name: str, statement: Callable[[Any], Equation], base: Callable[[], None], step: Callable[[Any], None]) -> None:
        """Prove statement(k) for k = 0, ..., n: base() writes a chain for 0, step(i) one for i that may use statement(i-1) alone.

        name: the statement at n, as it is quoted where it is used. The letter i is one that the statement does not mention. During base and step all
        equations that were known before are put away, and what was found out about an i; what the claim assumes of every index is assumed of this one.
        The statement has to say the same of every index: what it says of 0, of i - 1, of i and of n is compared with what it says of an index that
        it cannot know.
        """
        with self._scope(f'the induction "{name}"') as scope:
            letter, said = self._general(name, statement)
            i = Index(letter)
            alone = scope.before.known.without_equations().without_letter(letter)
            for fact in self._assumptions(self.values.at_steps(i)).without_equations().assumed:
                alone = alone if fact in alone.assumed else alone + fact
            with_hypothesis = alone + Assumption("the induction hypothesis", equal=said[i - 1])
            stages = (
                (f"base, {letter} = 0", said[START], base, alone),
                (f"step, from {letter} - 1 to {letter}", said[i], lambda: step(i), with_hypothesis),
            )
            for stage, (before, after), script, given in stages:
                self.known = given
                self.steps.append(Step(f"Induction, {stage}", rf"\text{{Induction, {stage}}}", f"to show: {text(before)} = {text(after)}"))
                self._origin = self._at = None
                script()
                self._require_innermost(scope)
                if self._origin != before or self._at != after:
                    raise StepFails(f"induction, {stage}: {text(before)} = {text(after)} is not reached")
        before, after = said[LAST]
        self.known += Assumption(equal=(before, after))
        self.steps.append(Step(f"{text(before)} = {text(after)}", f"{latex(before)} = {latex(after)}", f"induction on {letter}, up to n", remark=name))

    def _general(self, name: str, statement: Callable[[Any], Equation]) -> tuple[str, dict[Index, Equation]]:
        """A letter i for an index that the statement does not mention, and what the statement says of 0, i - 1, i and n.

        Raises StepFails if it does not say the same of every index.
        """
        unknown = Fresh()
        with folded():
            general = statement(Index(unknown))
            mentioned = {each for side in general for each in names(side)}
            letter = next(letter for letter in STEP_LETTERS if letter not in mentioned)
            indices = (START, Index(letter) - 1, Index(letter), LAST)
            for index in indices:
                said = [bare(exchanged(side, letters={unknown: index})) for side in general]
                if [bare(side) for side in statement(index)] != said:
                    raise StepFails(f'induction: "{name}" does not say the same of every index')
        return letter, {index: statement(index) for index in indices}

    def nonzero_by_map(self, value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> None:
        """value ≠ 0, because image(value) = target ≠ 0 and image(0) = 0."""
        self._infer(rule, lambda known: inference.nonzero_by_map(known, value, image, target, rule))

    def zero_by_map(self, value: Term, image: Callable[[Term], Term], target: Term, rule: str) -> None:
        """target = 0, because value = 0 is known, image(value) = target and image(0) = 0."""
        self._infer(rule, lambda known: inference.zero_by_map(known, value, image, target, rule))

    def rank_of_outer_product(self, value: Term, column: Term, row: Term, rule: str) -> None:
        """rank(value) = 1, because value = column @ row with column ≠ 0 and row ≠ 0, of sizes (p, 1) and (1, q)."""
        self._infer(rule, lambda known: inference.rank_of_outer_product(known, value, column, row, rule))

    def _assumptions(self, values: Values) -> Knowledge:
        """What the claim's hypotheses say of other terms."""
        return Knowledge(tuple(fact for hypothesis in self.hypotheses for fact in assumptions(hypothesis, values)))

    def done(self) -> None:
        """Raise StepFails unless every part of the statement was reached from its left side."""
        self._require_going_on()
        if self._open:
            raise StepFails(f"{self._open[-1].name} was left before its end")
        if not self.lefts or len(self.lefts) != len(self.rights):
            raise StepFails(f"the statement has {len(self.lefts)} left sides and {len(self.rights)} right sides")
        missing = [number for number in range(len(self.lefts)) if number not in self._reached]
        if missing:
            where = f" of part {missing[0] + 1}" if len(self.lefts) > 1 else ""
            raise StepFails(f"the chain does not reach the right side{where}")

    @contextmanager
    def _scope(self, name: str) -> Iterator[Scope]:
        """A scope around the block: at its end everything is as it was at its beginning, and no chain is being written."""
        self._require_going_on()
        scope = Scope(name, State(self.known, self._part, self._reached, self._origin, self._at))
        self._open += (scope,)
        try:
            yield scope
            self._require_innermost(scope)
        except BaseException as error:  # also GeneratorExit, with which Python ends a case distinction that nobody goes on with
            self._give_up(str(error) if isinstance(error, StepFails) else f"{name} was left before its end")
            raise
        self._open = self._open[:-1]
        self._return_to(scope.before)
        self._origin = self._at = None

    def _require_innermost(self, scope: Scope) -> None:
        """Raise StepFails if a later scope is open."""
        self._require_going_on()
        if self._open[-1] is not scope:
            raise StepFails(f"{scope.name} can neither go on nor end before {self._open[-1].name} has ended")

    def _require_going_on(self) -> None:
        """Raise StepFails if a scope was not left as it must be."""
        if self._over is not None:
            raise StepFails(f"no line is accepted after this: {self._over}")

    def _give_up(self, reason: str) -> None:
        """Accept no further line, and forget what was known within a scope."""
        if self._over is None:
            self._over = reason
            self._return_to(self._open[0].before)
            self._origin = self._at = None

    def _return_to(self, state: State) -> None:
        self.known, self._part, self._reached, self._origin, self._at = state.known, state.part, state.reached, state.origin, state.at

    @contextmanager
    def _checking(self, where: str) -> Iterator[None]:
        """A division by what may be zero is a step that fails."""
        try:
            yield
        except MissingHypothesis as error:
            raise StepFails(f"step {len(self.steps) + 1}, {where}: {error}") from error

    def _infer(self, rule: str, infer: Callable[[Knowledge], inference.Inferred]) -> None:
        self._require_going_on()
        known = self.known
        try:
            fact, step = infer(known)
        except StepFails as premise:
            raise StepFails(f'step {len(self.steps) + 1}, "{rule}": {premise} does not follow') from None
        if self.known is not known:
            raise StepFails(f'step {len(self.steps) + 1}, "{rule}": the map changes what is known while it is applied')
        self.known += fact
        self.steps.append(step)

    def _write(self, term: Term, remark: str, hypothesis: str | None = None, *, equal: bool = False) -> None:
        self.legend.add(term)
        sign, rule = ("= ", "equal by normal form") if equal else ("", "where the chain begins")
        self.steps.append(Step(sign + text(term), sign + latex(term), rule, hypothesis, remark))
