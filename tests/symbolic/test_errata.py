"""Every erratum is shown: the paper's reading at numbers that refute it, the correction by a proof."""

import pytest

from symbolic import formulas
from symbolic.claims import load_claims
from symbolic.errata import load_errata
from symbolic.prover import prove, refute
from symbolic.vocabulary import Verdict

ERRATA = load_errata()


def statements(erratum):
    """The claim that corrects the paper, and the mutant that is its literal reading."""
    (claim,) = load_claims([erratum.claim])
    return claim, next(mutant for mutant in claim.mutants if mutant.id == erratum.mutant)


def evidence(erratum):
    """Where the literal reading fails, or None; and whether the correction is proved. The erratum is shown if both are there."""
    claim, mutant = statements(erratum)
    outcome = refute(claim, mutant)
    return outcome.counterexample if outcome.verdict is Verdict.VIOLATED else None, prove(claim).verdict is Verdict.HOLDS


def test_the_nine_errata_are_there():
    assert [erratum.number for erratum in ERRATA] == list(range(1, 10))
    assert [erratum.number for erratum in ERRATA if erratum.to_measure] == [2, 9]


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda erratum: str(erratum.number))
def test_the_literal_reading_is_refuted_and_the_correction_proved(erratum):
    counterexample, proved = evidence(erratum)
    assert proved
    assert counterexample.left != counterexample.right
    corrected, literal = statements(erratum)
    assert literal.statement.text != corrected.statement.text
    assert erratum.wording
    assert erratum.correction


def test_a_correction_that_fails_is_not_proved(monkeypatch):
    """The planted negative: with a wrong Eq. (1) the correction is not proved, and the erratum must not be called shown."""
    monkeypatch.setattr(formulas, "rank_one_update", lambda W, delta, a: (W @ delta) @ a.mT)
    assert not evidence(ERRATA[0])[1]


def test_the_off_by_one_needs_a_token_that_does_not_exist():
    """At the numbers that refute the printed Eq. (15), the two tokens after c_i have different effects."""
    values = evidence(ERRATA[0])[0].values
    assert values["A(c₁..cᵢ₊₁,x)"] != values["A(c₁..cᵢ₊₂,x)"]
