"""The stored form of a counterexample, and its second evaluation from that form alone.

The second evaluation runs the statement on ``symbolic.exact.second_opinion``, which shares nothing with the prover, with the search or
with python-flint. What it does not confirm is not a counterexample.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symbolic.claim import Claim, Problem
from symbolic.counterexamples.instances import exact_values, functions, satisfied, solved
from symbolic.counterexamples.points import Point
from symbolic.exact import Undefined, second_opinion
from symbolic.statements import Hypothesis, Values, listed
from symbolic.statements.values import plain_kind
from symbolic.terms import Index, subscript

Stored = list[list[str]]
"""A matrix by rows, with entries such as "-3/2"."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Exact rationals at which two sides differ, in stored form: entries are strings such as "-3/2", and matrices are lists of rows."""

    sizes: dict[str, int]
    values: dict[str, Stored]
    """By the names that are printed, such as "A(x)"; matrices that have nothing to do with the sides are left out."""
    left: Stored
    right: Stored
    """A side that has no value is [["undefined"]]."""
    note: str


def store(problem: Problem, sizes: Mapping[str, int], point: Point) -> Counterexample | None:
    """The counterexample at a point, in stored form, or None if the second evaluation does not confirm it."""
    values = exact_values(problem, sizes, point)
    if not satisfied(values, problem.hypotheses):
        point, _ = solved(problem, sizes, point, values)
    point = _mentioned(problem, sizes, point)
    shown = shown_names(problem.claim, sizes)
    stored = {shown[name]: [[str(x) for x in row] for row in rows] for name, rows in point.items()}
    left, right, assumed = recheck(problem, sizes, stored)
    if left == right or not assumed:
        return None
    notes = [problem.note, *(f.note for f in problem.claim.functions)]
    return Counterexample(dict(sizes), stored, left, right, "; ".join(filter(None, notes)))


def _mentioned(problem: Problem, sizes: Mapping[str, int], point: Point) -> Point:
    """The part of a point that the sides speak of, or a hypothesis about what they speak of: the rest is of no interest to a reader."""

    def names(read: Callable[[Values], Any]) -> set[str]:
        values = exact_values(problem, sizes, point)
        try:
            read(values)
        except Undefined:
            return values.used | set(point)  # it broke off: keep everything
        return values.used

    used = names(problem.left) | names(problem.right) | (names(problem.where) if problem.where else set())
    for _ in problem.hypotheses:
        for hypothesis in problem.hypotheses:
            about = names(lambda values, hypothesis=hypothesis: satisfied(values, [hypothesis]))  # type: ignore[misc]
            used |= about if about & used & _symbols(problem.claim) else set()
    return {name: rows for name, rows in point.items() if name in used or name.rpartition("_")[0] in used}


def shown_names(claim: Claim, sizes: Mapping[str, int]) -> dict[str, str]:
    """How each matrix that is chosen is called in print: A(x) for a, p₀ for p_0."""
    shown = {m.name: m.text or m.name for m in claim.symbols}
    for family in claim.families:
        for k in range(family.first, sizes["n"] + family.beyond + 1):
            shown[f"{family.name}_{k}"] = (family.text or family.name) + subscript(Index("", k))
    assert len(set(shown.values())) == len(shown), f"two matrices of {claim.id} are called the same"
    return shown


def _symbols(claim: Claim) -> set[str]:
    return {m.name for m in claim.symbols} | {family.name for family in claim.families}


def recheck(problem: Problem, sizes: Mapping[str, int], stored: Mapping[str, Sequence[Sequence[str]]]) -> tuple[Stored, Stored, bool]:
    """Both sides of a stored counterexample, and whether the hypotheses hold, by the evaluator that shares nothing with this arithmetic.

    Of a statement with several parts the first that differs is returned, or the first.
    """
    names = {text: name for name, text in shown_names(problem.claim, sizes).items()}
    symbols = {names[text]: matrix for text, matrix in second_opinion.matrices(stored).items()}
    values = Values(symbols, functions(problem, symbols), problem.formulas, plain_kind(sizes))
    parts = [second_opinion.sides(lambda side=side: listed(side(values))) for side in (problem.left, problem.right)]  # type: ignore[misc]
    count = max(len(part) for part in parts)
    left, right = (part if len(part) == count else part * count for part in parts)  # a side that has no value has none in any part
    differing = [pair for pair in zip(left, right, strict=True) if pair[0] != pair[1]]
    about = [hypothesis for hypothesis in problem.hypotheses if _stored(values, hypothesis)]
    return *(differing or [(left[0], right[0])])[0], satisfied(values, about)


def _stored(values: Values, hypothesis: Hypothesis) -> bool:
    """Whether a stored counterexample has the symbols of this hypothesis; it leaves out those that have nothing to do with the sides."""
    try:
        satisfied(values, [hypothesis])
    except (AttributeError, KeyError):
        return False
    return True
