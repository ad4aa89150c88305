"""The implicit dynamics as they are told: on the page, in the headline, and in the exit status."""

import pytest

from reports.figures.dynamics_rows import largest_or_nan
from reports.findings import RunStanding, headline
from reports.page import render
from reports.record import Experiments, RunRecord
from reports.record.experiments import DynamicsRecord
from tests import experiment_samples
from tests import report_samples as samples
from tests.reports.hostile import IMAGE, SCRIPT
from tests.reports.test_page import Tree
from verify.exit_status import FAILED, HELD, exit_status

MOST = 8192
"""Bytes of the page that the section may take, for nine blocks in two formats."""


def run_with(*rows: DynamicsRecord) -> RunRecord:
    return samples.record(experiments=Experiments(dynamics=list(rows)))


def test_what_holds_is_told_with_its_figures():
    page = render(run_with(experiment_samples.dynamics(), experiment_samples.dynamics("gru", literal=665.25, apart=0.41)))
    tree = Tree(page)
    for words in (
        "both hold after every token, to within a rigorous bound; each of three wrong readings is off by at least 665 times the bound",
        "the worst of fp32, of all tokens",
        "gru 0.16 0.61 4 × 10 −4 665 3,814 30,546 0.41 0.0076",
        "Median of 4 prompts",
    ):
        assert words in tree.text, words
    assert 'aria-label="attention, all tokens moved: error 1.5 × 10⁻⁷, bound 1.4 × 10⁻⁵ in fp32."' in page
    assert exit_status(run_with(experiment_samples.dynamics())) == HELD


def test_each_place_is_the_worst_of_its_formats():
    good, bad = experiment_samples.dynamics(format="fp64"), experiment_samples.dynamics(moved=experiment_samples.identity(worst=0.875), reversed=77.5)
    text = Tree(render(run_with(DynamicsRecord(block="gru", tokens=50, formats=good.formats + bad.formats)))).text
    assert "gru 0.88 0.61" in text
    assert "8,044 78 30,546" in text


@pytest.mark.parametrize("identity", ["moved", "factored", "descended", "telescoped"])
@pytest.mark.parametrize("worst", [1.0000001, samples.INFINITY, samples.NAN])
def test_an_identity_outside_its_bound_is_a_violation(identity, worst):
    run = run_with(experiment_samples.dynamics(), experiment_samples.dynamics("gru", **{identity: experiment_samples.identity(worst=worst)}))
    verdict = headline(run)
    assert verdict.standing is RunStanding.VIOLATED
    assert "1 identity of the implicit dynamics lies outside its bound (" in verdict.sentence
    assert "of gru in fp32)" in verdict.sentence
    assert exit_status(run) == FAILED
    assert "both hold" not in Tree(render(run)).text


def test_several_violations_are_counted_and_one_is_named():
    wrong = experiment_samples.identity(worst=3.0)
    verdict = headline(run_with(experiment_samples.dynamics(moved=wrong, factored=wrong, agree=2.0)))
    assert verdict.sentence == "Violated: 3 identities of the implicit dynamics lie outside their bounds (Corollary B.0.1 of attention in fp32 for one)."


@pytest.mark.parametrize("planted", ["literal", "reversed", "prefix"])
@pytest.mark.parametrize("over", [1.0, 0.0, samples.NAN])
def test_a_planted_reading_that_is_let_pass_makes_the_run_distrusted(planted, over):
    run = run_with(experiment_samples.dynamics(**{planted: over}))
    verdict = headline(run)
    assert verdict.standing is RunStanding.DISTRUSTED
    assert "the bounds of the implicit dynamics let 1 wrong reading pass (" in verdict.sentence
    assert exit_status(run) == FAILED
    assert "let 1 wrong reading pass" in Tree(render(run)).text


def test_what_was_refused_and_what_shows_nothing_is_told():
    vacuous = experiment_samples.identity(vacuous=[1, 2], resolution=samples.INFINITY)
    verdict = headline(run_with(experiment_samples.dynamics(refused=1, prompts=3, moved=vacuous)))
    assert verdict.standing is RunStanding.HELD
    assert "Of the prompts for the implicit dynamics, 1 of 4 met a limit of the range or a zero, and were refused." in verdict.unchecked
    assert "A bound of the implicit dynamics is as wide as what the tokens do, and so shows nothing, for attention in fp32 (2 steps)." in verdict.unchecked
    assert not any("implicit dynamics" in line for line in headline(run_with(experiment_samples.dynamics())).unchecked)


def test_a_run_without_them_says_so():
    for run in (samples.record(), run_with(DynamicsRecord(block="gru", tokens=50, formats=[]))):
        assert "The implicit dynamics were not measured in this run" in Tree(render(run)).text


@pytest.mark.parametrize("evil", [SCRIPT, IMAGE])
def test_a_name_stays_text(evil):
    tree = Tree(render(run_with(experiment_samples.dynamics(evil, format=evil))))
    assert not {"script", "img"} & set(tree.elements)
    assert tree.text.count("alert(1)") >= 3


def test_a_curve_that_cannot_be_drawn_leaves_the_others():
    nothing = experiment_samples.identity(points=[(1, 0.0, samples.INFINITY, 0.0), (50, samples.NAN, 1e-5, 0.0)])
    Tree(render(run_with(experiment_samples.dynamics(moved=nothing))))


def test_nine_blocks_in_two_formats_stay_small():
    both = [experiment_samples.dynamics(format=name).formats[0] for name in ("fp64", "fp32")]
    rows = [DynamicsRecord(block=f"block-{i}", tokens=50, formats=both) for i in range(9)]
    assert len(render(run_with(*rows)).encode()) - len(render(samples.record()).encode()) < MOST


def test_a_number_that_is_none_is_not_hidden_by_a_larger_one():
    assert largest_or_nan([1.0, 3.0, 2.0]) == 3.0
    assert str(largest_or_nan([1.0, samples.NAN, 2.0])) == "nan"
