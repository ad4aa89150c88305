"""An induction claim shown at one n: the two sides are computed apart, over exact rationals, and agree; a wrong formula shows."""

import pytest

from symbolic import formulas
from symbolic.claims import load_claims
from symbolic.counterexamples import show
from symbolic.counterexamples.one_instance import NothingToShow

ABOUT_EVERY_N = [claim for claim in load_claims() if "all n" in claim.scope]


@pytest.mark.parametrize("n", [1, 2, 5, 30, 300])
@pytest.mark.parametrize("claim", ABOUT_EVERY_N, ids=lambda claim: claim.id)
def test_both_sides_agree_at_any_n(claim, n):
    shown = show(claim, n)
    assert shown.sizes["n"] == n
    assert shown.agree
    assert shown.left


def test_every_step_of_a_claim_about_any_one_of_them_is_an_instance_of_its_own():
    (claim,) = load_claims(["gradient-is-free"])
    left = show(claim, 5).left
    assert len(left) == 5
    assert len({str(part) for part in left}) > 1


def test_a_wrong_step_is_seen_in_the_numbers(monkeypatch):
    (claim,) = load_claims(["proposition-3.1"])
    monkeypatch.setattr(formulas, "gradient_step", lambda W, slope, a: W - slope)
    assert not show(claim, 5).agree


def test_a_wrong_update_is_seen_in_the_numbers(monkeypatch):
    """The planted negative: without the division the recursion of Appendix B does not keep the output."""
    (claim,) = load_claims(["corollary-b.0.1"])
    monkeypatch.setattr(formulas, "rank_one_update", lambda W, delta, a: (W @ delta) @ a.mT)
    assert not show(claim, 5).agree


def test_a_claim_about_no_n_has_nothing_to_show():
    (claim,) = load_claims(["theorem-2.2"])
    with pytest.raises(NothingToShow, match="about no number of tokens"):
        show(claim, 3)


@pytest.mark.parametrize("n", [0, -1, 4097, 10**30])
def test_no_tokens_at_all_or_more_than_a_call_ends_for_are_refused(n):
    with pytest.raises(NothingToShow, match="from 1 to 4096"):
        show(ABOUT_EVERY_N[0], n)
