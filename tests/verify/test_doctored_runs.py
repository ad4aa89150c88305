"""The gate on doctored copies of a real run: what a regression or an accident could do to it, and what is harmless, each with its exit status."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from reports.comparison import differences
from reports.comparison.baseline import baseline_of
from reports.comparison.baseline_rows import Baseline
from reports.comparison.rendering import RunLabel, comparison_as_data
from reports.record import DamagedRun, RunRecord, load_run
from reports.record.contradictions import contradictions
from reports.record.record_files import write_run
from tests.verify.calling import called, once
from tests.verify.doctored_cells import CELLS
from tests.verify.doctored_refused import REFUSED
from tests.verify.doctored_rest import DOCTORED, HARMLESS
from tests.verify.doctoring import Copy, Data, doctored, real_run
from verify.exit_status import gate_status

ALL = {**CELLS, **DOCTORED}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder."""
    answer, folder = once("a run to be doctored", tmp_path_factory, real_run)
    assert answer.status == 0, answer.err
    return folder / "run"


@pytest.fixture(scope="module")
def kept(whole: Path) -> Baseline:
    return baseline_of(load_run(whole), whole)


@pytest.fixture(scope="module")
def data(whole: Path) -> Data:
    return json.loads((whole / "run.json").read_text(encoding="utf-8"))


def gate(kept: Baseline, record: RunRecord, one: Copy) -> tuple[int, str]:
    """What the gate exits with, and all that it says."""
    try:
        comparison = differences(kept, record, same_machine=one.same_machine)
    except DamagedRun as damaged:
        return 2, str(damaged)
    label = RunLabel("", "")
    return gate_status(comparison, strict=one.strict), json.dumps(comparison_as_data(comparison, label, label), ensure_ascii=False)


@pytest.mark.parametrize("name", ALL)
def test_a_doctored_copy_exits_as_it_should(name: str, kept: Baseline, data: Data) -> None:
    one = ALL[name]
    status, said = gate(kept, doctored(data, one), one)
    assert status == one.status, said
    assert one.said in said, said


@pytest.mark.parametrize("name", ALL)
def test_what_contradicts_itself_is_refused(name: str, data: Data) -> None:
    assert any(contradictions(doctored(data, ALL[name]))) is (name in REFUSED)


SHOWN = ("noticed = 0 of them everywhere", "another statement", "static patches of fewer points", "two claims of one name", "not finished", "another processor")


@pytest.fixture(scope="module")
def kept_file(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("kept") / "kept.json"
    assert called("baseline", str(whole), "--out", str(file), "--reason", "why").status == 0
    return file


def command_says_the_same(name: str, kept_file: Path, data: Data, folder: Path) -> None:
    one = ALL[name]
    record = doctored(data, one)
    write_run(record, folder)
    options = [*(["--strict"] if one.strict else []), *(["--require-same-machine"] if one.same_machine else [])]
    answer = called("gate", str(folder), "--baseline", str(kept_file), "--json", *options)
    if name in REFUSED:
        assert answer.status == 2
        assert "holds what no run can write" in answer.err or "holds two claims" in answer.err
        return
    assert answer.status == (one.status or 3), "the folder has lost its cases, so that the run was not held to its digests"
    assert ("has lost cases.parquet" in answer.out + answer.err) is bool(record.cells)
    if one.said == "Nothing differs":
        assert {row["standing"] for row in json.loads(answer.out)["differences"]} == {"not run"}, "nothing but the lost files"
    else:
        assert one.said in answer.out + answer.err


@pytest.mark.parametrize("name", SHOWN)
def test_the_command_says_the_same(name: str, kept_file: Path, data: Data, tmp_path: Path) -> None:
    command_says_the_same(name, kept_file, data, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("name", ALL)
def test_the_command_says_the_same_of_every_copy(name: str, kept_file: Path, data: Data, tmp_path: Path) -> None:
    command_says_the_same(name, kept_file, data, tmp_path)


def test_cases_of_another_run_are_no_pass(whole: Path, data: Data, tmp_path: Path) -> None:
    """The record is sound, and the cases beside it are another run's."""
    assert called("baseline", str(whole), "--out", str(tmp_path / "kept.json"), "--reason", "why").status == 0
    sound = Copy(0, lambda data: None)
    write_run(doctored(data, sound), tmp_path)
    lost = called("gate", str(tmp_path), "--baseline", str(tmp_path / "kept.json"))
    assert lost.status == 3, "a run that lost its cases was not held to its digests"
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    assert called("gate", str(tmp_path), "--baseline", str(tmp_path / "kept.json")).status == 0
    witness = next((tmp_path / "witnesses").iterdir())
    witness.rename(tmp_path / "elsewhere")
    lost = called("gate", str(tmp_path), "--baseline", str(tmp_path / "kept.json"))
    assert (lost.status, f"witnesses/{witness.name}" in "".join(lost.out.split())) == (3, True)
    (tmp_path / "elsewhere").rename(witness)
    from tests import gate_samples

    gate_samples.run_of(7, tmp_path / "other")
    (tmp_path / "other" / "cases.parquet").rename(tmp_path / "cases.parquet")
    answer = called("gate", str(tmp_path), "--baseline", str(tmp_path / "kept.json"))
    assert answer.status == 1
    assert "other cases or another witness on disk" in " ".join(answer.out.split())
    assert called("report", str(tmp_path)).status == 1


def test_there_are_enough_of_each() -> None:
    by_status = Counter(one.status for one in ALL.values())
    assert len(ALL) == len(CELLS) + len(DOCTORED), "no name twice"
    assert sum(one.status > 0 and name not in REFUSED for name, one in ALL.items()) >= 150, "worse, and such as a run can write"
    assert by_status[1] + by_status[2] + by_status[3] == len(ALL) - len(HARMLESS)
    assert by_status[0] == len(HARMLESS) >= 20


def test_what_is_worse_is_worse_strictly_too(kept: Baseline, data: Data) -> None:
    import dataclasses

    for one in ALL.values():
        if one.status == 1:
            strict = dataclasses.replace(one, strict=True)
            assert gate(kept, doctored(data, strict), strict)[0] == 1
