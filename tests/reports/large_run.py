"""A run as large as the suite may come to, on disk: 2,352 cells of fourteen blocks, twelve formats and ten million cases."""

from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reports.record import RunRecord
from reports.record.cases_table import SCHEMA, cases_digest
from reports.record.cells import Counts
from reports.record.record_files import write_run
from tests import report_samples as samples

FORMATS = {**samples.FORMATS, "tf32": -11, "fp32-ftz": -24, "bf16-reduced": -8, "fp16-reduced": -11, "bf16-autocast": -8, "bf16-fp32-weights": -8}
FORMATS |= {"fp8-e4m3": -4, "fp8-e5m2": -3}
BLOCKS = tuple(f"block-{number}" for number in range(14))
SCENARIOS = tuple(f"scenario-{number}" for number in range(14))


def record_of(cases: int, *, blocks: int = len(BLOCKS), scenarios: int = len(SCENARIOS), **changes: object) -> RunRecord:
    """So many cases, spread over all cells; a tenth of each cell is refused."""
    places = [*product(BLOCKS[:blocks], FORMATS, SCENARIOS[:scenarios])]
    cells = []
    for number, (block, name, scenario) in enumerate(places):
        size = cases // len(places) + (number < cases % len(places))
        counts = Counts(holds=size - size // 10, inconclusive=size // 10)
        witness = f"witnesses/theorem-2.2_{block}_{name}_formula_{scenario}.safetensors"
        error, bound = (samples.Spread(max=scale * 2.0 ** FORMATS[name], median=scale * 2.0 ** (FORMATS[name] - 2)) for scale in (1, 16))
        unlike = {"worst_ratio": 0.1 + 0.85 * number / len(places), "error": error, "bound": bound, "witness_digest": samples.DIGEST}
        reasons = {"NormUnderflow": size // 10}
        cells.append(
            samples.cell(block=block, format=name, numerics=name, scenario=scenario, cases=size, counts=counts, reasons=reasons, witness=witness, **unlike)
        )
    sweeps = [samples.sweep(block=block, format=name, numerics=name) for block in BLOCKS[:blocks] for name in FORMATS]
    claims = [samples.claim(id=f"claim-{number}", mutants=[samples.mutant(id=f"mutant-{place}") for place in range(6)]) for number in range(32)]
    models = [samples.model(block=block) for block in BLOCKS[:blocks]]
    return samples.record(**{"claims": claims, "models": models, "cells": cells, "near_zero": sweeps, **changes})


def write_large_run(run: RunRecord, folder: Path) -> Path:
    """The record and its cases, each cell a row group as ``reports.record.cases_table`` writes them; drawn once for each format and size."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[tuple[str, int], dict[str, pa.Array]] = {}
    cells = []
    with pq.ParquetWriter(folder / "cases.parquet", SCHEMA, compression="zstd", use_dictionary=["cell", "verdict", "reason"]) as file:
        for row in run.cells:
            if (row.format, row.cases) not in drawn:
                drawn[row.format, row.cases] = _columns(row)
            names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(row.cases, np.int32)), pa.array([row.id]))
            table = pa.table({"cell": names, **drawn[row.format, row.cases]}, schema=SCHEMA)
            file.write_table(table, row_group_size=row.cases)
            cells.append(row.model_copy(update={"cases_digest": cases_digest(table)}))
    write_run(run.model_copy(update={"cells": cells}), folder)
    return folder


def _columns(row: samples.CellRecord) -> dict[str, pa.Array]:
    cases = samples.cases_of(row, unit_roundoff=FORMATS[row.format])
    reals = ("norm_a", "error", "bound", "expected", "ratio", "output_ratio", "resolution", "expected_ratio", "output_resolution")
    return {
        "case": pa.array(np.arange(len(cases), dtype=np.int32)),
        **{name: pa.array(getattr(cases, name)) for name in reals},
        **{name: pa.array(list(getattr(cases, name)), pa.string()).dictionary_encode() for name in ("verdict", "reason")},
    }
