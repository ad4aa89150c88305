"""A page in a real browser: how it is started, and what is read off it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

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
