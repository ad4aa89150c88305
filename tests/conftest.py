"""Fixtures of more than one floor."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browsing import QUIET, Visit, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium(required=os.environ.get("VERIFY_REQUIRE_BROWSER") == "1")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens a file; closes what it opened."""
    opened: list[Page] = []

    def open_file(path: Path, *, width: int = 1440, scheme: str = "light", at: str = "", scripted: bool = True) -> Visit:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripted)
        opened.append(page)
        visit = Visit(page, [], [])
        page.on("console", lambda message: visit.problems.append(message.text))
        page.on("pageerror", lambda error: visit.problems.append(str(error)))
        page.on("request", lambda request: visit.requests.append(request.url))
        page.goto(path.as_uri() + at, wait_until="load")
        return visit

    yield open_file
    for page in opened:
        page.close()
