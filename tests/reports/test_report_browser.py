"""The page as a browser shows it: no error, no request, nothing wider than the window, by day and by night.

Each check is also shown a page that it must refuse.
"""

from pathlib import Path

import pytest
import report_samples as samples
from browsing import Visit, chromium

from reports.page import write_report

pytestmark = pytest.mark.browser

WIDTHS = (390, 768, 1440)


def test_a_missing_browser_skips_or_fails_as_asked():
    with pytest.raises(pytest.skip.Exception, match="install"):
        chromium(lambda name: None, required=False)
    with pytest.raises(pytest.fail.Exception, match="install"):
        chromium(lambda name: None, required=True)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(samples.write_folder(samples.full_record(cases=600), tmp_path_factory.mktemp("run")))


def written(folder: Path, body: str) -> Path:
    path = folder / "page.html"
    path.write_text(f"<!doctype html><html lang=en><meta charset=utf-8><title>t</title><body>{body}</body></html>", encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_without_an_error_or_a_request(report, visit, scheme):
    seen = visit(report, scheme=scheme)
    seen.open_everything()
    seen.page.wait_for_timeout(200)
    assert seen.problems == []
    assert seen.requests == [report.as_uri()]


def test_a_page_that_fetches_or_errs_is_seen(visit, tmp_path):
    seen = visit(written(tmp_path, '<img src="missing.png"><script>console.error("oops"); throw new Error("thrown")</script>'))
    assert any(url.endswith("missing.png") for url in seen.requests)
    assert any("oops" in problem for problem in seen.problems)
    assert any("thrown" in problem for problem in seen.problems)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(report, visit, width):
    seen = visit(report, width=width)
    assert seen.overflow <= 0
    seen.open_everything()
    assert seen.overflow <= 0


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
def test_text_and_pictures_follow_the_colour_scheme(report, visit, scheme, dark):
    seen = visit(report, scheme=scheme)
    assert (brightness(seen, "body", "background-color") < 128) is dark
    assert (brightness(seen, "h1", "color") > 128) is dark
    assert (brightness(seen, "figure svg text", "fill") > 128) is dark


def test_formulas_are_laid_out_and_links_open_their_cell(report, visit):
    seen = visit(report)
    assert seen.page.locator("math mfrac").count() > 0
    assert seen.page.locator("math[display=block]").first.bounding_box()["height"] > 20
    square = seen.page.locator("a.square").last
    detail = seen.page.locator(square.get_attribute("href"))
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
