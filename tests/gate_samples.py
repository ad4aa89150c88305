"""Runs with cases drawn here, for the tests of the gate: a record whose figures are those of its cases, by plain numpy."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reports.record import CellRecord, RunRecord
from reports.record.cases_table import CaseColumns, CasesWriter
from reports.record.cells import Counts, Expected, Quantiles, Spread
from reports.record.record_files import write_run
from symbolic.vocabulary import Verdict
from symbolic.vocabulary.sampling import EXPECTED_EVERY, EXPECTED_OF
from tests import report_samples as samples

SIZE = 1024
BATCH = 512
"""Computed at once, as ``report_samples`` has it."""
CELLS = (("fp32", "random"), ("fp32", "near_zero"), ("bf16", "random"))


def drawn(seed: int, name: str, scenario: str, *, errors: float = 1.0, bounds: float = 1.0, refused: float = 0.25, size: int = SIZE) -> CaseColumns:
    """Cases of one cell: the largest of 32 normal errors against bounds that differ from case to case.

    errors, bounds: factors on them, as a defect would put there; refused: the chance that a case near zero is refused.
    """
    draws = np.random.default_rng([seed, *map(ord, name + scenario)])
    scale = 2.0 ** samples.FORMATS[name]
    bound = 64 * scale * 2.0 ** draws.uniform(-1, 1, size) * bounds
    error = np.abs(draws.normal(0, 4 * scale, (size, 32))).max(1) * errors
    gone = draws.random(size) < (refused if scenario == "near_zero" else 0.0)
    return CaseColumns(
        norm_a=np.ones(size),
        error=error,
        bound=bound,
        expected=np.where(np.arange(size) % (EXPECTED_EVERY * BATCH) < EXPECTED_OF, bound / 2, np.nan),
        ratio=error / bound,
        output_ratio=np.full(size, np.nan),
        resolution=bound,
        expected_ratio=2 * error / bound,
        output_resolution=bound,
        verdict=np.where(gone, "INCONCLUSIVE", np.where(error > bound, "VIOLATED", "HOLDS")).tolist(),
        reason=np.where(gone, "NormUnderflow", "").tolist(),
    )


def cell_of(cases: CaseColumns, name: str, scenario: str, **changes: object) -> CellRecord:
    """The row that such cases make."""
    verdict = np.asarray(cases.verdict)
    judged = verdict != "INCONCLUSIVE"
    violated = int((verdict == "VIOLATED").sum())
    tightness = np.sort(cases.bound[judged] / cases.error[judged])

    def spread(x: NDArray[np.float64]) -> Spread:
        return Spread(max=float(x[judged].max()), median=float(np.median(x[judged])))

    def quantile(share: float) -> float:
        return float(tightness[int((len(tightness) - 1) * share)])

    among = judged & ~np.isnan(cases.expected)
    over = np.sort(cases.expected[among] / cases.error[among])
    expected = {
        "tightness_median": float(over[(len(over) - 1) // 2]),
        "exceeded": int((cases.expected_ratio[among] > 1).sum()),
        "cases": len(over),
        "asked": int((~np.isnan(cases.expected)).sum()),
    }
    sizes = {"error": spread(cases.error), "bound": spread(cases.bound), "resolution": float(np.median(cases.resolution[judged]))}
    others = {
        "output_resolution": float(np.median(cases.output_resolution[judged])),
        "expected": Expected(factor=samples.FACTOR, failure_probability=2.0**-10, **expected),
    }
    ratios = {"tightness": Quantiles(p10=quantile(0.1), median=quantile(0.5), p90=quantile(0.9)), "worst_ratio": float(cases.ratio[judged].max())}
    counted = {
        "cases": len(verdict),
        "verdict": Verdict.VIOLATED if violated else Verdict.HOLDS,
        "counts": Counts(holds=int(judged.sum()) - violated, violated=violated, inconclusive=int((~judged).sum())),
        "reasons": {"NormUnderflow": int((~judged).sum())} if not judged.all() else {},
    }
    return samples.cell(**{"format": name, "numerics": name, "scenario": scenario, **sizes, **ratios, **others, **counted, **changes})


def run_of(seed: int, folder: Path, *, cells: Mapping[tuple[str, str], Mapping[str, float]] | None = None, size: int = SIZE, **changes: object) -> RunRecord:
    """A run with that seed in a folder, its cases beside it.

    cells: the cells that are measured, each with the arguments of ``drawn``; the three of ``CELLS`` if none are named. changes: of the record.
    """
    rows = []
    with CasesWriter(folder) as writer:
        for (name, scenario), arguments in ({cell: {} for cell in CELLS} if cells is None else cells).items():
            cases = drawn(seed, name, scenario, size=size, **arguments)  # type: ignore[arg-type]  # factors and chances
            row = cell_of(cases, name, scenario)
            rows.append(row.model_copy(update={"cases_digest": writer.append(row.id, cases)}))
    record = samples.record(**{"run": samples.run_info(id=f"run-{seed}", seed=seed), "cells": rows, "errata": [samples.erratum()], **changes})
    write_run(record, folder)
    return record
