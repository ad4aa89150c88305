"""The search for a counterexample: exact rationals, smallest sizes first, and at each size smallest numbers first.

At each choice of sizes the assignments are enumerated in the order of their weight (the sum of the entries' places in 0, 1, -1, 2, ...), up to a
limit; then a fixed sequence of random small fractions is tried, and a hit is made smaller entry by entry. What is found is put in stored form
and evaluated again by ``symbolic.evaluator``; what that does not confirm is not returned.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice, product
from typing import Any

from symbolic import evaluator
from symbolic.claim import Claim, Counterexample, Hypothesis, Problem, Side, listed
from symbolic.errors import ShapeMismatch
from symbolic.exact import Exact, Irrational, Undefined
from symbolic.families import Index, subscript
from symbolic.values import Values, exact_kind, plain_kind

NUMBERS = tuple(Fraction(x) for x in ("0", "1", "-1", "2", "-2", "3", "1/2"))
ENUMERATED = 1500
RANDOM = 400
LARGEST = 3
SAMPLED, AGREEING = 60, 25
"""Sizes are passed over if of so many random instances at least so many say something, and all of them that the sides agree."""

Rows = list[list[Fraction]]
Point = dict[str, Rows]
Stored = list[list[str]]


def find(problem: Problem) -> Counterexample | None:
    """The smallest instance found at which the hypotheses hold and the sides differ, confirmed by the second evaluation.

    Two sides with different values are preferred to a side without a value, unless a hypothesis was dropped that gave it one. Sizes at which random
    instances all agree are passed over at first, and are searched like the others if nothing is found elsewhere.
    """
    passes = [(quick, undefined) for undefined in ((True,) if problem.undefined else (False, True)) for quick in (True, False)]
    return next((found for quick, undefined in passes if (found := _find(problem, quick, undefined))), None)


def _find(problem: Problem, quick: bool, undefined: bool) -> Counterexample | None:
    def says(sizes: Mapping[str, int], point: Point) -> bool | None:
        """Whether the instance refutes; None if it says nothing, because it is no instance or has no value that can be computed."""
        try:
            values = settled(problem, sizes, point)
            if values is None or not (problem.where is None or problem.where(values)):
                return None
            return differ(values, problem, undefined)
        except (Irrational, ShapeMismatch, Undefined):
            return None

    def refutes(sizes: Mapping[str, int], point: Point) -> bool:
        return says(sizes, point) is True

    for sizes in all_sizes(problem.claim):
        if quick:
            heard = [says(sizes, point) for point in islice(at_random(problem.claim, sizes), SAMPLED)]
            if True not in heard and heard.count(False) >= AGREEING:
                continue
        for point in points(problem.claim, sizes):
            if refutes(sizes, point):
                found = _store(problem, sizes, _smaller(sizes, point, refutes))
                if found is not None:
                    return found
    return None


def settled(problem: Problem, sizes: Mapping[str, int], point: Point) -> Values | None:
    """The values of a point if they satisfy the hypotheses, else of the point made to satisfy them, else None. Raises Undefined."""
    values = exact_values(problem, sizes, point)
    if satisfied(values, problem.hypotheses):
        return values
    solved = _solved(problem, sizes, point)
    if solved == point:
        return None
    values = exact_values(problem, sizes, solved)
    return values if satisfied(values, problem.hypotheses) else None


def _solved(problem: Problem, sizes: Mapping[str, int], point: Point) -> Point:
    for name, value in [hypothesis.solve for hypothesis in problem.hypotheses if hypothesis.solve]:
        rows = value(exact_values(problem, sizes, point)).rows()
        point = {**point, name: [[Fraction(x) for x in row] for row in rows]}
    return point


def exact_values(problem: Problem, sizes: Mapping[str, int], point: Point) -> Values:
    """A claim's symbols and functions over exact rationals."""
    symbols = {name: Exact.of(rows) for name, rows in point.items()}
    return Values(symbols, _functions(problem, symbols), problem.formulas, exact_kind(sizes))


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
        if hypothesis.equal:
            left, right = hypothesis.equal(values)
            if not (left - right).is_zero():
                return False
    return True


def all_sizes(claim: Claim) -> Iterator[dict[str, int]]:
    """Every choice of sizes up to LARGEST, smallest sum first; sizes that must agree do."""
    shapes = [(m.rows, m.columns) for m in claim.symbols] + [(f.rows, f.columns) for f in claim.families]
    free = [size for size in dict.fromkeys(size for shape in shapes for size in shape) if size != "1" and size not in claim.sizes]
    free += ["n"] if claim.families else []
    for chosen in sorted(product(range(1, LARGEST + 1), repeat=len(free)), key=lambda each: (sum(each), max(each, default=1), each)):
        sizes = dict(zip(free, chosen, strict=True))
        yield sizes | {size: sizes[same] for size, same in claim.sizes.items()}


def points(claim: Claim, sizes: Mapping[str, int]) -> Iterator[Point]:
    """Values for every symbol: by weight up to a limit, then at random from a fixed seed."""
    yield from by_weight(claim, sizes)
    yield from at_random(claim, sizes)


def by_weight(claim: Claim, sizes: Mapping[str, int]) -> Iterator[Point]:
    """Values for every symbol, the smallest numbers first, up to a limit."""
    count = sum(rows * columns for _, rows, columns in _matrices(claim, sizes))
    for entries in islice(_by_weight(count), ENUMERATED):
        yield _shaped(claim, sizes, entries)


def at_random(claim: Claim, sizes: Mapping[str, int]) -> Iterator[Point]:
    """Values for every symbol, at random from a fixed seed."""
    count = sum(rows * columns for _, rows, columns in _matrices(claim, sizes))
    dice = random.Random(count)
    for _ in range(RANDOM):
        yield _shaped(claim, sizes, [dice.choice(NUMBERS) for _ in range(count)])


def _by_weight(count: int) -> Iterator[list[Fraction]]:
    for weight in range(count * len(NUMBERS)):
        for places in _compositions(count, weight):
            yield [NUMBERS[place] for place in places]


def _compositions(count: int, weight: int) -> Iterator[tuple[int, ...]]:
    if count == 1:
        if weight < len(NUMBERS):
            yield (weight,)
        return
    for first in range(min(weight, len(NUMBERS) - 1) + 1):
        for rest in _compositions(count - 1, weight - first):
            yield first, *rest


def _shaped(claim: Claim, sizes: Mapping[str, int], entries: Sequence[Fraction]) -> Point:
    found, taken = {}, iter(entries)
    for name, rows, columns in _matrices(claim, sizes):
        found[name] = [[next(taken) for _ in range(columns)] for _ in range(rows)]
    return found


def _matrices(claim: Claim, sizes: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """Name, rows and columns of everything that is to be chosen; a family has a member for every index."""
    for m in claim.symbols:
        yield m.name, _worth(m.rows, sizes), _worth(m.columns, sizes)
    for family in claim.families:
        for k in range(family.first, sizes["n"] + family.beyond + 1):
            yield f"{family.name}_{k}", _worth(family.rows, sizes), _worth(family.columns, sizes)


def _smaller(sizes: Mapping[str, int], point: Point, refutes: Callable[[Mapping[str, int], Point], bool]) -> Point:
    """Replace entry after entry by an earlier number as long as the instance still refutes."""
    changed = True
    while changed:
        changed = False
        for name, rows in point.items():
            for i, j in product(range(len(rows)), range(len(rows[0]))):
                for number in NUMBERS[: NUMBERS.index(rows[i][j])]:
                    tried = {**point, name: [[number if (p, q) == (i, j) else x for q, x in enumerate(row)] for p, row in enumerate(rows)]}
                    if refutes(sizes, tried):
                        point, rows, changed = tried, tried[name], True
                        break
    return point


def _store(problem: Problem, sizes: Mapping[str, int], point: Point) -> Counterexample | None:
    if not satisfied(exact_values(problem, sizes, point), problem.hypotheses):
        point = _solved(problem, sizes, point)
    point = _mentioned(problem, sizes, point)
    shown = _shown(problem.claim, sizes)
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


def _shown(claim: Claim, sizes: Mapping[str, int]) -> dict[str, str]:
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
    names = {text: name for name, text in _shown(problem.claim, sizes).items()}
    symbols = {names[text]: matrix for text, matrix in evaluator.matrices(stored).items()}
    values = Values(symbols, _functions(problem, symbols), problem.formulas, plain_kind(sizes))
    parts = [evaluator.sides(lambda side=side: listed(side(values))) for side in (problem.left, problem.right)]  # type: ignore[misc]
    count = max(len(part) for part in parts)
    left, right = (part if len(part) == count else part * count for part in parts)  # a side that has no value has none in any part
    differing = [pair for pair in zip(left, right, strict=True) if pair[0] != pair[1]]
    about = [hypothesis for hypothesis in problem.hypotheses if _stored(values, hypothesis)]
    return *(differing or [(left[0], right[0])])[0], satisfied(values, about)


def _stored(values: Values, hypothesis: Hypothesis) -> bool:
    """Whether a stored counterexample has the symbols of this hypothesis; it leaves out those that have nothing to do with the sides."""
    try:
        satisfied(values, [hypothesis])
    except AttributeError:
        return False
    return True


def _functions(problem: Problem, symbols: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    families = {family.name: lambda k, name=family.name: symbols[f"{name}_{k}"] for family in problem.claim.families}
    return {f.name: f.concrete for f in problem.claim.functions} | families


def _value(side: Side, values: Values) -> tuple[Exact, ...] | None:
    try:
        return listed(side(values))
    except Undefined:
        return None


def _worth(size: str, sizes: Mapping[str, int]) -> int:
    return 1 if size == "1" else sizes[size]
