"""A baseline on disk: kept with a reason, read again, and one line a row, so that a diff of it can be reviewed."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reports.comparison.baseline import baseline_of
from reports.comparison.baseline_rows import BASELINE_VERSION, Accepted, Baseline
from reports.record import RunRecord, write_whole
from reports.record.agreement import altered_claims, disagreeing_cells
from reports.record.record_files import first_refusal
from reports.record.strict_json import NotJson, quoted, strict_json
from reports.text import joined
from symbolic.vocabulary import CallError

BASELINE_FILE = "baseline.json"
"""In a run's folder: what the run was held to."""


class NotABaseline(CallError):
    """The file is no baseline, or cannot be trusted."""


class UnusableReason(CallError):
    """A baseline was to be kept without a reason that a reader could weigh."""


class NothingToKeep(CallError):
    """The run is not one that others could be measured by."""


def save_baseline(record: RunRecord, folder: Path, out: Path, reason: str) -> Baseline:
    """Write a run as a baseline, with the reasons of the one that it replaces.

    Raises UnusableReason, NothingToKeep, NotABaseline if ``out`` holds something else, DamagedRun.
    """
    if not reason.strip():
        raise UnusableReason("a baseline needs a reason that a reviewer can weigh; give one with --reason.")
    if record.run.finished is None:
        raise NothingToKeep(f"the run in {folder} is not finished, and what it lacks would never be missed; let it finish, or run the suite again.")
    before = _accepted(out) if out.exists() else []
    baseline = baseline_of(record, folder, reason=" ".join(reason.split()), before=before)
    if not (baseline.claims or baseline.cells or record.experiments.in_double):
        raise NothingToKeep(f"the run in {folder} holds no claim and no cell, so nothing could be held to it.")
    strangers = disagreeing_cells(record, folder)
    if strangers:
        cells = f"{strangers[0]}{f' and {len(strangers) - 1} more' if len(strangers) > 1 else ''}"
        raise NothingToKeep(f"the cases in {folder} are not those that its record counts ({cells}); restore cases.parquet from a copy, or run the suite again.")
    altered = [*altered_claims(record)]
    if altered:
        raise NothingToKeep(f"the claims in {folder} are not those that its record has the digests of ({joined(altered)}); run the suite again.")
    if baseline.cells and not baseline.has_margins and any(line.judged for line in baseline.cells.values()):
        raise NothingToKeep(f"{folder} holds no cases.parquet, from which the margins are taken; restore it from a copy, or run the suite again.")
    write_whole(out, _as_text(baseline))
    return baseline


def load_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises NotABaseline."""
    remedy = "give a file that `verify baseline` wrote, or restore it from a copy."
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotABaseline(f"there is no file {path}; make one with `verify baseline RUN --out {path} --reason TEXT`.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotABaseline(f"{path} cannot be read ({error}); {remedy}") from error
    try:
        data = strict_json(text)
    except NotJson as error:
        raise NotABaseline(f"{path} {error}, so it is not a baseline; {remedy}") from error
    version = data.get("baseline_version") if isinstance(data, dict) else None
    if type(version) is not int or version != BASELINE_VERSION:
        shown = quoted(str(version))[1:-1]
        raise NotABaseline(f"{path} is not a baseline (baseline_version {shown}, expected {BASELINE_VERSION}); make it again with `verify baseline`.")
    try:
        return Baseline.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise NotABaseline(f"{path} is not a baseline ({first_refusal(error)}); {remedy}") from error


def _accepted(path: Path) -> list[Accepted]:
    """The reasons of a file that is to be replaced, also of one that an older version of the suite wrote. Raises NotABaseline."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and data.get("baseline_version") in range(1, BASELINE_VERSION):
            return [Accepted.model_validate(each) for each in data["accepted"]]
    except (OSError, ValueError, KeyError, TypeError):
        return load_baseline(path).accepted  # which says what is wrong with it
    return load_baseline(path).accepted


def _as_text(baseline: Baseline) -> str:
    """JSON with one line a row, sorted, so that a diff shows which rows changed."""
    rows: dict[str, Any] = json.loads(baseline.model_dump_json(exclude_defaults=True))  # where infinity is a word, as JSON has none
    data = rows | {"baseline_version": baseline.baseline_version}
    parts = []
    for name, value in data.items():
        if isinstance(value, dict) and name != "origin":
            lines = [f"  {json.dumps(key, ensure_ascii=False)}: {json.dumps(value[key], ensure_ascii=False)}" for key in sorted(value)]
            parts.append(f' "{name}": {{\n' + ",\n".join(lines) + "\n }" if lines else f' "{name}": {{}}')
        else:
            parts.append(f' "{name}": ' + json.dumps(value, indent=1, ensure_ascii=False).replace("\n", "\n "))
    return "{\n" + ",\n".join(parts) + "\n}\n"
