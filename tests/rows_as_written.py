"""A cell's row with a change, and everything beside it as a run would have written it then; so that a test plants one thing and no contradiction."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reports.record import CellRecord, RunRecord
from reports.record.cases_table import CaseColumns, CasesWriter, as_table, keep_only, read_cells
from reports.record.cell_contradictions import OF_JUDGED, UNMEASURED
from reports.record.cell_reason import reason_of
from reports.record.cells import Counts
from reports.record.recount import other_figures, recounted
from symbolic.vocabulary import CellId, Verdict
from symbolic.vocabulary.sampling import expected_cases


def as_written(row: CellRecord, **changes: object) -> CellRecord:
    """The row with these changes, and its counts, reasons and references brought in line with its verdict."""
    counted = row.counts
    row = row.model_copy(update=changes)
    if row.verdict in UNMEASURED:
        names = {name: getattr(row, name) for name in ("id", "format", "device", "verdict", *CellId.__slots__)}
        return CellRecord(**names, cases=0, reason=row.reason or "why")
    counts = _counts(row)
    found: dict[str, object] = {"counts": counts, "reasons": {"NormUnderflow": counts.inconclusive} if counts.inconclusive else {}}
    if row.verdict is Verdict.VACUOUS and row.resolution is not None and row.resolution < 1 and row.mutant_verdict is Verdict.VIOLATED:
        found["resolution"] = 1.5
    if row.mutant_verdict is not Verdict.HOLDS:
        found |= {"mutant_caught": counts.holds, "mutant_verdict": Verdict.VIOLATED if counts.holds else None}
    if counts.judged == 0:
        found |= {**dict.fromkeys(OF_JUDGED), "expected": None, "certified": None}
    elif row.expected and counts != counted:
        assert row.batch is not None
        asked = expected_cases(row.cases, row.batch)
        among = min(asked, counts.judged)
        found["expected"] = row.expected.model_copy(update={"cases": among, "asked": asked, "exceeded": min(row.expected.exceeded, among)})
    row = row.model_copy(update=found)
    return row.model_copy(update={"reason": reason_of(row)})


def _counts(row: CellRecord) -> Counts:
    """Of as many cases, so many of each verdict."""
    counts = row.counts
    if row.verdict is Verdict.INCONCLUSIVE:
        return Counts(inconclusive=row.cases)
    by_balls = row.certified is not None and not row.certified.inside
    if row.verdict is Verdict.VIOLATED and not counts.violated and not by_balls:
        return counts.model_copy(update={"holds": counts.holds - 1, "violated": 1})
    return counts


def settled(record: RunRecord, folder: Path) -> RunRecord:
    """The record, with the cases in the folder brought in line with its rows, and their digests with the cases."""
    found = dict(read_cells(folder))
    with CasesWriter(folder) as writer:
        rows = [_settled(row, found[row.id], writer) if row.id in found and row.cases else row for row in record.cells]
    measured = {row.id: row.cases_digest for row in rows if row.id in found and row.cases and row.cases_digest is not None}
    keep_only(folder, measured)
    return record.model_copy(update={"cells": rows})


def _settled(row: CellRecord, cases: pa.Table, writer: CasesWriter) -> CellRecord:
    """As many cases of each verdict as the row counts, in the order violated, vacuous, holds, inconclusive where the verdicts are others; and its figures.

    What a test has changed in the row stays, and the cases are given it as far as a column can have it; what it has not is what its cases make it.
    """
    before, wanted = recounted(cases), {name.upper(): number for name, number in row.counts}
    if not other_figures(row, cases) or sum(wanted.values()) != len(cases):
        return row
    words, reasons = cases["verdict"].to_pylist(), cases["reason"].to_pylist()
    if {word: words.count(word) for word in wanted} != wanted:
        words = [word for word in ("VIOLATED", "VACUOUS", "HOLDS", "INCONCLUSIVE") for _ in range(wanted[word])]
        reasons = ["NormUnderflow" if word == "INCONCLUSIVE" else "" for word in words]
    reals = {field.name: cases[field.name].to_numpy().copy() for field in fields(CaseColumns) if field.name not in ("verdict", "reason")}
    judged = np.array([reason == "" for reason in reasons], dtype=bool)
    for name in ("resolution", "output_resolution", "worst_ratio"):
        value = getattr(row, name)
        if judged.any() and value is not None and before.get(name) != value:
            _given(reals, judged, name, value)
    again = CaseColumns(**reals, verdict=words, reason=reasons)
    made = recounted(as_table(row.id, again))
    old = row.model_dump()
    changes = {name: value for name, value in made.items() if name not in ("counts", "reasons") and _as_before(old[name], before.get(name))}
    return _with(row, {**changes, "cases_digest": writer.append(row.id, again)})


def summed_up(row: CellRecord, cases: pa.Table) -> CellRecord:
    """The row with the figures of its cases, as far as it has them."""
    return _with(row, {name: value for name, value in recounted(cases).items() if name not in ("cases", "counts", "reasons")})


def _with(row: CellRecord, figures: dict[str, Any]) -> CellRecord:
    """The row with other figures; of a table within it, those that are named."""
    old = row.model_dump()
    return CellRecord.model_validate({**old, **{name: {**(old[name] or {}), **value} if isinstance(value, dict) else value for name, value in figures.items()}})


def _as_before(stored: object, found: object) -> bool:
    """Whether a figure is what it was, all of it."""
    if isinstance(stored, dict) and isinstance(found, dict):
        return all(stored[name] == value for name, value in found.items())
    return stored == found


def _given(reals: dict[str, NDArray[np.float64]], judged: NDArray[np.bool_], name: str, value: float) -> None:
    """A column whose largest value, or whose median, over the judged cases is this."""
    if name == "worst_ratio":
        reals["ratio"][np.flatnonzero(judged)[np.argmax(reals["ratio"][judged])]] = value
        return
    sorted_ones = np.flatnonzero(judged)[np.argsort(reals[name][judged])]
    low, high = (len(sorted_ones) - 1) // 2, len(sorted_ones) // 2
    reals[name][sorted_ones[: low + 1]] = np.minimum(reals[name][sorted_ones[: low + 1]], value)
    reals[name][sorted_ones[high:]] = np.maximum(reals[name][sorted_ones[high:]], value)
    reals[name][sorted_ones[low : high + 1]] = value
