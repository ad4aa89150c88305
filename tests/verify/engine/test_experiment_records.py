"""Experiments as rows of the record, and their data as CSV: each number goes where its name says."""

import csv
import errno
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from numeric.architecture import Recipe, UnusableBlock
from numeric.experiments.implicit_dynamics import Dynamics, IdentityPoint, MeasuredIdentity
from numeric.experiments.one_update_many_queries import StaticPatch, TrialSummary
from numeric.user_blocks import error_in_words
from reports.record import Experiments, NotMeasured
from symbolic.vocabulary import with_its_name
from verify.engine import failures
from verify.engine.experiment_jobs import Experiment, with_outcome
from verify.engine.failures import failure_of
from verify.records import experiment_rows
from verify.records.experiment_rows import dynamics
from verify.records.figure_data import IDENTITIES, write_figure_data

TRAINED: Any = SimpleNamespace(block=SimpleNamespace(id="gru"))
FORMATS: Any = [SimpleNamespace(mode=SimpleNamespace(id=name)) for name in ("fp64", "fp32")]


def identity(size: float) -> MeasuredIdentity:
    points = IdentityPoint(1, size, 2 * size, 3 * size), IdentityPoint(50, 4 * size, 5 * size, 6 * size)
    return MeasuredIdentity(points, worst=size / 8, resolution=size / 4, vacuous=(1,))


MEASURED = {"moved": identity(1.0), "factored": identity(2.0), "descended": identity(4.0), "telescoped": identity(8.0)}
PLANTED = {"literal": 101.0, "reversed": 102.0, "prefix": 103.0}
FOUND = Dynamics(tokens=50, prompts=3, refused=1, **MEASURED, **PLANTED, apart=0.5, differ=104.0, agree=0.25)


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = {"fp64": FOUND, "fp32": replace(FOUND, literal=7.0)}
    monkeypatch.setattr(experiment_rows, "implicit_dynamics", lambda _, probed: found[probed.mode.id])
    return dynamics(TRAINED, FORMATS)


def test_the_dynamics_of_a_block_are_one_row(row: Any) -> None:
    assert (row.block, row.tokens) == ("gru", 50)
    assert [(each.format, each.literal) for each in row.formats] == [("fp64", 101.0), ("fp32", 7.0)]
    first = row.formats[0]
    assert (first.prompts, first.refused, first.reversed, first.prefix, first.apart, first.differ, first.agree) == (3, 1, 102.0, 103.0, 0.5, 104.0, 0.25)
    assert [getattr(first, name).worst for name in IDENTITIES] == [0.125, 0.25, 0.5, 1.0]
    assert first.factored.points == [(1, 2.0, 4.0, 6.0), (50, 8.0, 10.0, 12.0)]
    assert first.moved.vacuous == [1]
    assert first.telescoped.resolution == 2.0


def test_a_static_patch_says_how_many_contexts_queries_and_directions_it_was_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 contexts, and 64 fresh queries, as they are drawn; not the 100 trials of the paper's figures."""
    losses = TrialSummary(1.0, 0.5, 0.75), TrialSummary(2.0, 0.25, 1.5)
    monkeypatch.setattr(experiment_rows, "static_patches", lambda _: StaticPatch(3, *losses, points=()))
    block: Any = SimpleNamespace(block=SimpleNamespace(id="gru", recipe=Recipe(width=32)))
    row = experiment_rows.static_patch(block)
    assert (row.block, row.trials, row.fresh_queries, row.directions, row.width) == ("gru", 16, 64, 3, 32)
    assert (row.with_context, row.without, row.points) == ((1.0, 0.5, 0.75), (2.0, 0.25, 1.5), [])


def test_rows_keep_the_blocks_order_and_what_broke_is_told(row: Any, tmp_path: Path) -> None:
    job = Experiment("dynamics", "gru", dynamics, ())
    other = row.model_copy(update={"block": "attention"})
    found = with_outcome(with_outcome(Experiments(), job, row, ["attention", "gru"]), job, other, ["attention", "gru"])
    assert [each.block for each in found.dynamics] == ["attention", "gru"]
    failure = failure_of(ValueError("every prompt met a limit\nmore"), job.name, tmp_path)
    broken = with_outcome(found, job, failure, ["attention", "gru"])
    assert broken.broken == [NotMeasured(block="gru", what="dynamics", reason="ValueError: every prompt met a limit; its traceback is in crashes/")]


def test_a_failure_is_told_whatever_its_words_and_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a surrogate pair, as Python makes of a byte in a path; a long name with signs that no file may have; and a folder that cannot be made."""
    found = failure_of(ValueError("caf\udce9"), "../" + 90 * "é\0/", tmp_path)
    assert found.reason == "ValueError: caf\\udce9; its traceback is in crashes/"
    (log,) = (tmp_path / "crashes").iterdir()
    assert "ValueError: caf\\udce9" in log.read_text()
    (tmp_path / "file").touch()
    monkeypatch.setattr(failures, "CRASHES_FOLDER", "file/below")
    assert failure_of(ValueError("no"), "a", tmp_path).reason.startswith("ValueError: no; its traceback could not be written (")


def test_a_full_disk_is_still_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(failures, "_write_crash", full)
    with pytest.raises(OSError, match="no room"):
        failure_of(ValueError("no"), "a", tmp_path)


def test_their_data_are_a_row_for_each_point(row: Any, tmp_path: Path) -> None:
    write_figure_data(Experiments(dynamics=[row]), tmp_path)
    with (tmp_path / "figures" / "dynamics.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == 2 * len(IDENTITIES) * 2
    last = {"block": "gru", "format": "fp32", "identity": "telescoped", "tokens": "50", "error": "32.0", "bound": "40.0", "effect": "48.0"}
    assert rows[-1] == last
    assert [each.name for each in (tmp_path / "figures").iterdir()] == ["dynamics.csv"]


def test_a_wrong_call_says_its_name_once(tmp_path: Path) -> None:
    """Its own text begins with the name; other errors get theirs beside it."""
    wrong = UnusableBlock("update(W, delta, a) changes its operands in place")
    assert failure_of(wrong, "a", tmp_path).reason.startswith("UnusableBlock: update(W, ")
    assert [with_its_name(wrong), with_its_name(ValueError("no"))] == ["UnusableBlock: update(W, delta, a) changes its operands in place", "ValueError: no"]
    assert error_in_words(wrong) == with_its_name(wrong)
