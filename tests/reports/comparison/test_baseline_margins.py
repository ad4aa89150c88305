"""The margins of a baseline's cells: shared out among all, of both sites, for as few cases as may be left, rounded away from what was seen."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.comparison import differences
from reports.comparison.baseline import CHANCE, MARGINS, baseline_of
from reports.comparison.baseline_rows import CellLine
from reports.comparison.cell_lines import DIGITS, outwards
from reports.comparison.changes import DifferenceKind
from reports.comparison.margins import median_interval, order_interval
from reports.record.cases_table import CasesWriter
from tests import gate_samples as drawn
from tests import report_samples as samples

NEAR_ZERO = ("fp32", "near_zero")


def lines(folder: Path, cells: list[tuple[str, str]]) -> dict[str, CellLine]:
    return baseline_of(drawn.run_of(7, folder, cells={cell: {} for cell in cells}), folder).cells


def middle(line: CellLine, fresh: int, chance: float) -> tuple[float, float]:
    return order_interval(line.tightness_order, line.judged, fresh, chance)


def test_the_chance_is_shared_out_among_all_cells(tmp_path: Path) -> None:
    folders = {tmp_path / "alone": [NEAR_ZERO], tmp_path / "among": drawn.CELLS}
    alone, among = (baseline_of(drawn.run_of(7, folder, cells={cell: {} for cell in cells}), folder) for folder, cells in folders.items())
    assert alone.chance == CHANCE / MARGINS
    assert among.chance == CHANCE / MARGINS / 3
    one, other = (kept.cells["theorem-2.2/attention/fp32/formula/near_zero"] for kept in (alone, among))
    assert one.tightness == other.tightness
    (low, high), (lower, higher) = (middle(line, line.judged, kept.chance) for line, kept in ((one, alone), (other, among)))
    assert lower < low < one.tightness < high < higher
    assert other.worst_limit > one.worst_limit


@pytest.mark.parametrize("share", [1.0, 0.97, 0.5, 0.3])
def test_a_fresh_median_may_be_of_fewer_cases(share: float, tmp_path: Path) -> None:
    """The margins that were kept are no narrower than those that the cases themselves give for as many; at the sizes that are kept they are the same."""
    kept = baseline_of(drawn.run_of(7, tmp_path, cells={NEAR_ZERO: {}}), tmp_path)
    (line,) = kept.cells.values()
    cases = drawn.drawn(7, *NEAR_ZERO)
    judged = np.asarray(cases.reason) == ""
    tightness, fresh = cases.bound[judged] / cases.error[judged], int(line.judged * share)
    low, high = median_interval(tightness, fresh, kept.chance)
    kept_low, kept_high = middle(line, fresh, kept.chance)
    assert kept_low <= low < high <= kept_high
    if share == 1.0:
        assert math.isclose(kept_low, low, rel_tol=10.0 ** (1 - DIGITS))
    closer, wider = middle(line, line.judged, kept.chance)
    assert kept_low <= closer < wider <= kept_high, "fewer cases are more spread"


def test_too_few_cases_have_no_margin(tmp_path: Path) -> None:
    kept = baseline_of(drawn.run_of(7, tmp_path, cells={NEAR_ZERO: {}}), tmp_path)
    (line,) = kept.cells.values()
    assert middle(line, 3, kept.chance) == (-math.inf, math.inf)


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
    found = outwards(x, up=up)
    assert found >= x if up else found <= x
    assert math.isclose(found, x, rel_tol=2 * 10.0 ** (1 - DIGITS))
    assert float(f"{found:.{DIGITS - 1}e}") == found


def test_cases_that_are_said_to_be_drawn_by_themselves_and_were_not_are_told(tmp_path: Path) -> None:
    """Either way the margins are of other draws; the contrary, which disarms them, is a regression."""
    record = drawn.run_of(7, tmp_path)
    together = record.model_copy(update={"cells": [cell.model_copy(update={"independent": False}) for cell in record.cells]})
    assert not differences(baseline_of(record, tmp_path), record).differences
    found = differences(baseline_of(together, tmp_path), record).differences
    assert {change.standing for change in found} == {DifferenceKind.CHANGED}
    assert len(found) == len(record.cells)
    assert all("drawn each by itself" in change.what for change in found)
    assert DifferenceKind.REGRESSION in {change.standing for change in differences(baseline_of(record, tmp_path), together).differences}
