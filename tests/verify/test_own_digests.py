"""A run that is not as its own digests say: `verify gate`, `compare` and `report` exit with 1 and say so in one line."""

import json
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.record import RunRecord
from reports.record.cases_table import CaseColumns, CasesWriter, read_cells
from reports.record.record_files import content_digest, write_run
from tests import gate_samples as drawn
from tests import report_samples as samples
from tests.verify.calling import called

CELL = "theorem-2.2/attention/fp32/formula/random"
WITNESS = f"witnesses/{CELL.replace('/', '_')}.safetensors"


def run_in(folder: Path, **changes: object) -> Path:
    """A small run with a witness."""
    record = drawn.run_of(7, folder, **changes)
    (folder / "witnesses").mkdir()
    (folder / WITNESS).write_bytes(b"a case")
    first = record.cells[0].model_copy(update={"witness": WITNESS, "witness_digest": content_digest(b"a case")})
    write_run(record.model_copy(update={"cells": [first, *record.cells[1:]]}), folder)
    return folder


def edit(folder: Path, change: Callable[[Any], None]) -> None:
    data = json.loads((folder / "run.json").read_text())
    change(data)
    (folder / "run.json").write_text(json.dumps(data))


def one_bit(folder: Path) -> None:
    """The last bit of one case's resolution, of which no count knows."""
    table = dict(read_cells(folder))[CELL]
    words = {name: table[name].to_pylist() for name in ("verdict", "reason")}
    cases = CaseColumns(**words, **{each.name: table[each.name].to_numpy() for each in fields(CaseColumns) if each.name not in words})
    changed = cases.resolution.copy()
    changed[5] = np.nextafter(changed[5], 1)
    with CasesWriter(folder) as writer:
        writer.append(CELL, replace(cases, resolution=changed))


def of_another_run(folder: Path) -> None:
    drawn.run_of(8, folder / "other")
    (folder / "other" / "cases.parquet").replace(folder / "cases.parquet")


def one_cell_more(folder: Path) -> None:
    with CasesWriter(folder) as writer:
        writer.append("nobody/knows/this/one/cell", drawn.drawn(7, "fp32", "random"))


CLAIM = {"text": "1 = 1", "latex": "1 = 1"}

DAMAGE: dict[str, Callable[[Path], object]] = {
    "the cases of another run": of_another_run,
    "one bit of one case": one_bit,
    "the cases of one cell more": one_cell_more,
    "another witness": lambda folder: (folder / WITNESS).write_bytes(b"another"),
    "another statement on the page": lambda folder: edit(folder, lambda run: run["claims"][0]["statement"].update(latex="0 = 0")),
    "a hypothesis more": lambda folder: edit(folder, lambda run: run["claims"][0]["hypotheses"].append(CLAIM)),
    "a hypothesis in words more": lambda folder: edit(folder, lambda run: run["claims"][0]["hypotheses_in_words"].append(CLAIM)),
    "another false variant": lambda folder: edit(folder, lambda run: run["claims"][0]["mutants"][0].update(statement=CLAIM)),
    "another digest of a claim": lambda folder: edit(folder, lambda run: run["claims"][0]["digests"].update(mutants="0" * 64)),
    "another digest of a cell": lambda folder: edit(folder, lambda run: run["cells"][1].update(cases_digest="0" * 64)),
}


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A run, a copy of it, and the baseline that it made."""
    run, before = run_in(tmp_path / "run"), tmp_path / "before"
    shutil.copytree(run, before)
    assert called("baseline", str(before), "--out", str(tmp_path / "kept.json"), "--reason", "why").status == 0
    return run, before, tmp_path / "kept.json"


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_not_as_the_digests_say_is_seen(name: str, kept: tuple[Path, Path, Path]) -> None:
    run, before, baseline = kept
    DAMAGE[name](run)
    gate = called("gate", str(run), "--baseline", str(baseline))
    assert gate.status == 1
    assert "not to be trusted" in gate.out
    report = called("report", str(run))
    assert report.status == 1
    assert "Not to be trusted" in (run / "report" / "index.html").read_text()
    for answer in (report, called("compare", str(before), str(run)), called("compare", str(run), str(before))):
        assert answer.status == 1
        assert answer.err.count("\n") == 1
        assert "is at odds with its own digests" in answer.err
    again = called("baseline", str(run), "--out", str(run / "new.json"), "--reason", "why")
    assert again.status == 2, "nor can others be held to it"


def test_what_is_as_the_digests_say_is_not(kept: tuple[Path, Path, Path]) -> None:
    """The control; also without the cases and witnesses, without which a record may travel, but passes no gate: nothing holds it to its digests there."""
    run, before, baseline = kept
    for gated in (0, 3):
        answers = [called("gate", str(run), "--baseline", str(baseline)), called("compare", str(before), str(run)), called("report", str(run))]
        assert [answer.status for answer in answers] == [gated, 0, 0]
        assert not any("digests" in answer.err for answer in answers)
        (run / "cases.parquet").unlink(missing_ok=True)
        shutil.rmtree(run / "witnesses", ignore_errors=True)


OTHER = samples.model(weights="f" * 64)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"models": [OTHER]}, 1, "other weights than its recipe gives on this machine"),
        ({"models": [OTHER], "environment": samples.environment(threads=4)}, 1, "other weights than its recipe gives on this machine"),
        ({"models": [OTHER], "environment": samples.environment(processor="another")}, 0, "another processor"),
        ({"models": [samples.model(weights="f" * 64, recipe="another")]}, 0, ""),
        (
            {"environment": samples.environment(versions={"icl-verify": "9.9"})},
            0,
            "made by version 0.1.0 of the suite, this run by version 9.9.",
        ),
    ],
)
def test_weights_are_held_to_those_of_the_baseline(changes: dict[str, object], status: int, said: str, kept: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """A cached block whose checksum was written again with it tells of nothing by itself; the same recipe on the same machine has other weights then."""
    _, _, baseline = kept
    run = run_in(tmp_path / "other", **changes)
    answer = called("gate", str(run), "--baseline", str(baseline))
    assert answer.status == status
    assert said in " ".join(answer.out.split())


def test_a_baseline_without_digests_knows_no_weights(kept: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, _, baseline = kept
    data = json.loads(baseline.read_text())
    del data["origin"]["weights"], data["origin"]["suite"]
    baseline.write_text(json.dumps(data))
    assert called("gate", str(run_in(tmp_path / "other", models=[OTHER])), "--baseline", str(baseline)).status == 0


def test_a_record_read_back_has_the_digests_that_it_was_written_with(tmp_path: Path) -> None:
    record = RunRecord(run=samples.run_info(), environment=samples.environment(), claims=[samples.claim()])
    claim = record.claims[0]
    assert claim.digests == claim.stated
    changed = claim.model_copy(update={"statement": samples.A_IS_NOT_ZERO})
    assert changed.stated.statement != changed.digests.statement
    assert changed.stated.mutants == changed.digests.mutants
