"""Every claim in the folder: proved, its mutants refuted, its formulas readable; a new file is tested without editing this one."""

import time
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import pytest
from latex2mathml.converter import convert

from symbolic import formulas, prover
from symbolic.claims import load_claims
from symbolic.counterexamples import instances, points, recheck, search
from symbolic.exact import Irrational, Undefined
from symbolic.statements import Matrix
from symbolic.vocabulary import Verdict

CLAIMS = load_claims()
MUTANTS = [(claim, mutant) for claim in CLAIMS for mutant in claim.mutants]


AS_MUCH_AS = 66
"""All proofs take no longer than as many times all yardsticks, one beside each: 15 seconds where these take 0.23."""


def yardstick() -> None:
    """Work that the prover has no part in."""
    total: dict[tuple[str, int], Fraction] = {}
    for k in range(3_000):
        key = ("a", k % 7)
        total[key] = total.get(key, Fraction(0)) + Fraction(k % 13, 1 + k % 5)
    assert sum(total.values()) > 0


@pytest.fixture(scope="module")
def timed():
    proofs, taken, beside = {}, 0.0, 0.0
    for claim in CLAIMS:
        begin = time.process_time()
        yardstick()
        between = time.process_time()
        proofs[claim.id] = prover.prove(claim)
        beside, taken = beside + between - begin, taken + time.process_time() - between
    return proofs, taken / beside


@pytest.fixture(scope="module")
def proofs(timed):
    return timed[0]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_claim_is_proved_for_all_sizes(claim, proofs):
    proof = proofs[claim.id]
    assert (proof.verdict, proof.reason, proof.counterexample) == (Verdict.HOLDS, None, None)
    assert proof.scope in ("all sizes", "all sizes, all n")
    assert len(proof.steps) >= 3
    assert all(step.rule for step in proof.steps)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_claim_has_at_least_four_mutants_that_say_why_one_might_believe_them(claim):
    assert len(claim.mutants) >= 4
    assert len({mutant.id for mutant in claim.mutants}) == len(claim.mutants)
    assert all(mutant.why and mutant.description for mutant in claim.mutants)


@pytest.mark.parametrize(("claim", "mutant"), MUTANTS, ids=lambda each: each.id)
def test_the_mutant_is_refuted_at_numbers_that_evaluate_to_what_is_stored(claim, mutant, proofs):
    """The stored counterexample is put through the independent evaluator once more, from its strings."""
    outcome = next(outcome for outcome in proofs[claim.id].mutants if outcome.id == mutant.id)
    assert outcome.verdict is Verdict.VIOLATED
    found = outcome.counterexample
    left, right, assumed = recheck.recheck(prover.problem_of(claim, mutant), found.sizes, found.values)
    assert (left, right) == (found.left, found.right)
    assert left != right
    assert assumed
    for rows in (*found.values.values(), *(side for side in (left, right) if side != [["undefined"]])):
        assert all(str(Fraction(entry)) == entry for row in rows for entry in row)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_claim_itself_is_not_refuted_where_its_mutants_are(claim, proofs):
    """The planted positive: at the very numbers that refute a mutant, the claim holds (if its hypotheses do)."""
    problem = prover.problem_of(claim)
    for outcome in proofs[claim.id].mutants:
        sizes = {"1": 1, **outcome.counterexample.sizes}
        ones = {m.text or m.name: [["1"] * sizes[m.columns]] * sizes[m.rows] for m in claim.symbols}  # for what the mutant does not speak of
        left, right, assumed = recheck.recheck(problem, sizes, ones | outcome.counterexample.values)
        assert left == right or not assumed


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_formula_can_be_shown_on_a_page(claim, proofs):
    proof = proofs[claim.id]
    remarks = [claim.statement, *claim.hypotheses, *(mutant.remark for mutant in proof.mutants)]
    shown = [*remarks, proof.statement, *proof.hypotheses, *proof.in_words, *proof.steps, *(mutant.statement for mutant in proof.mutants if mutant.statement)]
    for formula in shown:
        assert formula.text
        assert "\n" not in formula.text
        assert convert(formula.latex).startswith("<math")


def test_all_proofs_together_are_fast(timed):
    """Of the processor's time, which a busy machine stretches less than the clock's, against that of a fixed task beside it."""
    assert timed[1] < AS_MUCH_AS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_claim_is_tried_where_none_of_its_symbols_vanishes(claim):
    """An instance in which a symbol is zero may leave a part of the statement untried."""
    problem = prover.problem_of(claim)
    others = [symbol.name for symbol in claim.symbols if (claim.id, symbol.name) != ("singular", "a")]  # whose hypothesis is a = 0
    found = False
    for sizes in islice(points.all_sizes(claim), 8):
        for point in islice(points.at_random(claim, sizes), prover.INSTANCES):
            try:
                values = instances.settled(problem, sizes, point)
            except (Irrational, Undefined):
                continue
            found = found or (values is not None and not any(getattr(values, name).is_zero() for name in others))
    assert found


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_claim_is_tried_at_forty_instances_of_sizes_drawn_up_to_6(claim):
    """Each size is drawn apart, n too, and each is large in some of them."""
    tried, against = prover._try(prover.problem_of(claim), islice(points.at_random_sizes(claim), prover.ATTEMPTS), prover.LARGE_INSTANCES)
    assert (tried, against) == (40, None)
    drawn = list(islice(points.random_sizes(claim), 40))
    assert all({size for sizes in drawn for size in [sizes[name]]} == set(range(1, 7)) for name in drawn[0])


@pytest.fixture
def no_numbers(monkeypatch):
    """No counterexample comes to the rescue: for what has none, the search goes through all that it has, and comes back with nothing."""
    monkeypatch.setattr(search, "find", lambda problem: None)


@pytest.mark.usefixtures("no_numbers")
def test_a_statement_without_parts_or_with_a_part_too_many_is_not_proved():
    (claim,) = load_claims(["theorem-2.2"])
    for left, right in (((), ()), ((claim.left,), (claim.right, claim.right))):
        sides = (lambda v, parts=parts: tuple(part(v) for part in parts) for parts in (left, right))
        proof = prover.prove(replace(claim, left=next(sides), right=next(sides), proof=(lambda v, d: None) if not left else claim.proof, mutants=()))
        assert proof.verdict is not Verdict.HOLDS
        assert "left sides and" in proof.reason


@pytest.mark.usefixtures("no_numbers")
@pytest.mark.parametrize("name", ["d", "Aᵀ", "W a", "z"])
def test_a_name_that_could_be_something_else_is_refused(name):
    (claim,) = load_claims(["theorem-2.2"])
    proof = prover.prove(replace(claim, symbols=(*claim.symbols, Matrix(name, "d", "1")), mutants=()))
    assert proof.verdict is not Verdict.HOLDS
    assert f"{name} is no name of its own" in proof.reason


def test_hypotheses_are_recorded_where_they_are_used(proofs):
    """a ≠ 0 is used exactly once in Theorem 2.2: to cancel ‖a‖²."""
    used = [(step.rule, step.remark, step.hypothesis) for step in proofs["theorem-2.2"].steps if step.hypothesis]
    assert used == [("equal by normal form", "a nonzero scalar over itself is 1", "a ≠ 0")]


T, S = formulas.transpose, formulas.squared_norm
WRONG = {
    "no division": (lambda W, delta, a: (W @ delta) @ T(a), "commutes out"),
    "divided by the norm": (lambda W, delta, a: (W @ delta) @ T(a) / S(a) ** 0.5, "commutes out"),
    "z in the row": (lambda W, delta, a: (W @ delta) @ T(a + delta) / S(a), "commutes out"),
    "W left out": (lambda W, delta, a: delta @ T(a) / S(a), "cannot combine mxd with dxd"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("id", ["theorem-2.2", "corollary-2.3.1", "remark-2.4", "theorem-a.2"])
def test_a_changed_formula_fails_at_a_named_step_and_at_numbers(name, id, monkeypatch):
    """What is proved is the formula as it is now, not a copy of it."""
    formula, where = WRONG[name]
    monkeypatch.setattr(formulas, "rank_one_update", formula)
    (claim,) = load_claims([id])
    proof = prover.prove(claim)
    assert (proof.verdict, proof.scope) == (Verdict.VIOLATED, "not shown")
    assert proof.reason.startswith("step ")
    assert where in proof.reason
    assert proof.counterexample.left != proof.counterexample.right


def test_a_formula_that_breaks_is_an_error_and_no_exception(monkeypatch):
    """Nothing is known then, and nothing is claimed."""
    monkeypatch.setattr(formulas, "rank_one_update", lambda W, delta, a: W.inverse_of_something())
    (claim,) = load_claims(["theorem-2.2"])
    proof = prover.prove(claim)
    assert (proof.verdict, proof.steps, proof.mutants) == (Verdict.ERROR, (), ())
    assert proof.reason.startswith("the check broke: AttributeError")


def test_a_missing_hypothesis_is_named():
    (claim,) = load_claims(["theorem-2.2"])
    (dropped,) = [mutant for mutant in claim.mutants if mutant.without]
    _, reason = prover.derive(prover.problem_of(claim, dropped))
    assert "no hypothesis says that it is not zero" in reason


def test_a_derivation_with_a_gap_is_not_a_proof():
    """A script that stops before the right side proves nothing, even if every line of it follows."""
    (claim,) = load_claims(["theorem-2.2"])
    lazy = replace(claim, proof=lambda v, d: d.start(), mutants=())
    proof = prover.prove(lazy)
    assert (proof.verdict, proof.reason) == (Verdict.INCONCLUSIVE, "the chain does not reach the right side")


def test_a_proof_that_numbers_contradict_is_an_error(monkeypatch):
    """A prover that accepts every step must not be believed: the instances catch it."""
    from symbolic.algebra import Algebra

    (claim,) = load_claims(["theorem-2.2"])
    monkeypatch.setattr(formulas, "rank_one_update", WRONG["no division"][0])
    monkeypatch.setattr(Algebra, "equal", lambda self, left, right: True)
    proof = prover.prove(claim)
    assert proof.verdict is Verdict.ERROR
    assert "prover is broken" in proof.reason
    assert all(outcome.verdict is Verdict.HOLDS for outcome in proof.mutants), "such a prover proves every mutant, and that is shown too"


def test_a_claim_whose_hypotheses_contradict_each_other_does_not_hold():
    """From x ≠ 0 and x = 0 everything follows, and it is worth nothing."""
    (claim,) = load_claims(["solutions"])
    (singular,) = load_claims(["singular"])
    empty = replace(claim, hypotheses=(*claim.hypotheses, *singular.hypotheses), mutants=())
    proof = prover.prove(empty)
    assert proof.verdict is Verdict.INCONCLUSIVE
    assert "no exact instance satisfies the hypotheses" in proof.reason


def test_a_claim_with_a_mutant_that_is_true_is_an_error():
    """A mutant that can be proved shows that the prover, or the mutant, is broken."""
    (claim,) = load_claims(["theorem-2.2"])
    same = replace(claim.mutants[0], formulas={})
    proof = prover.prove(replace(claim, mutants=(same,)))
    assert proof.verdict is Verdict.ERROR
    assert "that of the mutant no-normalisation" in proof.reason


def test_a_prover_that_rejects_everything_proves_nothing(monkeypatch):
    from symbolic.algebra import Algebra

    monkeypatch.setattr(Algebra, "equal", lambda self, left, right: False)
    (claim,) = load_claims(["theorem-2.2"])
    assert prover.prove(claim).verdict is Verdict.INCONCLUSIVE


DROPPED = [(claim, mutant) for claim, mutant in MUTANTS if mutant.without]


@pytest.mark.parametrize(("claim", "mutant"), DROPPED, ids=lambda each: each.id)
def test_a_mutant_that_drops_a_hypothesis_is_true_with_it(claim, mutant):
    """Otherwise it would say nothing about the hypothesis: with it restored, no exact instance contradicts the statement."""
    restored = prover.problem_of(claim, replace(mutant, without=(), where=None))
    tried, against = prover.instances_tried(restored)
    assert against is None
    assert tried > 0
