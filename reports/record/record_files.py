"""A run's folder: reading and writing its ``run.json``.

    CallError             the call was wrong
    ├── NotARun           the folder holds no run.json
    ├── DamagedRun        it holds one that cannot be trusted
    └── UnwritableFile    what was asked for cannot be written there

Each message says what was given, what is expected and what to do.
"""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from reports.record.cells import witness_name
from reports.record.contradictions import contradictions
from reports.record.run_record import RUN_SCHEMA_VERSION, RunRecord, Totals
from reports.record.strict_json import NotJson, quoted, strict_json
from reports.text import printable
from symbolic.vocabulary import CallError

RUN_FILE = "run.json"
CASES_FILE = "cases.parquet"
UNFINISHED = ".part"
"""How the name of a file ends that is being written."""


class NotARun(CallError):
    """The folder holds no run."""


class UnwritableFile(CallError):
    """A file cannot be written where it was asked for."""


class DamagedRun(CallError):
    """The folder holds a run that cannot be read, or that contradicts itself."""


def load_run(folder: Path) -> RunRecord:
    """The record of the run in a folder.

    Raises NotARun if there is no ``run.json``; DamagedRun if it is one that no run can have written: truncated, not JSON, written by another
    version of the suite, with a field missing or more, with a number that cannot be, or with rows that contradict themselves or each other.
    """
    path = folder / RUN_FILE
    remedy = f"restore {path} from a copy, or run the suite again into another folder."
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise NotARun(f"{folder} holds no {RUN_FILE}; give the folder that `verify all` wrote (its --out, or one under runs/).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedRun(f"{path} cannot be read ({error}); a run is UTF-8 text; {remedy}") from error
    return record_from(text, path)


def record_from(text: str, path: Path) -> RunRecord:
    """The record that the text of a ``run.json`` is.  path: where it is from, for what is said of it. Raises DamagedRun."""
    remedy = f"restore {path} from a copy, or run the suite again into another folder."
    try:
        data = strict_json(text)
    except NotJson as error:
        raise DamagedRun(f"{path} {error}; {remedy}") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if type(version) is not int or version != RUN_SCHEMA_VERSION:
        shown = quoted(str(version))
        raise DamagedRun(f"{path} has schema_version {shown}, expected {RUN_SCHEMA_VERSION}; read it with the version of the suite that wrote it, or {remedy}")
    stored = data.get("totals")
    rows = {name: value for name, value in data.items() if name != "totals"}  # which are no field: they are computed
    try:
        record = RunRecord.model_validate_json(json.dumps(rows), strict=True)
        totals = None if stored is None else Totals.model_validate_json(json.dumps(stored), strict=True)
    except ValidationError as error:
        raise DamagedRun(f"{path} is not a run record ({first_refusal(error)}); {remedy}") from error
    missing = next(_missing(json.loads(record.model_dump_json()), data), None)
    if missing is None and (totals is None or totals.model_dump_json() != record.totals.model_dump_json()):  # as text, where NaN equals NaN
        raise DamagedRun(f"{path} is not a run record (the stored totals do not agree with the rows); {remedy}")
    if missing is not None:
        raise DamagedRun(f"{path} lacks {missing}; read it with the version of the suite that wrote it, or {remedy}")
    impossible = next(contradictions(record), None)
    if impossible is not None:
        raise DamagedRun(f"{path} holds what no run can write ({printable(impossible)}); {remedy}")
    return record


def first_refusal(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, in one line."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{quoted(where)[1:-1] if where else 'the whole of it'}: {printable(first['msg'])}"


def _missing(written: object, found: object, where: str = "") -> Iterator[str]:
    """Fields that a row is written with and that are not there, by their place: what has a default is written, too."""
    if isinstance(written, dict) and isinstance(found, dict):
        for name, value in written.items():
            place = f"{where}.{name}" if where else name
            if name not in found:
                yield place
            else:
                yield from _missing(value, found[name], place)
    elif isinstance(written, list) and isinstance(found, list):
        for number, (one, other) in enumerate(zip(written, found, strict=True)):
            yield from _missing(one, other, f"{where}.{number}")


def write_run(record: RunRecord, folder: Path) -> Path:
    """Write ``run.json`` so that a reader, or a kill at any moment, sees the whole old one or the whole new one."""
    return write_whole(folder / RUN_FILE, record.model_dump_json(indent=1) + "\n")


def content_digest(content: bytes) -> str:
    """SHA-256."""
    return hashlib.sha256(content).hexdigest()


def write_witness(content: bytes, cell: str, folder: Path) -> str:
    """Keep a cell's witness in the run's folder; returns its path in there."""
    name = witness_name(cell)
    write_whole(folder / name, content)
    return name


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left in its run's folder."""
    for path in folder.rglob(f".*{UNFINISHED}"):
        path.unlink()


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file that is there as a whole or, if that fails, as it was before; text in UTF-8. Returns its path.

    Raises UnwritableFile; OSError if there is no room, or the name is too long.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG):
            raise
        raise UnwritableFile(f"{path} cannot be written ({error.strerror}); give another place, or the right to write there.") from error
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
