"""Random statements, true and false, are judged as their exact evaluation judges them: none false is proved, nearly all true ones are."""

from collections.abc import Sequence

import pytest

from symbolic import prover
from symbolic.algebra import Algebra
from tests.symbolic.identity_corpus import collected, false_pairs, true_pairs
from tests.symbolic.random_statements import KINDS, Statement

EACH = 75
"""Pairs of each sort, true and false, for each kind of statement in the long run: 1,200 statements in all."""
PROVED = 0.95
"""The share of the true ones."""


def statements(each: int) -> list[Statement]:
    truths, falsehoods = (collected(strategy, each * len(KINDS)) for strategy in (true_pairs(), false_pairs()))
    return [kind(*pair) for pairs in (truths, falsehoods) for number, kind in enumerate(KINDS) for pair in pairs[number :: len(KINDS)]]


def is_proved(statement: Statement) -> bool:
    problem = prover.problem_of(statement.claim)
    return prover.derive(problem)[1] is None or prover.decided(problem)


def judged(drawn: Sequence[Statement]) -> tuple[list[str], list[Statement], list[Statement]]:
    """The kinds of false statements that are proved, the true ones, and those of them that are proved."""
    true = [statement for statement in drawn if statement.is_true()]
    wrong = [statement.kind for statement in drawn if statement not in true and is_proved(statement)]
    return wrong, true, [statement for statement in true if is_proved(statement)]


def check(each: int) -> None:
    drawn = statements(each)
    assert len(drawn) == 2 * each * len(KINDS)
    wrong, true, proved = judged(drawn)
    assert not wrong
    assert len(true) > each * len(KINDS) / 2, "both are there"
    assert len(drawn) - len(true) > each * len(KINDS) / 2
    assert {statement.kind for statement in drawn} == {statement.kind for statement in proved}, "some of each kind are true, and proved"
    assert len(proved) >= PROVED * len(true)


def test_a_sample_is_judged_rightly() -> None:
    check(5)


@pytest.mark.soak
def test_1200_are_judged_rightly() -> None:
    check(EACH)


def test_a_prover_that_accepts_everything_is_exposed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative, and with it that every kind has statements that are false."""
    monkeypatch.setattr(Algebra, "equal", lambda self, left, right: True)
    drawn = statements(5)
    wrong, _, _ = judged(drawn)
    assert set(wrong) == {statement.kind for statement in drawn}


def test_a_prover_that_rejects_everything_is_exposed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Algebra, "equal", lambda self, left, right: False)
    _, true, proved = judged(statements(2))
    assert true
    assert not proved
