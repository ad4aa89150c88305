"""The closing table: short, narrow enough, and as honest as the page."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from reports.record.cells import Counts
from reports.record.claims import Counterexample, Formula, Step
from reports.terminal import closing, errata, proofs
from symbolic.vocabulary import Verdict
from tests import report_samples as samples


def shown(renderable, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 160])
def test_32_cells_fit_in_a_few_lines(width):
    text = shown(closing(samples.full_record(), Path("runs/20261124-ab12/report/index.html")), width)
    lines = text.splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= width
    assert "runs/20261124-ab12/report/index.html" in text.replace("\n", "")


def test_a_scenario_shows_its_worst_ratio_in_each_format_and_on_each_block():
    cells = [
        samples.cell(worst_ratio=0.1),
        samples.cell(scenario="near_zero", worst_ratio=0.7),
        samples.cell(block="rnn", worst_ratio=0.3),
        samples.cell(format="bf16", worst_ratio=None, verdict=Verdict.SKIPPED, counts=Counts()),
    ]
    heading, fp32, bf16, _, attention, rnn, *_ = shown(closing(samples.record(cells=cells))).splitlines()
    assert heading.split() == ["error", "÷", "bound", "random", "near_zero"]
    assert fp32.split() == ["fp32", "●", "0.30", "●", "0.70"]
    assert bf16.split() == ["bf16", "–", "skipped", "·"]
    assert attention.split() == ["attention", "●", "0.10", "–1", "●", "0.70"]
    assert rnn.split() == ["rnn", "●", "0.30", "·"]


def test_a_violation_is_not_hidden_behind_its_neighbours():
    cells = [samples.cell(), samples.cell(variant="scaled", verdict=Verdict.VIOLATED, worst_ratio=3.0), samples.cell(variant="x", worst_ratio=samples.NAN)]
    text = shown(closing(samples.record(cells=cells)))
    assert "✕ NaN, 1 violated !" in text
    assert "Violated: 1 cell lies outside its bound" in text


def test_a_side_outside_its_own_radius_is_named_in_the_grid():
    certified = {"cases": 1, "by_formula": 1, "seconded": 1, "left": 1.0, "right": 0.0, "inside": False}
    by_a_side = samples.cell(variant="own", verdict=Verdict.VIOLATED, worst_ratio=0.52, certified=certified)
    text = shown(closing(samples.record(cells=[samples.cell(), by_a_side])))
    assert "✕ 0.52, 1 outside its own radius" in text
    assert "violated" not in text.replace("Violated:", "")
    beyond = samples.cell(variant="x", verdict=Verdict.VIOLATED, worst_ratio=2.0)
    assert "✕ 2.0, 1 outside its own radius, 1 violated" in shown(closing(samples.record(cells=[by_a_side, beyond])), 160)


def test_names_are_not_markup():
    assert "[red]block[/red]" in shown(closing(samples.record(cells=[samples.cell(), samples.cell(block="[red]block[/red]")])))


def test_an_empty_run_says_that_nothing_was_checked():
    assert "Nothing was checked." in shown(closing(samples.empty_record()))


def test_proofs_are_one_line_a_claim_and_one_for_what_it_assumes():
    text = shown(proofs(samples.full_record().claims))
    assert len(text.splitlines()) == 1 + 5 + 1 + 5 + 2
    assert text.count("2 of 2") == 5
    assert text.count("provided that a ≠ 0") == 5
    assert "without any hypothesis" in shown(proofs([samples.claim(hypotheses=[])]))
    assert shown(proofs([])).strip() == "No claim was put to the prover."


def test_lines_in_words_are_marked_and_counted():
    """Hypotheses that no program looks at are too; the planted negative is the record without any."""
    formula = Formula(text="the tokens are the same", latex="t")
    words = Step(expression=formula, rule="in words: what it means", remark="they are part of the state", in_words=True)
    claim = samples.claim(hypotheses_in_words=[Formula(text="C is a sequence", latex="C")], remark=formula)
    marked = claim.model_copy(update={"steps": [*claim.steps, words]})
    text = shown(proofs([marked], steps=True))
    assert "✎ the tokens are the same   in words: what it means (they are part of the state)" in text
    assert "in words, which no program checks: the tokens are the same" in text
    assert "C is a sequence (in words, which no program checks)" in text
    assert text.count("✎") == 1
    for each in (text, shown(proofs([marked]))):
        assert "2 lines of 5 lines of proof" in each
    assert "0 lines of 4 lines of proof" in shown(proofs([samples.claim()]))
    assert "2 lines of proof in words, which no program checks" in shown(closing(samples.record(claims=[marked])))
    assert "in words" not in shown(closing(samples.record(claims=[samples.claim()])))


def test_proofs_show_their_steps_and_an_unrefuted_variant_if_asked():
    claim = samples.claim(mutants=[samples.mutant(), samples.mutant(description="sides swapped", verdict=Verdict.HOLDS, counterexample=None)])
    assert "1 of 2" in shown(proofs([claim]))
    text = shown(proofs([claim], steps=True))
    assert "cancel aᵀa with 1/‖a‖²; uses a ≠ 0" in text
    assert "NOT REFUTED: sides swapped" in text
    assert "refuted: the division by ‖a‖² left out" in text


def test_a_counterexample_is_printed_with_its_numbers():
    found = Counterexample(sizes={"d": 2, "m": 1}, values={"W": [["1/2", "0"]], "a": [["1"], ["2"]]}, left=[["3"]], right=[["undefined"]], note="a = 0")
    text = shown(proofs([samples.claim(mutants=[samples.mutant(counterexample=found)])], steps=True), 200)
    assert "at W = [1/2 0], a = [1; 2]: 3 ≠ undefined (a = 0)" in text
    assert "≠ undefined" not in shown(proofs([samples.claim(mutants=[samples.mutant(counterexample=None)])], steps=True), 200)


def test_an_erratum_shows_both_its_halves():
    text = shown(errata([samples.erratum()]), 120)
    assert "Eq. (15) is off by one" in text
    assert "1 ≠ 0" in text
    assert "proved: proposition-3.1" in text
    assert "not measured here: the factor" in text
    assert "NOT" not in text


def test_an_erratum_without_one_half_says_so():
    text = shown(errata([samples.erratum(counterexample=None, proved=False)]), 120)
    assert "NOT REFUTED" in text
    assert "NOT PROVED: proposition-3.1" in text
