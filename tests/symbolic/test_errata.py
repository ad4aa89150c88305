"""Every erratum is shown: the paper's reading at numbers that refute it, the correction by a proof."""

from dataclasses import replace

import pytest

from symbolic import formulas
from symbolic.errata import load_errata, settle

ERRATA = load_errata()


def test_the_nine_errata_are_there():
    assert [erratum.number for erratum in ERRATA] == list(range(1, 10))
    assert [erratum.number for erratum in ERRATA if erratum.to_measure] == [2, 9]


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda erratum: str(erratum.number))
def test_the_literal_reading_is_refuted_and_the_correction_proved(erratum):
    settled = settle(erratum)
    assert settled.shown
    assert settled.measured is None
    assert settled.counterexample.left != settled.counterexample.right
    assert erratum.literal.text != erratum.corrected.text
    assert erratum.wording
    assert erratum.correction


def test_an_erratum_whose_correction_fails_is_not_shown(monkeypatch):
    """The planted negative: with a wrong Eq. (1) the correction is not proved, and the erratum must not be called shown."""
    monkeypatch.setattr(formulas, "rank_one_update", lambda W, delta, a: (W @ delta) @ a.mT)
    settled = settle(ERRATA[0], measured="a figure")
    assert not settled.shown
    assert settled.measured == "a figure"


def test_an_erratum_that_is_not_refuted_is_not_shown():
    settled = settle(ERRATA[5])
    assert not replace(settled, counterexample=None).shown


def test_the_off_by_one_needs_a_token_that_does_not_exist():
    """At the numbers that refute the printed Eq. (15), the two tokens after c_i have different effects."""
    values = settle(ERRATA[0]).counterexample.values
    assert values["A(c₁..cᵢ₊₁,x)"] != values["A(c₁..cᵢ₊₂,x)"]
