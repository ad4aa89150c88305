"""Entrywise products and quotients: what is said to be equal is, at numbers; nothing is divided by what may have a zero entry."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbolic import formulas
from symbolic.algebra import Algebra
from symbolic.derivation import Derivation, StepFails
from symbolic.exact import Exact, Plain, Undefined
from symbolic.exact.second_opinion import sides
from symbolic.statements import Hypothesis, Values
from symbolic.statements.values import TERMS
from symbolic.terms import Application
from symbolic.vocabulary import MissingHypothesis
from tests.symbolic.symbolic_strategies import SYMBOLS

A, W, x, y, u, s = (SYMBOLS[name] for name in "AWxyus")
PLAIN = Algebra()
VALUES = Values(SYMBOLS, {}, formulas, TERMS)
NO_ZERO = Hypothesis("every y_j ≠ 0", r"\text{every } y_j \neq 0", no_zero_entry=lambda v: v.y)

numbers = st.fractions(-3, 3, max_denominator=2)
three = st.lists(numbers, min_size=3, max_size=3)


def derivation(left, right, *hypotheses):
    d = Derivation(VALUES, (left,), (right,))
    for hypothesis in hypotheses:
        d.assume(hypothesis)
    return d


def column(entries):
    return [[entry] for entry in entries]


@settings(max_examples=50, deadline=None)
@given(three, three, three, st.lists(three, min_size=3, max_size=3), numbers)
def test_the_rules_hold_at_numbers(p, q, r, rows, scalar):
    """What the two letters are taken to satisfy: linear in both places, and the quotient undoes the product."""
    for make in (Exact.of, Plain):
        X, Y, Z, M, S = make(column(p)), make(column(q)), make(column(r)), make(rows), make([[scalar]])
        assert ((X + M @ Y) * Z - (X * Z + (M @ Y) * Z)).is_zero()
        assert (Z * (X + M @ Y) - (Z * X + Z * (M @ Y))).is_zero()
        assert ((S * X) * Z - S * (X * Z)).is_zero()
        assert (Z * (S * X) - S * (Z * X)).is_zero()
        assert Y.has_zero_entry() == (0 in q)
        if 0 not in q:
            assert ((X / Y) * Y - X).is_zero()
            assert (X * Y / Y - X).is_zero()
            assert ((X + Z) / Y - (X / Y + Z / Y)).is_zero()


@given(three, three)
def test_the_two_arithmetics_agree(p, q):
    X, Y, x2, y2 = Exact.of(column(p)), Exact.of(column(q)), Plain(column(p)), Plain(column(q))
    assert (X * Y).rows() == [[str(entry) for entry in row] for row in (x2 * y2).rows]
    assert (X * Y).rows() == [[str(Fraction(a) * Fraction(b))] for a, b in zip(p, q, strict=True)]
    if 0 in q:
        with pytest.raises(Undefined):
            _ = X / Y
        assert sides(lambda: [x2 / y2]) == [[["undefined"]]]
    else:
        assert (X / Y).rows() == [[str(Fraction(a) / Fraction(b))] for a, b in zip(p, q, strict=True)]
        assert sides(lambda: [x2 / y2]) == [(X / Y).rows()]


def test_a_product_is_linear_in_both_places():
    assert PLAIN.equal((x + A @ y) * x, x * x + (A @ y) * x)
    assert PLAIN.equal(x * (x + A @ y), x * x + x * (A @ y))
    assert PLAIN.equal((s * x) * (3 * y), 3 * s * (x * y))
    assert PLAIN.equal(x * (y - y), x - x)


def test_equal_columns_give_equal_products():
    f = Application("f", (W @ (x + y),), ("d", "1"), "f", "f")
    g = Application("f", (W @ x + W @ y,), ("d", "1"), "f", "f")
    assert PLAIN.equal(x * f, x * g)
    assert PLAIN.equal((A @ f) * x, (A @ g) * x)


@pytest.mark.parametrize(
    ("left", "right"),
    [(x * y, x), (x * y, y), (x * x, x), (A @ (x * y), (A @ x) * y), (x * y, (y.mT @ y) * x), ((x * y) * y, x * y), (x * y + x * y, x * y)],
)
def test_what_differs_is_not_called_equal(left, right):
    """Each pair differs at some numbers."""
    assert not PLAIN.equal(left, right)


def test_a_quotient_needs_its_hypothesis():
    with pytest.raises(MissingHypothesis, match="entrywise division by y, and no hypothesis says that none of its entries is zero"):
        PLAIN.normal_form(x / y)
    weaker = Hypothesis("y ≠ 0", r"y \neq 0", nonzero=lambda v: v.y)
    d = derivation((x / y) * y, x, weaker)
    with pytest.raises(StepFails, match="none of its entries is zero"):
        d.start()


def test_a_quotient_undoes_the_product_and_the_hypothesis_is_recorded():
    for left, right in (((x / y) * y, x), ((x * y) / y, x), ((x + A @ x / y) * y, x * y + A @ x)):
        d = derivation(left, right, NO_ZERO)
        d.start()
        d.finish("no entry of y is zero")
        d.done()
        assert d.steps[-1].hypothesis == "no entry of y is 0"


def test_a_quotient_by_another_column_undoes_nothing():
    d = derivation((x / y) * x, x, NO_ZERO)
    d.start()
    with pytest.raises(StepFails, match="does not follow"):
        d.finish("no entry of y is zero")


def test_an_entry_that_is_not_zero_says_nothing_of_scalars():
    """That no entry of y is zero gives yᵀy ≠ 0 only if there is an entry, and no rule here uses it."""
    d = derivation(x * (y.mT @ y) / (y.mT @ y), x, NO_ZERO)
    with pytest.raises(StepFails, match="division by"):
        d.start()


def test_the_hypothesis_is_checked_entry_by_entry():
    from symbolic.counterexamples.instances import satisfied

    assert satisfied(Values({"y": Exact.of([[1], [2]])}, {}, formulas, TERMS), [NO_ZERO])
    for make in (Exact.of, Plain):
        assert not satisfied(Values({"y": make([[1], [0]])}, {}, formulas, TERMS), [NO_ZERO])
