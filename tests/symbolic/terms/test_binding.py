"""Binders: what means the same is the same, whatever letters it was written with; nothing is captured; nothing bound gets out."""

from hypothesis import given, settings

from symbolic.algebra import Algebra
from symbolic.terms import Family, Index, Symbol
from symbolic.terms.binding import Bound, Fresh, bare, exchanged, names, recursion, slope
from symbolic.terms.families import LAST, STEP, member, recursive_term
from symbolic.terms.term import Defined, Trace
from tests.symbolic.symbolic_strategies import SYMBOLS, terms

A, B, x = (SYMBOLS[name] for name in "ABx")
Q = Family("q", "d", "1")
bodies = terms(("d", "1"), 2)


def summed(summand, last=LAST, text="S"):
    return recursive_term(text, text, last, lambda: x - x, lambda previous, i: previous + summand(i))


@settings(max_examples=40, deadline=None)
@given(bodies)
def test_a_recursion_is_the_same_inside_another_and_outside(body):
    """Its letter depends on its body alone, and not on what it stands in."""
    inner = []

    def step(previous, i):
        inner.append(summed(lambda j: exchanged(body, {"y": member(Q, j)})))
        return previous + inner[-1]

    recursion("T", "T", x - x, step)
    assert inner[0] == summed(lambda j: exchanged(body, {"y": member(Q, j)}))


@settings(max_examples=40, deadline=None)
@given(bodies)
def test_an_inner_letter_is_never_the_outer_one(body):
    """Σ_k Σ_l of L(q_k) and of L(q_l) are the same only if L does not speak of what q stands for."""

    def twice(inner):
        return summed(lambda k: summed(lambda j: exchanged(body, {"y": member(Q, j if inner else k)})))

    assert (twice(True) == twice(False)) == ("y" not in names(body))


@settings(max_examples=40, deadline=None)
@given(bodies)
def test_no_fresh_letter_stays_and_no_bound_one_gets_out(body):
    found = list(names(slope(lambda X: X.mT @ summed(lambda k: X + member(Q, k) + body), x, "X", "X")))
    assert not any(isinstance(name, Fresh) for name in found)
    assert {name.height for name in found if isinstance(name, Bound)} == {1, 2}


def test_the_name_of_a_variable_is_of_no_account_and_its_place_is():
    assert bare(slope(Trace, A, "X", "X")).body == slope(Trace, A, "X", "X").body
    nested = slope(lambda X: Trace(B @ slope(lambda Y: Trace(Y @ X), A, "X", "X")), A, "X", "X")
    captured = slope(lambda X: Trace(B @ slope(lambda Y: Trace(Y @ Y), A, "X", "X")), A, "X", "X")
    assert Algebra().equal(nested, B)
    assert not Algebra().equal(captured, B)


def test_exchanging_a_letter_leaves_what_is_bound():
    total = summed(lambda k: member(Q, k) + member(Q, STEP))
    moved = exchanged(total, letters={"i": LAST})
    assert moved == summed(lambda k: member(Q, k) + member(Q, LAST))
    assert exchanged(total, letters={"k": LAST}) == total
    assert exchanged(member(Q, STEP - 1), letters={"i": Index("n", 2)}) == member(Q, Index("n", 1))


def test_a_name_that_was_given_is_no_part_of_what_a_sequence_is():
    assert summed(lambda k: Defined("v", "v", A @ x)) == summed(lambda k: A @ x)


def test_two_fresh_letters_of_one_text_are_two():
    one, other = (Symbol(Fresh("X"), ("d", "d"), "X", "X") for _ in range(2))
    assert one != other
    assert not Algebra().equal(one, other)
    assert not Algebra().equal(one @ other, other @ one)
