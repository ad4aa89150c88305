"""A run that was cut off, taken up again in its own folder: what was finished is kept, if everything it depends on is as it was.

CallError                 the call was wrong
├── CannotResume          there is nothing to go on with, or it would not be the same run
├── NotARun               the folder holds no run at all
├── DamagedRun            its journal does not say what was to be done
└── RunInUse              another process works in it
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reports.record import DamagedRun, ModelRecord, load_run
from reports.record.cases_table import keep_only
from reports.record.cells import WITNESSES_FOLDER
from reports.record.environment import Environment, Probe
from reports.record.record_files import content_digest, remove_unfinished
from reports.text import counted
from symbolic.vocabulary import CallError
from verify.plan import make_plan
from verify.run_folder.environment import code_digest, describe_environment
from verify.run_folder.journal import Lines, read_journal
from verify.run_folder.journal_entries import FinishedCell, FinishedWork, Header, read_finished, read_header
from verify.run_folder.run_folder import JOURNAL_FILE, RESUMABLE, OpenRun, RunInUse, held

BESIDE = ("resume", "jobs", "as_json")
"""Parameters of a call that change nothing of what is found."""

SAME = ("python", "processor", "torch", "device", "blas", "versions")
"""Fields of the environment that numbers may depend on."""


class CannotResume(CallError):
    """There is nothing to go on with, or it would not be the same run."""


@contextlib.contextmanager
def resumed_run(folder: Path, verb: str, jobs: int | None) -> Iterator[OpenRun]:
    """The run in a folder, to go on with.  verb: the command that is called; jobs: in place of the plan's, which changes no result.

    Raises CannotResume, NotARun, DamagedRun or RunInUse, and has changed nothing then.
    """
    _refuse_ended(folder)
    with held_to_resume(folder):
        _refuse_ended(folder)  # it may have ended while we looked
        lines = read_journal(folder / JOURNAL_FILE)
        header = read_header(lines.entries)
        if header is None:
            first = f"the first line of {folder / JOURNAL_FILE} is damaged, or of another version"
            raise DamagedRun(f"{first}, so the run's plan is lost; run the suite again into another folder.")
        _refuse_other(folder, header, verb)
        plan = make_plan(header.request)
        finished = read_finished(lines.entries)
        before = len(finished.cells)
        _keep_what_is_sound(folder, finished)
        warnings = tuple(_warnings(lines, before - len(finished.cells)))
        yield OpenRun(plan if jobs is None else replace(plan, jobs=jobs), folder, header.run_id, header.started, finished, warnings)


@contextlib.contextmanager
def held_to_resume(folder: Path) -> Iterator[None]:
    """The folder as this process's own. Raises RunInUse, CannotResume."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(folder))
        except RunInUse as error:
            raise RunInUse(f"another process is still working in {folder}; wait until it ends, or end it, and resume then.") from error
        except OSError as error:
            raise CannotResume(f"{folder} cannot be written to ({error.strerror}); make it writable, or copy it to where it is.") from error
        yield


def refuse_beside(given: Sequence[str]) -> None:
    """Raise CannotResume if options are given beside --resume that would ask for another run.  given: names of parameters."""
    other = [f"--{name.replace('_', '-')}" for name in given if name not in BESIDE]
    if other:
        raise CannotResume(
            f"--resume takes what is asked from the run's folder, and {', '.join(other)} cannot change it; leave {'it' if len(other) == 1 else 'them'} out."
        )


def refuse_other_weights(kept: Mapping[str, ModelRecord], block: str, weights: str) -> None:
    """Raise CannotResume if a block's weights are not those that the run began with."""
    if block in kept and kept[block].weights != weights:
        remedy = "set ICL_VERIFY_CACHE to the cache of that time, or run anew into another folder."
        raise CannotResume(f"the block {block} has other weights than when the run was begun; {remedy}")


def refuse_other_answers(kept: Sequence[Probe] | None, probes: Sequence[Probe]) -> None:
    """Raise CannotResume if the machine answers otherwise than when the run was begun."""
    if kept is None or list(kept) == list(probes):
        return
    before = {probe.id: probe for probe in kept}
    other = next((probe for probe in probes if before.get(probe.id) != probe), kept[0])
    answer = f'"{other.question}": {other.answer}'
    raise CannotResume(f"this machine computes otherwise than the one where the run was begun ({answer}); resume it there, or run anew into another folder.")


def _refuse_ended(folder: Path) -> None:
    if (folder / JOURNAL_FILE).exists():
        return
    record = load_run(folder)  # or NotARun
    if record.run.finished is not None:
        raise CannotResume(
            f"the run in {folder} is finished, with exit status {record.run.exit_status}; there is nothing to resume: "
            f"`verify report {folder}` renders its report, and `{record.run.command}` runs it again."
        )
    raise CannotResume(f"the run in {folder} has no {JOURNAL_FILE}, so nobody knows what of it is whole; run `{record.run.command}` into another folder.")


def _refuse_other(folder: Path, header: Header, verb: str) -> None:
    """Raise CannotResume unless the same command, with the same code, on the same machine, would have made what is there."""
    from numeric.machine import device_named

    made = header.request.verb
    if made not in RESUMABLE:
        raise CannotResume(f"the run in {folder} is one of `verify {made}`, which cannot be resumed; run `{header.request.command}` into another folder.")
    if made != verb:
        raise CannotResume(f"the run in {folder} is one of `verify {made}`, not of `verify {verb}`; go on with it with `verify {made} --resume {folder}`.")
    anew = f"go back to what it was, or run `{header.request.command}` into another folder."
    if header.code != code_digest():
        raise CannotResume(f"the run in {folder} was begun with other code than this (commit {header.environment.commit}); {anew}")
    here = describe_environment(device_named(header.request.device), [])
    for name in SAME:
        was, now = _differing(header.environment, here, name)
        if was != now:
            raise CannotResume(f"the run in {folder} was begun with {name} {was}, and here it is {now}; {anew}")


def _differing(was: Environment, now: Environment, name: str) -> tuple[str, str]:
    """A field of two environments in words; of the versions only those that differ."""
    one, two = getattr(was, name), getattr(now, name)
    if isinstance(one, dict):
        differing = [key for key in {**one, **two} if one.get(key) != two.get(key)]
        one, two = (", ".join(f"{key} {versions.get(key, 'missing')}" for key in differing) for versions in (one, two))
    return str(one), str(two)


def _keep_what_is_sound(folder: Path, finished: FinishedWork) -> None:
    """Forget cells whose cases or witness are not on disk as they were written, and remove what no such cell has."""
    remove_unfinished(folder)
    sound = keep_only(folder, {cell.row.id: cell.row.cases_digest for cell in finished.cells.values() if cell.row.cases_digest is not None})
    for name, cell in list(finished.cells.items()):
        if cell.row.id not in sound or not _has_witness(folder, cell):
            del finished.cells[name]
    known = {cell.row.witness for cell in finished.cells.values()}
    for path in sorted((folder / WITNESSES_FOLDER).glob("*")):
        if f"{WITNESSES_FOLDER}/{path.name}" not in known:
            path.unlink()


def _has_witness(folder: Path, cell: FinishedCell) -> bool:
    if cell.row.witness is None:
        return True
    path = folder / cell.row.witness
    return path.is_file() and content_digest(path.read_bytes()) == cell.row.witness_digest


def _warnings(lines: Lines, lost: int) -> Iterator[str]:
    """What is wrong in the folder."""
    if lines.torn:
        yield "the last line of the journal breaks off; what it told of is done again"
    if lines.damaged:
        numbers = ", ".join(map(str, lines.damaged))
        yield f"damaged in the journal: {counted(len(lines.damaged), 'line')} ({numbers}); what was told there is done again"
    if lost:
        yield f"not on disk as written: cases or witnesses of {counted(lost, 'cell')}; these are measured again"
