"""Case distinctions and inductions are nested: out of their turn they are refused, and outside of them nothing of theirs is known."""

import gc

import pytest
from hypothesis import example, given, settings

from symbolic.derivation import Derivation, StepFails
from tests.symbolic.derivation.interleavings import COLUMNS, VALUES, Running, after_all, programs, run

x, y, _ = COLUMNS
OVERLAPPING = [("begin", 0), ("begin", 1), ("go on", 1), ("go on", 1), ("go on", 0), ("go on", 0), ("show", 0)]
"""The outer distinction, x = 0 or x ≠ 0, goes on and ends within the inner one."""
INTO_AN_INDUCTION = [("begin", 0), ("induction", 0, [], [("go on", 0)]), ("go on", 0)]
OUT_OF_AN_INDUCTION = [("begin", 1), ("go on", 0), ("induction", 0, [], [("begin", 0), ("go on", 1), ("go on", 0)])]
NESTED = [("begin", 0), ("show", 0), ("go on", 0), ("induction", 0, [], [("begin", 1), ("go on", 0), ("go on", 0)]), ("go on", 0)]


@given(programs)
@example(OVERLAPPING)
@example(INTO_AN_INDUCTION)
@example(OUT_OF_AN_INDUCTION)
@example([("begin", 0), ("begin", 1), ("forget", 1), ("go on", 0), ("go on", 0), ("show", 0)])
@example([("begin", 0), ("begin", 1), ("close", 1), ("lemma", 0)])
@example([("begin", 0), ("begin", 1), ("throw", 0), ("go on", 0), ("lemma", 0)])
@settings(max_examples=150, deadline=None)
def test_nothing_is_known_outside_its_scope(program):
    """Whatever is begun, gone on with, closed, thrown into or forgotten, in any order, by a program that goes on after each refusal."""
    run(program)


@pytest.mark.soak
@given(programs)
@settings(max_examples=20_000, deadline=None)
def test_nothing_is_known_outside_its_scope_in_the_long_run(program):
    run(program)


@pytest.mark.parametrize("program", [OVERLAPPING, INTO_AN_INDUCTION, OUT_OF_AN_INDUCTION])
def test_scopes_that_are_counted_and_not_nested_are_exposed(program, monkeypatch):
    """The planted negative: who goes on is not asked whether it is his turn."""
    monkeypatch.setattr(Derivation, "_require_innermost", lambda self, scope: None)
    with pytest.raises(AssertionError):
        run(program)


def test_what_is_not_given_back_is_exposed(monkeypatch):
    """Another: a case keeps what it knew."""
    monkeypatch.setattr(Derivation, "_return_to", lambda self, state: None)
    with pytest.raises(AssertionError, match="is known"):
        run([("begin", 0), ("go on", 0)])


def test_what_is_in_its_turn_is_accepted():
    running = run(NESTED)
    assert not running.over
    assert not running.open
    assert running.derivation.known.assumed == ()


@pytest.mark.parametrize("broken", [OVERLAPPING, [("begin", 0), ("close", 0)], [("begin", 0), ("throw", 0)], [("begin", 0), ("forget", 0)]])
def test_after_a_scope_was_left_nothing_is_accepted(broken):
    running = run(broken)
    assert running.over
    written = len(running.derivation.steps)
    for ask in after_all(running):
        with pytest.raises(StepFails, match=r"no line is accepted after this: the distinction of \w = 0 and \w ≠ 0"):
            ask()
    assert len(running.derivation.steps) == written


def test_a_scope_that_the_collector_ends_is_left():
    """A distinction that refers to itself lives until the collector finds it."""
    derivation = Derivation(VALUES, (x,), (VALUES.zero("d"),))
    ring = [derivation.dichotomy("", "", x, zero=(x, VALUES.zero("d")))]
    next(ring[0])
    ring.append(ring)
    assert len(derivation.known.assumed) == 1
    del ring
    gc.collect()
    assert derivation.known.assumed == ()
    with pytest.raises(StepFails, match="was left before its end"):
        derivation.start()


def test_a_distinction_that_has_ended_says_nothing_more():
    derivation = Derivation(VALUES, (x, y), (x, y))
    cases = derivation.dichotomy("", "", y)
    for _ in cases:
        derivation.start()
        derivation.finish()
    known = derivation.known
    assert next(cases, "the end") == "the end"
    cases.close()
    assert derivation.known is known
    derivation.part(1)
    derivation.start()
    derivation.finish()
    derivation.done()


def test_the_record_of_what_is_open_is_right():
    """The worlds by hand: in the case x ≠ 0, y = 0 two of eight are left, which differ in z."""
    running = Running(Derivation(VALUES, COLUMNS, COLUMNS), cases=[(0, 2), (1, 1)], open=[0, "induction", 1])
    assert list(running.worlds()) == [(True, False, False), (True, False, True)]
