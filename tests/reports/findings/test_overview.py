"""The first screen: its lines are counted from the rows, lead to a place that exists, and name the gravest cells first."""

import re

import pytest

from reports.findings.grid import gravest, square, unique
from reports.findings.overview import checked, omissions
from reports.html import GLOSSARY
from reports.html.glossary import term, word_anchor
from reports.page import render
from reports.record import CellRecord
from reports.record.cells import Counts
from symbolic.vocabulary import Verdict
from tests import experiment_samples
from tests import report_samples as samples

UNMEASURED = {"worst_ratio": None, "error": None, "bound": None, "tightness": None, "resolution": None, "mutant_verdict": None, "counts": Counts()}


def lines(found: list) -> list[str]:
    return [f"{line.amount} {line.result}" for line in found]


def mixed() -> list[CellRecord]:
    """A cell that holds, one that broke, one that is skipped, one with refused and vacuous cases."""
    partly = Counts(holds=4000, inconclusive=64, vacuous=32)
    return [
        samples.cell(),
        samples.cell(block="broken", verdict=Verdict.ERROR, **UNMEASURED),
        samples.cell(block="skipped", verdict=Verdict.SKIPPED, **UNMEASURED),
        samples.cell(block="partly", worst_ratio=0.5, counts=partly),
    ]


def test_what_was_checked_is_counted_from_the_rows():
    found = lines(checked(samples.record(cells=mixed(), errata=[samples.erratum(), samples.erratum(number=2, proved=False)])))
    assert found[:4] == [
        "1 claim 1 hold; 2 of 2 false variants refuted",
        "2 errata 1 refuted as printed and proved as corrected",
        "4 cells 2 hold, 1 skipped, 1 broke; a planted wrong update noticed in 2 of 2",
        f"{2 * 4096:,} cases 8,096 inside their bounds, 0 violated",
    ]


def test_what_was_not_done_has_no_line():
    assert checked(samples.empty_record()) == []
    assert "search" not in " ".join(lines(checked(samples.record())))


def test_what_was_not_checked_is_counted_by_kind():
    assert lines(omissions(samples.record(cells=mixed()))) == [
        "1 cell broke",
        "1 cell skipped",
        "64 cases refused, as their operands foretold",
        "32 cases inside a bound too wide to tell",
    ]
    assert omissions(samples.record()) == []


def test_each_line_leads_to_a_place_on_the_page():
    run = samples.record(cells=mixed(), errata=[samples.erratum()]).model_copy(update={"experiments": experiment_samples.experiments()})
    page = render(run)
    places = {line.section for line in (*checked(run), *omissions(run))}
    assert len(places) > 6
    assert all(f'id="{place}"' in page for place in places)
    assert 'id="nowhere"' not in page


def test_an_unfinished_run_says_so_beside_what_was_not_checked():
    told = "what it had still to do is not in its record"
    assert told in render(samples.record(run=samples.run_info(finished=None)))
    assert told not in render(samples.record())


def test_the_gravest_come_first():
    worst_first = [
        samples.cell(block="violated", verdict=Verdict.VIOLATED, worst_ratio=2.0),
        samples.cell(block="broken", verdict=Verdict.ERROR, **UNMEASURED),
        samples.cell(block="vacuous", verdict=Verdict.VACUOUS, worst_ratio=0.01),
        samples.cell(block="doubtful", worst_ratio=0.1, mutant_verdict=Verdict.HOLDS),
        samples.cell(block="near", worst_ratio=0.99),
        samples.cell(block="far", worst_ratio=0.5),
        samples.cell(block="refused", verdict=Verdict.INCONCLUSIVE, **{**UNMEASURED, "counts": Counts(inconclusive=4096)}),
        samples.cell(block="skipped", verdict=Verdict.SKIPPED, **UNMEASURED),
    ]
    found = gravest(square(cell) for cell in reversed(worst_first))
    assert [item.cell.block for item in found] == [cell.block for cell in worst_first]
    nan = square(samples.cell(block="nan", worst_ratio=samples.NAN))
    assert gravest([*found, nan]).index(nan) < [item.cell.block for item in gravest([*found, nan])].index("near"), "a NaN hides behind nothing"


def test_identifiers_are_safe_and_their_own():
    assert unique(["a b", "a_b", "a b"]) == ["a_b", "a_b_2", "a_b_3"]
    assert unique(["cell-x/y+z", "ä"]) == ["cell-x/y+z", "_"]


def test_a_word_leads_to_its_meaning_and_an_unknown_one_is_a_bug():
    anchors = [word_anchor(word) for word, _ in GLOSSARY]
    assert len(set(anchors)) == len(GLOSSARY)
    assert all(re.fullmatch(r"word-[a-z0-9-]+", anchor) for anchor in anchors)
    assert term("bound", "bounds") == '<a href="#word-bound">bounds</a>'
    with pytest.raises(AssertionError, match="no word of the glossary"):
        term("hunch")


def test_the_notes_of_a_cell_are_told_one_by_one():
    again = {"cases": 3, "moved": {"max": 0.5, "median": 0.25}, "noticed": 2}
    certified = {"cases": 4, "by_formula": 4, "seconded": 3, "left": 0.0, "right": 0.0, "inside": False}
    full = samples.cell(
        reason="half is refused",
        reasons={"NormUnderflow": 2},
        counts=Counts(holds=4094, inconclusive=2),
        worst_site="output",
        recomputed=again,
        certified=certified,
    )
    assert square(full).notes == (
        "ball arithmetic contradicts its bound",
        "norm underflow (2 cases)",
        "worst at the output",
        "A(C∖Y,x) came out different in 3 cases and moved the layer by 0.500 at most; left out, that would be noticed in 2",
        "mpmath agrees with the balls in 3 of 4 alone",
    )
    assert square(samples.cell()).notes == ()
    assert square(samples.cell(verdict=Verdict.ERROR, reason="a kernel raised", **UNMEASURED)).notes == ("a kernel raised",)
