"""A page in a real browser: how it is started, and what is read off it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

NOTHING_ELSE = ("gpu", "quic", "sync", "background-networking", "component-update")
QUIET = ["--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{what}" for what in NOTHING_ELSE)]


def chromium(which: Callable[[str], str | None] = shutil.which, *, required: bool) -> str:
    """Chromium's path; without one, the test is skipped, or fails if a browser is required."""
    path = which("chromium") or which("chromium-browser") or which("google-chrome")
    if path is None:
        if required:
            pytest.fail("VERIFY_REQUIRE_BROWSER=1, and there is no Chromium: install Debian's package `chromium`")
        pytest.skip("no Chromium here; install Debian's package `chromium`")
    return path


@dataclass
class Visit:
    page: Page
    problems: list[str]
    requests: list[str]

    @property
    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def grave_findings(self, within: str | None = None) -> list[str]:
        """What axe-core finds on the page, or in a part of it, and calls serious or critical."""
        from axe_playwright_python.sync_playwright import Axe  # half a megabyte of script, which most tests do without

        found = Axe().run(self.page, within).response["violations"]
        return [f"{rule['id']}: {node['html']}" for rule in found if rule["impact"] in ("serious", "critical") for node in rule["nodes"]]

    def clipped(self) -> list[str]:
        """Labels of the tables and formulas that are wider than the place they have."""
        return self.page.eval_on_selector_all(
            ".wrap, .math",
            "all => all.filter(box => box.clientWidth > 0 && box.scrollWidth > box.clientWidth + 1).map(box => box.ariaLabel ?? box.className)",
        )

    def smallest_letters(self) -> float:
        """Height of the smallest letters in the pictures that are shown, in pixels of the window."""
        size = "text => { const { c, d } = text.getScreenCTM(); return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(c, d); }"
        shown = "all.filter(text => text.getClientRects().length)"
        sizes = self.page.eval_on_selector_all("figure svg text", f"all => {shown}.map({size})")
        return min(sizes)

    def open_everything(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach(element => { element.open = true })")
