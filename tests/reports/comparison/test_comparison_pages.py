"""The pages of a comparison and of a history as a browser shows them: nothing wider than the window, nothing grave, no request."""

from pathlib import Path

import pytest

from reports.comparison import differences
from reports.comparison.baseline import baseline_of
from reports.comparison.history import read_history
from reports.comparison.history_rendering import write_history
from reports.comparison.rendering import RunLabel, write_comparison
from reports.record import RunRecord
from symbolic.vocabulary import Verdict
from tests import gate_samples as drawn
from tests import report_samples as samples

pytestmark = pytest.mark.browser

WIDTHS = (390, 768, 1440)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of three runs: the second differs in everything that can differ, the third is like it."""
    folder = tmp_path_factory.mktemp("runs")

    def run(day: int, **changes: object) -> RunRecord:
        info = samples.run_info(id=f"run-{day}", seed=day, started=f"2026-11-0{day}T10:00:00Z")
        return drawn.run_of(day, folder / f"run-{day}", run=info, **changes)  # type: ignore[arg-type]

    first = run(1)
    worse = {cell: {"errors": 1.5} for cell in drawn.CELLS[:2]}
    broken = samples.claim(verdict=Verdict.ERROR, reason="<script>alert(1)</script>")
    second = run(2, cells=worse, claims=[broken, samples.claim(id='"><img src=x onerror=alert(1)>')])
    run(3, cells=worse)
    found = differences(baseline_of(first, folder / "run-1"), second)
    assert len(found.differences) > 4
    one, other = (RunLabel(record.run.id, "about it") for record in (first, second))
    return {
        "comparison": write_comparison(found, one, other, folder / "comparison.html"),
        "history": write_history(read_history(folder), folder / "history.html"),
    }


@pytest.mark.parametrize("name", ["comparison", "history"])
def test_it_fits_every_window_and_asks_for_nothing(name: str, pages: dict[str, Path], visit) -> None:
    for width in WIDTHS:
        seen = visit(pages[name], width=width)
        assert seen.overflow <= 0
        assert seen.problems == []
        assert [request for request in seen.requests if not request.startswith("file:")] == []


@pytest.mark.parametrize("name", ["comparison", "history"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave(name: str, scheme: str, pages: dict[str, Path], visit) -> None:
    assert visit(pages[name], width=390, scheme=scheme).grave_findings() == []


@pytest.mark.parametrize("name", ["comparison", "history"])
def test_a_name_is_text(name: str, pages: dict[str, Path], visit) -> None:
    seen = visit(pages[name]).page
    assert seen.evaluate("document.querySelectorAll('script, img').length") == 0
    text = seen.evaluate("document.body.textContent")
    assert "<script>alert(1)</script>" in text
    assert '"><img src=x onerror=alert(1)>' in text
