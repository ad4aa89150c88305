"""What is printed of a statement is made of the terms that are compared."""

from dataclasses import replace

import pytest

from symbolic import prover
from symbolic.claims import load_claims
from symbolic.statements import Formula


def problem_in_terms(id, mutant=None):
    (claim,) = load_claims([id])
    chosen = next((each for each in claim.mutants if each.id == mutant), None)
    return prover.problem_in_terms(prover.problem_of(claim, chosen)), prover.rendered_hypotheses(prover.problem_of(claim, chosen))


def test_a_statement_its_names_and_its_hypotheses_by_hand():
    shown, (hypotheses, words) = problem_in_terms("theorem-2.2")
    assert shown.text == "f_θ((W + ΔW) a + b) = f_θ(W z + b), where ΔA = z - a, ΔW = (W ΔA) aᵀ / ‖a‖²"
    assert [each.text for each in hypotheses] == ["a ≠ 0"]
    assert words == ()


def test_what_is_said_of_every_index_is_said_once():
    shown, (hypotheses, _) = problem_in_terms("corollary-b.0.1")
    assert shown.text == "f_θ(Wₙ aₙ + b) = f_θ(W₀ a₀ + b), where Wₖ = Wₖ₋₁ + (Wₖ₋₁ (aₖ₋₁ - aₖ)) aₖᵀ / ‖aₖ‖²"
    assert [each.text for each in hypotheses] == ["aᵢ ≠ 0 for i = 1..n"]


def test_a_mutant_shows_what_was_changed():
    assert problem_in_terms("theorem-2.2", "no-normalisation")[0].text.endswith("ΔW = (W ΔA) aᵀ")


def test_a_claim_may_say_of_itself_what_it_likes_and_shows_what_it_is():
    """The planted negative: the words beside a claim claim more than its sides say."""
    (claim,) = load_claims(["theorem-2.2"])
    proof = prover.prove(replace(claim, statement=Formula("P = NP", "P = NP"), mutants=()))
    assert "NP" not in proof.statement.text


@pytest.mark.parametrize("claim", load_claims(), ids=lambda claim: claim.id)
def test_every_claim_can_be_written_down(claim):
    assert prover.problem_in_terms(prover.problem_of(claim)) is not None


def test_lines_in_words_are_marked_and_no_others():
    (claim,) = load_claims(["corollary-b.0.1"])
    steps = prover.prove(replace(claim, mutants=())).steps
    assert {step.rule for step in steps if step.in_words} == {"in words: how it is written", "in words: what it means"}
    assert not [step for step in steps if not step.in_words and "in words" in step.rule]
    assert all(step.remark for step in steps if step.in_words)
