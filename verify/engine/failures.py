"""Why a part of the run has no result: an exception, a crash or a timeout, with the traceback or the process's last stderr lines."""

import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from numeric.cells.measurement import BrokenCell
from reports.record import write_whole
from reports.record.record_files import UnwritableFile
from symbolic.vocabulary import Verdict, with_its_name
from verify.engine.processes import OutOfTime, WorkerDied
from verify.run_folder.run_folder import NO_ROOM

CRASHES_FOLDER = "crashes"

LONGEST_NAME = 150
"""Characters of a log's name; file systems hold 255 bytes, and a name on its way there has some more."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result."""

    verdict: Literal[Verdict.ERROR, Verdict.TIMEOUT]
    reason: str
    """In one line."""


def failure_of(error: Exception | BrokenCell, name: str, folder: Path) -> Failure:
    """The failure of the part of that name. What is known of one that broke is kept in the run's folder ``crashes/``."""
    if isinstance(error, OutOfTime):
        return Failure(Verdict.TIMEOUT, str(error))
    message = _as_text((error.message if isinstance(error, BrokenCell) else with_its_name(error)).split("\n")[0].rstrip("."))
    if isinstance(error, WorkerDied):
        log = _write_crash(f"{error}\nIts stderr, from the end:\n\n{error.last_lines or '(it wrote nothing)'}", name, folder)
        return Failure(Verdict.ERROR, f"{message}; its log is {log}")
    try:
        _write_crash(error.traceback if isinstance(error, BrokenCell) else "".join(traceback.format_exception(error)), name, folder)
    except (OSError, UnwritableFile) as failed:
        cause = failed.__cause__ if isinstance(failed, UnwritableFile) else failed
        if not isinstance(cause, OSError) or cause.errno in NO_ROOM:
            raise
        return Failure(Verdict.ERROR, f"{message}; its traceback could not be written ({cause.strerror})")
    return Failure(Verdict.ERROR, f"{message}; its traceback is in {CRASHES_FOLDER}/")  # without the name: cells that broke alike are reported together


def _write_crash(text: str, name: str, folder: Path) -> str:
    """Returns the log's path in the folder."""
    short = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)[:LONGEST_NAME]
    path = f"{CRASHES_FOLDER}/{short}.txt"
    write_whole(folder / path, _as_text(f"{name}\n{text}\n"))
    return path


def _as_text(message: str) -> str:
    """What UTF-8 can hold of it: half of a surrogate pair, as Python makes of a byte in a path, as an escape."""
    return message.encode("utf-8", "backslashreplace").decode("utf-8")
