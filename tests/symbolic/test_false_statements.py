"""Statements that are false and hidden from every instance up to size 3: none is derived.

What they are: ``tests.symbolic.false_claims`` (two things taken for one), ``false_scopes`` (what is known in one place used in another) and
``false_inferences`` (a rule applied where its condition does not hold).
"""

import pytest

from symbolic import prover
from symbolic.counterexamples import points, search
from symbolic.terms.legend import Legend
from symbolic.vocabulary import Verdict
from tests.symbolic.false_claims import MISTAKEN
from tests.symbolic.false_inferences import INFERRED
from tests.symbolic.false_scopes import SCOPED

FALSE = MISTAKEN | SCOPED | INFERRED


@pytest.mark.parametrize("ambiguous", [False, True])
@pytest.mark.parametrize("name", FALSE)
def test_it_is_not_derived(name: str, ambiguous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some show two things alike, and are refused for that; they are not derived where that is allowed either."""
    if ambiguous:
        monkeypatch.setattr(Legend, "_name", lambda *_: None)
    claim = FALSE[name]()
    problem = prover.problem_of(claim)
    assert prover.derive(problem)[1] is not None
    assert not prover.decided(problem)


@pytest.mark.parametrize("name", FALSE)
def test_it_does_not_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the search, which would go through all instances up to size 3 in vain."""
    monkeypatch.setattr(search, "find", lambda problem: None)
    assert prover.prove(FALSE[name]()).verdict is not Verdict.HOLDS


@pytest.mark.parametrize("name", [name for name in FALSE if name.startswith("called")])
def test_the_name_of_a_function_proves_nothing_even_where_it_is_allowed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of the name is the first defence; the second is that a function is never one of the operations."""
    monkeypatch.setattr(prover, "unreadable_names", lambda claim: [])
    monkeypatch.setattr(Legend, "_name", lambda *_: None)
    assert prover.derive(prover.problem_of(FALSE[name]()))[1] is not None


FALSE_AT_NUMBERS = [name for name in FALSE if name not in ("called sqrt", "called √")]  # the function of these two is not zero where it is made concrete


@pytest.mark.parametrize("name", FALSE_AT_NUMBERS)
def test_instances_contradict_it_at_sizes_drawn_up_to_6_and_not_at_the_small_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second defence: if the derivation went through, the prover would be reported as broken."""
    monkeypatch.setattr(prover, "derive", lambda problem: ((), None))
    proof = prover.prove(FALSE[name]())
    assert proof.verdict is Verdict.ERROR
    assert "contradicts it: the prover is broken" in str(proof.reason)
    monkeypatch.setattr(points, "at_random_sizes", lambda claim: iter(()))
    assert prover.prove(FALSE[name]()).verdict is Verdict.HOLDS, "hidden from every instance up to size 3"
