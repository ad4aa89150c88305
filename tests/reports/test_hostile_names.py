"""A name is text in the page, as a browser that parsed it says."""

import pytest

from reports import page
from reports.html import templating
from tests import report_samples as samples
from tests.reports import hostile

pytestmark = pytest.mark.browser

FOUND = """own => {
    const all = [...document.querySelectorAll('*')].filter(element => element.textContent.trim() !== own);
    return {
        scripts: all.filter(element => ['script', 'img', 'iframe', 'object', 'embed', 'link', 'base', 'form'].includes(element.localName)).length,
        handlers: all.filter(element => element.getAttributeNames().some(name => name.startsWith('on'))).length,
        addresses: all.filter(element => ['href', 'src', 'action', 'xlink:href'].some(name => !(element.getAttribute(name) ?? '#').startsWith('#'))).length,
        text: document.body.textContent,
    }
}"""


def found(visit, folder, evil):
    samples.write_folder(hostile.hostile_record(evil), folder, with_cases=[])
    seen = visit(page.write_report(folder))
    return seen.page.evaluate(FOUND, (templating.TEMPLATES / "page.js").read_text().strip())  # the page's own script aside


@pytest.mark.parametrize("evil", [hostile.SCRIPT, hostile.IMAGE])
def test_a_name_is_text_in_the_page(visit, tmp_path, evil):
    seen = found(visit, tmp_path, evil)
    assert (seen["scripts"], seen["handlers"], seen["addresses"]) == (0, 0, 0)
    assert seen["text"].count(evil) > 15


def test_without_its_escaping_the_same_reading_finds_elements(visit, tmp_path, monkeypatch):
    """The planted negative of the test above."""
    escaping = templating.environment

    def unescaped():
        environment = escaping()
        environment.autoescape = False
        return environment

    monkeypatch.setattr(templating, "environment", unescaped)
    assert found(visit, tmp_path, hostile.SCRIPT + hostile.IMAGE)["scripts"] > 1
