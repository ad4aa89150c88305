"""Call the command as a user would, and read what it says."""

import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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
        [sys.executable, "-m", "verify", *words],
        cwd=cwd,
        env=environment(code, cache),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Answer(done.returncode, done.stdout, done.stderr, cpu)


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


def plant(code: Path, file: str, right: str, wrong: str) -> None:
    """Replace a piece of code by a defect. The piece must be there exactly once, or the test would plant nothing."""
    path = code / file
    text = path.read_text()
    assert text.count(right) == 1, f"{right!r} occurs {text.count(right)} times in {file}"
    path.write_text(text.replace(right, wrong))
