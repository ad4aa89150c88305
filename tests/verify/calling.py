"""Call the command as a user would, and read what it says."""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from filelock import FileLock

from verify.__main__ import main
from verify.progress import progress_bars

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did."""

    status: int
    out: str
    err: str
    cpu: float = 0.0
    """Seconds of the processor, which a busy machine does not stretch as it does the clock's."""


def verify(*words: str, cwd: Path | None = None, code: Path = ROOT, cache: Path | None = None, timeout: float = 300) -> Answer:
    """Run ``verify`` in a process of its own.  code: the checkout whose code runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "verify", *words], cwd=cwd, env=environment(code, cache), capture_output=True, text=True, timeout=timeout, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Answer(done.returncode, done.stdout, done.stderr, cpu)


def called(*words: str, cwd: Path | None = None) -> Answer:
    """Run ``verify`` in this process: the same words, streams and status, without the two seconds that it takes to load torch.

    For calls that are answered before any work is done, of which some are also made by ``verify`` above, in a process of their own.
    """
    out, err, status = io.StringIO(), io.StringIO(), None
    ended = signal.getsignal(signal.SIGTERM)
    try:
        with ExitStack() as changed:
            changed.enter_context(patch.object(sys, "argv", ["verify", *words]))
            changed.enter_context(patch.object(sys, "path", [*sys.path]))
            changed.enter_context(patch.dict(os.environ, {"COLUMNS": "120"}))
            for each in (chdir(cwd or Path.cwd()), redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings()):
                changed.enter_context(each)
            main(progress_bars)  # `check` in this process, too
    except SystemExit as leaving:
        status = leaving.code
    finally:
        signal.signal(signal.SIGTERM, ended)
    assert isinstance(status, int), f"it ended with {status!r} in place of a status"
    return Answer(status, out.getvalue(), err.getvalue())


def once(work: str, folders: pytest.TempPathFactory, do: Callable[[Path], Answer]) -> tuple[Answer, Path]:
    """What a call says and the folder that it fills, made by whichever of pytest's processes asks first; the others wait for it.

    work: its name, unique among the tests; do: makes the call, given a folder that is there and empty.
    """
    base = folders.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / work  # each process has a folder of its own beside the others'
    said = folder.with_suffix(".json")
    with FileLock(folder.with_suffix(".lock")):
        if not said.exists():
            folder.mkdir()
            said.write_text(json.dumps(asdict(do(folder))), encoding="utf-8")
    return Answer(**json.loads(said.read_text(encoding="utf-8"))), folder


def quick_run(folders: pytest.TempPathFactory) -> tuple[Answer, Path]:
    """A whole quick run, and its folder."""
    return once("quick-run", folders, lambda folder: verify("all", "--profile", "quick", "--device", "cpu", "--out", str(folder), "--json"))


def environment(code: Path = ROOT, cache: Path | None = None) -> dict[str, str]:
    """The environment in which the code of that checkout runs, before any that is installed."""
    changed = {"PYTHONPATH": str(code), "COLUMNS": "120"}
    if cache is not None:
        changed["ICL_VERIFY_CACHE"] = str(cache)
    return {**os.environ, **changed}


def scratch_copy(folder: Path) -> Path:
    """A copy of the four packages, to plant defects in."""
    for name in ("verify", "reports", "numeric", "symbolic"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def planted(folder: Path, file: str, right: str, wrong: str) -> Path:
    """Such a copy with one defect."""
    plant(scratch_copy(folder), file, right, wrong)
    return folder


def plant(code: Path, file: str, right: str, wrong: str) -> None:
    """Replace a piece of code by a defect. The piece must be there exactly once, or the test would plant nothing."""
    path = code / file
    text = path.read_text()
    assert text.count(right) == 1, f"{right!r} occurs {text.count(right)} times in {file}"
    path.write_text(text.replace(right, wrong))
