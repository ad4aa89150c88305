"""The search for a counterexample: smallest sizes first, at each size smallest numbers first, and a hit is made smaller entry by entry.

What is found is put in stored form and evaluated again by ``symbolic.counterexamples.recheck``; what that does not confirm is not returned.
"""

from collections.abc import Callable, Mapping
from itertools import islice, product

from symbolic.claim import Problem
from symbolic.counterexamples.instances import differ, settled
from symbolic.counterexamples.points import NUMBERS, Point, all_sizes, at_random, points
from symbolic.counterexamples.recheck import Counterexample, store
from symbolic.exact import Irrational, Undefined
from symbolic.vocabulary import ShapeMismatch

SAMPLED, AGREEING = 60, 25
"""Sizes are passed over if of so many random instances at least so many say something, and all of them that the sides agree."""


def find(problem: Problem) -> Counterexample | None:
    """The smallest instance found at which the hypotheses hold and the sides differ, confirmed by the second evaluation.

    Two sides with different values are preferred to a side without a value, unless a hypothesis was dropped that gave it one. Sizes at which random
    instances all agree are passed over at first, and are searched like the others if nothing is found elsewhere.
    """
    passes = [(quick, undefined) for undefined in ((True,) if problem.undefined else (False, True)) for quick in (True, False)]
    return next(filter(None, (_find(problem, quick, undefined) for quick, undefined in passes)), None)


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
                confirmed = store(problem, sizes, _smaller(sizes, point, refutes))
                if confirmed is not None:
                    return confirmed
    return None


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
