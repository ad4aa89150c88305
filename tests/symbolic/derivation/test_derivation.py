"""What a derivation refuses: each rule with a premise that does not hold, each kind of proof with a gap."""

import pytest

from symbolic import formulas
from symbolic.derivation import Derivation, StepFails
from symbolic.statements import Hypothesis, Values
from symbolic.statements.values import TERMS, exact_kind
from symbolic.terms import Application, Family, Index, Symbol, subscript
from symbolic.terms.families import LAST, STEP, member, recursive_term
from tests.symbolic.symbolic_strategies import SYMBOLS

A, B, x, y, W, s = (SYMBOLS[name] for name in "ABxyWs")
VALUES = Values(SYMBOLS, {}, formulas, TERMS)


def derivation(left, right, *hypotheses):
    d = Derivation(VALUES, (left,), (right,))
    for hypothesis in hypotheses:
        d.assume(hypothesis)
    return d


NOT_ZERO = Hypothesis("x ≠ 0", r"x \neq 0", nonzero=lambda v: v.x)
AX_IS_Y = Hypothesis("Ax = y", "Ax = y", equal=lambda v: (v.A @ v.x, v.y))


def test_a_chain_goes_from_left_to_right():
    d = derivation(W @ (x + y), W @ x + W @ y)
    d.start()
    d.finish("distributivity")
    d.done()
    assert [step.hypothesis for step in d.steps] == [None, None]


def test_a_line_that_does_not_follow_is_named():
    d = derivation(A @ B @ x, B @ A @ x)
    d.start()
    with pytest.raises(StepFails, match=r'^step 2, "they commute": \(A B\) x = \(B A\) x does not follow$'):
        d.finish("they commute")


def test_a_lemma_does_not_count_as_the_proof():
    """A chain that ends at the right side but began elsewhere proves something else."""
    d = derivation(A @ x, B @ x)
    d.chain(B @ x + x - x, "elsewhere")
    d.then(B @ x, "x - x = 0")
    with pytest.raises(StepFails, match="does not reach the right side"):
        d.done()
    with pytest.raises(StepFails, match="began at the left side"):
        d.finish()


def test_a_lemma_may_be_used_once_it_is_remembered():
    d = derivation(B @ y, B @ A @ x, AX_IS_Y)
    d.start()
    d.finish("Ax = y")
    assert d.steps[-1].hypothesis == "A x = y"
    d.chain(A @ x, "a lemma")
    d.then(y, "Ax = y")
    d.remember("lemma")
    assert d.known.follows(W @ A @ x, W @ y)


def test_only_the_hypotheses_that_are_needed_are_recorded():
    d = derivation(x.mT @ x / (x.mT @ x) * y, A @ x, NOT_ZERO, AX_IS_Y)
    d.start()
    d.then(y, "cancel")
    d.finish("Ax = y")
    assert [step.hypothesis for step in d.steps] == [None, "x ≠ 0", "A x = y"]


def test_both_cases_must_reach_the_right_side():
    d = derivation(VALUES.nonzero(A @ x), VALUES.number(1))
    cases = d.dichotomy("Ax", "Ax", A @ x)
    assert next(cases)
    d.start()
    with pytest.raises(StepFails, match="= 0 does not reach"):
        next(cases)
    d = derivation(VALUES.nonzero(A @ x), VALUES.nonzero(A @ x))
    for _ in d.dichotomy("Ax", "Ax", A @ x):
        d.start()
        d.finish()
        break
    with pytest.raises(StepFails, match="left before its end"):
        d.done()


def test_a_part_reached_in_one_case_only_is_not_reached():
    """Two parts, each proved in another case: nothing is proved of either."""
    d = Derivation(VALUES, (VALUES.nonzero(A @ x), x), (VALUES.number(0), x))
    for vanishes in d.dichotomy("Ax", "Ax", A @ x):
        d.part(0 if vanishes else 1)
        d.start()
        d.finish()
    with pytest.raises(StepFails, match="does not reach the right side of part 1"):
        d.done()


def test_a_case_begins_where_the_distinction_began():
    """With its part and its chain, not with what the case before has written."""
    d = Derivation(VALUES, (VALUES.nonzero(A @ x), x), (VALUES.number(0), x))
    for vanishes in d.dichotomy("Ax", "Ax", A @ x):
        if vanishes:
            d.start()
            d.finish()
            d.part(1)
        else:
            assert d.left == VALUES.nonzero(A @ x)
            with pytest.raises(StepFails, match="began at the left side"):
                d.finish()
            with pytest.raises(StepFails, match="begins with start"):
                d.then(VALUES.number(0), "of the other case")
            break


def test_what_a_case_has_shown_is_not_remembered_after_it():
    d = derivation(A @ x, B @ x)
    for _ in d.dichotomy("Ax", "Ax", A @ x):
        d.start()
        d._reached |= {0}
    with pytest.raises(StepFails, match="nothing was shown"):
        d.remember("Ax = 0, it seemed")
    assert not d.known.follows(A @ x, VALUES.zero("d"))


def test_a_dichotomy_must_say_what_it_says():
    d = derivation(A @ x, B @ x)
    with pytest.raises(StepFails, match="does not say"):
        next(d.dichotomy("Ax", "Ax", A @ x, zero=(A @ x, y)))


def test_nonzero_by_a_map():
    d = derivation(x, x, NOT_ZERO)
    d.nonzero_by_map(x / (x.mT @ x), lambda v: v * (x.mT @ x), x, "scaled")
    assert d.steps[-1].hypothesis == "x ≠ 0"
    assert d.known.follows(VALUES.nonzero(x / (x.mT @ x)), VALUES.number(1))
    with pytest.raises(StepFails, match="is not known to be other than 0"):
        d.nonzero_by_map(y, lambda v: A @ v, A @ y, "of nothing known")
    with pytest.raises(StepFails, match="does not follow"):
        d.nonzero_by_map(y, lambda v: A @ v, x, "wrong image")
    with pytest.raises(StepFails, match="= 0 does not follow"):
        d.nonzero_by_map(y, lambda v: v + x - y, x, "a map that does not map zero to zero")


def test_zero_by_a_map():
    d = derivation(x, x)
    d.assume(Hypothesis("Ax = 0", "Ax = 0", equal=lambda v: (v.A @ v.x, v.zero("d"))))
    d.zero_by_map(A @ x, lambda v: B @ v, B @ A @ x, "a map of zero")
    assert d.known.follows(VALUES.nonzero(B @ A @ x), VALUES.number(0))
    with pytest.raises(StepFails, match="is not known to be 0"):
        d.zero_by_map(A @ y, lambda v: B @ v, B @ A @ y, "of nothing known")


def test_the_rank_of_an_outer_product_needs_both_factors():
    d = derivation(x, x, NOT_ZERO)
    with pytest.raises(StepFails, match="yᵀ ≠ 0 does not follow"):
        d.rank_of_outer_product(x @ y.mT, x, y.mT, "one factor unknown")
    d.rank_of_outer_product(x @ x.mT, x, x.mT, "both known")
    assert d.known.follows(VALUES.rank(x @ x.mT), VALUES.number(1))


def test_indices_are_readable():
    assert subscript(Index("i", -1)) == "ᵢ₋₁"
    assert subscript(Index("", 0)) == "₀"
    assert member(Family("a", "d", "1"), Index("n")).text == "aₙ"
    assert (Index("i") + 2 - 1).offset == 1


def test_parts_are_all_needed():
    d = Derivation(VALUES, (x, y), (x, y))
    d.start()
    d.finish()
    with pytest.raises(StepFails, match="of part 2"):
        d.done()
    with pytest.raises(StepFails, match="no part 3"):
        d.part(2)


X_IS_AY = Hypothesis("x = Ay", "x = Ay", equal=lambda v: (v.x, v.A @ v.y))


def test_an_equation_does_not_hide_that_a_denominator_is_not_zero():
    """x ≠ 0 is known and Ay ≠ 0 is not, though x = Ay: the line follows without the equation, and is not lost by trying with it."""
    d = derivation(A @ y * (x.mT @ x) / (x.mT @ x), x, NOT_ZERO, X_IS_AY)
    d.start()
    d.then(A @ y, "a nonzero scalar over itself is 1")
    assert d.steps[-1].hypothesis == "x ≠ 0"
    d.finish("x = Ay")
    assert d.steps[-1].hypothesis == "x = A y"
    d.done()


def test_a_denominator_that_no_choice_of_hypotheses_keeps_from_zero_is_refused():
    d = derivation(y, y * (x.mT @ x) / (x.mT @ x), X_IS_AY)
    d.start()
    with pytest.raises(StepFails, match="division by xᵀ·x, and no hypothesis says that it is not zero"):
        d.finish("whatever is known")


def test_a_sequence_before_each_index_is_what_the_recursion_gives():
    """On terms its members at i - 1 and n - 1; on numbers 1, 2, 5, 26 by hand, of x ↦ x² + 1 from 1."""
    sequence = ("q", "q", lambda: VALUES.number(1), lambda q, i: q**2 + 1)
    pairs = VALUES.before_each(*sequence)
    assert pairs == [(k, recursive_term("q", "q", k - 1, *sequence[2:])) for k in (STEP, LAST)]
    numbers = Values({}, {}, formulas, exact_kind({"n": 4}))
    pairs = numbers.before_each("q", "q", lambda: numbers.number(1), lambda q, i: q**2 + 1)
    assert [(k, q.rows()) for k, q in pairs] == [(1, [["1"]]), (2, [["2"]]), (3, [["5"]]), (4, [["26"]])]


def test_rules_of_calculation_that_run_in_a_circle_are_a_bug():
    d = derivation(x, y)
    d.assume(Hypothesis("x = y", "x = y", equal=lambda v: (v.x, v.y)))
    d.assume(Hypothesis("y = x", "y = x", equal=lambda v: (v.y, v.x)))
    with pytest.raises(AssertionError, match="run in a circle"):
        d.known.algebra().normal_form(x)


def test_equations_reach_into_traces_scalars_and_opaque_functions():
    d = derivation(x, y, AX_IS_Y)
    f = lambda argument: Application("f", (argument,), ("k", "1"), "f", "f")  # noqa: E731 - one line, used once
    assert d.known.follows(f(B @ A @ x), f(B @ y))
    assert d.known.follows(x.mT @ A.mT @ B @ x, y.mT @ B @ x)
    assert d.known.follows(VALUES.trace(B @ A @ x @ x.mT), x.mT @ B @ y)
    d = derivation(x, y)
    d.assume(Hypothesis("AB = 1", "AB = 1", equal=lambda v: (v.A @ v.B, v.identity("d"))))
    assert d.known.follows(VALUES.trace(B @ A), VALUES.trace(VALUES.identity("d")))
    assert d.known.follows(VALUES.trace(A @ A @ B), VALUES.trace(A))
    assert d.known.follows(W @ B.mT @ A.mT, W)
    assert not d.known.follows(VALUES.trace(A @ B.mT), VALUES.trace(VALUES.identity("d")))


def test_an_undeclared_name_is_an_error():
    with pytest.raises(AttributeError, match="declares no symbol"):
        _ = VALUES.nothing
    assert Symbol("x", ("d", "1"), "x", "x") == x


def test_an_equation_between_sums_is_used_for_its_last_word():
    """A x + y = B x lets B x go to the rest, wherever it stands; 0 = 0 says nothing."""
    d = derivation(x, y)
    d.assume(Hypothesis("Ax + y = Bx", "", equal=lambda v: (v.A @ v.x + v.y, v.B @ v.x)))
    d.assume(Hypothesis("x + y = y + x", "", equal=lambda v: (v.x + v.y, v.y + v.x)))
    assert d.known.follows(A @ B @ x, A @ A @ x + A @ y)
    assert not d.known.follows(A @ B @ x, A @ A @ x)


def test_what_is_no_rule_of_calculation_is_refused():
    d = derivation(x, y)
    d.assume(Hypothesis("(xᵀy) A = B", "", equal=lambda v: ((v.x.mT @ v.y) * v.A, v.B)))
    with pytest.raises(AssertionError, match="not a rule of calculation"):
        d.known.algebra()
