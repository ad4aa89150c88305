"""A block as it is written in the terminal and in the page: all that was found of it, narrow enough, and its names are text."""

import html
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from reports.page import write_report
from reports.record import Experiments, RunRecord
from reports.terminal import closing
from tests import report_samples as samples
from tests.reports.findings.test_as_written import REFUSED, UNEQUAL, a_block, a_row
from tests.reports.hostile import SCRIPT

LONG = "a_file_with_quite_a_long_name.py:make_my_own_block"


def record(**changes: object) -> RunRecord:
    rows = [a_row(**{"block": LONG, **more}) for more in ({}, {"scenario": "subset", **UNEQUAL}, {"variant": "own", **REFUSED})]
    return samples.empty_record(experiments=Experiments(watched=[a_block(block=LONG, **changes)], in_double=rows))


def shown(found: RunRecord, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(closing(found, Path("runs/1/report/index.html")))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal_shows_what_was_found_in_a_line_for_each_row(width: int) -> None:
    text = shown(record(first=["mlp.gate_up_proj.weight[0:11008]", "mlp.up_proj.weight"]), width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    rows = [line.split() for line in lines if re.match(r"[●✕○◌?–-]? ?\S? ?(formula|own), ", line)]
    numbers = {tuple(row[row.index("random") + 1 :]) if "random" in row else tuple(row[row.index("subset") + 1 :]) for row in rows}
    assert len(rows) == 3
    assert {row[:2] for row in numbers} == {("512", "0"), ("512", "3")}
    assert any(row[-3:] == ("1,010", "of", "1,020") for row in numbers)
    words = " ".join(text.split())
    assert f"{LONG} W: mlp.gate_up_proj.weight[0:11008], mlp.up_proj.weight, read by aten.mm.default at mine.py:8" in words
    assert "out.bias takes what it lacks" in words


def test_without_a_stream_the_terminal_names_none() -> None:
    text = " ".join(shown(record(stream=None, absorber=None, absorbs_as=None), 160).split())
    assert "read by aten.mm.default at mine.py:8" in text
    assert "stream" not in text
    assert "takes" not in text


def test_names_are_not_markup() -> None:
    assert "[red]w[/red]" in shown(record(first=["[red]w[/red]"], cuts=["[bold]at[/bold]"]), 160)


def page(found: RunRecord, folder: Path) -> str:
    samples.write_folder(found, folder, with_cases=[])
    text = write_report(folder).read_text(encoding="utf-8")
    section = re.search(r'<section aria-labelledby="as-written">.*?</section>', text, re.DOTALL)
    assert section
    return section[0]


def test_the_page_has_a_section_with_every_row_and_its_names_are_text(tmp_path: Path) -> None:
    section = page(record(first=[SCRIPT], notes=["why"], unproved=["post-ln"], claims=["pre-ln", "post-ln"]), tmp_path)
    assert "<script" not in section
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", section)).split())
    for words in (
        SCRIPT,
        "formula, random corollary-2.3.1 512 2 0",
        "formula, subset theorem-2.2 512 2 3",
        "own, random corollary-2.3.1 512 512 0",
        "out.bias , as a bias",
        "pre-ln, post-ln, beside those of the scenarios; not proved yet, and so measured alone: post-ln",
        "at the operator, all cases of a batch at once",
        "ΔW with ‖z‖² in place of ‖a‖² none of this block: ‖z‖² = ‖a‖² up to roundoff",
        "no patch at all 0.50 510 of 510 510 of 510 –",
        "ΔW without the absorber's part 0.25 500 of 510 500 of 510 –",
    ):
        assert words in text, words


def test_a_page_without_such_a_block_says_so(tmp_path: Path) -> None:
    assert "No block was measured as it is written" in page(samples.empty_record(), tmp_path)
