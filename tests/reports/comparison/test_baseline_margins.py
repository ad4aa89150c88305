"""The margins of a baseline's cells: shared out among all, of both sites, for as few cases as may be left, rounded away from what was seen."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reports.comparison.baseline import CHANCE, DIGITS, CellLine, _outwards, baseline_of
from reports.comparison.margins import median_interval
from reports.record.cases_table import CasesWriter
from tests import gate_samples as drawn
from tests import report_samples as samples

NEAR_ZERO = ("fp32", "near_zero")


def lines(folder: Path, cells: list[tuple[str, str]]) -> dict[str, CellLine]:
    return baseline_of(drawn.run_of(7, folder, cells={cell: {} for cell in cells}), folder).cells


def test_the_chance_is_shared_out_among_all_cells(tmp_path: Path) -> None:
    (alone,) = lines(tmp_path / "one", [NEAR_ZERO]).values()
    among = lines(tmp_path / "all", list(drawn.CELLS))["theorem-2.2/attention/fp32/formula/near_zero"]
    assert among.tightness == alone.tightness
    assert among.tightness_low < alone.tightness_low
    assert among.tightness_high > alone.tightness_high
    assert among.worst_limit > alone.worst_limit
    assert among.refused_limit > alone.refused_limit


def test_a_fresh_median_may_be_of_as_few_cases_as_the_refusals_leave(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, [NEAR_ZERO]).values()
    cases = drawn.drawn(7, *NEAR_ZERO)
    judged = np.asarray(cases.reason) == ""
    tightness = cases.bound[judged] / cases.error[judged]
    low, high = median_interval(tightness, len(judged) - line.refused_limit, CHANCE / 6)
    assert math.isclose(line.tightness_low, low, rel_tol=10.0 ** (1 - DIGITS))
    assert math.isclose(line.tightness_high, high, rel_tol=10.0 ** (1 - DIGITS))
    closer, _ = median_interval(tightness, int(judged.sum()), CHANCE / 6)
    assert line.tightness_low < closer * (1 - 10.0 ** (1 - DIGITS)), "as many as now would make it too narrow"


def test_the_worst_case_is_that_of_both_sites(tmp_path: Path) -> None:
    name, scenario = drawn.CELLS[0]
    cases = drawn.drawn(7, name, scenario)
    cases = replace(cases, output_ratio=np.minimum(1.0, cases.ratio * 1.5))
    row = drawn.cell_of(cases, name, scenario, worst_ratio=float(cases.output_ratio.max()))
    with CasesWriter(tmp_path) as writer:
        writer.append(row.id, cases)
    (line,) = baseline_of(samples.record(cells=[row]), tmp_path).cells.values()
    (first,) = lines(tmp_path / "first", [drawn.CELLS[0]]).values()
    assert line.worst_limit >= cases.output_ratio.max()
    assert line.worst_limit > first.worst_limit


@given(st.floats(2.0**-1000, 2.0**1000), st.booleans())
def test_a_margin_is_rounded_away_from_what_was_seen(x: float, up: bool) -> None:
    found = _outwards(x, up=up)
    assert found >= x if up else found <= x
    assert math.isclose(found, x, rel_tol=2 * 10.0 ** (1 - DIGITS))
    assert float(f"{found:.{DIGITS - 1}e}") == found
