"""Many small runs of ``verify``, some of which die at a moment of one's choice, without two seconds of imports for each.

    python -m tests.verify.killing      reads calls on stdin, one a line as JSON, and answers each with a line

It imports everything once and then forks: it has no threads, so that is safe. A child counts its moments: the calls of ``fsync``,
which stand before and after all that is put on disk. At the one that is asked for it is killed, as by ``kill -9``, or
interrupted, as by Ctrl-C, or from there on the disk is full.
"""

import errno
import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.verify.calling import environment


@dataclass(frozen=True, slots=True)
class Told:
    """What a call did."""

    status: int
    """-9 if it was killed."""
    out: str
    err: str
    moments: int
    """How many it came to."""


class Verify:
    """The process: ``with Verify(folder) as call: call("stress", …, killed_at=7)``."""

    def __init__(self, folder: Path, code: Path | None = None) -> None:
        self._folder = folder
        words = [sys.executable, "-m", "tests.verify.killing"]
        places = {"PYTHONPATH": os.pathsep.join([*([str(code)] if code else []), environment()["PYTHONPATH"]])}
        self._process = subprocess.Popen(words, env={**environment(), **places}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder)

    def __enter__(self) -> "Verify":
        return self

    def __exit__(self, *_: object) -> None:
        pipe(self._process.stdin).close()
        self._process.wait(timeout=60)
        pipe(self._process.stdout).close()

    def __call__(self, *words: str | Path, killed_at: int | None = None, full_at: int | None = None, interrupted_at: int | None = None) -> Told:
        at = {"killed_at": killed_at, "full_at": full_at, "interrupted_at": interrupted_at}
        call = {"words": [str(word) for word in words], "folder": str(self._folder), **at}
        pipe(self._process.stdin).write(json.dumps(call) + "\n")
        pipe(self._process.stdin).flush()
        return Told(**json.loads(pipe(self._process.stdout).readline()))


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _answer(call: dict[str, Any]) -> Told:
    out, err, moments = (Path(call["folder"]) / f".{name}" for name in ("out", "err", "moments"))
    child = os.fork()
    if child == 0:
        _run(call, out, err, moments)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Told(status, out.read_text(), err.read_text(), int(moments.read_text()))


def _run(call: dict[str, Any], out: Path, err: Path, moments: Path) -> None:
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["verify", *call["words"]]
    synchronise, came_to = os.fsync, 0

    def counted(descriptor: int) -> None:
        nonlocal came_to
        if came_to == call["killed_at"]:
            moments.write_text(str(came_to))
            os.kill(os.getpid(), signal.SIGKILL)
        if call["full_at"] is not None and came_to >= call["full_at"]:
            raise OSError(errno.ENOSPC, "No space left on device")
        came_to += 1
        if came_to - 1 == call["interrupted_at"]:
            raise KeyboardInterrupt
        synchronise(descriptor)

    os.fsync = counted
    status = 1
    try:
        from verify.__main__ import main

        main()
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        moments.write_text(str(came_to))
        os._exit(status)


if __name__ == "__main__":
    for module in ("verify.__main__", "verify.engine.run"):  # and with them everything heavy
        importlib.import_module(module)
    for line in sys.stdin:
        found = _answer(json.loads(line))
        print(json.dumps({"status": found.status, "out": found.out, "err": found.err, "moments": found.moments}), flush=True)
