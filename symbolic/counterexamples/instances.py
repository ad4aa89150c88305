"""A statement at a point: whether its hypotheses hold there, and whether its sides agree, over exact rationals."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from symbolic.claim import Problem
from symbolic.counterexamples.points import Point
from symbolic.exact import Exact, Undefined
from symbolic.statements import Expression, Hypothesis, Values, listed
from symbolic.statements.values import exact_kind


def exact_values(problem: Problem, sizes: Mapping[str, int], point: Point) -> Values:
    """A claim's symbols and functions over exact rationals."""
    symbols = {name: Exact.of(rows) for name, rows in point.items()}
    return Values(symbols, functions(problem, symbols), problem.formulas, exact_kind(sizes))


def differ(values: Values, problem: Problem, undefined: bool = True) -> bool:
    """Whether the sides have different values, or, if that counts, exactly one of them has none or another shape."""
    left, right = _value(problem.left, values), _value(problem.right, values)
    if left is None or right is None:
        return undefined and left is not right
    return left != right and (undefined or [part.shape for part in left] == [part.shape for part in right])


def satisfied(values: Values, hypotheses: Sequence[Hypothesis]) -> bool:
    """Whether every hypothesis holds for these values."""
    for hypothesis in hypotheses:
        if hypothesis.nonzero and any(value.is_zero() for value in listed(hypothesis.nonzero(values))):
            return False
        if hypothesis.no_zero_entry and hypothesis.no_zero_entry(values).has_zero_entry():
            return False
        if hypothesis.equal:
            left, right = hypothesis.equal(values)
            if not (left - right).is_zero():
                return False
    return True


def settled(problem: Problem, sizes: Mapping[str, int], point: Point) -> Values | None:
    """The values of a point if they satisfy the hypotheses, else of the point made to satisfy them, else None. Raises Undefined."""
    values = exact_values(problem, sizes, point)
    if satisfied(values, problem.hypotheses):
        return values
    other, values = solved(problem, sizes, point, values)
    return values if other != point and satisfied(values, problem.hypotheses) else None


def solved(problem: Problem, sizes: Mapping[str, int], point: Point, values: Values) -> tuple[Point, Values]:
    """A point after every hypothesis that can be made true was, in their order, and its values.  values: those of the point as it is given."""
    for name, value in [hypothesis.solve for hypothesis in problem.hypotheses if hypothesis.solve]:
        point = {**point, name: [[Fraction(x) for x in row] for row in value(values).rows()]}
        values = exact_values(problem, sizes, point)
    return point, values


def functions(problem: Problem, symbols: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """The claim's opaque functions, made concrete, and its families as functions of the index."""
    families = {family.name: lambda k, name=family.name: symbols[f"{name}_{k}"] for family in problem.claim.families}
    return {f.name: f.concrete for f in problem.claim.functions} | families


def _value(side: Expression, values: Values) -> tuple[Exact, ...] | None:
    try:
        return listed(side(values))
    except Undefined:
        return None
