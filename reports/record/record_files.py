"""A run's folder: reading and writing its ``run.json``.

    CallError             the call was wrong
    ├── NotARun           the folder holds no run.json
    └── DamagedRun        it holds one that cannot be trusted

Each message says what was given, what is expected and what to do.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from reports.record.run_record import RUN_SCHEMA_VERSION, RunRecord
from symbolic.vocabulary import CallError

RUN_FILE = "run.json"
CASES_FILE = "cases.parquet"
WITNESSES_FOLDER = "witnesses"
UNFINISHED = ".part"
"""How the name of a file ends that is being written."""


class NotARun(CallError):
    """The folder holds no run."""


class DamagedRun(CallError):
    """The folder holds a run that cannot be read, or that contradicts itself."""


def load_run(folder: Path) -> RunRecord:
    """The record of the run in a folder.

    Raises NotARun if there is no ``run.json``; DamagedRun if it is truncated, written by another version of the
    suite, not a record, or has totals that its rows do not add up to.
    """
    path = folder / RUN_FILE
    remedy = f"restore {path} from a copy, or run the suite again into another folder."
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise NotARun(f"{folder} holds no {RUN_FILE}; give the folder that `verify all` wrote (its --out, or one under runs/).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedRun(f"{path} cannot be read ({error}); a run is UTF-8 text; {remedy}") from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise DamagedRun(f"{path} breaks off or is not JSON (line {error.lineno}: {error.msg}); {remedy}") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != RUN_SCHEMA_VERSION:
        raise DamagedRun(
            f"{path} has schema_version {version!r}, expected {RUN_SCHEMA_VERSION}; read it with the version of the suite that wrote it, or {remedy}"
        )
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole record"
        raise DamagedRun(f"{path} is not a run record ({where}: {first['msg']}); {remedy}") from error


def write_run(record: RunRecord, folder: Path) -> Path:
    """Write ``run.json`` so that a reader, or a kill at any moment, sees the whole old one or the whole new one."""
    return write_whole(folder / RUN_FILE, record.model_dump_json(indent=1) + "\n")


def write_witness(content: bytes, cell: str, folder: Path) -> str:
    """Keep a cell's witness in the run's folder; returns its path in there."""
    name = f"{WITNESSES_FOLDER}/{cell.replace('/', '_')}.safetensors"
    write_whole(folder / name, content)
    return name


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left in its run's folder."""
    for path in folder.rglob(f".*{UNFINISHED}"):
        path.unlink()


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file that is there as a whole or, if that fails, as it was before; text in UTF-8. Returns its path."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` to write to; it takes the place of ``path`` if the block succeeds, else it vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        _synchronise(temporary)
        temporary.chmod(0o644)  # mkstemp makes it private, and a report is there to be read
        os.replace(temporary, path)
        _synchronise(path.parent)  # the new name must survive a power cut too
    finally:
        temporary.unlink(missing_ok=True)


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
