"""The pages that are looked at in a browser, each written once."""

from pathlib import Path

import pytest

from reports.page import write_report
from reports.record import CellRecord, RunRecord
from reports.record.cells import Counts
from symbolic.vocabulary import CellId, Verdict
from tests import experiment_samples
from tests import report_samples as samples
from tests.reports.large_run import record_of, write_large_run


def sample() -> RunRecord:
    """A small run in which most things occur: 34 cells, one of them violated, one broken, and every experiment."""
    run = samples.full_record(cases=600)
    witness = "witnesses/theorem-2.2_gru_fp32_formula_random.safetensors"
    violated = {"verdict": Verdict.VIOLATED, "worst_ratio": 3.0, "cases": 600, "counts": Counts(holds=597, violated=3)}
    wrong = samples.cell(block="gru", witness=witness, witness_digest=samples.DIGEST, **violated)
    names = {**{part: getattr(wrong, part) for part in CellId.__slots__}, "scenario": "near_zero"}
    nothing = {"format": "fp32", "device": "cpu", "cases": 0, "verdict": Verdict.ERROR, "reason": "a kernel raised"}
    broken = CellRecord(id=str(CellId(**names)), **names, **nothing)
    return run.model_copy(
        update={"claims": run.claims[1:3], "cells": [*run.cells, wrong, broken], "errata": [samples.erratum()], "experiments": experiment_samples.experiments()}
    )


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(samples.write_folder(sample(), tmp_path_factory.mktemp("a run")))


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report as large as the profile standard makes: 672 cells of fourteen blocks."""
    page = write_report(
        write_large_run(
            record_of(67_200, scenarios=4, models=[samples.model()], experiments=experiment_samples.experiments()), tmp_path_factory.mktemp("standard")
        )
    )
    assert page.stat().st_size > 700_000
    return page
