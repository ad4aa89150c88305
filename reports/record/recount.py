"""A cell's figures computed again from its cases: what a row sums up is what stands beside it, number for number.

Each figure is a count, a largest value, or an order statistic of a column of ``cases.parquet``, in float64 as the column has it, so that the same
number comes out to the last bit. What needs more than the cases (the planted wrong update, balls, the bound without refinements) is not among them.
"""

import math
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reports.record.cases_table import coded
from reports.record.cells import CellRecord

Column = NDArray[np.float64]


def recounted(table: pa.Table) -> dict[str, Any]:
    """The figures, as JSON has them in a row.  table: a cell's rows of ``cases.parquet``."""
    verdicts, words = coded(table, "verdict")
    reasons, why = coded(table, "reason")
    judged = reasons == why.index("") if "" in why else np.zeros(len(reasons), dtype=bool)
    found: dict[str, Any] = {
        "cases": len(table),
        "counts": {name: int((verdicts == words.index(name.upper())).sum()) if name.upper() in words else 0 for name in _COUNTED},
        "reasons": {word: int((reasons == place).sum()) for place, word in enumerate(why) if word and (reasons == place).any()},
    }
    if judged.any():
        holds = verdicts == words.index("HOLDS") if "HOLDS" in words else np.zeros(len(verdicts), dtype=bool)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # what is not finite is a figure like any other
            found |= _of_judged(table, judged, holds)
    return found


_COUNTED = ("holds", "violated", "vacuous", "inconclusive")


def _of_judged(table: pa.Table, judged: NDArray[np.bool_], holds: NDArray[np.bool_]) -> dict[str, Any]:
    def column(name: str) -> Column:
        return np.asarray(table[name].to_numpy())

    error, bound, output = (column(name)[judged] for name in ("error", "bound", "output_resolution"))
    at_first, at_output = (float(column(name)[judged].max()) for name in ("ratio", "output_ratio"))
    worst = at_output if at_output > at_first else at_first
    over = np.sort(_quotients(bound, error))
    found: dict[str, Any] = {
        "error": {"max": float(error.max()), "median": float(np.median(error))},
        "bound": {"max": float(bound.max()), "median": float(np.median(bound))},
        "tightness": {name: _quantile(over, tenths) for name, tenths in (("p10", 1), ("median", 5), ("p90", 9))},
        "worst_ratio": worst,
        "worst_site": "first layer" if at_first == worst else "output",
        "resolution": float(np.median(column("resolution")[judged])),
        "output_resolution": float(np.median(output)),
        "output_blind": int((column("output_resolution")[holds] >= 1).sum()),
    }
    asked = ~np.isnan(column("expected"))
    among = asked & judged
    if among.any():
        again = np.sort(_quotients(column("expected")[among], column("error")[among]))
        exceeded = int((column("expected_ratio")[among] > 1).sum())
        found["expected"] = {"tightness_median": _quantile(again, 5), "exceeded": exceeded, "cases": int(among.sum()), "asked": int(asked.sum())}
    return found


def _quotients(above: Column, below: Column) -> Column:
    """Infinite where nothing is below, or what is no number."""
    return np.where(below > 0, above / below, np.inf)


def _quantile(ascending: Column, tenths: int) -> float:
    """One of the values: so many tenths of the way from the first to the last, rounded down, in whole numbers."""
    return float(ascending[(len(ascending) - 1) * tenths // 10])


def other_figures(cell: CellRecord, table: pa.Table) -> list[str]:
    """The names of those that are others in the row than its cases make them."""
    row = cell.model_dump()
    return [name for name, value in recounted(table).items() if not _same(row[name], value)]


def _same(stored: Any, found: Any) -> bool:
    """Whether a row has this value; of a table in it, what was computed again."""
    if isinstance(found, dict) and isinstance(stored, dict):
        return all(name in stored and _same(stored[name], each) for name, each in found.items())
    if isinstance(found, float) and isinstance(stored, float):
        return stored == found or (math.isnan(stored) and math.isnan(found))
    return bool(stored == found)
