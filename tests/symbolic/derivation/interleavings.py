"""Programs that begin, go on with and leave case distinctions and inductions in any order, and what is really known while they run.

A world says of each of three columns whether it is zero. The program's own record of what is open says which worlds are left; whatever the derivation knows,
and whatever part it takes for reached, has to be true in each of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from hypothesis import strategies as st

from symbolic import formulas
from symbolic.derivation import Derivation, StepFails
from symbolic.derivation.knowledge import Assumption
from symbolic.statements import Values
from symbolic.statements.values import TERMS
from symbolic.terms import Symbol, Term
from symbolic.terms.binding import names

COLUMNS = tuple(Symbol(name, ("d", "1"), name, name) for name in "xyz")
VALUES = Values({column.text: column for column in COLUMNS}, {}, formulas, TERMS)
TRUE_PARTS = 8
"""Parts of the statement that are true, so that a case has something to reach."""
DEEPEST = 4
"""How many scopes are open at most: what follows from what is known is tried with every subset of it."""

World = tuple[bool, ...]
"""Which columns are not zero."""
Instruction = tuple[Any, ...]

_which = st.integers(0, 3)
_simple = st.one_of(
    st.tuples(st.just("begin"), st.integers(0, 2)),
    *(st.tuples(st.just("go on"), _which) for _ in range(3)),
    *(st.tuples(st.just(word), _which) for word in ("close", "throw", "forget")),
    st.tuples(st.just("show"), st.integers(0, 2)),
    st.tuples(st.just("lemma"), st.integers(0, 2)),
)
programs = st.recursive(
    st.lists(_simple, max_size=12),
    lambda inner: st.lists(st.one_of(_simple, st.tuples(st.just("induction"), st.integers(0, 2), inner, inner)), max_size=12),
    max_leaves=6,
)


def all_nonzero(column: Term, k: Any) -> Any:
    """N_k = [x ≠ 0]^k, with N_0 = 1."""
    name = f"N{names_of(column)}"
    return VALUES.recursive(name, name, k, lambda: VALUES.number(1), lambda previous, i: previous @ VALUES.nonzero(column))


def names_of(term: Term) -> str:
    """The columns that a term speaks of."""
    return "".join(sorted({name for name in map(str, names(term)) if name in {column.text for column in COLUMNS}}))


class Thrown(Exception):
    """Thrown into a case distinction."""


@dataclass
class Running:
    """A derivation, and the record of what is open that its program keeps by itself."""

    derivation: Derivation
    distinctions: list[Any] = field(default_factory=list)
    """The generators, None where one was forgotten."""
    cases: list[tuple[int, int]] = field(default_factory=list)
    """Of each: its column, and its case; 1 is zero, 2 is not zero."""
    open: list[int | str] = field(default_factory=list)
    """The distinctions, by number, and the inductions that are open, the innermost last."""
    hypotheses: list[int] = field(default_factory=list)
    """The columns whose induction's step is being written: N = 1 is assumed there."""
    over: bool = False
    """Whether something was done that has to end the derivation."""

    def worlds(self) -> Iterator[World]:
        """Those that the open cases leave."""
        for world in product((False, True), repeat=len(COLUMNS)):
            chosen = [self.cases[number] for number in self.open if isinstance(number, int)]
            if self.over or all(world[column] is (case == 2) for column, case in chosen):
                yield world

    def check(self) -> None:
        """Nothing is known, and nothing reached, that is not so in every world that is left."""
        assumed = [] if self.over else self.hypotheses
        for world in self.worlds():
            for fact in self.derivation.known.assumed:
                speaks = [column.text for column in COLUMNS].index(names_of(fact.terms[0]))
                assert world[speaks] is is_of_nonzero(fact) or (speaks in assumed and fact.note), f"{fact.text} is known"
            assert not [part for part in self.derivation._reached if part < len(COLUMNS) and world[part]], "x = 0 counts as reached"

    def go(self, instruction: Instruction) -> None:
        """Do one thing, and demand that it is refused if it must be and only then."""
        word, *rest = instruction
        getattr(self, "_" + word.replace(" ", "_"))(*rest)
        self.check()

    def _begin(self, column: int) -> None:
        if len(self.open) < DEEPEST:
            value = COLUMNS[column]
            self.distinctions.append(self.derivation.dichotomy("", "", value, zero=(value, VALUES.zero("d"))))
            self.cases.append((column, 1))
            if self._next(len(self.cases) - 1, legal=not self.over):
                self.open.append(len(self.cases) - 1)

    def _chosen(self, which: int) -> int | None:
        """An open distinction that somebody refers to, by how many of that kind were begun after it."""
        alive = [number for number in self.open if isinstance(number, int) and self.distinctions[number] is not None]
        return alive[-1 - which] if which < len(alive) else None

    def _go_on(self, which: int) -> None:
        """With the other case, or to the end, after something new was reached if that may be."""
        number = self._chosen(which)
        if number is not None:
            self._reach_something()
            column, case = self.cases[number]
            if self._next(number, legal=not self.over and self.open[-1] == number):
                self.cases[number] = column, case + 1
                if case == 2:
                    self.open.remove(number)

    def _next(self, number: int, legal: bool) -> bool:
        """Whether the distinction went on."""
        try:
            next(self.distinctions[number], None)
        except StepFails:
            assert not legal or "does not reach" in str(self.derivation._over), self.derivation._over
            self.over, self.distinctions[number] = True, None
            return False
        assert legal, "it went on out of its turn"
        return True

    def _reach_something(self) -> None:
        new = next((part for part in range(len(COLUMNS), len(COLUMNS) + TRUE_PARTS) if part not in self.derivation._reached), None)
        if new is not None:
            self._show(new)

    def _close(self, which: int) -> None:
        number = self._chosen(which)
        if number is not None:
            self.distinctions[number].close()
            self.distinctions[number], self.over = None, True

    def _throw(self, which: int) -> None:
        number = self._chosen(which)
        if number is not None:
            try:
                self.distinctions[number].throw(Thrown())
                raise AssertionError("it went on")
            except Thrown:
                self.distinctions[number], self.over = None, True

    def _forget(self, which: int) -> None:
        """Let the distinction be collected: nobody refers to it any more."""
        number = self._chosen(which)
        if number is not None:
            self.distinctions[number] = None
            self.over = True

    def _show(self, part: int) -> None:
        try:
            self.derivation.part(part)
            self.derivation.start()
            self.derivation.finish()
            assert not self.over
        except StepFails:
            assert self.over or part < len(COLUMNS)

    def _lemma(self, column: int) -> None:
        """x = 0, remembered where it follows."""
        value, known = COLUMNS[column], self.derivation.known.assumed
        try:
            self.derivation.chain(value, "a lemma")
            self.derivation.then(VALUES.zero("d"), "by what is known")
            if len(known) < 2 * DEEPEST:
                self.derivation.remember("a lemma")
            assert not self.over
        except StepFails:
            kept_out = "induction" in self.open  # what is equal outside of it
            assert self.over or kept_out or any(world[column] for world in self.worlds()) or not list(self.worlds())

    def _induction(self, column: int, base: list[Instruction], step: list[Instruction]) -> None:
        """N_n = 1, which holds where x ≠ 0; a program runs within the base, and another within the step."""
        value, depth = COLUMNS[column], len(self.open)

        def write_base() -> None:
            self.open.append("induction")
            self._run(base)
            self.derivation.chain(VALUES.number(1), "empty")

        def write_step(i: Any) -> None:
            self.hypotheses.append(column)
            self._run(step)
            self.derivation.chain(all_nonzero(value, i), "by definition")
            self.derivation.then(all_nonzero(value, i - 1), "not zero")
            self.derivation.then(VALUES.number(1), "for i - 1")

        try:
            self.derivation.induction("N = 1", lambda k: (all_nonzero(value, k), VALUES.number(1)), write_base, write_step)
            assert not self.over
            assert self.open[depth:] == ["induction"], "it ended while a distinction was open"
            assert all(world[column] for world in self.worlds())
        except StepFails:
            worlds = list(self.worlds())
            refused = not worlds or not all(world[column] for world in worlds)
            assert self.over or refused or self.open[depth:] != ["induction"], "it was refused where x is not zero"
            self.over = True
        self.hypotheses = [] if self.over else self.hypotheses[:-1]
        del self.open[depth:]

    def _run(self, program: list[Instruction]) -> None:
        for instruction in program:
            self.go(instruction)


def is_of_nonzero(fact: Assumption) -> bool:
    """Whether the fact holds where the column it speaks of is not zero: x ≠ 0 and N_n = 1 do, x = 0 does not."""
    return fact.nonzero is not None or "N" in fact.text


def run(program: list[Instruction]) -> Running:
    """Run a program to its end, whatever is refused on the way; x = 0, y = 0 and z = 0 cannot be proved by any."""
    zeros, true = tuple(VALUES.zero("d") for _ in COLUMNS), tuple(COLUMNS[0] * VALUES.number(k + 1) for k in range(TRUE_PARTS))
    derivation = Derivation(VALUES, (*COLUMNS, *true), (*zeros, *true))
    running = Running(derivation)
    running._run(program)
    try:
        derivation.done()
        raise AssertionError("x = 0, y = 0 and z = 0 for all x, y and z")
    except StepFails:
        return running


def after_all(running: Running) -> Iterator[Any]:
    """Everything that a script may ask of a derivation."""
    d = running.derivation
    yield lambda: d.part(0)
    yield lambda: d.start()
    yield lambda: d.chain(COLUMNS[0], "")
    yield lambda: d.then(COLUMNS[0], "")
    yield lambda: d.finish()
    yield lambda: d.remember("")
    yield lambda: d.notation("", "", "")
    yield lambda: d.conclusion("", "", "")
    yield lambda: next(d.dichotomy("", "", COLUMNS[0]))
    yield lambda: d.induction("", lambda k: (COLUMNS[0],) * 2, lambda: None, lambda i: None)
    yield lambda: d.nonzero_by_map(COLUMNS[0], lambda t: t, COLUMNS[0], "")
    yield lambda: d.zero_by_map(COLUMNS[0], lambda t: t, COLUMNS[0], "")
    yield lambda: d.rank_of_outer_product(COLUMNS[0] @ COLUMNS[0].mT, COLUMNS[0], COLUMNS[0].mT, "")
    yield lambda: d.done()
