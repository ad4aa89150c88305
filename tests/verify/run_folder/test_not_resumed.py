"""What is not the same run is not resumed, and what is damaged is reported and done again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.verify.killing import Verify
from tests.verify.run_folder.cut_off import SMALL, Record, comparable
from verify.run_folder.journal import Journal, begin_journal, read_journal
from verify.run_folder.run_folder import JOURNAL_FILE, LOCK_FILE


def changed(folder: Path, what: str, change: Callable[[Record], None]) -> None:
    """Rewrite the journal with the entries of that kind changed, and their checksums right."""
    entries = read_journal(folder / JOURNAL_FILE).entries
    for entry in entries:
        if entry["what"] == what:
            change(entry)
    begin_journal(folder / JOURNAL_FILE, entries[0])
    with Journal(folder / JOURNAL_FILE) as journal:
        for entry in entries[1:]:
            journal.append(entry)


@pytest.fixture
def folder(cut_off: Path, tmp_path: Path) -> Path:
    """A copy of the run that was cut off."""
    return shutil.copytree(cut_off, tmp_path / "run")


@pytest.mark.parametrize(
    ("what", "change", "said"),
    [
        ("run", lambda entry: entry.update(code="0" * 64), "other code"),
        ("run", lambda entry: entry["environment"]["versions"].update(torch="1.0", gone="2"), "versions torch 1.0, gone 2, and here it is torch 2"),
        ("run", lambda entry: entry["environment"].update(processor="abacus"), "processor abacus"),
        ("model", lambda entry: entry["row"].update(weights="0" * 64), "the block attention has other weights"),
        ("probes", lambda entry: entry["rows"][0].update(answer="another"), "computes otherwise"),
    ],
)
def test_another_run_is_not_resumed(what: str, change: Callable[[Record], None], said: str, call: Verify, folder: Path) -> None:
    """And is left as it was, so that who puts it right can go on."""
    changed(folder, what, change)
    before = [(folder / name).read_bytes() for name in (JOURNAL_FILE, "run.json")]
    told = call("stress", "--resume", folder)
    assert told.status == 2
    assert told.err.startswith("CannotResume: ")
    assert said in told.err
    assert told.err.count("\n") == 1
    assert [(folder / name).read_bytes() for name in (JOURNAL_FILE, "run.json")] == before


def test_what_was_measured_stands_although_the_time_is_over(call: Verify, cut_off: Path, folder: Path) -> None:
    """A start that has no time even to ask the machine adds nothing, and takes nothing away."""
    changed(folder, "run", lambda entry: entry["request"].update(run_seconds=0.001))
    told = call("stress", "--resume", folder)
    assert told.status == 3, told.err
    before, after = (json.loads((path / "run.json").read_text())["cells"] for path in (cut_off, folder))
    assert sorted(cell["verdict"] for cell in after) == ["HOLDS", "TIMEOUT"]
    assert [cell["cases"] for cell in after if cell["verdict"] == "HOLDS"] == [64]
    assert all(cell in after for cell in before)
    assert "Incomplete: 1 cell ran out of time; of the rest, 64 cases inside their bounds." in (folder / "report" / "index.html").read_text()


def test_damage_is_told_and_what_it_told_of_is_done_again(call: Verify, undisturbed: tuple[Path, int], cut_off: Path, tmp_path: Path) -> None:
    """A byte of a cell's line, a byte of a cell's cases, a byte of its witness, and the end of the last line."""
    for number, hurt in enumerate(("line", "cases", "witness", "end")):
        folder = shutil.copytree(cut_off, tmp_path / str(number))
        path = {"cases": next((folder / "cases").glob("*.parquet")), "witness": next((folder / "witnesses").iterdir())}.get(hurt, folder / JOURNAL_FILE)
        content = bytearray(path.read_bytes())
        if hurt == "end":
            del content[-9:]
        else:
            place = content.index(b'"what": "cell"') + 200 if hurt == "line" else len(content) // 2
            content[place] ^= 1
        path.write_bytes(content)
        told = call("stress", "--resume", folder)
        assert told.status == 0, told.err
        assert told.err.startswith("warning: ")
        assert {"line": "damaged in the journal: 1 line", "end": "breaks off"}.get(hurt, "not on disk as written: cases or witnesses of 1 cell") in told.err
        assert comparable(folder) == comparable(undisturbed[0])


def test_the_plan_s_line_damaged_is_the_end_of_it(call: Verify, folder: Path) -> None:
    content = bytearray((folder / JOURNAL_FILE).read_bytes())
    content[30] ^= 1
    (folder / JOURNAL_FILE).write_bytes(content)
    told = call("stress", "--resume", folder)
    assert told.status == 2
    assert told.err.startswith("DamagedRun: the first line")


def test_the_journal_of_another_version_is_the_end_of_it(call: Verify, folder: Path) -> None:
    changed(folder, "run", lambda entry: entry.update(plan=entry.pop("request")))
    told = call("stress", "--resume", folder)
    assert told.status == 2
    assert "of another version" in told.err


def test_what_cannot_be_resumed_is_refused(call: Verify, undisturbed: tuple[Path, int], cut_off: Path, tmp_path: Path) -> None:
    for words, error, said in (
        (("stress", "--resume", undisturbed[0]), "CannotResume", "is finished, with exit status 0"),
        (("stress", "--resume", tmp_path), "NotARun", "holds no run.json"),
        (("stress", "--resume", tmp_path / "nothing"), "NotARun", "holds no run.json"),
        (("all", "--resume", cut_off), "CannotResume", "not of `verify all`"),
        (("stress", "--resume", cut_off, "--seed", "0", "--cell-seconds", "9"), "CannotResume", "--seed, --cell-seconds cannot change it"),
        (("stress", "--out", cut_off), "UnusableFolder", "has not ended; go on with it with --resume"),
    ):
        told = call(*words)
        assert told.status == 2
        assert told.out == ""
        assert told.err.startswith(f"{error}: ")
        assert said in told.err
        assert told.err.count("\n") == 1


def test_two_processes_in_one_folder_are_refused(call: Verify, cut_off: Path, tmp_path: Path) -> None:
    """The lock is the first one's as long as it lives; that it is nobody's when it was killed is what every test above shows."""
    with FileLock(cut_off / LOCK_FILE):
        told = call("stress", "--resume", cut_off)
    assert told.status == 2
    assert told.err.startswith("RunInUse: another process is still working in")
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / LOCK_FILE):
        told = call(*SMALL, "--out", tmp_path / "run")
    assert told.status == 2
    assert told.err.startswith("RunInUse: ")
