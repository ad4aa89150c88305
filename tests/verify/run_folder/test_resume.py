"""A run that was killed at any moment, or ran out of disk, and is resumed, comes to the record of one that nothing disturbed."""

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from reports.record.run_folder import RUN_FILE, load_run
from tests.verify.calling import environment, verify
from tests.verify.killing import Told, Verify
from verify.run_folder.journal import Journal, begin_journal, read_journal
from verify.run_folder.run_folder import JOURNAL_FILE, LOCK_FILE

SMALL = (
    "stress", "--block", "attention", "--format", "fp32", "--variant", "formula", "--scenario", "random", "--scenario", "permuted",
    "--cases", "64", "--jobs", "1", "--device", "cpu",
)  # fmt: skip

Record = dict[str, Any]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verify]:
    with Verify(tmp_path_factory.mktemp("calls")) as process:
        process("train", "attention")  # where the cache is empty: every run below finds it trained
        yield process


@pytest.fixture(scope="module")
def undisturbed(call: Verify, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A run that nothing disturbs, and how many moments it has."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    told = call(*SMALL, "--out", folder)
    assert told.status == 0, told.err
    return folder, told.moments


@pytest.fixture(scope="module")
def cut_off(call: Verify, undisturbed: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed when one of its two cells was in the journal."""
    folder = tmp_path_factory.mktemp("cut-off") / "run"
    for moment in range(undisturbed[1] // 2, undisturbed[1]):
        assert call(*SMALL, "--out", folder, killed_at=moment).status == -signal.SIGKILL
        if (folder / JOURNAL_FILE).read_bytes().count(b'"what": "cell"') == 1:
            assert (folder / LOCK_FILE).exists()
            return folder
        shutil.rmtree(folder)
    raise AssertionError("no cell was ever in the journal")


def comparable(folder: Path) -> tuple[Record, dict[str, str]]:
    """The record without what belongs to one run alone, and the other files' contents; what is told of the run has its id and times in it."""
    record = json.loads((folder / "run.json").read_text())
    for key in ("id", "started", "finished", "resumed"):
        del record["run"][key]
    for row in [*record["cells"], *record["claims"], *record["models"], *record["experiments"]["adversarial"]]:
        del row["seconds"]
    for model in record["models"]:
        del model["cached"]
    return record, {str(path.relative_to(folder)): _content(path) for path in folder.rglob("*") if path.is_file()}


def _content(path: Path) -> str:
    content = path.read_bytes()
    if path.name in ("run.json", "index.html", "junit.xml", "summary.md"):
        return ""
    if path.suffix == ".safetensors":  # its header is JSON, in an order that is another in each process
        end = 8 + int.from_bytes(content[:8], "little")
        content = json.dumps(json.loads(content[8:end]), sort_keys=True).encode() + content[end:]
    return hashlib.sha256(content).hexdigest()


def resumed_count(folder: Path) -> int:
    return json.loads((folder / "run.json").read_text())["run"]["resumed"]


def finish(call: Verify, folder: Path) -> Told:
    """Resume it, or begin it again, in the same folder, where it had not come so far as to have a journal."""
    return call("stress", "--resume", folder) if (folder / JOURNAL_FILE).exists() else call(*SMALL, "--out", folder)


def moments_of(undisturbed: tuple[Path, int], how_many: int, seed: int) -> list[int]:
    """Some of its moments, drawn once and for all."""
    return sorted(random.Random(seed).sample(range(undisturbed[1]), min(how_many, undisturbed[1])))


def killed_and_resumed(call: Verify, undisturbed: tuple[Path, int], moment: int, folder: Path) -> None:
    told = call(*SMALL, "--out", folder, killed_at=moment)
    assert told.status == -signal.SIGKILL
    assert told.moments == moment
    had_begun = (folder / JOURNAL_FILE).exists()
    entries = read_journal(folder / JOURNAL_FILE).entries if had_begun else ()
    written = {path: path.stat().st_mtime_ns for path in (folder / entry["row"]["witness"] for entry in entries if entry["what"] == "cell")}
    told = finish(call, folder)
    assert told.status == 0, told.err
    assert comparable(folder) == comparable(undisturbed[0])
    assert resumed_count(folder) == (1 if had_begun else 0)
    if had_begun:
        assert {path: path.stat().st_mtime_ns for path in written} == written  # what is finished is not done again
        assert "taken up again once" in told.out
        assert "taken up again once" in (folder / "report" / "index.html").read_text()


def test_a_run_killed_at_any_moment_resumes_to_the_same_record(call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    # At the first one nothing is there yet, at the last one only the journal is left to be removed.
    for moment in (0, *moments_of(undisturbed, 1, seed=1), undisturbed[1] - 1):
        killed_and_resumed(call, undisturbed, moment, tmp_path / str(moment))


@pytest.mark.soak
def test_a_run_killed_at_every_moment_resumes_to_the_same_record(call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    for moment in range(undisturbed[1]):
        killed_and_resumed(call, undisturbed, moment, tmp_path / str(moment))


def test_a_run_killed_again_and_again_gets_there(call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    """No start lives for much longer than half of the run, and still it ends: each goes on where the last one was."""
    folder = tmp_path / "run"
    moment = undisturbed[1] // 2 + 2
    assert call(*SMALL, "--out", folder, killed_at=moment).status == -signal.SIGKILL
    kills = 1
    while (told := call("stress", "--resume", folder, killed_at=moment)).status == -signal.SIGKILL:
        kills += 1
        assert kills < 10
    assert told.status == 0, told.err
    assert kills >= 2
    assert comparable(folder) == comparable(undisturbed[0])
    assert resumed_count(folder) == kills


def test_an_interrupted_run_has_a_report_and_goes_on(call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    told = call(*SMALL, "--out", tmp_path / "run", interrupted_at=undisturbed[1] // 2)
    assert told.status == 130
    assert f"`verify stress --resume {tmp_path / 'run'}` goes on" in told.err
    assert "The run did not finish" in (tmp_path / "run" / "report" / "index.html").read_text()
    assert call("stress", "--resume", tmp_path / "run").status == 0
    assert comparable(tmp_path / "run") == comparable(undisturbed[0])


def test_what_was_cut_off_has_no_success_and_says_so(cut_off: Path) -> None:
    record = json.loads((cut_off / "run.json").read_text())
    assert record["run"]["finished"] is None
    assert record["run"]["exit_status"] is None
    answer = verify("report", str(cut_off))
    assert answer.status == 0
    assert "The run did not finish" in (cut_off / "report" / "index.html").read_text()


def test_a_full_disk_ends_the_run_in_order(call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    for moment in moments_of(undisturbed, 2, seed=2):
        full_and_resumed(call, undisturbed, moment, tmp_path / str(moment))


@pytest.mark.soak
def test_a_disk_full_at_every_moment_ends_the_run_in_order(call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    for moment in range(undisturbed[1]):
        full_and_resumed(call, undisturbed, moment, tmp_path / str(moment))


def full_and_resumed(call: Verify, undisturbed: tuple[Path, int], moment: int, folder: Path) -> None:
    """One line, exit 3, nothing half written, and the run goes on when there is room again."""
    told = call(*SMALL, "--out", folder, full_at=moment)
    assert told.status == 3
    assert told.err.startswith("the disk with ")
    assert told.err.count("\n") == 1
    assert list(folder.rglob("*.part")) == []
    told = finish(call, folder)
    assert told.status == 0, told.err
    assert comparable(folder) == comparable(undisturbed[0])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system in memory; called with a size it is made, or made larger."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = False

    def of_size(size: str) -> Path:
        nonlocal mounted
        options = f"remount,size={size}" if mounted else f"size={size}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this user may not mount a tmpfs: {done.stderr.strip()}")
        mounted = True
        return place

    yield of_size
    if mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("size", [pytest.param("24k", marks=pytest.mark.soak), "72k"])
def test_a_disk_that_is_really_full(size: str, call: Verify, undisturbed: tuple[Path, int], small_disk: Callable[[str], Path]) -> None:
    folder = small_disk(size) / "run"
    told = call(*SMALL, "--out", folder)
    assert told.status == 3, told.err
    assert told.err.startswith("the disk with ")
    assert told.err.count("\n") == 1
    small_disk("16m")
    told = finish(call, folder)
    assert told.status == 0, told.err
    assert comparable(folder) == comparable(undisturbed[0])


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


def plant_other_torch(entry: Record) -> None:
    entry["environment"]["versions"]["torch"] = "1.0"
    entry["environment"]["versions"]["gone"] = "2"


@pytest.mark.parametrize(
    ("what", "change", "said"),
    [
        ("run", lambda entry: entry.update(code="0" * 64), "other code"),
        ("run", plant_other_torch, "versions torch 1.0, gone 2, and here it is torch 2"),
        ("run", lambda entry: entry["environment"].update(processor="abacus"), "processor abacus"),
        ("model", lambda entry: entry.update(weights="0" * 64), "the block attention has other weights"),
        ("probes", lambda entry: entry["rows"][0].update(answer="another"), "computes otherwise"),
    ],
)
def test_another_run_is_not_resumed(what: str, change: Callable[[Record], None], said: str, call: Verify, cut_off: Path, tmp_path: Path) -> None:
    """And is left as it was, so that who puts it right can go on."""
    folder = tmp_path / "run"
    shutil.copytree(cut_off, folder)
    changed(folder, what, change)
    before = [(folder / name).read_bytes() for name in (JOURNAL_FILE, "run.json")]
    told = call("stress", "--resume", folder)
    assert told.status == 2
    assert told.err.startswith("CannotResume: ")
    assert said in told.err
    assert told.err.count("\n") == 1
    assert [(folder / name).read_bytes() for name in (JOURNAL_FILE, "run.json")] == before


def test_what_was_measured_stands_although_the_time_is_over(call: Verify, cut_off: Path, tmp_path: Path) -> None:
    """A start that has no time even to ask the machine adds nothing, and takes nothing away."""
    folder = tmp_path / "run"
    shutil.copytree(cut_off, folder)
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
        folder = tmp_path / str(number)
        shutil.copytree(cut_off, folder)
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


def test_the_plan_s_line_damaged_is_the_end_of_it(call: Verify, cut_off: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(cut_off, folder)
    content = bytearray((folder / JOURNAL_FILE).read_bytes())
    content[30] ^= 1
    (folder / JOURNAL_FILE).write_bytes(content)
    told = call("stress", "--resume", folder)
    assert told.status == 2
    assert told.err.startswith("DamagedRun: the first line")


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


def killed_from_outside(words: tuple[str, ...], seconds: float) -> bool:
    """Start it, kill it when its time is over; whether it was killed before it ended by itself."""
    process = subprocess.Popen([sys.executable, "-m", "verify", *words], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    assert process.returncode == 0
    return False


def test_with_processes_of_its_own_it_is_the_same(call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    """Killed from outside, when a first cell is there and another is measured; none of its processes outlives it for long."""
    folder = tmp_path / "run"
    words = [*SMALL, "--out", str(folder)]
    words[words.index("--jobs") + 1] = "2"
    process = subprocess.Popen([sys.executable, "-m", "verify", *words], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if (folder / JOURNAL_FILE).exists() and b'"what": "probes"' in (folder / JOURNAL_FILE).read_bytes():
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert call("stress", "--resume", folder, "--jobs", "1").status == 0
    assert comparable(folder) == comparable(undisturbed[0])


def has_ended(folder: Path) -> bool:
    """Whether nothing is left to do in it: a process can be killed after that, too, on its way out."""
    return (folder / RUN_FILE).exists() and load_run(folder).run.finished is not None and not (folder / JOURNAL_FILE).exists()


@pytest.mark.soak
def test_a_quick_run_killed_twenty_times(tmp_path: Path) -> None:
    """At twenty random moments of its life, and now and then at a second one: the record of an undisturbed run."""
    words = ("all", "--profile", "quick", "--device", "cpu")
    began = time.monotonic()
    assert verify(*words, "--out", str(tmp_path / "whole")).status == 0
    takes = time.monotonic() - began
    chance, cut_off, begun = random.Random(20), 0, 0
    while cut_off < 20:
        folder, kills = tmp_path / str(begun), 0
        begun += 1
        again = words
        while killed_from_outside((*again, "--out", str(folder)) if again is words else again, takes * chance.uniform(0.05, 1.5 if kills else 1.0)):
            if has_ended(folder):
                break
            kills += 1
            again = ("all", "--resume", str(folder)) if (folder / JOURNAL_FILE).exists() else words
        cut_off += kills > 0
        print(f"run {begun}: cut off {kills} times, resumed {resumed_count(folder)} times")
        assert resumed_count(folder) <= kills
        assert comparable(folder) == comparable(tmp_path / "whole")
        shutil.rmtree(folder)
    assert begun < 40
