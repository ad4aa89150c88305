"""The gate: what each situation exits with. Nothing worse 0, worse 1, a wrong call 2, nothing compared or not all run 3."""

import json
from pathlib import Path

import pytest

from reports.record import load_run
from reports.record.record_files import write_run
from tests import gate_samples as drawn
from tests.rows_as_written import settled
from tests.verify.calling import called, verify
from tests.verify.gate_situations import SITUATIONS, VIOLATED, held, info, whole
from verify.exit_status import graver


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_exits_as_it_should(name: str, tmp_path: Path) -> None:
    situation = SITUATIONS[name]
    run, kept = held(situation, tmp_path)
    answer = called(
        "gate",
        str(run),
        "--baseline",
        str(kept),
        *(["--strict"] if situation.strict else []),
        *(["--require-same-machine"] if situation.same_machine else []),
        "--json",
    )
    assert answer.status == situation.status, answer.out + answer.err
    if answer.status == 2:
        assert answer.out == ""
        assert answer.err.count("\n") == 1
        assert situation.said in answer.err
        return
    told = json.loads(answer.out)
    assert told["exit_status"] == answer.status
    assert situation.said in json.dumps(told, ensure_ascii=False)


@pytest.mark.parametrize("name", ["the same", "a cell violated", "an unfinished run"])
def test_a_terminal_says_the_same(name: str, tmp_path: Path) -> None:
    run, kept = held(SITUATIONS[name], tmp_path)
    told = json.loads(called("gate", str(run), "--baseline", str(kept), "--json").out)
    answer = called("gate", str(run), "--baseline", str(kept))
    said = " ".join(answer.out.split())
    assert answer.status == told["exit_status"]
    assert told["sentence"] in said
    for row in told["differences"]:
        assert row["id"] in said
        assert row["what"] in said


def test_there_are_enough_situations() -> None:
    assert len(SITUATIONS) >= 25
    assert {situation.status for situation in SITUATIONS.values()} == {0, 1, 2, 3}


def test_runs_of_one_code_with_ten_seeds_never_fail_each_other(tmp_path: Path) -> None:
    from reports.comparison import differences
    from reports.comparison.baseline import baseline_of

    runs = [(drawn.run_of(seed, tmp_path / str(seed)), tmp_path / str(seed)) for seed in range(10)]
    found = [differences(baseline_of(*one), other[0]).differences for one in runs for other in runs]
    assert len(found) == 100
    assert found == [()] * 100


@pytest.mark.parametrize("missing", ["run", "baseline", "the end of the run"])
def test_what_is_not_there_is_a_wrong_call(missing: str, tmp_path: Path) -> None:
    run, kept = held(SITUATIONS["the same"], tmp_path)
    record = run / "run.json"
    if missing == "the end of the run":
        record.write_text(record.read_text()[:-100])
    else:
        (record if missing == "run" else kept).unlink()
    answer = called("gate", str(run), "--baseline", str(kept))
    assert answer.status == 2
    assert answer.out == ""
    assert answer.err.count("\n") == 1
    assert ("is not JSON" in answer.err) is (missing == "the end of the run")


def baseline(run: Path, kept: Path, reason: str = "why") -> tuple[int, str]:
    answer = called("baseline", str(run), "--out", str(kept), "--reason", reason, cwd=run.parent)
    return answer.status, answer.err


def test_a_baseline_keeps_the_reasons_of_those_before_it(tmp_path: Path) -> None:
    drawn.run_of(7, tmp_path / "one")
    drawn.run_of(8, tmp_path / "two")
    kept = tmp_path / "kept.json"
    assert baseline(tmp_path / "one", kept, "the first") == (0, "")
    assert baseline(tmp_path / "two", kept, "a sharper\n bound") == (0, "")
    told = json.loads(kept.read_text())
    assert [row["reason"] for row in told["accepted"]] == ["the first", "a sharper bound"]
    assert [row["run"] for row in told["accepted"]] == ["run-7", "run-8"]


def test_a_baseline_of_an_older_version_is_replaced_and_its_reasons_are_kept(tmp_path: Path) -> None:
    drawn.run_of(7, tmp_path / "one")
    kept = tmp_path / "kept.json"
    assert baseline(tmp_path / "one", kept, "the first")[0] == 0
    older = json.loads(kept.read_text()) | {"baseline_version": 1, "cells": {"x": {"judged": 3}}}
    kept.write_text(json.dumps(older))
    assert "make it again" in called("gate", str(tmp_path / "one"), "--baseline", str(kept)).err
    assert baseline(tmp_path / "one", kept, "the second") == (0, "")
    assert [row["reason"] for row in json.loads(kept.read_text())["accepted"]] == ["the first", "the second"]
    kept.write_text(json.dumps({"baseline_version": 1}))
    assert baseline(tmp_path / "one", kept)[0] == 2, "what cannot be read is not replaced"


def test_a_baseline_has_one_line_a_row_in_order(tmp_path: Path) -> None:
    drawn.run_of(7, tmp_path / "one")
    kept = tmp_path / "kept.json"
    assert baseline(tmp_path / "one", kept)[0] == 0
    told = json.loads(kept.read_text())
    lines = kept.read_text().splitlines()
    for kind in ("claims", "cells", "sweeps", "errata"):
        assert list(told[kind]) == sorted(told[kind])
        for key in told[kind]:
            assert sum(line.lstrip().startswith(f'"{key}": ') for line in lines) == 1
    assert len(kept.read_text()) < 8192


def test_what_can_be_no_baseline_is_refused(tmp_path: Path) -> None:
    """A run that is not finished, one without anything in it, one without its cases, no reason, a file that is something else."""
    run, kept = tmp_path / "one", tmp_path / "kept.json"
    record = drawn.run_of(7, run)

    def refused(said: str, reason: str = "why") -> bool:
        status, told = baseline(run, kept, reason)
        return status == 2 and said in told

    refusals = {"not finished": info(finished=None)(record), "no claim and no cell": whole(claims=[], cells=[])(record)}
    for said, changed in refusals.items():
        write_run(changed, run)
        assert refused(said)
    write_run(record, run)
    assert refused("needs a reason", reason="  ")
    kept.write_text("[]")
    assert refused("is not a baseline")
    assert kept.read_text() == "[]", "what was there was not written over"
    kept.unlink()
    (run / "cases.parquet").unlink()
    assert refused("cases.parquet")
    drawn.run_of(7, tmp_path / "two", size=256)
    (tmp_path / "two" / "cases.parquet").rename(run / "cases.parquet")
    assert refused("are not those that its record counts")
    assert not kept.exists()


def test_two_runs_are_compared_on_a_terminal_and_as_a_page(tmp_path: Path) -> None:
    drawn.run_of(7, tmp_path / "one")
    write_run(settled(VIOLATED(drawn.run_of(8, tmp_path / "two")), tmp_path / "two"), tmp_path / "two")
    answer = called("compare", str(tmp_path / "one"), str(tmp_path / "two"), "--out", str(tmp_path / "page.html"))
    assert answer.status == 0
    assert "HOLDS became VIOLATED" in answer.out
    page = (tmp_path / "page.html").read_text()
    assert "HOLDS became VIOLATED" in page
    assert "<script" not in page
    same = called("compare", str(tmp_path / "one"), str(tmp_path / "one"))
    assert "Nothing differs" in same.out
    assert load_run(tmp_path / "one").run.id == "run-7"


def test_runs_with_nothing_in_common_are_not_compared(tmp_path: Path) -> None:
    for name, form in (("one", "fp32"), ("two", "bf16")):
        write_run(whole(claims=[], errata=[], near_zero=[], models=[])(drawn.run_of(7, tmp_path / name, cells={(form, "random"): {}})), tmp_path / name)
    answer = called("compare", str(tmp_path / "one"), str(tmp_path / "two"))
    assert answer.status == 3
    assert "Nothing was compared" in answer.out


def test_a_run_is_held_to_a_baseline_at_its_end(tmp_path: Path) -> None:
    """It says so on the terminal and in the overview of its report; a cell that the baseline has and the run has not fails it."""
    words = ["stress", "--block", "attention", "--format", "fp32", "--scenario", "random", "--variant", "formula", "--cases", "512", "--jobs", "1"]
    kept = tmp_path / "kept.json"
    assert verify(*words, "--out", str(tmp_path / "one")).status == 0
    assert baseline(tmp_path / "one", kept, "a reason to be read")[0] == 0
    answer = verify(*words, "--seed", "1", "--baseline", str(kept), "--out", str(tmp_path / "two"))
    assert answer.status == 0
    assert "Nothing differs" in answer.out
    page = (tmp_path / "two" / "report" / "index.html").read_text()
    assert "Changed since the baseline" in page
    assert "a reason to be read" in page
    told = json.loads(kept.read_text())
    (line,) = told["cells"].values()
    kept.write_text(json.dumps({**told, "cells": {**told["cells"], "theorem-2.2/attention/fp32/formula/subset": line}}))
    answer = verify(*words, "--seed", "1", "--baseline", str(kept), "--out", str(tmp_path / "three"), "--json")
    assert answer.status == 1
    assert json.loads(answer.out)["run"]["exit_status"] == 0, "the run's own status is its own"
    assert "missing from the run" in answer.err
    assert "1 regression" in (tmp_path / "three" / "summary.md").read_text()
    assert "missing from the run" in (tmp_path / "three" / "junit.xml").read_text()
    assert "Held to the baseline" in (tmp_path / "two" / "summary.md").read_text()
    assert "regression" not in (tmp_path / "two" / "junit.xml").read_text()
    answer = called(*words, "--baseline", str(tmp_path / "none.json"), "--out", str(tmp_path / "four"))
    assert answer.status == 2
    assert not (tmp_path / "four").exists()


@pytest.mark.parametrize(("one", "other", "both"), [(0, 0, 0), (0, 3, 3), (3, 0, 3), (3, 1, 1), (1, 3, 1), (1, 0, 1)])
def test_the_graver_of_two_statuses_counts(one: int, other: int, both: int) -> None:
    assert graver(one, other) == both


def test_github_is_told_of_regressions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, kept = held(SITUATIONS["a cell violated"], tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    said = called("gate", str(run), "--baseline", str(kept)).out
    assert sum(line.startswith("::error title=baseline%3A cell/") for line in said.splitlines()) == 3, (
        "its verdict, its worst case, and other numbers on the same operands"
    )
    json.loads(called("gate", str(run), "--baseline", str(kept), "--json").out)
    run, kept = held(SITUATIONS["the same"], tmp_path / "same")
    assert "::error" not in called("gate", str(run), "--baseline", str(kept)).out
