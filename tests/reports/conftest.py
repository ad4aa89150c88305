"""The pages that are looked at in a browser, each written once."""

from pathlib import Path

import pytest

from reports.page import write_report
from reports.record import RunRecord
from reports.record.cells import Counts
from symbolic.vocabulary import Verdict
from tests import experiment_samples
from tests import report_samples as samples
from tests.reports.large_run import record_of, write_large_run


def sample() -> RunRecord:
    """A small run in which most things occur: 34 cells, one of them violated, one broken, and every experiment."""
    run = samples.full_record(cases=600)
    witness = "witnesses/one of them.safetensors"
    wrong = samples.cell(block="gru", verdict=Verdict.VIOLATED, worst_ratio=3.0, cases=600, counts=Counts(holds=597, violated=3), witness=witness)
    nothing = {"worst_ratio": None, "error": None, "bound": None, "tightness": None, "resolution": None, "certified": None, "mutant_verdict": None}
    broken = samples.cell(block="gru", scenario="near_zero", verdict=Verdict.ERROR, reason="a kernel raised", counts=Counts(), cases=0, **nothing)
    return run.model_copy(
        update={"claims": run.claims[1:3], "cells": [*run.cells, wrong, broken], "errata": [samples.erratum()], "experiments": experiment_samples.experiments()}
    )


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(samples.write_folder(sample(), tmp_path_factory.mktemp("run")))


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
