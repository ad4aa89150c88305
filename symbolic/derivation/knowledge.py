"""What is known at one line of a proof, and what follows from it by normal form."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from symbolic.algebra import Algebra, Nonzero, Polynomial, entrywise, monic, rule_of, squares
from symbolic.statements import Hypothesis, Values, listed
from symbolic.terms import Term
from symbolic.terms.binding import names
from symbolic.terms.notation import latex, text
from symbolic.vocabulary import MissingHypothesis

Forms = list[tuple["Assumption", Polynomial]]


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something known: one of the four is given. What is printed of it is made of its terms."""

    note: str = ""
    """What is printed before it."""
    nonzero: Term | None = None
    equal: tuple[Term, Term] | None = None
    """A rule of calculation: the first may be replaced by the second."""
    no_zero_entry: Term | None = None
    """A column that is not zero in any entry."""
    zero: Term | None = None
    """Something that is zero and is recognised where it stands alone, in no other place."""

    @property
    def text(self) -> str:
        """For a terminal."""
        return f"{self.note} {self._written(text)}".strip()

    @property
    def latex(self) -> str:
        """For a page."""
        return (rf"\text{{{self.note} }}" if self.note else "") + self._written(latex)

    def _written(self, write: Callable[[Term], str]) -> str:
        plain = write is text
        if self.nonzero is not None:
            return f"{write(self.nonzero)} {'≠' if plain else chr(92) + 'neq'} 0"
        if self.no_zero_entry is not None:
            return f"no entry of {text(self.no_zero_entry)} is 0" if plain else rf"\text{{no entry of }} {latex(self.no_zero_entry)} \text{{ is }} 0"
        if self.zero is not None:
            return f"{write(self.zero)} = 0"
        assert self.equal is not None
        return " = ".join(map(write, self.equal))

    @property
    def terms(self) -> tuple[Term, ...]:
        """What it speaks of."""
        return tuple(term for term in (self.nonzero, self.no_zero_entry, self.zero, *(self.equal or ())) if term is not None)


def assumptions(hypothesis: Hypothesis, values: Values) -> Iterator[Assumption]:
    """What a hypothesis says of these terms."""
    for value in listed(hypothesis.nonzero(values)) if hypothesis.nonzero else ():
        yield Assumption(nonzero=value)
    if hypothesis.no_zero_entry:
        yield Assumption(no_zero_entry=hypothesis.no_zero_entry(values))
    if hypothesis.equal:
        yield Assumption(equal=hypothesis.equal(values))


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything that is assumed or was shown so far, in this order."""

    assumed: tuple[Assumption, ...] = ()

    def __add__(self, assumption: Assumption) -> "Knowledge":
        return Knowledge((*self.assumed, assumption))

    def without_equations(self) -> "Knowledge":
        """What is known not to be zero, or to be zero in no entry."""
        return Knowledge(tuple(a for a in self.assumed if a.nonzero is not None or a.no_zero_entry is not None))

    def without_letter(self, letter: Hashable) -> "Knowledge":
        """What says nothing of an index with this letter: what may be used where the letter is bound."""
        return Knowledge(tuple(a for a in self.assumed if not any(letter in names(term) for term in a.terms)))

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
                    if _algebra(chosen, *divisors).equal(left, right):
                        return list(dict.fromkeys(assumption.text for assumption in chosen))
                except MissingHypothesis as error:
                    undefined.append(error)
        if len(undefined) == tried:
            raise undefined[0]
        return None

    def algebra(self, used: Sequence[Assumption] | None = None) -> Algebra:
        """Everything assumed makes a division meaningful; only what is in ``used`` may be cancelled or calculated with."""
        return _algebra(self.assumed if used is None else used, *self._divisors())

    def require_meaning(self, term: Term) -> None:
        """Raise MissingHypothesis if something in the term is divided by that may be zero, by what is known, with or without its equations."""
        try:
            self.algebra([assumption for assumption in self.assumed if assumption.equal is None]).normal_form(term)
        except MissingHypothesis:
            self.algebra().normal_form(term)

    def _divisors(self) -> tuple[Forms, Forms, Nonzero]:
        """The normal forms of what is known not to be zero, and to be zero in no entry, and the scalars that may be divided by."""
        forms: Forms = []
        for assumption in self.assumed:  # in order: a later one may divide by what an earlier one keeps from being zero
            if assumption.nonzero is not None:
                reader = Algebra(squares(form for _, form in forms))
                forms.append((assumption, reader.normal_form(assumption.nonzero)))
        whole = squares(form for _, form in forms)
        return forms, [(a, Algebra(whole).normal_form(a.no_zero_entry)) for a in self.assumed if a.no_zero_entry is not None], whole


def _algebra(chosen: Sequence[Assumption], forms: Forms, columns: Forms, whole: Nonzero) -> Algebra:
    nonzero = [form for assumption, form in forms if assumption in chosen]
    known = whole if len(nonzero) == len(forms) else Nonzero(whole.defined, squares(nonzero).cancelled)
    reader = Algebra(known, divisors=frozenset(form for _, form in columns))
    rules = [rule_of(reader.normal_form(a.equal[0]), reader.normal_form(a.equal[1])) for a in chosen if a.equal is not None]
    rules += [rule for a, form in columns if a in chosen for rule in entrywise.cancelling(form)]
    zeros = [reader.normal_form(a.zero) for a in chosen if a.zero is not None]
    calculating = replace(reader, rules=tuple(rule for rule in rules if rule), nonzero=frozenset(monic(form) for form in nonzero))
    return replace(calculating, zeros=frozenset(monic(form) for form in zeros if form.terms))
