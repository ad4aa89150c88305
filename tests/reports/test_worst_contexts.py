"""The search for the worst context in a record: what is derived from its row, what the page says of it, and that a violation is one."""

import io

from rich.console import Console

from reports.findings import RunStanding, headline
from reports.page import render
from reports.record import Experiments, RunRecord
from reports.record.experiments import AdversarialRecord
from reports.terminal import searches
from tests import report_samples as samples
from tests.reports.hostile import NOT_SIMPLE

LIMIT = 5_000
"""Bytes that the section may take."""


def row(**changes: object) -> AdversarialRecord:
    told = {"block": "attention", "format": "fp32", "variant": "formula", "seed": 0, "evaluations": 6144, "random": 0.5, "ascent": 0.75, "evolution": 0.875}
    rest = {"violated": 0, "simplest": "c₁: 3·2⁻⁴ at 7; x: 1 at 0", "simplest_ratio": 0.8125, "simplified": 512, "simplified_worst": 0.8125, "seconds": 1.0}
    return AdversarialRecord.model_validate({**told, **rest, **changes})


def run(*rows: AdversarialRecord) -> RunRecord:
    return samples.record(experiments=Experiments(adversarial=list(rows)))


def section(record: RunRecord) -> str:
    return render(record).split('id="adversarial"')[1].split("</section>")[0]


def test_what_follows_from_a_row() -> None:
    found = row()
    assert (found.best, found.worst, found.factor, found.limit, found.closed) == (0.875, 0.875, 1.75, 2.0, 0.75)
    assert found.came_further
    behind = row(ascent=0.25, evolution=None, **NOT_SIMPLE)
    assert (behind.best, behind.worst, behind.factor) == (0.25, 0.5, 0.5)
    assert not behind.came_further
    nothing = row(random=None, ascent=None, evolution=None, **NOT_SIMPLE)
    assert (nothing.best, nothing.worst, nothing.factor, nothing.limit, nothing.closed) == (None,) * 5
    assert not nothing.came_further


def test_the_page_tells_the_figures_and_why_twice_cannot_be() -> None:
    text = section(run(row(random=0.625, evolution=0.9375), row(format="fp64", random=0.125)))
    assert "Twice as far cannot be: random contexts use up 0.62" in text
    assert text.count("Twice as far") == 1, "in fp64 it could be"
    assert "3·2<sup>−4</sup> at 7" in text
    assert len(text.encode()) < LIMIT
    assert "6,144" in text


def test_a_search_that_finds_nothing_is_said_to() -> None:
    assert "came no further than random contexts" in section(run(row(ascent=0.25, evolution=None)))
    assert "No search was made" in section(samples.record())
    assert "–" in section(run(row(random=None, ascent=None, evolution=None)))


def test_a_context_outside_its_bound_violates_the_run() -> None:
    held = headline(run(row()))
    assert held.standing is RunStanding.HELD
    beyond = {"simplified_worst": 97.0}
    for wrong in (
        row(**beyond),
        row(**beyond, simplest_ratio=97.0),
        row(simplified_worst=float("nan")),
        row(violated=1),
        row(evolution=1.5, violated=2),
        row(evolution=float("inf"), violated=1),
        row(random=1.25),
    ):
        found = headline(run(row(), wrong))
        assert found.standing is RunStanding.VIOLATED
        assert "the search for the worst context found an error of" in found.sentence
    assert "2 cases outside the bound" in section(run(row(evolution=1.5, violated=2)))


def test_the_terminal_has_a_line_a_search() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(searches([row(block="attention-one-head"), row(random=None, ascent=None, evolution=None)]))
    lines = console.export_text().splitlines()
    assert lines[1].split() == ["attention-one-head", "fp32", "6,144", "0.50", "0.75", "0.88", "1.75", "2.00"]
    assert lines[2].split() == ["attention", "fp32", "6,144", "–", "–", "–", "–", "–"]
