"""Panels tell of all cases what a sum over all of them would, though they are counted cell by cell."""

import dataclasses
import math
import re

import numpy as np
import pytest

from reports.figures.error_and_bound import Panel, panels
from reports.record import CellRecord
from reports.record.cases_table import CaseColumns, CasesWriter
from reports.record.cells import Counts
from tests import report_samples as samples


def cells() -> list[CellRecord]:
    """Three of fp32, one with violations and one with refused cases, and one of bf16."""
    counts = (Counts(holds=300), Counts(holds=280, violated=20), Counts(holds=200, inconclusive=100), Counts(holds=250, vacuous=50))
    names = ("fp32", "fp32", "fp32", "bf16")
    return [samples.cell(block=f"b{place}", format=names[place], numerics=names[place], cases=300, counts=count) for place, count in enumerate(counts)]


def drawn(tmp_path, changed: dict[str, float] | None = None) -> tuple[list[Panel], list[CaseColumns]]:
    """The panels of those cells, and the cases; changed: values that take the place of a case's in the first cell."""
    rows = cells()
    cases = [samples.cases_of(row, seed=place) for place, row in enumerate(rows)]
    for name, value in (changed or {}).items():
        column = getattr(cases[0], name).copy()
        column[7] = value
        cases[0] = dataclasses.replace(cases[0], **{name: column})
    with CasesWriter(tmp_path) as writer:
        for row, of_row in zip(rows, cases, strict=True):
            writer.append(row.id, of_row)
        writer.append("in flight when the run stopped", cases[0])
    return panels(samples.record(cells=rows), tmp_path), cases


def test_they_tell_what_a_sum_over_all_cases_tells(tmp_path):
    (first, second), cases = drawn(tmp_path)
    assert (first.format, second.format) == ("fp32", "bf16")
    assert (first.judged, first.violated, first.refused, first.exact, first.not_finite) == (800, 20, 100, 0, 0)
    judged = np.concatenate([np.array(part.verdict) != "INCONCLUSIVE" for part in cases[:3]])
    error, bound, expected, ratio = (np.concatenate([getattr(part, name) for part in cases[:3]])[judged] for name in ("error", "bound", "expected", "ratio"))
    assert first.tightness == pytest.approx(np.quantile(bound / error, (0.1, 0.5, 0.9), method="higher"), rel=2.0**-13, abs=0)
    assert first.expected == pytest.approx(np.quantile((expected / error)[~np.isnan(expected)], 0.5, method="higher"), rel=2.0**-13, abs=0)
    assert first.worst_ratio == ratio.max() == 3.0
    assert "error against bound for 800 cases" in first.picture
    assert "20 violations." in first.picture
    assert "for 300 cases" in second.picture


def test_one_case_that_is_otherwise_is_told(tmp_path):
    """Each of these differs from the run before in a single case of 800."""
    (exact, _), _ = drawn(tmp_path / "exact", {"error": 0.0})
    assert (exact.exact, exact.not_finite) == (1, 0)
    assert "error against bound for 799 cases" in exact.picture
    (infinite, _), _ = drawn(tmp_path / "infinite", {"error": math.inf})
    assert (infinite.exact, infinite.not_finite) == (0, 1)
    (nan, _), _ = drawn(tmp_path / "nan", {"ratio": math.nan})
    assert math.isnan(nan.worst_ratio), "a NaN hides behind no number"


def test_the_picture_has_each_shade_where_the_cases_are(tmp_path):
    """The squares' heights, v1 for one and v2 for two upon each other, are as many as numpy's own histogram fills."""
    (_, second), cases = drawn(tmp_path)
    place = np.log2(np.stack([cases[3].bound, cases[3].error]))
    side = max(*np.ptp(place, axis=1), 1.0) / 56
    filled = len(np.unique(np.floor(place / side), axis=1).T)
    paths = [tag for tag in re.findall(r"<path [^>]*>", second.picture) if "matrix(" in tag]
    heights = [int(height) for tag in paths for height in re.findall(r"v(\d+)", tag)]
    assert sum(heights) == filled
    assert filled != 300, "two cases share a square here"


def test_no_cases_are_no_panels(tmp_path):
    assert panels(samples.record(cells=cells()), tmp_path) == []
