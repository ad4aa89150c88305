"""Proofs by induction: a base, a step for an index that nothing else is known of, and a statement that says the same of every index."""

import pytest

from symbolic import formulas
from symbolic.derivation import Derivation, StepFails
from symbolic.derivation.knowledge import Assumption
from symbolic.statements import Hypothesis, Values
from symbolic.statements.values import TERMS
from symbolic.terms import Family, Index
from symbolic.terms.families import LAST, START, STEP, member, recursive_term
from tests.symbolic.symbolic_strategies import SYMBOLS

A, B, x = (SYMBOLS[name] for name in "ABx")
VALUES = Values(SYMBOLS, {}, formulas, TERMS)


def derivation(left, right, *hypotheses):
    d = Derivation(VALUES, (left,), (right,))
    for hypothesis in hypotheses:
        d.assume(hypothesis)
    return d


def sequence(name, first, follow):
    return lambda k: recursive_term(name, name, k, lambda: first, follow)


def test_induction_needs_its_base():
    """Cₖ = Cₖ₋₁ + A from C₀ = B is not a multiple of A."""
    C, S = sequence("C", B, lambda c, i: c + A), sequence("S", A - A, lambda c, i: c + A)
    d = derivation(C(LAST), S(LAST))

    def step(i):
        d.chain(C(i), "one more")
        d.then(C(i - 1) + A, "definition")
        d.then(S(i - 1) + A, "for i - 1")
        d.then(S(i), "definition")

    with pytest.raises(StepFails, match="base"):
        d.induction("C = S", lambda k: (C(k), S(k)), lambda: d.chain(B, "start"), step)


def test_an_inductive_step_may_use_its_hypothesis_and_no_other_equation():
    """Neither what the claim assumes, nor the statement at i, nor at n."""
    C = sequence("C", A, lambda c, i: c @ B)
    other = Hypothesis("A B = A", "AB = A", equal=lambda v: (v.A @ v.B, v.A))
    d = derivation(C(LAST), A, other)

    def step(i):
        d.chain(C(i), "one more")
        d.then(C(i - 1) @ B, "definition")
        d.then(A @ B, "for i - 1")
        d.then(A, "by the claim's hypothesis")

    with pytest.raises(StepFails, match="by the claim's hypothesis"):
        d.induction("C = A", lambda k: (C(k), A), lambda: d.chain(A, "start"), step)

    def circular(i):
        d.chain(C(i), "one more")
        d.then(A, "by what is to be shown")

    d = derivation(C(LAST), A, other)
    with pytest.raises(StepFails, match="what is to be shown"):
        d.induction("C = A", lambda k: (C(k), A), lambda: d.chain(A, "start"), circular)

    d = derivation(C(LAST), A, other)
    with pytest.raises(StepFails, match="is not reached"):
        d.induction("C = A", lambda k: (C(k), A), lambda: d.chain(A, "start"), lambda i: d.chain(C(i), "and no more"))


@pytest.mark.parametrize("special", [START, STEP - 1, STEP, LAST])
def test_a_statement_that_says_something_else_of_one_index_is_no_induction(special):
    """Otherwise 0 = 0 would be shown for 0 and i, and anything at all taken for n."""
    C, E = sequence("C", A, lambda c, i: c @ B), sequence("E", A, lambda e, i: e @ B)

    def honest(k):
        return C(k), E(k)

    def cheating(k):
        return (C(k), B) if k == special else honest(k)

    def cheating_by_name(k):
        return (C(k), B) if str(k) == str(special) else honest(k)

    def attempt(statement):
        d = derivation(C(LAST), E(LAST))

        def step(i):
            d.chain(C(i), "one more")
            d.then(C(i - 1) @ B, "definition")
            d.then(E(i - 1) @ B, "for i - 1")
            d.then(E(i), "definition")

        d.induction("C = E", statement, lambda: d.chain(C(START), "start"), step)

    for statement in (cheating, cheating_by_name):
        with pytest.raises(StepFails, match="does not say the same of every index"):
            attempt(statement)
    attempt(honest)


def test_two_sequences_of_one_name_are_not_confused():
    """A member's identity is its definition: otherwise a product and the same product backwards would be equal."""
    forwards = sequence("P", A, lambda p, i: p @ B)
    backwards = sequence("P", A, lambda p, i: B @ p)
    d = derivation(forwards(LAST), forwards(LAST))
    assert not d.known.follows(forwards(LAST), backwards(LAST))
    assert d.known.follows(forwards(LAST), sequence("P", A, lambda p, i: p @ B)(LAST))


def test_the_letter_of_an_induction_is_one_that_its_statement_does_not_mention():
    """Within a statement about Aᵢ the induction is on j, and a hypothesis about every index is one about j."""
    q = Family("q", "d", "1")
    every = Hypothesis("", "", nonzero=lambda v: [member(q, k) for k in v.indices])
    total = sequence("S", VALUES.number(0), lambda s, k: s + VALUES.nonzero(member(q, k)) - 1 + member(q, STEP).mT @ x)
    double = sequence("D", VALUES.number(0), lambda s, k: s + member(q, STEP).mT @ x)
    d = derivation(x, x, every)
    letters = []

    def step(j):
        letters.append(j)
        d.chain(total(j), "definition")
        d.then(double(j - 1) + VALUES.nonzero(member(q, j)) - 1 + member(q, STEP).mT @ x, "for j - 1")
        d.then(double(j), "no q is zero")

    d.induction("S = D", lambda k: (total(k), double(k)), lambda: d.chain(VALUES.number(0), "empty"), step)
    assert letters == [Index("j")]
    assert d.steps[-1].rule == "induction on j, up to n"
    assert d.known.follows(total(LAST), double(LAST))


def test_what_is_known_of_one_index_is_not_known_of_the_inductions():
    """q_i ≠ 0 was found out, not assumed of every i: the planted negative of the test before."""
    q = Family("q", "d", "1")
    total = sequence("S", VALUES.number(0), lambda s, k: s + VALUES.nonzero(member(q, k)) - 1)
    d = derivation(x, x)
    d.known += Assumption(nonzero=member(q, STEP))

    def step(i):
        d.chain(total(i), "definition")
        d.then(total(i - 1), "no q is zero")

    with pytest.raises(StepFails, match="no q is zero"):
        d.induction("S = 0", lambda k: (total(k), VALUES.number(0)), lambda: d.chain(VALUES.number(0), "empty"), step)
