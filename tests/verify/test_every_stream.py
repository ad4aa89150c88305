"""Every command with standard streams that are closed or full: no traceback, no hang, and a status that the answer decides.

An answer that cannot be written is no success (3), whatever it would have said; a command without an answer, and one of which only the messages are lost, ends
as it does with all its streams. What each ends with then is the control.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import gate_samples as drawn
from tests.numeric.user_blocks.sample_blocks import block, measured
from tests.verify.calling import ROOT, called, environment, planted
from verify.__main__ import app
from verify.exit_status import HELD, INCOMPLETE, WRONG_CALL

WITHOUT_A_READER = " "
"""A pipe from which nobody reads any more, as behind ``| head``: the test makes it, and not the shell."""
STREAMS = {
    "stdout closed": ">&-",
    "stderr closed": "2>&-",
    "both closed": ">&- 2>&-",
    "all three closed": "<&- >&- 2>&-",
    "stdout full": ">/dev/full",
    "stderr full": "2>/dev/full",
    "both full": ">/dev/full 2>&1",
    "stdout without a reader": WITHOUT_A_READER,
}
OF_MESSAGES = ("stderr closed", "stderr full")
"""Those that leave stdout as it is."""

SECONDS = 240
"""That a call may take."""

FEW = ("--format", "fp64", "--scenario", "random", "--variant", "formula", "--cases", "64", "--jobs", "1")
OWN = """
import torch
from torch import nn
from tests.numeric.user_blocks.sample_blocks import block
def make_block():
    return block()
"""

CALLS: dict[str, tuple[tuple[str, ...], int]] = {
    "--version": ((), HELD),
    "--help": ((), HELD),
    "no-such-command": ((), WRONG_CALL),
    "all": (("--profile", "quick", "--cell-seconds", "0.001", "--run-seconds", "0.001", "--jobs", "1", "--out", "{new}/all"), INCOMPLETE),
    "stress": (("--block", "attention", *FEW, "--out", "{new}/stress"), HELD),
    "check": (("{kept}/own.py:make_block", *FEW[:-2], "--out", "{new}/check"), HELD),
    "adversary": (("--block", "attention", "--format", "fp64", "--evaluations", "64", "--seconds", "1", "--out", "{new}/adversary"), HELD),
    "prove": (("theorem-2.2",), HELD),
    "train": (("attention",), HELD),
    "list": (("claims",), HELD),
    "report": (("{kept}/run",), HELD),
    "compare": (("{kept}/run", "{kept}/run"), HELD),
    "baseline": (("{kept}/run", "--out", "{new}/again.json", "--reason", "why"), HELD),
    "gate": (("{kept}/run", "--baseline", "{kept}/kept.json"), HELD),
    "history": (("{kept}",), HELD),
    "replay": (("{kept}/witness.safetensors",), HELD),
    "doctor": ((), HELD),
}
"""A cheap form of each command, and the status that it has with all its streams."""

SLOW, OF_SLOW = ("all", "stress", "check", "adversary", "doctor"), ("both closed", "stdout full", "stderr full")
"""Calls that take a quarter of a minute, and the streams with which they are made."""

FAST = ("--version", "no-such-command", "list", "gate")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, its baseline, and a block."""
    folder = tmp_path_factory.mktemp("kept")
    drawn.run_of(7, folder / "run", size=64)
    assert called("baseline", str(folder / "run"), "--out", str(folder / "kept.json"), "--reason", "why").status == 0
    (folder / "own.py").write_text(OWN)
    return folder


def replayed(folder: Path) -> Path:
    """With a witness, which takes torch, and is measured at the first need."""
    path = folder / "witness.safetensors"
    if not path.exists():
        witness = measured("formula", block()).witness
        assert witness is not None
        path.write_bytes(witness.to_bytes())
    return folder


def end(verb: str, streams: str, places: Mapping[str, Path], code: Path = ROOT) -> "subprocess.CompletedProcess[bytes]":
    """How the command ends.  streams: as a shell has them."""
    words = [word.format(**places) for word in CALLS[verb][0]]
    call = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "verify", verb, *words]
    known: dict[str, Any] = {"cwd": code, "env": environment(code), "stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, "timeout": SECONDS}
    if streams != WITHOUT_A_READER:
        return subprocess.run(call, stdout=subprocess.PIPE, check=False, **known)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(call, stdout=writer, check=False, **known)
    finally:
        os.close(writer)


def as_it_should(verb: str, name: str, kept: Path, new: Path) -> None:
    """name: of the streams."""
    found = end(verb, STREAMS[name], {"kept": replayed(kept) if verb == "replay" else kept, "new": new})
    assert b"Traceback" not in found.stderr + (found.stdout or b""), found.stderr
    assert b"Exception ignored" not in found.stderr, found.stderr
    answers = CALLS[verb][1] != WRONG_CALL  # each command has an answer, and a wrong call has a message alone
    assert found.returncode == (CALLS[verb][1] if name in OF_MESSAGES or not answers else INCOMPLETE), found.stderr
    if name in ("stdout closed", "stdout full", "stdout without a reader") and answers:
        assert b"the answer cannot be written" in found.stderr


def test_each_command_is_there() -> None:
    names = {command.name for command in app.registered_commands}
    assert names == {verb for verb in CALLS if not verb.startswith(("-", "no-"))}


@pytest.mark.parametrize(("verb", "name"), [(FAST[0], "stdout full"), (FAST[1], "all three closed"), ("--help", "stdout without a reader")])
def test_some_commands_end_as_they_should(verb: str, name: str, kept: Path, tmp_path: Path) -> None:
    as_it_should(verb, name, kept, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("verb", CALLS)
def test_each_command_has_an_answer_and_its_status(verb: str, kept: Path, tmp_path: Path) -> None:
    """The control."""
    found = end(verb, "", {"kept": replayed(kept), "new": tmp_path})
    assert found.returncode == CALLS[verb][1], found.stderr
    assert bool(found.stdout) is (CALLS[verb][1] != WRONG_CALL)


@pytest.mark.soak
@pytest.mark.parametrize(("verb", "name"), [(verb, name) for verb in CALLS for name in STREAMS if verb not in SLOW or name in OF_SLOW])
def test_each_command_ends_as_it_should(verb: str, name: str, kept: Path, tmp_path: Path) -> None:
    as_it_should(verb, name, kept, tmp_path)


def test_an_answer_that_is_lost_without_a_word_would_be_noticed(kept: Path, tmp_path: Path) -> None:
    """The planted negative."""
    code = planted(tmp_path, "verify/streams.py", "    return INCOMPLETE", "    return 0")
    assert end("list", STREAMS["stdout full"], {"kept": kept, "new": tmp_path}, code).returncode == HELD
