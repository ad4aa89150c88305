"""The prover distrusted: it proves none of 250 false identities and all of 250 true ones; two broken provers are caught by the same corpus."""

import pytest

from symbolic.algebra import Algebra, rule_of, squares
from symbolic.algebra.normal_form import letter
from symbolic.terms import Application
from symbolic.vocabulary import MissingHypothesis
from tests.symbolic.identity_corpus import POINTS, SIZES, children, collected, false_pairs, rebuilt, true_pairs
from tests.symbolic.symbolic_strategies import SYMBOLS, worth

COUNT = 250
ALGEBRA = Algebra(squares([letter("x", ("d", "1"))]))


@pytest.fixture(scope="module")
def truths():
    return collected(true_pairs(), COUNT)


@pytest.fixture(scope="module")
def falsehoods():
    return collected(false_pairs(), COUNT)


def wrongly_judged(decide, truths, falsehoods):
    """How many falsehoods a prover proves, and how many truths it does not. To refuse to divide is to prove nothing."""

    def proves(pair):
        try:
            return bool(decide(*pair))
        except MissingHypothesis:
            return False

    return sum(map(proves, falsehoods)), sum(not proves(pair) for pair in truths)


def test_the_corpus_is_what_it_says(truths, falsehoods):
    assert len(truths) == len(falsehoods) == COUNT
    assert all(worth(left, point, SIZES) == worth(right, point, SIZES) for left, right in truths for point in POINTS)
    assert all(any(worth(left, point, SIZES) != worth(right, point, SIZES) for point in POINTS) for left, right in falsehoods)


def test_no_false_identity_is_proved_and_every_true_one_is(truths, falsehoods):
    assert wrongly_judged(ALGEBRA.equal, truths, falsehoods) == (0, 0)


def with_product(term):
    """The term with A x in place of y."""
    if term == SYMBOLS["y"]:
        return SYMBOLS["A"] @ SYMBOLS["x"]
    if isinstance(term, Application):
        return Application(term.name, tuple(map(with_product, term.arguments)), term.shape, term.text, term.latex)
    for name in children(term):
        term = rebuilt(term, name, with_product(getattr(term, name)))
    return term


def test_an_equation_as_a_hypothesis_proves_what_follows_from_it_and_nothing_else(truths, falsehoods):
    """Under y = A x: every true identity with A x written for y on one side is proved; what differs at points that satisfy the equation is not."""
    product = Algebra().normal_form(SYMBOLS["A"] @ SYMBOLS["x"])
    under = Algebra(squares([letter("x", ("d", "1"))]), (rule_of(product, letter("y", ("d", "1"))),))
    points = [{**point, "y": point["A"] @ point["x"]} for point in POINTS]
    still_false = [pair for pair in falsehoods if any(worth(pair[0], point, SIZES) != worth(pair[1], point, SIZES) for point in points)]
    assert len(still_false) >= 200
    rewritten = [(left, with_product(right)) for left, right in truths]
    assert wrongly_judged(under.equal, rewritten, still_false) == (0, 0)
    needed = [pair for pair in rewritten if not ALGEBRA.equal(*pair)]
    assert len(needed) >= 20, "without the hypothesis some of these do not hold"


def test_a_prover_that_accepts_everything_is_exposed(truths, falsehoods):
    assert wrongly_judged(lambda left, right: True, truths, falsehoods) == (COUNT, 0)


def test_a_prover_that_rejects_everything_is_exposed(truths, falsehoods):
    assert wrongly_judged(lambda left, right: False, truths, falsehoods) == (0, COUNT)


@pytest.mark.parametrize("lost", ["scalars", "transposes", "coefficients"])
def test_subtler_controls_are_exposed(lost, truths, falsehoods):
    """Three provers that lose one part of the normal form: each proves something false."""

    def seen(side):
        terms = ALGEBRA.normal_form(side).terms
        return sorted(
            (
                "" if lost == "scalars" else str(scalars),
                [(factor.name, factor.transposed and lost != "transposes") for factor in word],
                0 if lost == "coefficients" else value,
            )
            for (scalars, word), value in terms
        )

    proved, _ = wrongly_judged(lambda left, right: seen(left) == seen(right), truths, falsehoods)
    assert proved > 0
