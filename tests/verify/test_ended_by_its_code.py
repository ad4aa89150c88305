"""`verify check` on files that end their process, or never come to an end: the status is 0 only if everything was checked.

`check` has no limit of time of its own; who called it interrupts it.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verify.calling import Answer, environment, verify
from verify.exit_status import HELD, INCOMPLETE, INTERRUPTED, WRONG_CALL

FILE = """
import os, signal, sys, threading, time
import torch
from numeric import ContextualBlock
from tests.numeric.user_blocks.sample_blocks import Average, block

def end():
    {end}

class Ending(Average):
    calls = 0
    def forward(self, context, query):
        Ending.calls += {counts}
        if Ending.calls > {after}:
            end()
        return super().forward(context, query)

{at_once}

def make_block():
    {in_the_factory}
    return block(Ending())
"""

ENDS = {
    "os._exit": "os._exit(0)",
    "killed": "os.kill(os.getpid(), 9)",
    "sys.exit": "sys.exit(0)",
    "SystemExit of another kind": "raise SystemExit",
    "os.abort": "os.abort()",
    "in a thread": "threading.Thread(target=os._exit, args=(0,)).start(); time.sleep(60)",
    "another program": "os.execv('/bin/true', ['true'])",
}
PLACES = {
    "while the file is read": {"at_once": "end()"},
    "in the factory": {"in_the_factory": "end()"},
    "while the block is looked at": {"counts": "1", "after": "0"},
    "while a cell is measured": {"after": "2"},
}
"""Where the end comes. The block is of single precision, in which it is looked at; the cell is of double precision."""

REFUSED = ("sys.exit", "SystemExit of another kind")
"""Ends that Python raises, so that the block is refused by name, or its cell broke."""

HANGS = {
    "a loop": "time.sleep(600)",
    "a thread that holds a lock": "lock = threading.Lock(); threading.Thread(target=lambda: (lock.acquire(), time.sleep(600)), daemon=True).start(); "
    "time.sleep(0.1); lock.acquire()",
}
WHOLE = {"at_once": "", "in_the_factory": "pass", "counts": "query.dtype == torch.float64", "after": "1_000_000"}


def words(folder: Path, end: str, place: dict[str, str]) -> tuple[str, ...]:
    """Of a check of such a file."""
    file = folder / "mine.py"
    file.write_text(FILE.format(end=end, **{**WHOLE, **place}))
    few = ("--format", "fp64", "--scenario", "random", "--variant", "formula", "--cases", "64", "--device", "cpu", "--out", str(folder / "run"))
    return ("check", f"{file}:make_block", *few)


def checked(folder: Path, end: str, place: dict[str, str]) -> Answer:
    return verify(*words(folder, end, place), timeout=120)


def is_no_success(answer: Answer, end: str) -> None:
    assert answer.status in (WRONG_CALL, INCOMPLETE), answer.err
    assert (answer.status == WRONG_CALL) <= (end in REFUSED)
    assert "Traceback" not in answer.err


def test_an_end_in_the_middle_is_no_success(tmp_path: Path) -> None:
    is_no_success(checked(tmp_path, ENDS["os._exit"], PLACES["in the factory"]), "os._exit")


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ENDS)
def test_no_end_anywhere_is_a_success(end: str, place: str, tmp_path: Path) -> None:
    is_no_success(checked(tmp_path, ENDS[end], PLACES[place]), end)


@pytest.mark.soak
@pytest.mark.parametrize("hang", HANGS)
def test_a_hang_is_ended_by_who_limits_it(hang: str, tmp_path: Path) -> None:
    end = f"print('it hangs', file=sys.stderr, flush=True); {HANGS[hang]}"
    call = [sys.executable, "-m", "verify", *words(tmp_path, end, PLACES["while a cell is measured"])]
    process = subprocess.Popen(call, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    try:
        assert any("it hangs" in line for line in iter(process.stderr.readline, ""))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == INTERRUPTED


@pytest.mark.soak
def test_a_block_that_never_ends_its_process_is_measured(tmp_path: Path) -> None:
    """The control, with an end that comes after the last call."""
    assert checked(tmp_path, ENDS["os._exit"], WHOLE).status == HELD
