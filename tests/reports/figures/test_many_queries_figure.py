"""The section on one update for many queries: its figures are the record's, what was refused is said, and it is small."""

import re

from reports.page import render
from reports.record import Experiments
from reports.record.experiments import StaticPatchRecord
from tests import experiment_samples
from tests import report_samples as samples

MOST = 10_240
"""Bytes of nine blocks with eight numbers of queries each, those of the picture in figures among them."""


def section(*rows: StaticPatchRecord) -> str:
    page = render(samples.record(experiments=Experiments(static_patch=list(rows))))
    found = re.search(r'<section aria-labelledby="static">.*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_it_tells_the_figures_of_the_record() -> None:
    found = section(experiment_samples.static_patch(), experiment_samples.static_patch(block="rnn", directions=17))
    cells = [text.strip("\u2007\u2008") for text in re.findall(r"<td>(.*?)</td>", found[found.index('aria-label="One update, by block"') :])]
    assert cells[:10] == ["2", "0.38", "–", "0.19", "1.8", "1.2", "0.99", "0.12 ± 0.05", "0.035 ± 0.001", "17"]
    assert "span 2 of 32 directions" in found
    assert "misses – of WΔA, of fresh ones 0.19" in found
    assert "attention, of 8: 3 at K = 4; rnn, of 8: 3 at K = 4" in found
    assert "9 × 10<sup>−16</sup>" in found, "2⁻⁵⁰"


def test_nothing_is_refused_where_nothing_was() -> None:
    whole = experiment_samples.static_patch()
    found = section(whole.model_copy(update={"points": whole.points[:2]}))
    assert "SingularPatch" not in found
    assert "misses 0.25 of WΔA" in found


def test_the_picture_says_what_it_shows() -> None:
    found = section(experiment_samples.static_patch())
    assert 'aria-label="attention: with K the error on fresh queries goes from 0.750 to 0.188."' in found
    for label in ("fresh queries", "another context's", "A(C,x) for A(x)"):
        assert f">{label}</text>" in found
    assert ">its own queries</text>" not in found, "up to K = r they are fitted exactly, and beyond that the only patch was refused"
    assert found.count("<svg") == 1


def test_it_stays_small() -> None:
    point = experiment_samples.static_patch().points[1]
    points = [point.model_copy(update={"queries": 2**exponent, "own": (0.25 / (exponent + 1),) * 3}) for exponent in range(8)]
    assert len(section(*(experiment_samples.static_patch(block=f"contextual-{i}", points=points) for i in range(9))).encode()) <= MOST


def test_a_run_without_says_so() -> None:
    assert "No update for many queries was made in this run" in section()
