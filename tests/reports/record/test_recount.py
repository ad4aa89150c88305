"""A cell's figures computed again from its cases: those that plain loops make are found again, and one that is changed is told."""

import copy
import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.record import CellRecord
from reports.record.agreement import disagreeing_cells
from reports.record.cases_table import CaseColumns, as_table
from reports.record.record_files import write_run
from reports.record.recount import other_figures, recounted
from tests import gate_samples as drawn

NAN = math.nan
ENDS = st.sampled_from([0.0, 2.0**-1074, 1.0, 2.0**1023, math.inf, NAN])
REALS = [each.name for each in dataclasses.fields(CaseColumns) if each.name not in ("verdict", "reason")]
WORDS = ("HOLDS", "VIOLATED", "VACUOUS", "INCONCLUSIVE")


@st.composite
def some_cases(draw: st.DrawFn) -> CaseColumns:
    """Any numbers, at both ends of the range too; of each verdict any number."""
    size = draw(st.integers(1, 24))
    numbers = st.lists(st.one_of(ENDS, st.floats(0, 4)), min_size=size, max_size=size)
    verdict = draw(st.lists(st.sampled_from(WORDS), min_size=size, max_size=size))
    reason = [draw(st.sampled_from(["NormUnderflow", "UpdateOverflow"])) if word == "INCONCLUSIVE" else "" for word in verdict]
    return CaseColumns(**{name: np.array(draw(numbers), dtype=np.float64) for name in REALS}, verdict=verdict, reason=reason)


def by_loops(cases: CaseColumns) -> dict[str, Any]:
    """The same figures, without an array."""
    verdict = [str(word) for word in cases.verdict]
    judged = [at for at, word in enumerate(verdict) if word != "INCONCLUSIVE"]
    found: dict[str, Any] = {
        "cases": len(verdict),
        "counts": {word.lower(): verdict.count(word) for word in WORDS},
        "reasons": {reason: [*cases.reason].count(reason) for reason in cases.reason if reason},
    }
    if not judged:
        return found

    def of(name: str, places: list[int] = judged) -> list[float]:
        return [float(getattr(cases, name)[at]) for at in places]

    over = [quotient(bound, error) for bound, error in zip(of("bound"), of("error"), strict=True)]
    first, output = largest(of("ratio")), largest(of("output_ratio"))
    worst = output if output > first else first
    found |= {name: {"max": largest(of(name)), "median": middle(of(name))} for name in ("error", "bound")}
    found |= {name: middle(of(name)) for name in ("resolution", "output_resolution")}
    found["tightness"] = {name: at_share(over, tenths) for name, tenths in (("p10", 1), ("median", 5), ("p90", 9))}
    found |= {"worst_ratio": worst, "worst_site": "first layer" if worst == first else "output"}
    found["output_blind"] = sum(word == "HOLDS" and float(size) >= 1 for word, size in zip(verdict, cases.output_resolution, strict=True))
    asked = [at for at in range(len(verdict)) if not math.isnan(cases.expected[at])]
    among = [at for at in asked if at in judged]
    if among:
        again = [quotient(expected, error) for expected, error in zip(of("expected", among), of("error", among), strict=True)]
        exceeded = sum(ratio > 1 for ratio in of("expected_ratio", among))
        found["expected"] = {"tightness_median": at_share(again, 5), "exceeded": exceeded, "cases": len(among), "asked": len(asked)}
    return found


def quotient(above: float, below: float) -> float:
    return above / below if below > 0 else math.inf


def largest(values: list[float]) -> float:
    return NAN if any(map(math.isnan, values)) else max(values)


def middle(values: list[float]) -> float:
    return NAN if any(map(math.isnan, values)) else median(values)


def at_share(values: list[float], tenths: int) -> float:
    ascending = sorted(values, key=lambda value: (math.isnan(value), value))  # as NumPy sorts: NaN behind all
    return ascending[(len(ascending) - 1) * tenths // 10]


@settings(max_examples=25)
@given(some_cases())
def test_loops_come_to_the_same(cases: CaseColumns) -> None:
    found, expected = (json.dumps(figures, sort_keys=True) for figures in (recounted(as_table("a cell", cases)), by_loops(cases)))
    assert found == expected, "as words, where NaN equals NaN"


@pytest.mark.parametrize(("name", "scenario"), drawn.CELLS)
def test_a_row_made_otherwise_has_the_same_figures(name: str, scenario: str) -> None:
    cases = drawn.drawn(7, name, scenario)
    assert other_figures(drawn.cell_of(cases, name, scenario), as_table("a cell", cases)) == []


def changed(row: CellRecord) -> Iterator[tuple[str, CellRecord]]:
    """Each figure of a row by itself, made another."""
    for name, value in recounted(as_table("a cell", drawn.drawn(7, "fp32", "near_zero"))).items():
        parts = [(name, part) for part in value] if isinstance(value, dict) else [(name,)]
        for path in parts:
            data = copy.deepcopy(row.model_dump())
            at: Any = data if len(path) == 1 else data[name]
            was = at[path[-1]]
            at[path[-1]] = "output" if was == "first layer" else was + 1 if isinstance(was, int) else was * (1 + 2.0**-52)
            yield ".".join(path), CellRecord.model_validate(data)


def test_each_figure_is_held_to_the_cases() -> None:
    """The planted negatives: the last bit of a number, one case more."""
    cases = drawn.drawn(7, "fp32", "near_zero")
    rows = dict(changed(drawn.cell_of(cases, "fp32", "near_zero")))
    assert len(rows) > 20
    assert {name: other_figures(row, as_table("a cell", cases)) for name, row in rows.items()} == {name: [name.split(".")[0]] for name in rows}


def test_a_folder_says_whose_figures_are_others(tmp_path: Path) -> None:
    record = drawn.run_of(7, tmp_path)
    assert disagreeing_cells(record, tmp_path) == []
    row = record.cells[0]
    assert row.error is not None
    wrong = row.model_copy(update={"error": row.error.model_copy(update={"median": 0.0})})
    record = record.model_copy(update={"cells": [wrong, *record.cells[1:]]})
    write_run(record, tmp_path)
    assert disagreeing_cells(record, tmp_path) == [row.id]
