"""Searching, sorting and following an address on a page, in a browser: with the keyboard, and without losing the reader."""

import pytest

from tests.browsing import Visit
from tests.reports.test_browser import CELL

pytestmark = pytest.mark.browser


def rows_shown(seen: Visit, table: str) -> list[str]:
    texts = seen.page.locator(f"{table} tbody tr:not([hidden])").all_inner_texts()
    return [" ".join(text.split()) for text in texts]


def test_the_grid_is_searched_with_the_keyboard_and_says_how_many_rows_are_shown(report, visit):
    seen = visit(report)
    status = seen.page.locator(".tools output").first
    assert status.inner_text() == "10 of 10 rows"
    assert status.get_attribute("aria-live") == "polite"
    seen.page.get_by_role("searchbox", name="Search grid").focus()
    seen.page.keyboard.type("gru violated")
    assert status.inner_text() == "1 of 10 rows"
    assert [row.split()[0] for row in rows_shown(seen, ".grid")] == ["gru", "random"], "the block's own line, and the row"
    seen.page.keyboard.type(" never")
    assert status.inner_text() == "0 of 10 rows"
    assert rows_shown(seen, ".grid") == []
    seen.page.get_by_role("searchbox", name="Search grid").fill("")
    assert status.inner_text() == "10 of 10 rows"
    assert seen.problems == []


def test_the_grid_is_searched_for_a_format(report, visit):
    """Rows that have a cell in it; the format's name stands in the head of its column alone."""
    seen = visit(report)
    heads = seen.page.locator(".grid thead th").all_inner_texts()
    for name in ("fp64", "bf16"):
        place = next(index for index, head in enumerate(heads) if head.split()[0] == name)
        having = seen.page.locator(f".grid tbody tr:has(td:nth-child({place + 1}) .square)").count()
        seen.page.get_by_role("searchbox", name="Search grid").fill(name)
        assert seen.page.locator(".tools output").first.inner_text() == f"{having} of 10 rows"
        assert 0 < having < 10


def test_the_grid_is_sorted_by_a_format_and_back(report, visit):
    seen = visit(report)
    before = rows_shown(seen, ".grid")
    button = seen.page.get_by_role("button", name="sort by fp32", exact=True)
    header = seen.page.locator(".grid th", has=button)
    button.focus()
    for direction, largest_first in (("descending", True), ("ascending", False)):
        seen.page.keyboard.press("Enter")
        assert header.get_attribute("aria-sort") == direction
        assert f"sorted by fp32, {direction}" in seen.page.locator(".tools output").first.inner_text()
        found = rows_shown(seen, ".grid")
        assert len(found) == 10
        assert ("error" in found[0]) is largest_first, "what broke is worse than any number"
        ratios = [float(seen.page.locator(f".grid tbody tr:not([hidden]) >> nth={place} >> td >> nth=1 >> span").first.inner_text()) for place in range(1, 9)]
        assert ratios == sorted(ratios, reverse=largest_first)
    assert all(row.split()[0] in ("attention", "attention-skip", "gru") for row in rows_shown(seen, ".grid")), "each row has its block's name"
    seen.page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") is None
    assert rows_shown(seen, ".grid") == before


def test_figures_are_sorted_as_numbers_not_as_words(report, visit):
    seen = visit(report, at="#cells")
    seen.page.get_by_role("button", name="sort by largest error", exact=True).click()
    errors = [row.locator("td").nth(5).inner_text() for row in seen.page.locator(".cells tbody tr").all()]
    numbers = [float(error) for error in errors if error != "–"]
    assert len(set(numbers)) > 1
    assert numbers == sorted(numbers, reverse=True)
    assert errors[-1] == "–", "what has no number comes last"
    assert sorted(map(str, numbers), reverse=True) != [str(number) for number in numbers], "as words they would stand otherwise"


def test_an_address_opens_its_cell_with_the_command_that_replays_it(report, visit):
    seen = visit(report, at=f"#{CELL}")
    row = seen.page.locator(f'[id="{CELL}"]')
    row.wait_for(state="visible", timeout=30_000)
    top = row.bounding_box()["y"]
    assert 0 <= top < 300, "it was scrolled to"
    sheet = seen.page.locator(".sheet")
    assert f"largest error {row.locator('td').nth(5).inner_text()}" in " ".join(sheet.inner_text().split())
    folder = str(report.parent.parent)
    assert sheet.locator("pre").inner_text() == f"verify replay '{folder}/witnesses/theorem-2.2_gru_fp32_formula_random.safetensors'"
    sheet.get_by_role("button", name="copy").click()
    sheet.get_by_text("cop").first.wait_for()
    sheet.locator("output", has_text="c").wait_for(timeout=30_000)
    assert sheet.locator("output").inner_text().startswith(("copied", "selected"))
    assert seen.problems == []


def test_a_row_of_figures_is_opened_with_the_keyboard(report, visit):
    seen = visit(report, at="#cells")
    seen.page.locator(f'[id="{CELL}"] th a').focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator(".sheet").get_by_role("button", name="copy").wait_for(timeout=30_000)
    assert seen.page.evaluate("document.activeElement.id") == CELL, "the focus goes where the reader is led"
    seen.page.keyboard.press("Tab")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.closest('.sheet') !== null"), "the command comes next"


def test_an_address_finds_a_cell_that_a_search_has_hidden(report, visit):
    seen = visit(report, at="#cells")
    seen.page.get_by_role("searchbox", name="Search cell by cell").fill("fp64")
    row = seen.page.locator(f'[id="{CELL}"]')
    assert not row.is_visible()
    seen.page.evaluate(f"location.hash = '{CELL}'")
    row.wait_for(state="visible", timeout=30_000)


def test_an_address_that_leads_nowhere_is_told(report, visit):
    seen = visit(report, at="#cell-<img src=x onerror=alert(1)>")
    assert seen.page.get_by_role("status").filter(has_text="Nothing on this page has the address #cell-<img src=x onerror=alert(1)>").is_visible()
    seen.page.evaluate("location.hash = 'claims'")
    assert seen.page.locator(".lost").is_hidden()
    assert seen.problems == []


def test_an_address_opens_its_claim(report, visit):
    seen = visit(report, at="#claim-remark-2.4")
    claim = seen.page.locator('[id="claim-remark-2.4"]')
    claim.locator("ol.steps").wait_for(state="visible", timeout=30_000)
    assert 0 <= claim.bounding_box()["y"] < 300
    assert seen.page.locator("ol.steps:visible").count() == 1, "no other proof is open"


def test_an_address_that_leads_nowhere_opens_nothing(report, visit):
    seen = visit(report)
    for at in ("cell-nothing", "%E0%A4%A", ""):
        seen.page.evaluate(f"location.hash = '{at}'")
        seen.page.wait_for_timeout(50)
        assert seen.page.locator("details[open]").count() == 0
    assert seen.problems == []
