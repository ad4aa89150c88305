"""The page as a browser shows it: no error, no request, nothing wider than the window, by day and by night.

Each check is also shown a page that it must refuse.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import report_samples as samples
from playwright.sync_api import Browser, Page, sync_playwright

from reports.page import write_report

pytestmark = pytest.mark.browser

WIDTHS = (390, 768, 1440)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium(which: Callable[[str], str | None] = shutil.which, *, required: bool) -> str:
    """Chromium's path; without one, the test is skipped, or fails if a browser is required."""
    path = which("chromium") or which("chromium-browser") or which("google-chrome")
    if path is None:
        if required:
            pytest.fail("VERIFY_REQUIRE_BROWSER=1, and there is no Chromium: install Debian's package `chromium`")
        pytest.skip("no Chromium here; install Debian's package `chromium`")
    return path


def test_a_missing_browser_skips_or_fails_as_asked():
    with pytest.raises(pytest.skip.Exception, match="install"):
        chromium(lambda name: None, required=False)
    with pytest.raises(pytest.fail.Exception, match="install"):
        chromium(lambda name: None, required=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium(required=os.environ.get("VERIFY_REQUIRE_BROWSER") == "1")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(samples.write_folder(samples.full_record(cases=600), tmp_path_factory.mktemp("run")))


@dataclass
class Visit:
    page: Page
    problems: list[str]
    requests: list[str]

    @property
    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def open_everything(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach(element => { element.open = true })")


@pytest.fixture
def visit(browser):
    """Opens a file; closes what it opened."""
    opened: list[Page] = []

    def open_file(path: Path, *, width: int = 1440, scheme: str = "light") -> Visit:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        opened.append(page)
        visit = Visit(page, [], [])
        page.on("console", lambda message: visit.problems.append(message.text))
        page.on("pageerror", lambda error: visit.problems.append(str(error)))
        page.on("request", lambda request: visit.requests.append(request.url))
        page.goto(path.as_uri(), wait_until="load")
        return visit

    yield open_file
    for page in opened:
        page.close()


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
