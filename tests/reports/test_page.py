"""The page: it shows what the record holds, lets nothing through, stays small, and needs no part of the record."""

import base64
import hashlib
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import Markup

import reports
from reports.page import render, write_report
from reports.record import DamagedRun, load_run
from reports.record.cases_table import CasesWriter
from reports.record.cells import Counts
from reports.record.claims import Formula
from reports.record.record_files import NotARun, write_run
from symbolic.vocabulary import Verdict
from tests import experiment_samples
from tests import report_samples as samples
from tests.reports.hostile import IMAGE, SCRIPT, hostile_record

VOID = {"meta", "col", "img", "br", "hr", "link", "input"}
OWN_SCRIPT = f"<script>{(Path(reports.__file__).parent / 'templates' / 'page.js').read_text(encoding='utf-8')}</script>"


class Tree(HTMLParser):
    """Element names, attribute names, texts and identifiers of a page without its own script; fails if its elements are not nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page.replace(OWN_SCRIPT, "", 1))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def page_of(run, tmp_path) -> Tree:
    return Tree(write_report(samples.write_folder(run, tmp_path)).read_text(encoding="utf-8"))


def test_it_shows_what_the_record_holds(tmp_path):
    run = samples.full_record(cases=300)
    page = write_report(samples.write_folder(run, tmp_path)).read_text(encoding="utf-8")
    tree = Tree(page)
    for words in (
        "Everything that was checked held: 5 claims proved for all sizes",
        "theorem-2.2",
        "Theorem 2.2, Eq. (1)",
        "cancel aᵀa with 1/‖a‖²; uses a ≠ 0",
        "the division by ‖a‖² left out",
        "verify all --profile quick --seed 7",
        "Does the dot product fuse multiply and add?",
        "0.0420",
        "△ 33 %",
        "with λ from 5.00 to 5.00: to be exceeded in 9.8 × 10 −4 of the cases on average, at most",
        "expected ÷ error, median",
        "No verdict depends on it",
        "ΔW multiplied by 1 + 2⁻⁸",
        "2 −72",
    ):
        assert words in tree.text, words
    assert tree.elements.count("math") > 5 * 6
    # 4 panels of cases, 4 of sweeps (one block a format), 2 of training; each is told in words too
    assert tree.elements.count("svg") == 10
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]{40,}"', page)) == 10
    assert {f"cell-{cell.id}" for cell in run.cells} <= set(tree.values("id"))


@pytest.mark.parametrize("evil", [SCRIPT, IMAGE])
def test_a_name_is_text_wherever_it_comes_from(evil, tmp_path):
    tree = page_of(hostile_record(evil), tmp_path)
    assert not {"script", "img", "iframe", "object", "link"} & set(tree.elements)
    assert not [name for name, _ in tree.attributes if name.startswith("on")]
    assert tree.text.count("alert(1)") > 15


def test_a_page_that_lets_a_name_through_would_be_seen():
    """The same reading of a page with each name unescaped."""
    assert "script" in Tree(f"<p>{SCRIPT}</p>").elements
    assert "onerror" in [name for name, _ in Tree(f'<p title="{IMAGE}"></p>').attributes]


def test_latex_cannot_smuggle_an_entity(tmp_path):
    formula = Formula(text="x = x", latex=r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}")
    assert "script" not in page_of(samples.record(claims=[samples.claim(statement=formula)]), tmp_path).elements


def test_latex_that_cannot_be_converted_is_shown_as_text(tmp_path):
    tree = page_of(samples.record(claims=[samples.claim(statement=Formula(text="a plain formula = another", latex=r"\frac{"))]), tmp_path)
    assert "a plain formula" in tree.text


PARTS = [{"claims": []}, {"models": []}, {"cells": []}, {"near_zero": []}, {"claims": [], "models": [], "cells": [], "near_zero": []}]


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: " ".join(parts))
def test_any_part_may_be_missing(parts, tmp_path):
    Tree(render(samples.record(**parts)))
    Tree(render(samples.record(**parts, run=samples.run_info(finished=None, exit_status=None)), tmp_path))


def test_every_field_of_a_row_may_be_missing():
    bare = {"error": None, "bound": None, "tightness": None, "worst_ratio": None, "worst_site": None, "resolution": None, "certified": None, "mutant": None}
    cells = [samples.cell(verdict=verdict, numerics=f"n{index}", counts=Counts(), mutant_verdict=None, **bare) for index, verdict in enumerate(Verdict)]
    claims = [samples.claim(id=verdict, verdict=verdict, steps=[], mutants=[], hypotheses=[]) for verdict in Verdict]
    sweeps = [samples.sweep(levels=[]), samples.sweep(predicted_radius=samples.INFINITY, measured_radius=samples.NAN), samples.sweep(measured_radius=0.0)]
    Tree(render(samples.record(cells=cells, claims=claims, models=[samples.model(losses=[]), samples.model(zero_loss=samples.INFINITY)], near_zero=sweeps)))


def test_a_violation_is_on_top_and_drawn(tmp_path):
    wrong = samples.cell(verdict=Verdict.VIOLATED, worst_ratio=3.0, counts=Counts(holds=4093, violated=3))
    tree = page_of(samples.record(cells=[wrong]), tmp_path)
    assert "Violated: 3 cases in 1 cell" in tree.text
    assert "3 violations" in tree.text
    assert "3 of 4096 cases lie outside the bound" in tree.text


def test_an_unfinished_run_says_so(tmp_path):
    assert "The run did not finish" in page_of(samples.record(run=samples.run_info(finished=None)), tmp_path).text


def test_a_killed_run_shows_the_cells_that_it_had_finished(tmp_path):
    run = samples.record(run=samples.run_info(finished=None, exit_status=None))
    CasesWriter(tmp_path).append(run.cells[0].id, samples.cases_of(run.cells[0]))  # and no more: the block is never left
    write_run(run, tmp_path)
    tree = Tree(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "The run did not finish" in tree.text
    assert "4,096 cases" in tree.text
    assert "fp32: error against bound for 4,096 cases" in " ".join(tree.values("aria-label"))


def test_cases_that_are_not_those_of_the_record_are_told(tmp_path):
    run = samples.record()
    samples.write_folder(run, tmp_path, with_cases=[samples.cell(counts=Counts(holds=4000))])
    assert "Not to be trusted: 1 cell has other cases or another witness on disk than the record tells of" in Tree(render(run, tmp_path)).text
    samples.write_folder(run, tmp_path)
    assert "on disk than the record tells of" not in Tree(render(load_run(tmp_path), tmp_path)).text, "the record on disk has their digests"


def test_identifiers_are_unique_and_links_lead_somewhere(tmp_path):
    tree = page_of(samples.full_record(cases=300), tmp_path)
    identifiers = tree.values("id")
    assert len(identifiers) == len(set(identifiers))
    targets = [value for value in tree.values("href") + tree.values("xlink:href") if value.startswith("#")]
    assert targets
    assert {target[1:] for target in targets} <= set(identifiers)
    assert not [value for value in tree.values("href") + tree.values("src") if not value.startswith("#")], "nothing is fetched"


def test_its_only_script_is_its_own_and_named_by_its_hash():
    page = render(samples.record())
    assert page.count("<script") == 1
    assert OWN_SCRIPT in page
    (inside,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;".replace("&#39;", "'") in page
    assert "default-src 'none'" in page


def test_every_claim_and_every_cell_has_an_address_of_its_own():
    cells = [samples.cell(block=name) for name in ("a b", "a_b", "a/b", "ä")]
    tree = Tree(render(samples.record(claims=[samples.claim(id="one"), samples.claim(id="two words")], cells=cells)))
    identifiers = tree.values("id")
    assert len(identifiers) == len(set(identifiers))
    assert {"claim-one", "claim-two_words"} <= set(identifiers)
    assert sum(name.startswith("cell-") for name in identifiers) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9._/+-]+", name) for name in identifiers if name.startswith("cell-")), "no link to it needs quoting"


def test_every_cell_says_how_its_worst_case_is_replayed():
    run = samples.record(cells=[samples.cell(witness="witnesses/one.safetensors"), samples.cell(block="none")])
    assert Tree(render(run)).text.count("verify replay witnesses/one.safetensors") == 1
    assert "verify replay" not in Tree(render(samples.record())).text


def test_what_changed_since_a_baseline_is_shown_if_it_is_given():
    page = render(samples.record(), since_baseline=Markup("<p>one cell is <b>tighter</b></p>"))
    assert "one cell is <b>tighter</b>" in page
    assert 'id="since-baseline"' in page
    assert "since-baseline" not in Tree(render(samples.record())).values("id")
    assert "<b>wrong</b>" not in render(samples.record(), since_baseline="<b>wrong</b>"), "what is not marked as HTML stays text"  # type: ignore[arg-type]


def test_every_picture_has_a_table():
    """Beside each picture, or within the same section, there is a table with its numbers; a section without one is seen."""

    def bare(page: str) -> list[str]:
        sections = re.findall(r'<section aria-labelledby="([\w-]+)">(.*?)</section>', page, re.DOTALL)
        return [name for name, body in sections if "<svg" in body and "<table" not in body]

    page = render(samples.full_record(cases=30).model_copy(update={"experiments": experiment_samples.experiments()}))
    assert page.count("<svg") > 8
    assert bare(page) == []
    assert bare('<section aria-labelledby="x"><svg></svg></section>') == ["x"]
    for label in ("Figure 1", "Figure 2", "Figure 3", "Implicit dynamics", "One update for many queries", "Training"):
        assert f"<summary>{label} in figures</summary>" in page


def test_the_same_run_gives_the_same_page(tmp_path):
    run = samples.full_record(cases=300)
    assert render(run, samples.write_folder(run, tmp_path)) == render(run, tmp_path)


def test_a_large_run_stays_small_and_quick(tmp_path):
    """32 cells and over 150,000 cases: under 2.5 MB, and rendered while one waits."""
    run = samples.full_record(cases=4800)
    folder = samples.write_folder(run, tmp_path)
    started = time.perf_counter()
    page = write_report(folder)
    assert time.perf_counter() - started < 20
    assert page.stat().st_size < 2_500_000


def test_many_cells_are_cut_gravest_first(monkeypatch):
    monkeypatch.setattr("reports.page.DETAILED_CELLS", 64)
    cells = [samples.cell(block=f"block-{number}") for number in range(114)]
    cells.append(samples.cell(block="the last", verdict=Verdict.VIOLATED, worst_ratio=2.0))
    page = render(samples.record(cells=cells, near_zero=[]))
    assert page.count('<tr id="cell-') == 64
    assert 'id="cell-theorem-2.2/the_last/fp32/formula/random"' in page, "the violated one is among them"
    assert "the figures of the 64 gravest of 115 cells" in page
    assert page.count('href="#cell-theorem-2.2/block-') == page.count('<tr id="cell-theorem-2.2/block-') + 2, "the overview names two of them again"


def test_a_folder_that_is_no_run_gets_no_report(tmp_path):
    with pytest.raises(NotARun):
        write_report(tmp_path)
    samples.write_folder(samples.record(), tmp_path)
    (tmp_path / "cases.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DamagedRun):
        write_report(tmp_path)
    assert not (tmp_path / "report").exists()


def test_a_false_variant_says_why_it_tempts_and_what_its_numbers_leave_out():
    found = samples.mutant().counterexample.model_copy(update={"note": "f is the <identity>"})
    page = render(samples.record(claims=[samples.claim(mutants=[samples.mutant(why="it looks <right>", counterexample=found)])]))
    assert "Tempting, because it looks &lt;right&gt;." in page
    assert "(f is the &lt;identity&gt;)" in page
    assert "Tempting" not in render(samples.record(claims=[samples.claim(mutants=[samples.mutant(why="")])]))


def test_errata_have_a_section_with_both_halves():
    page = render(samples.record(errata=[samples.erratum(), samples.erratum(number=2, title="<b>bold</b>", measured="a median of 3")]))
    assert 'href="#errata"' in page
    assert 'id="erratum-1"' in page
    assert page.count("refuted as printed, proved as corrected") == 2
    assert "not measured in this run: the factor by which both differ" in page
    assert "a median of 3" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


@pytest.mark.parametrize("changed", [{"counterexample": None}, {"proved": False}])
def test_an_erratum_with_half_of_its_evidence_is_not_shown_as_settled(changed):
    page = render(samples.record(errata=[samples.erratum(**changed)]))
    assert "refuted as printed, proved as corrected" not in page
    assert "not shown in this run" in page


def test_a_run_without_errata_says_so():
    assert "No erratum was looked at in this run." in render(samples.record(errata=[]))


def test_a_refuted_claim_shows_where_it_fails():
    broken = samples.claim(verdict=Verdict.VIOLATED, reason="step 4 does not follow", counterexample=samples.mutant().counterexample)
    page = render(samples.record(claims=[broken]))
    assert "step 4 does not follow" in page
    assert "it fails at" in page
    assert "it fails at" not in render(samples.record(claims=[samples.claim()]))
