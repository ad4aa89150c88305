"""A cell as a baseline keeps it: its counts and numbers and, from its cases, what another seed may show."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reports.comparison.baseline_rows import CellLine
from reports.comparison.margins import order_kept, tail_of, worst_limit
from reports.comparison.shown_numbers import digests_of
from reports.record import CellRecord, RunRecord
from reports.record.cases_table import coded, read_cells

DIGITS = 6
"""Of a margin in the file; it is rounded outwards."""

FIGURES = {
    "worst_ratio": "worst error ÷ bound",
    "resolution": "bound ÷ effect",
    "tightness": "bound ÷ error",
    "output_resolution": "bound ÷ effect at the output",
    "context_effect": "‖ΔA‖ over ‖A(C∖Y,x)‖",
    "error": "error",
    "bound": "bound",
    "expected": "expected bound",
    "well_inside": "count of cases well inside the range limits",
    "recomputed": "prediction of what a recomputed A(C∖Y,x) moves",
    "unrefined": "bound without refinements",
    "witness": "witness",
}
"""Fields of a cell that may be absent, and what they are in words."""


MARGIN_COLUMNS = ("error", "bound", "ratio", "output_ratio", "resolution", "output_resolution", "expected")
"""Of the cases, from which margins are taken."""

DIGESTED = ("error", "bound", "tightness", "expected", "worst_ratio", "worst_site", "certified", "recomputed", "unrefined", "reasons", "context_effect")
"""Fields of a cell that are numbers, and so the same on the same operands."""


def absent_from(cell: CellRecord) -> list[str]:
    """The fields that a cell does without."""
    return [name for name in FIGURES if getattr(cell, name) is None]


def line_of(cell: CellRecord, margins: Mapping[str, Any]) -> CellLine:
    """A cell's line.  margins: the fields that come from its cases."""
    worst = None if cell.worst_ratio is None else short(cell.worst_ratio)
    if worst is not None and worst > 1 and "worst_limit" in margins:
        margins = {**margins, "worst_limit": math.inf, "tail": None}  # how far a known failure strays says nothing of how far another seed would
    again, inside, sample, wide, likely = cell.recomputed, cell.well_inside, cell.certified, cell.unrefined, cell.expected
    return CellLine(
        verdict=cell.verdict,
        numerics=cell.numerics,
        cases=cell.cases,
        holds=cell.counts.holds,
        violated=cell.counts.violated,
        vacuous=cell.counts.vacuous,
        refused=cell.counts.inconclusive,
        reasons=dict(sorted(cell.reasons.items())),
        noticed=cell.mutant_caught,
        blind=cell.output_blind,
        inside=0 if inside is None else inside.cases,
        timid=0 if inside is None else inside.refused,
        moved=0 if again is None else again.cases,
        moves_noticed=0 if again is None else again.noticed,
        certified=0 if sample is None else sample.cases,
        by_formula=0 if sample is None else sample.by_formula,
        mutant=cell.mutant,
        independent=cell.independent,
        absent=absent_from(cell),
        worst=worst,
        tightness=None if cell.tightness is None else short(cell.tightness.median),
        bound=None if cell.bound is None else short(cell.bound.median),
        error=None if cell.error is None else short(cell.error.median),
        effect=cell.context_effect,
        expected=None if likely is None else short(likely.tightness_median),
        expected_terms=None if likely is None else (likely.factor, likely.failure_probability),
        expected_cases=0 if likely is None else likely.cases,
        exceeded=0 if likely is None else likely.exceeded,
        batch=cell.batch,
        figures=digests_of(cell, DIGESTED),
        output_resolution=cell.output_resolution,
        resolution=cell.resolution,
        unrefined=None if wide is None else wide.resolution,
        wider=widening(cell),
        unrefined_counts=None if wide is None else (wide.cases, wide.holds, wide.noticed),
        **margins,
    )


def widening(cell: CellRecord) -> float | None:
    """How many times as wide bounds are without any refinement; None if it was not measured, or says nothing."""
    wide = cell.unrefined
    if wide is None or not (0 < wide.refined < math.inf and wide.resolution < math.inf):
        return None
    return wide.resolution / wide.refined


def margins_of(record: RunRecord, folder: Path, chance: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """By the cell's id, what another seed may show.  Raises DamagedRun if the cases cannot be read."""
    rows = {cell.id: cell for cell in record.cells if cell.counts.judged}
    for cell, table in read_cells(folder, [*MARGIN_COLUMNS, "reason"]):
        if cell in rows and not rows[cell].independent:
            yield cell, {"worst_limit": max(1.0, rows[cell].worst_ratio or 0.0)}
        elif cell in rows and (judged := _judged(table)).any():
            yield cell, _margins(table, judged, chance)


def _judged(table: pa.Table) -> NDArray[np.bool_]:
    places, reasons = coded(table, "reason")
    return np.asarray(places == reasons.index("")) if "" in reasons else np.zeros(len(places), dtype=bool)


def _margins(table: pa.Table, judged: NDArray[np.bool_], chance: float) -> dict[str, Any]:
    error, bound, ratio, output, resolution, at_output, expected = (table[name].to_numpy()[judged] for name in MARGIN_COLUMNS)
    among = ~np.isnan(expected)
    worst = np.fmax(ratio, output)
    found: dict[str, Any] = {"worst_limit": math.inf}
    if np.isfinite(worst).all():
        found["worst_limit"] = outwards(worst_limit(worst, len(worst), chance), up=True)
        found["tail"] = tail_of(worst)
    samples = {"tightness": _tightness(bound, error), "resolution": resolution, "bound": bound, "error": error, "output": at_output}
    samples["expected"] = _tightness(expected[among], error[among])
    for name, values in samples.items():
        if len(values) and not np.isnan(values).any():
            kept = order_kept(values, chance)
            found[f"{name}_order"] = [(place, outwards(value, up=2 * place > len(values))) for place, value in kept]
    return found


def _tightness(bound: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound over error; infinite where the error is zero."""
    found = np.full_like(bound, np.inf)
    np.divide(bound, error, out=found, where=error > 0)
    return found


def short(x: float) -> float:
    """The number with few digits."""
    return float(f"{x:.{DIGITS - 1}e}")


def outwards(x: float, *, up: bool) -> float:
    """The number with few digits, not smaller if up, else not larger."""
    if not math.isfinite(x) or x == 0:
        return x
    rounded = short(x)
    if (rounded < x) if up else (rounded > x):
        step = 10.0 ** (math.floor(math.log10(abs(x))) - DIGITS + 1)
        rounded = short(rounded + (step if up else -step))
    return rounded
