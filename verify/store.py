"""The folder of a run: made once, never written over."""

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from symbolic.errors import CallError


class UnusableFolder(CallError):
    """The output folder cannot take a run."""


def new_run_id() -> str:
    """The UTC time and six random digits, so that two runs of one second differ."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def make_run_folder(out: Path | None, run_id: str) -> Path:
    """The new run's folder: ``out`` itself, or ``runs/<id>``. Raises UnusableFolder."""
    folder = Path("runs") / run_id if out is None else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise UnusableFolder(f"cannot make a run folder at {folder} ({error.strerror}); give another with --out.") from error
    if occupied:
        held = "another run" if "run.json" in occupied else f"other files ({', '.join(occupied[:3])}{', ...' if len(occupied) > 3 else ''})"
        raise UnusableFolder(f"{folder} holds {held}, which is not overwritten; give an empty or a new folder with --out.")
    claimed = folder / ".claimed"
    try:
        # Whoever creates this file first owns the folder; a second run that looked at the same moment is refused.
        os.close(os.open(claimed, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError as error:
        raise UnusableFolder(f"another run is starting in {folder}; give another with --out.") from error
    except OSError as error:
        raise UnusableFolder(f"cannot write to {folder} ({error.strerror}); give another with --out.") from error
    return folder
