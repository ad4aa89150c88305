"""The folder of a run: made once, never written over, and worked in by one process at a time.

The process that works in it holds a lock on a file in it, which the system takes away when the process ends, however it ends.

    CallError                 the call was wrong
    ├── UnusableFolder        the output folder cannot take a run
    └── RunInUse              another process works in it

A disk without room ends a run in order, with DiskFull: what is finished stays whole, and the run can be resumed.
"""

import contextlib
import errno
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reports.record.record_files import UNFINISHED, remove_unfinished
from symbolic.vocabulary import CallError

if TYPE_CHECKING:
    from verify.plan import Plan
    from verify.run_folder.journal_entries import FinishedWork

JOURNAL_FILE = "journal.jsonl"
LOCK_FILE = ".lock"

RESUMABLE = ("all", "stress")
"""Commands whose runs can be resumed; your own block is in a file that may have changed."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class UnusableFolder(CallError):
    """The output folder cannot take a run."""


class RunInUse(CallError):
    """Another process works in the run's folder."""


class DiskFull(Exception):
    """There is no room for what is to be written next."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that may begin, or go on: the folder is this process's own."""

    plan: "Plan"
    folder: Path
    run_id: str
    started: str
    """The first start; UTC, ISO 8601."""
    finished: "FinishedWork | None" = None
    """What is finished, in a run that is resumed."""
    warnings: tuple[str, ...] = ()
    """What was found wrong in the folder, in words."""

    @property
    def can_go_on(self) -> bool:
        """Whether it can be resumed when it was cut off."""
        return self.plan.request.verb in RESUMABLE and (self.folder / JOURNAL_FILE).exists()

    @property
    def to_go_on(self) -> str:
        """What to call when it was cut off: it goes on, or begins anew."""
        return f"verify {self.plan.request.verb} --resume {self.folder}" if self.can_go_on else self.plan.request.command


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def new_run(plan: "Plan", out: Path | None) -> Iterator[OpenRun]:
    """A new run in a folder of its own: ``out`` itself, or ``runs/<id>``. Raises UnusableFolder, RunInUse."""
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"  # the digits are random, so that two runs of one second differ
    folder = Path("runs") / run_id if out is None else out
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _refuse_occupied(folder)
            stack.enter_context(held(folder))
            _refuse_occupied(folder)  # a run that was not yet here when we looked may have come and gone since
            remove_unfinished(folder)
        except OSError as error:
            raise UnusableFolder(f"cannot make a run folder at {folder} ({error.strerror}); give another with --out.") from error
        yield OpenRun(plan, folder, run_id, now())


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder as this process's own. Raises RunInUse."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RunInUse(f"another process is working in {folder}; wait until it ends, or give another folder with --out.") from error
    try:
        yield
    finally:
        (folder / LOCK_FILE).unlink(missing_ok=True)  # while it is held: who waits for this file sees that it has no name any more
        lock.release()


@contextlib.contextmanager
def reporting_full_disk(start: OpenRun) -> Iterator[None]:
    """Raise DiskFull in place of the system's error, with what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DiskFull(f"the disk with {start.folder} is full; what was finished there is whole: make room, and then `{start.to_go_on}`.") from error


def _refuse_occupied(folder: Path) -> None:
    """Raise UnusableFolder if it holds more than what a run leaves that was killed before it had begun."""
    occupied = sorted(path.name for path in folder.iterdir() if path.name != LOCK_FILE and not path.match(f".{JOURNAL_FILE}.*{UNFINISHED}"))
    if JOURNAL_FILE in occupied:
        raise UnusableFolder(f"{folder} holds another run, which has not ended; go on with it with --resume {folder}, or give a new folder with --out.")
    if occupied:
        held_ = "another run" if "run.json" in occupied else f"other files ({', '.join(occupied[:3])}{', ...' if len(occupied) > 3 else ''})"
        raise UnusableFolder(f"{folder} holds {held_}, which is not overwritten; give an empty or a new folder with --out.")
