"""A cell's row with a change, and everything beside it as a run would have written it then; so that a test plants one thing and no contradiction."""

from dataclasses import fields
from pathlib import Path

import pyarrow as pa

from reports.record import CellRecord, RunRecord
from reports.record.cases_table import CaseColumns, CasesWriter, keep_only, read_cells
from reports.record.cell_contradictions import OF_JUDGED, UNMEASURED
from reports.record.cell_reason import reason_of
from reports.record.cells import Counts
from symbolic.vocabulary import CellId, Verdict
from symbolic.vocabulary.sampling import expected_cases


def as_written(row: CellRecord, **changes: object) -> CellRecord:
    """The row with these changes, and its counts, reasons and references brought in line with its verdict."""
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
    elif row.expected:
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
    """As many cases of each verdict as the row counts, in the order violated, vacuous, holds, inconclusive where the verdicts are others."""
    words = cases["verdict"].to_pylist()
    wanted = {name.upper(): number for name, number in row.counts}
    if {word: words.count(word) for word in wanted} == wanted or sum(wanted.values()) != len(words):
        return row
    words = [word for word in ("VIOLATED", "VACUOUS", "HOLDS", "INCONCLUSIVE") for _ in range(wanted[word])]
    reals = {field.name: cases[field.name].to_numpy() for field in fields(CaseColumns) if field.name not in ("verdict", "reason")}
    again = CaseColumns(**reals, verdict=words, reason=["NormUnderflow" if word == "INCONCLUSIVE" else "" for word in words])
    return row.model_copy(update={"cases_digest": writer.append(row.id, again)})
