"""False statements by what is known in one place of a proof and used in another: outside its case, outside its induction, outside its hypotheses.

All are hidden from instances up to size 3, as in ``tests.symbolic.false_claims``.
"""

from collections.abc import Callable
from typing import Any

from symbolic.claim import Claim
from symbolic.statements import Hypothesis, Matrix
from tests.symbolic.false_claims import Q, X, at_large_n, at_large_sizes, finished, statement, total

Y, A = Matrix("y", "d", "1"), Matrix("A", "d", "d")


def is_zero(v: Any, d: Any, value: Any) -> Any:
    """The distinction of value = 0 and value ≠ 0."""
    return d.dichotomy("", "", value, zero=(value, v.zero("d")))


def reached(v: Any, d: Any, *parts: int) -> None:
    for part in parts:
        d.part(part)
        finished(v, d)


def given_back(v: Any, d: Any, left: Any) -> None:
    """End a distinction within a later one, which at its end would give back what was known where it began; and reach part 1 by that."""
    later = is_zero(v, d, v.x)
    next(later)
    for cases in (left, left, later, later):
        reached(v, d, 0, 2)
        next(cases, None)
    reached(v, d, 1)


def none_is_zero(v: Any, k: Any) -> Any:
    """N_k = [q_1 ≠ 0] ... [q_k ≠ 0]."""
    return v.recursive("N", "N", k, lambda: v.number(1), lambda previous, i: previous @ v.nonzero(v.q(i)))


def is_nonzero(v: Any, k: Any) -> Any:
    """U_k = [q_k ≠ 0], with U_0 = 1."""
    return v.recursive("U", "U", k, lambda: v.number(1), lambda previous, i: v.nonzero(v.q(i)))


def about_n(value: Any, other: Any, proof: Any) -> Claim:
    """Of the last member of a sequence, between two parts that are true."""
    left, right = lambda v: (2 * v.x, at_large_n(v) * value(v, v.n), 3 * v.x), lambda v: (v.x + v.x, at_large_n(v) * other(v), 2 * v.x + v.x)
    return statement(left, right, proof, symbols=(X,), families=(Q,))


def about_x(proof: Any, *more: Matrix) -> Claim:
    """x = 0 for every x, behind a part that is true."""
    return statement(lambda v: (2 * v.x, at_large_sizes(v) * v.x), lambda v: (v.x + v.x, v.zero("d")), proof, symbols=(X, *more))


def overlapping_distinctions() -> Claim:
    """The outer one ends first; the inner one, at its end, would give back x = 0, which was known where it began."""

    def proof(v: Any, d: Any) -> None:
        outer, inner = is_zero(v, d, v.x), is_zero(v, d, v.y)
        next(outer)
        next(inner)
        reached(v, d, 0)
        next(outer)
        reached(v, d, 0)
        next(outer, None)
        next(inner)
        reached(v, d, 0)
        next(inner, None)
        reached(v, d, 1)

    return about_x(proof, Y)


def distinction_from_outside_an_induction() -> Claim:
    """No q_n is zero: the induction's own step goes on to q_i ≠ 0, in a distinction that began outside, where i was another letter."""

    def proof(v: Any, d: Any) -> None:
        here, _ = v.indices
        cases = d.dichotomy("", "", v.q(here))
        next(cases)
        reached(v, d, 0)

        def step(k: Any) -> None:
            next(cases)
            d.chain(is_nonzero(v, k), "by definition")
            d.then(v.number(1), "not zero in this case")

        d.induction("U = 1", lambda k: (is_nonzero(v, k), v.number(1)), lambda: d.chain(v.number(1), "by definition"), step)
        given_back(v, d, cases)

    return about_n(is_nonzero, lambda v: v.number(1), proof)


def begun_inside_and_ended_outside() -> Claim:
    """No q_k is zero: the step ends in the case q_i ≠ 0 of a distinction of its own; another one ends meanwhile, so that as many are open as before."""

    def proof(v: Any, d: Any) -> None:
        inside = []
        outer = is_zero(v, d, v.x)
        next(outer)
        reached(v, d, 0)
        next(outer)
        reached(v, d, 0)

        def step(k: Any) -> None:
            inside.append(d.dichotomy("", "", v.q(k)))
            next(inside[0])
            next(outer, None)
            reached(v, d, 2)
            next(inside[0])
            d.chain(none_is_zero(v, k), "by definition")
            d.then(none_is_zero(v, k - 1), "not zero in this case")
            d.then(v.number(1), "for k - 1")

        d.induction("N = 1", lambda k: (none_is_zero(v, k), v.number(1)), lambda: d.chain(v.number(1), "empty"), step)
        given_back(v, d, inside[0])

    return about_n(none_is_zero, lambda v: v.number(1), proof)


def left_in_its_first_case() -> Claim:
    """S_n = 0 whatever S sums up: the step is shown in the case that all is well, and the distinction is not ended there."""

    def proof(v: Any, d: Any) -> None:
        cases = []

        def step(k: Any) -> None:
            cases.append(is_zero(v, d, v.q(k)))
            next(cases[0])
            d.chain(total(v, k, v.q), "by definition")
            d.then(total(v, k - 1, v.q), "zero in this case")
            d.then(v.zero("d"), "for k - 1")

        d.induction("Sₙ = 0", lambda k: (total(v, k, v.q), v.zero("d")), lambda: d.chain(v.zero("d"), "empty"), step)
        given_back(v, d, cases[0])

    return about_n(lambda v, k: total(v, k, v.q), lambda v: v.zero("d"), proof)


def left_at_the_end() -> Claim:
    """The proof ends in the case x = 0; who holds the distinction never goes on with it."""
    held = []

    def proof(v: Any, d: Any) -> None:
        held.append(is_zero(v, d, v.x))
        next(held[-1])
        reached(v, d, 0, 1)

    return about_x(proof)


def known_after_both_cases() -> Claim:
    """[x ≠ 0] = 1: that x ≠ 0 is known in the second case, and not after it."""

    def proof(v: Any, d: Any) -> None:
        for _ in is_zero(v, d, v.x):
            reached(v, d, 0)
        reached(v, d, 1)

    return statement(lambda v: (2 * v.x, at_large_sizes(v) * v.nonzero(v.x)), lambda v: (v.x + v.x, at_large_sizes(v)), proof)


def known_in_the_other_case() -> Claim:
    """x = 0 is known in the first case, and not in the second."""

    def proof(v: Any, d: Any) -> None:
        for _ in is_zero(v, d, v.x):
            reached(v, d, 0, 1)

    return about_x(proof)


def reached_in_one_case(which: bool) -> Callable[[], Claim]:
    """x = 0, or x ≠ 0, is shown in one case alone; the other one shows something true."""

    def claim() -> Claim:
        def proof(v: Any, d: Any) -> None:
            for vanishes in is_zero(v, d, v.x):
                reached(v, d, *((0, 1) if vanishes is which else (0,)))

        right = (lambda v: v.number(0)) if which else at_large_sizes
        return statement(lambda v: (2 * v.x, at_large_sizes(v) * v.nonzero(v.x)), lambda v: (v.x + v.x, right(v)), proof)

    return claim


def says_more_than_its_case() -> Claim:
    """x ≠ 0 or y = 0: that y = 0 is no consequence of x = 0."""

    def proof(v: Any, d: Any) -> None:
        for _ in d.dichotomy("", "", v.x, zero=(v.y, v.zero("d"))):
            finished(v, d)

    return statement(lambda v: at_large_sizes(v) * (v.nonzero(v.x) - 1) * v.nonzero(v.y), lambda v: v.number(0), proof, symbols=(X, Y))


def moved_by_a_map() -> Claim:
    """A x = 0 for all: while a map is applied in the case x = 0 it goes on to x ≠ 0, where its conclusion would be added."""

    def proof(v: Any, d: Any) -> None:
        cases = is_zero(v, d, v.x)
        next(cases)
        finished(v, d)

        def image(t: Any) -> Any:
            next(cases)
            return v.A @ t

        d.zero_by_map(v.x, image, v.A @ v.x, "of the case x = 0")
        d.chain(v.A @ v.x, "where x is not zero")
        d.then(v.zero("d"), "by the map")
        d.remember("Ax = 0")
        finished(v, d)
        next(cases, None)

    return statement(lambda v: at_large_sizes(v) * (v.A @ v.x), lambda v: v.zero("d"), proof, symbols=(X, A))


def lemma_for_the_statement() -> Claim:
    """x = 0: a chain that ends at the right side, and begins there."""

    def proof(v: Any, d: Any) -> None:
        d.chain(v.zero("d"), "elsewhere")
        d.finish()

    return statement(lambda v: at_large_sizes(v) * v.x, lambda v: v.zero("d"), proof)


def assumed_by_the_proof() -> Claim:
    """x = 0, which the proof assumes and the claim does not."""

    def proof(v: Any, d: Any) -> None:
        d.assume(Hypothesis("x = 0", "", equal=lambda v: (v.x, v.zero("d"))))
        finished(v, d)

    return statement(lambda v: at_large_sizes(v) * v.x, lambda v: v.zero("d"), proof)


def induced(base: Any, step: Any, statement_of: Any = None) -> Callable[[], Claim]:
    """S_n = 0 for all q, by an induction with a gap."""

    def claim() -> Claim:
        def proof(v: Any, d: Any) -> None:
            honest = lambda k: (total(v, k, v.q), v.zero("d"))  # noqa: E731 - one line, used once
            said = honest if statement_of is None else lambda k: statement_of(v, k)
            d.induction("Sₙ = 0", said, lambda: base(v, d), lambda k: step(v, d, k))
            finished(v, d)

        return statement(lambda v: at_large_n(v) * total(v, v.n, v.q), lambda v: v.zero("d"), proof, families=(Q,))

    return claim


def empty(v: Any, d: Any) -> None:
    d.chain(v.zero("d"), "empty")


def zero_below_n(v: Any, k: Any) -> Any:
    """Says S_n = 0 of n, and 0 = 0 of every other index."""
    return (total(v, k, v.q) if k == v.n else v.zero("d")), v.zero("d")


SCOPED: dict[str, Callable[[], Claim]] = {
    **{
        made.__name__: made
        for made in (
            overlapping_distinctions,
            distinction_from_outside_an_induction,
            begun_inside_and_ended_outside,
            left_in_its_first_case,
            left_at_the_end,
            known_after_both_cases,
            known_in_the_other_case,
            says_more_than_its_case,
            moved_by_a_map,
            lemma_for_the_statement,
            assumed_by_the_proof,
        )
    },
    "a step that begins elsewhere": induced(empty, lambda v, d, k: d.chain(v.zero("d"), "elsewhere")),
    "a step that ends elsewhere": induced(empty, lambda v, d, k: d.chain(total(v, k, v.q), "and no more")),
    "a statement about n alone": induced(empty, lambda v, d, k: d.chain(v.zero("d"), "0 = 0"), zero_below_n),
    "reached in the first case": reached_in_one_case(True),
    "reached in the second case": reached_in_one_case(False),
}
