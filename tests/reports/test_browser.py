"""The page as a browser shows it: no error, no request, nothing wider than the window, by day and by night.

Each check is also shown a page that it must refuse.
"""

from pathlib import Path

import pytest

from reports.page import write_report
from reports.record import NotMeasured
from reports.record.cells import Counts
from tests import report_samples as samples
from tests.browsing import Visit, chromium

pytestmark = pytest.mark.browser

WIDTHS = (390, 768, 1440)


def test_a_missing_browser_skips_or_fails_as_asked():
    with pytest.raises(pytest.skip.Exception, match="install"):
        chromium(lambda name: None, required=False)
    with pytest.raises(pytest.fail.Exception, match="install"):
        chromium(lambda name: None, required=True)


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
        environment=samples.environment(platform=long, versions={"icl-verify": "1", long: "1"}),
        claims=[samples.claim(id=long, title=long)],
        cells=[samples.cell(block=long, format=long, variant=long, mutant=long)],
        not_measured=[NotMeasured(block=long, what=long, reason=long)],
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
    detail.wait_for(state="visible", timeout=30_000)


def test_a_violated_run_looks_violated(visit, tmp_path):
    run = samples.record(cells=[samples.cell(verdict="VIOLATED", worst_ratio=3.0, counts=Counts(holds=4093, violated=3))])
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


CELL = "cell-theorem-2.2/gru/fp32/formula/random"


def test_without_a_script_the_page_is_whole(report, visit):
    """All figures and every command are text of the page; links still open what is folded; and no button is there that would do nothing."""
    seen = visit(report, at=f"#{CELL}", scripted=False)
    row = seen.page.locator(f'[id="{CELL}"]')
    row.wait_for(state="visible", timeout=30_000)
    assert "verify replay witnesses/theorem-2.2_gru_fp32_formula_random.safetensors" in row.inner_text()
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
    seen.page.locator(".sheet").wait_for(timeout=30_000)
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
