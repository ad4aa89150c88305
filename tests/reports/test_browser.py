"""The page as a browser shows it: no error, no request, nothing wider than the window, by day and by night.

Each check is also shown a page that it must refuse.
"""

from pathlib import Path

import pytest

from reports.page import write_report
from reports.record import RunRecord
from reports.record.cells import Counts
from symbolic.vocabulary import Verdict
from tests import report_samples as samples
from tests.browsing import Visit, chromium
from tests.reports.large_run import record_of, write_large_run

pytestmark = pytest.mark.browser

WIDTHS = (390, 768, 1440)


def test_a_missing_browser_skips_or_fails_as_asked():
    with pytest.raises(pytest.skip.Exception, match="install"):
        chromium(lambda name: None, required=False)
    with pytest.raises(pytest.fail.Exception, match="install"):
        chromium(lambda name: None, required=True)


def sample() -> RunRecord:
    """A small run in which most things occur: 34 cells, one of them violated, one broken, and every experiment."""
    run = samples.full_record(cases=600)
    witness = "witnesses/one of them.safetensors"
    wrong = samples.cell(block="gru", verdict=Verdict.VIOLATED, worst_ratio=3.0, cases=600, counts=Counts(holds=597, violated=3), witness=witness)
    nothing = {"worst_ratio": None, "error": None, "bound": None, "tightness": None, "resolution": None, "certified": None, "mutant_verdict": None}
    broken = samples.cell(block="gru", scenario="near_zero", verdict=Verdict.ERROR, reason="a kernel raised", counts=Counts(), cases=0, **nothing)
    return run.model_copy(
        update={"claims": run.claims[1:3], "cells": [*run.cells, wrong, broken], "errata": [samples.erratum()], "experiments": samples.experiments()}
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(samples.write_folder(sample(), tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report as large as the profile standard makes: 672 cells of fourteen blocks."""
    page = write_report(
        write_large_run(record_of(67_200, scenarios=4, models=[samples.model()], experiments=samples.experiments()), tmp_path_factory.mktemp("standard"))
    )
    assert page.stat().st_size > 700_000
    return page


def written(folder: Path, body: str) -> Path:
    path = folder / "page.html"
    path.write_text(f"<!doctype html><html lang=en><meta charset=utf-8><title>t</title><body>{body}</body></html>", encoding="utf-8")
    return path


def test_a_page_that_fetches_or_errs_is_seen(visit, tmp_path):
    seen = visit(written(tmp_path, '<img src="missing.png"><script>console.error("oops"); throw new Error("thrown")</script>'))
    assert any(url.endswith("missing.png") for url in seen.requests)
    assert any("oops" in problem for problem in seen.problems)
    assert any("thrown" in problem for problem in seen.problems)


def test_nothing_is_wider_than_the_window_and_letters_in_pictures_can_be_read(report, visit):
    """7.5 px is half of the text's own size, where reading ends."""
    seen = visit(report)
    for everything in (False, True):
        if everything:
            seen.open_everything()
        for width in WIDTHS:
            seen.page.set_viewport_size({"width": width, "height": 900})
            assert seen.overflow <= 0, width
            assert seen.smallest_letters() > 7.5, width


def test_a_long_name_without_a_space_does_not_widen_the_page(visit, tmp_path):
    long = "x" * 300
    run = samples.record(
        run=samples.run_info(command=long, id=long),
        environment=samples.environment(platform=long, versions={long: "1"}),
        claims=[samples.claim(id=long, title=long)],
        cells=[samples.cell(block=long, format=long, variant=long, mutant=long, reason=long)],
        near_zero=[samples.sweep(block=long, predicted_by=long)],
        models=[samples.model(block=long)],
    )
    seen = visit(write_report(samples.write_folder(run, tmp_path)), width=390)
    seen.open_everything()
    assert seen.overflow <= 0


def test_a_wide_page_is_seen(visit, tmp_path):
    assert visit(written(tmp_path, '<div style="width:2000px">wide</div>'), width=390).overflow > 0


def brightness(visit: Visit, selector: str, name: str) -> float:
    """Between 0 for black and 255 for white."""
    colour = visit.page.eval_on_selector(selector, f"element => getComputedStyle(element).getPropertyValue('{name}')")
    channels = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(channels) / 3


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_opens_in_the_reader_s_colours_without_an_error_or_a_request(report, visit, scheme, dark):
    seen = visit(report, scheme=scheme)
    assert (brightness(seen, "body", "background-color") < 128) is dark
    assert (brightness(seen, "h1", "color") > 128) is dark
    assert (brightness(seen, "figure svg text", "fill") > 128) is dark
    seen.open_everything()
    seen.page.wait_for_timeout(200)
    assert seen.problems == []
    assert seen.requests == [report.as_uri()]


def test_formulas_are_laid_out_and_links_open_their_cell(report, visit):
    seen = visit(report)
    assert seen.page.locator("math mfrac").count() > 0
    assert seen.page.locator("math[display=block]").first.bounding_box()["height"] > 20
    square = seen.page.locator("a.square").first
    detail = seen.page.locator(f'[id="{square.get_attribute("href")[1:]}"]')
    assert not detail.is_visible()
    square.focus()
    seen.page.keyboard.press("Enter")
    detail.wait_for(state="visible", timeout=5000)


def test_a_violated_run_looks_violated(visit, tmp_path):
    run = samples.record(cells=[samples.cell(verdict="VIOLATED", worst_ratio=3.0, counts={"holds": 4093, "violated": 3})])
    seen = visit(write_report(samples.write_folder(run, tmp_path)))
    assert seen.problems == []
    assert seen.page.locator("h1").inner_text().startswith("Violated: 3 cases")
    assert seen.page.locator(".standing").inner_text() == "✕ violated"


def shown_first(seen: Visit, selector: str) -> bool:
    """Whether an element lies within the window without scrolling."""
    box = seen.page.locator(selector).bounding_box()
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 900


def test_the_overview_fits_on_one_screen(standard, visit):
    seen = visit(standard)
    assert all(shown_first(seen, selector) for selector in ("h1", ".facts", ".overview", ".stamp"))
    assert seen.page.locator("#worst + ol > li").count() == 3


def test_an_overview_that_is_too_tall_is_seen(visit, tmp_path):
    assert not shown_first(visit(written(tmp_path, '<div class="stamp" style="margin-top:901px">below</div>')), ".stamp")


def first_paint(seen: Visit) -> float:
    """Milliseconds from the start of the navigation."""
    return seen.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")


def test_a_page_of_standard_size_is_painted_within_a_second(standard, visit):
    assert min(first_paint(visit(standard)) for _ in range(2)) < 1000


def test_a_page_that_keeps_one_waiting_is_seen(visit, tmp_path):
    """A script in front of the text that holds it up for a second and a half."""
    slow = "<script>for (const start = performance.now(); performance.now() < start + 1500;);</script><p>late</p>"
    seen = visit(written(tmp_path, slow))
    seen.page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
    assert first_paint(seen) > 1000


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


CELL = "cell-theorem-2.2/gru/fp32/formula/random"


def test_an_address_opens_its_cell_with_the_command_that_replays_it(report, visit):
    seen = visit(report, at=f"#{CELL}")
    row = seen.page.locator(f'[id="{CELL}"]')
    row.wait_for(state="visible", timeout=5000)
    top = row.bounding_box()["y"]
    assert 0 <= top < 300, "it was scrolled to"
    sheet = seen.page.locator(".sheet")
    assert "largest error 3.00e-07" in " ".join(sheet.inner_text().split())
    folder = str(report.parent.parent)
    assert sheet.locator("pre").inner_text() == f"verify replay '{folder}/witnesses/one of them.safetensors'"
    sheet.get_by_role("button", name="copy").click()
    sheet.get_by_text("cop").first.wait_for()
    sheet.locator("output", has_text="c").wait_for(timeout=5000)
    assert sheet.locator("output").inner_text().startswith(("copied", "selected"))
    assert seen.problems == []


def test_a_row_of_figures_is_opened_with_the_keyboard(report, visit):
    seen = visit(report, at="#cells")
    seen.page.locator(f'[id="{CELL}"] th a').focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator(".sheet").get_by_role("button", name="copy").wait_for(timeout=5000)
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
    row.wait_for(state="visible", timeout=5000)


def test_an_address_that_leads_nowhere_is_told(report, visit):
    seen = visit(report, at="#cell-<img src=x onerror=alert(1)>")
    assert seen.page.get_by_role("status").filter(has_text="Nothing on this page has the address #cell-<img src=x onerror=alert(1)>").is_visible()
    seen.page.evaluate("location.hash = 'claims'")
    assert seen.page.locator(".lost").is_hidden()
    assert seen.problems == []


def test_an_address_opens_its_claim(report, visit):
    seen = visit(report, at="#claim-remark-2.4")
    claim = seen.page.locator('[id="claim-remark-2.4"]')
    claim.locator("ol.steps").wait_for(state="visible", timeout=5000)
    assert 0 <= claim.bounding_box()["y"] < 300
    assert seen.page.locator("ol.steps:visible").count() == 1, "no other proof is open"


def test_an_address_that_leads_nowhere_opens_nothing(report, visit):
    seen = visit(report)
    for at in ("cell-nothing", "%E0%A4%A", ""):
        seen.page.evaluate(f"location.hash = '{at}'")
        seen.page.wait_for_timeout(50)
        assert seen.page.locator("details[open]").count() == 0
    assert seen.problems == []


def test_without_a_script_the_page_is_whole(report, visit):
    """All figures and every command are text of the page; links still open what is folded; and no button is there that would do nothing."""
    seen = visit(report, at=f"#{CELL}", scripted=False)
    row = seen.page.locator(f'[id="{CELL}"]')
    row.wait_for(state="visible", timeout=5000)
    assert "verify replay witnesses/one of them.safetensors" in row.inner_text()
    assert seen.page.locator(".cells tbody tr").count() == 34
    assert seen.page.locator("button, input[type=search]").count() == 0
    seen.page.get_by_text("dark", exact=True).click()
    assert brightness(seen, "body", "background-color") < 128


@pytest.mark.parametrize(("scheme", "choice"), [("light", "dark"), ("dark", "light")])
def test_the_reader_may_choose_the_colours(report, visit, scheme, choice):
    seen = visit(report, scheme=scheme)
    chosen = seen.page.get_by_role("radio", name=choice)
    chosen.focus()
    seen.page.keyboard.press("Space")
    assert (brightness(seen, "body", "background-color") < 128) is (choice == "dark")
    assert (brightness(seen, "figure svg text", "fill") > 128) is (choice == "dark")
    seen.page.get_by_role("radio", name="system").check(force=True)
    assert (brightness(seen, "body", "background-color") < 128) is (scheme == "dark")


def printed(seen: Visit) -> Visit:
    """As on a landscape sheet of A4: 277 mm between the margins."""
    seen.page.set_viewport_size({"width": 1047, "height": 700})
    seen.page.emulate_media(media="print")
    return seen


def test_on_paper_everything_is_open_and_dark_on_white(report, visit):
    seen = visit(report, scheme="dark")
    seen.page.get_by_role("radio", name="dark").check(force=True)
    printed(seen)
    assert brightness(seen, "body", "background-color") == 255
    assert brightness(seen, "h1", "color") < 128
    assert seen.page.locator("ol.steps").first.is_visible()
    assert seen.page.locator(".cells tbody tr").last.is_visible()
    assert not seen.page.locator("nav").is_visible()
    assert not seen.page.locator(".tools").first.is_visible()
    assert seen.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_on_paper_no_table_is_cut_off(standard, visit):
    seen = printed(visit(standard))
    assert seen.clipped() == []
    assert seen.overflow <= 0


def test_a_table_that_is_cut_off_is_seen(visit, tmp_path):
    wide = '<div class="wrap" role="region" aria-label="Too wide" style="overflow: hidden"><table><td style="min-width:2000px">wide</td></table></div>'
    seen = printed(visit(written(tmp_path, wide)))
    assert seen.clipped() == ["Too wide"]


def test_letters_that_are_too_small_are_seen(report, visit):
    """Figure 2 as it is drawn for a wide window, in a narrow one."""
    seen = visit(report, width=390)
    seen.page.add_style_tag(content=".when-wide { display: block !important }")
    assert seen.smallest_letters() < 7.5


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing_grave(report, visit, scheme, width):
    seen = visit(report, scheme=scheme, width=width, at=f"#{CELL}")
    seen.page.locator(".sheet").wait_for(timeout=5000)
    seen.page.wait_for_timeout(100)
    assert seen.grave_findings() == []


PLANTED = {
    "button-name": "<button></button>",
    "color-contrast": '<p style="color:#aaa; background:#fff">pale</p>',
    "scrollable-region-focusable": f'<div style="overflow-x:auto; width:90px"><math><mtext>{"long" * 30}</mtext></math></div>',
    "label": "<input type=search>",
}


def test_axe_finds_what_is_planted(visit, tmp_path):
    found = visit(written(tmp_path, f"<main><h1>t</h1>{''.join(PLANTED.values())}</main>")).grave_findings()
    assert {line.split(":")[0] for line in found} == set(PLANTED)
