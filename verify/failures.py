"""What comes in the place of a result: that a part of the run broke, or ran out of time, in words and with its last words or its traceback."""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reports.runs import replacing
from symbolic.verdict import Verdict
from verify.workers import OutOfTime, WorkerDied

CRASHES_FOLDER = "crashes"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result."""

    verdict: Literal[Verdict.ERROR, Verdict.TIMEOUT]
    reason: str
    """In one line."""


def failure_of(error: Exception, name: str, folder: Path) -> Failure:
    """The failure of the part of that name. What is known of one that broke is kept in the run's folder ``crashes/``."""
    if isinstance(error, OutOfTime):
        return Failure(Verdict.TIMEOUT, str(error))
    said = f"{type(error).__name__}: {error}".split("\n")[0]
    if isinstance(error, WorkerDied):
        log = _write_crash(f"{error}\nIts stderr, from the end:\n\n{error.last_lines or '(it wrote nothing)'}", name, folder)
        return Failure(Verdict.ERROR, f"{said}; its log is {log}")
    _write_crash("".join(traceback.format_exception(error)), name, folder)
    return Failure(Verdict.ERROR, f"{said}; its traceback is in {CRASHES_FOLDER}/")  # without the name: cells that broke alike are told of together


def _write_crash(text: str, name: str, folder: Path) -> str:
    """Returns the log's path in the folder."""
    path = f"{CRASHES_FOLDER}/{name.replace('/', '_')}.txt"
    with replacing(folder / path) as temporary:
        temporary.write_text(f"{name}\n{text}\n", encoding="utf-8")
    return path
