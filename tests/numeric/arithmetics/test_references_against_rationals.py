"""The balls and the intervals against rationals: every operation contains the exact number, and is as narrow as its precision lets it be."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest
from flint import arb, arb_mat, ctx
from mpmath import iv

from numeric.arithmetics import balls, check_reference, intervals
from numeric.arithmetics.balls import BITS, Ball, UnusableReference, ball
from numeric.arithmetics.intervals import Interval, check_intervals, interval, overlaps, working
from numeric.arithmetics.largest_entry import largest_entry

A = [[1.5, -2.25], [0.1, 3.0]]
B = [[-0.75, 0.3], [2.0, -1e-3]]
S = 3.7
Rows = list[list[Fraction]]


def exact(rows: list[list[float]]) -> Rows:
    return [[Fraction(x) for x in row] for row in rows]


def product(X: Rows, Y: Rows) -> Rows:
    return [[sum((x * Y[k][j] for k, x in enumerate(row)), Fraction(0)) for j in range(len(Y[0]))] for row in X]


def entrywise(op: Callable[[Fraction, Fraction], Fraction]) -> Rows:
    return [[op(x, y) for x, y in zip(*rows, strict=True)] for rows in zip(exact(A), exact(B), strict=True)]


def answers(made: Callable[[list[list[float]]], Any]) -> Iterator[tuple[Any, Rows]]:
    """What an arithmetic finds, and what it ought to."""
    a, b, s = made(A), made(B), made([[S]])
    yield a @ b, product(exact(A), exact(B))
    yield a @ b.mT, product(exact(A), [list(column) for column in zip(*exact(B), strict=True)])
    yield a + b, entrywise(lambda x, y: x + y)
    yield a - b, entrywise(lambda x, y: x - y)
    for divisor in (s, S):
        yield a / divisor, [[x / Fraction(S) for x in row] for row in exact(A)]
    yield s + S, [[2 * Fraction(S)]]
    yield s - 1.5, [[Fraction(S) - Fraction(3, 2)]]
    yield largest_entry(made([[0.5, -4.0], [3.0, 1.0]])), [[Fraction(4)]]


def as_ball(t: Fraction) -> arb:
    return arb(t.numerator) / arb(t.denominator)


def test_balls_contain_the_number_and_are_narrow() -> None:
    """And 1/3 is known to as many bits as ``BITS`` says, no fewer and not twice as many."""
    with ctx.workprec(BITS):
        for found, wanted in answers(ball):
            for got, t in zip(found.entries(), [t for row in wanted for t in row], strict=True):
                assert (got * t.denominator).contains(arb(t.numerator))
                assert not got.overlaps(as_ball(t) + arb(2) ** -300)
        assert arb(2) ** -400 < (arb(1) / 3).rad() < arb(2) ** -310


def test_intervals_contain_the_number_and_are_narrow() -> None:
    with working():
        assert ctx.prec >= 2 * iv.prec
        for found, wanted in answers(interval):
            for got, t in zip([x for row in found.rows for x in row], [t for row in wanted for t in row], strict=True):
                assert overlaps(got * t.denominator, arb(t.numerator))
                assert overlaps(got, as_ball(t))
                for off in (1, -1):
                    assert not overlaps(got, as_ball(t) + off * arb(2) ** -180)
        third = iv.mpf(1) / 3
        assert arb(2) ** -260 < intervals._exactly(third.b) - intervals._exactly(third.a) < arb(2) ** -195


@pytest.mark.parametrize("before", [53, 1000])
def test_the_precisions_are_put_back(before: int) -> None:
    """Balls are never narrowed on the way: whoever asked for more bits has them."""
    with ctx.workprec(before):
        of_intervals = iv.prec
        with working():
            assert iv.prec != of_intervals
            assert ctx.prec >= before
        assert (iv.prec, ctx.prec) == (of_intervals, before)


@pytest.mark.parametrize("x", [1.5, -1.5, 0.0, 2.0**-1074, -(2.0**1000), 0.1])
def test_an_end_is_converted_exactly(x: float) -> None:
    with working():
        assert intervals._exactly(iv.mpf(x).a) == arb(x)
        assert overlaps(iv.mpf(x), arb(x))
        for off in (1, -1):
            assert not overlaps(iv.mpf(x), arb(x) * (1 + off * arb(2) ** -300) if x else off * arb(2) ** -1100)


def test_the_references_pass_their_own_tests() -> None:
    check_reference()
    assert all(check_intervals())


@pytest.mark.parametrize("found", ["0.8.0", "0.8.9"])
def test_an_old_library_is_refused(found: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balls, "version", lambda name: found)
        with pytest.raises(UnusableReference, match="too old"):
            check_reference()


class Agreeable:
    """A ball that overlaps with all, and is right about everything else."""

    def __init__(self, x: Any) -> None:
        self.x = x if isinstance(x, arb) else arb(x)

    def overlaps(self, other: "Agreeable") -> bool:
        return True


def _agreeable(name: str) -> Any:
    def answer(self: Agreeable, *others: Any) -> Any:
        found = getattr(self.x, name)(*(other.x if isinstance(other, Agreeable) else other for other in others))
        return Agreeable(found) if isinstance(found, arb) else found

    return answer


for _name in ("__neg__", "__abs__", "__mul__", "__truediv__", "__eq__", "__lt__", "__le__"):
    setattr(Agreeable, _name, _agreeable(_name))

LIES: dict[str, tuple[Any, str, Any]] = {
    "shifted": (balls, "arb", lambda x: arb(x) + 1),
    "all too wide": (balls, "arb", lambda x: arb(x, 1)),
    "a tenth too wide": (balls, "arb", lambda x: arb(x, 0.1)),
    "without its sign": (balls, "arb", lambda x: arb(abs(x))),
    "balls that overlap with all": (balls, "arb", lambda x: Agreeable(x) if isinstance(x, int) else arb(x)),
    "of matrices": (balls, "ball", lambda rows: Ball(arb_mat([[arb(x) * 2 for x in row] for row in rows]))),
    "intervals that overlap with all": (intervals, "overlaps", lambda found, ball: True),
    "intervals that overlap with none": (intervals, "overlaps", lambda found, ball: False),
    "intervals that have no sign": (intervals, "overlaps", lambda found, ball: overlaps(found, ball) or overlaps(-found, ball)),
    "intervals that are a bit too wide": (intervals, "overlaps", lambda found, ball: overlaps(found, ball * arb(1, 2.0**-140))),
    "products that are the first term": (intervals, "interval", lambda rows: Interval([[iv.mpf(x) for x in row[:1]] for row in rows[:1]])),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_reference_that_lies_is_refused(lie: str) -> None:
    where, name, said = LIES[lie]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, said)
        with pytest.raises(UnusableReference, match="self-test"):
            check_reference()
