"""A run that was killed at any moment, or ran out of disk, and is resumed, comes to the record of one that nothing disturbed."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reports.record import load_run
from reports.record.record_files import RUN_FILE
from tests.verify.calling import environment, verify
from tests.verify.killing import Verify
from tests.verify.run_folder.cut_off import SMALL, comparable, finish, moments_of, resumed_count
from verify.run_folder.journal import read_journal
from verify.run_folder.run_folder import JOURNAL_FILE

EVERY_MOMENT = pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["at some moments", "at every moment"])


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


@EVERY_MOMENT
def test_a_run_killed_at_any_moment_resumes_to_the_same_record(every: bool, call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    # At the first one nothing is there yet, at the last one only the journal is left to be removed.
    for moment in range(undisturbed[1]) if every else (0, *moments_of(undisturbed, 1, seed=1), undisturbed[1] - 1):
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
    assert answer.status == 3
    assert "The run did not finish" in (cut_off / "report" / "index.html").read_text()


@EVERY_MOMENT
def test_a_full_disk_ends_the_run_in_order(every: bool, call: Verify, undisturbed: tuple[Path, int], tmp_path: Path) -> None:
    """One line, exit 3, nothing half written, and the run goes on when there is room again."""
    for moment in range(undisturbed[1]) if every else moments_of(undisturbed, 2, seed=2):
        folder = tmp_path / str(moment)
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


@pytest.mark.soak
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
