"""The summary of a CI job: the verdict first, nothing but text in it, and never longer than GitHub takes."""

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from reports.ci.markdown_summary import LIMIT, summary
from reports.record.cells import Counts
from reports.text import printable
from reports.text.escaping import markdown
from symbolic.vocabulary import Verdict
from tests import report_samples as samples
from tests.reports import hostile

GITHUBS_LIMIT = 1024 * 1024
"""docs.github.com, "Workflow commands for GitHub Actions", Step isolation and limits: 1 MiB a step."""

ALLOWED = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code"}


class Read(HTMLParser):
    """The elements and texts of what Markdown was rendered to."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[str] = []
        self.texts: list[str] = []
        self.feed(MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(markdown))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [name for name, _ in attrs if name != "style"]  # a column's alignment

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


def test_the_verdict_comes_first_and_then_what_was_checked_and_what_was_not():
    text = summary(samples.full_record(64))
    assert text.startswith("# ● Everything that was checked held")
    assert "| claims | 5 | 0 | 0 | 0 |" in text
    assert "| cells | 32 | 0 | 0 | 0 |" in text
    parts = [text.index(words) for words in ("## What was checked", "## The 3 cells nearest to their bounds", "## What was not checked")]
    assert parts == sorted(parts)
    assert "What failed" not in text
    assert "cases refused, as their operands foretold" in text


def test_what_failed_is_named_the_worst_first_with_its_replay_line():
    text = Read(summary(hostile.record_of_all_ends())).text
    failed = text.split("What failed or broke")[1].split("What was not checked")[0]
    assert failed.index("/nan") < failed.index("/violated") < failed.index("/over")
    assert """verify replay 'witnesses/it'"'"'s one.safetensors'""" in failed
    assert "MemoryError: no room" in failed
    assert "inconclusive" not in failed


def test_the_cells_nearest_to_their_bounds_are_three_and_the_right_ones():
    ratios = {"a": 0.3, "b": 0.99996, "c": 0.1, "d": 0.5}
    run = samples.record(cells=[samples.cell(scenario=name, worst_ratio=worst) for name, worst in ratios.items()])
    nearest = summary(run).split("nearest to their bounds")[1].split("## ")[0]
    assert re.findall(r"/(\w) \| ([\d.]+)", nearest) == [("b", "0.99996"), ("d", "0.50"), ("a", "0.30")]


def test_a_run_that_did_not_finish_says_so():
    text = summary(samples.record(run=samples.run_info(finished=None, exit_status=130)))
    assert text.startswith("# ◔ The run did not finish")
    assert "exit status 130, not finished" in text


def test_cases_that_disagree_are_the_verdict_and_missing_ones_are_told():
    assert summary(samples.record(), ["a/cell"]).startswith("# ! Not to be trusted")
    assert "The cases themselves are not in the run's folder" in summary(samples.record(), cases_missing=True)
    assert "The cases themselves" not in summary(samples.record())


ESCAPED = {
    "theorem-2.2/attention/fp32": "theorem-2.2/attention/fp32",
    "<b>&amp;": "&lt;b&gt;&amp;amp;",
    "a|b": r"a\|b",
    "back\\slash": r"back\\slash",
    "`code` near_zero *x* [a](b) ~c~ $d$ @me #1": r"\`code\` near\_zero \*x\* \[a\](b) \~c\~ \$d\$ \@me \#1",
    "- item": r"\- item",
    "1. item": r"1\. item",
    "12) item": r"12\) item",
    "https://a.b www.c.d": r"https\://a.b www\.c.d",
    " two\nlines ": r"two\\nlines",
}


@pytest.mark.parametrize("text", ESCAPED)
def test_a_text_is_escaped_as_by_hand(text):
    assert markdown(text) == ESCAPED[text]
    assert re.sub(r"\s+", " ", Read(markdown(text)).text).strip() == printable(text.strip())


def test_a_ratio_that_is_no_number_is_nearest_of_all():
    run = samples.record(cells=[samples.cell(scenario=name, worst_ratio=worst) for name, worst in {"a": 0.3, "b": float("nan"), "c": 0.5}.items()])
    assert re.findall(r"/(\w) \| (\S+)", summary(run).split("nearest to their bounds")[1].split("## ")[0]) == [("b", "NaN"), ("c", "0.50"), ("a", "0.30")]


@pytest.mark.parametrize("evil", hostile.EVIL)
def test_a_name_is_text_whatever_it_holds(evil):
    read = Read(summary(hostile.hostile_record(evil)))
    assert set(read.elements) <= ALLOWED
    assert read.attributes == []
    assert read.elements.count("h1") == 1
    assert read.elements.count("h2") == 4
    # Whole wherever it stands, so that no part of it was taken for the end of a cell or a line.
    assert read.text.count(re.sub(r"\s+", " ", printable(evil))) > 20


@pytest.mark.parametrize("evil", [hostile.SCRIPT, hostile.IMAGE, hostile.MARKDOWN])
def test_without_its_escaping_the_same_reading_finds_markup(evil, monkeypatch):
    """The planted negative of the test above."""
    monkeypatch.setattr("reports.ci.markdown_summary.markdown", lambda text: text)
    read = Read(summary(hostile.hostile_record(evil)))
    assert set(read.elements) - ALLOWED or read.elements.count("h1") > 1


def many_violations(number: int):
    return samples.record(
        run=samples.run_info(exit_status=1),
        cells=[
            samples.cell(scenario=f"s{place:06}", verdict=Verdict.VIOLATED, worst_ratio=2.0, counts=Counts(holds=4095, violated=1), reason="x" * 1500)
            for place in range(number)
        ],
    )


def test_rows_that_do_not_fit_are_left_out_and_counted():
    number = 900
    text = summary(many_violations(number))
    assert len(text.encode()) <= LIMIT < GITHUBS_LIMIT
    left_out = int(re.search(r"([\d,]+) rows of what failed or broke left out here", text).group(1).replace(",", ""))
    assert left_out > 0
    assert text.count("| cells: ") + left_out == number
    assert "## What was not checked" in text
    fits = summary(many_violations(40))
    assert "left out" not in fits
    assert fits.count("| cells: ") == 40


def test_a_text_without_an_end_is_cut_and_says_by_how_much():
    text = summary(samples.record(claims=[samples.claim(verdict=Verdict.ERROR, reason="é" * 3_000_000)]))
    assert len(text.encode()) <= LIMIT
    assert "more characters)" in text
