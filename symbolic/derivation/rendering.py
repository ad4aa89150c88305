"""Statements and facts as they are printed: from the terms that are compared, and from nothing that somebody wrote about them."""

from collections.abc import Iterable, Sequence

from symbolic.derivation.knowledge import Assumption
from symbolic.statements import Formula
from symbolic.terms import Term
from symbolic.terms.binding import bare, exchanged, names
from symbolic.terms.families import LAST, STEP
from symbolic.terms.legend import Legend
from symbolic.terms.notation import latex, text

_EVERY = " for i = 1..n", r"\text{ for } i = 1, \dots, n"


def rendered_statement(lefts: Sequence[Term], rights: Sequence[Term], facts: Iterable[Assumption] = ()) -> Formula:
    """left = right, part by part, and what the names in it, and in the hypotheses, are short for. Raises ShownAlike."""
    pairs, legend = _without_instances(list(zip(lefts, rights, strict=False))), Legend()
    for part in (*(side for pair in pairs for side in pair), *(term for group in _without_instances([fact.terms for fact in facts]) for term in group)):
        legend.add(part)
    shown = [_equation(*pair) for pair in pairs]
    texts, latexes = [part.text for part in shown], [part.latex for part in shown]
    where = list(legend.definitions.items())
    ending = ", where " + ", ".join(words for words, _ in where) if where else ""
    ending_latex = r",\quad \text{where } " + r",\quad ".join(formula for _, formula in where) if where else ""
    return Formula("; ".join(texts) + ending, r",\quad ".join(latexes) + ending_latex)


def rendered_facts(facts: Iterable[Assumption]) -> Formula:
    """What a hypothesis says, one thing after the other."""
    kept = _without_instances([fact.terms for fact in facts])
    known = {fact.terms: fact for fact in facts}
    shown = [(known[terms], _every(terms)) for terms in kept]
    words = [fact.text + every[0] for fact, every in shown]
    formulas = [fact.latex + every[1] for fact, every in shown]
    return Formula(" and ".join(words), r"\text{ and } ".join(formulas))


def _equation(left: Term, right: Term) -> Formula:
    every = _every((left, right))
    return Formula(f"{text(left)} = {text(right)}{every[0]}", f"{latex(left)} = {latex(right)}{every[1]}")


def _every(terms: Iterable[Term]) -> tuple[str, str]:
    """Words for the index that stands for all, if one of the terms mentions it."""
    return _EVERY if any(STEP.letter in names(term) for term in terms) else ("", "")


def _without_instances(groups: Sequence[tuple[Term, ...]]) -> list[tuple[Term, ...]]:
    """Without what is said of n and is said of every index already."""
    general = [tuple(bare(exchanged(term, letters={STEP.letter: LAST})) for term in group) for group in groups if _every(group)[0]]
    return [group for group in dict.fromkeys(groups) if _every(group)[0] or tuple(map(bare, group)) not in general]
