"""Small runs that are cut off, and what must come out the same all the same."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from tests.verify.killing import Told, Verify
from verify.run_folder.run_folder import JOURNAL_FILE

SMALL = (
    *("stress", "--block", "attention", "--format", "fp32", "--variant", "formula", "--scenario", "random", "--scenario", "permuted"),
    *("--cases", "64", "--jobs", "1", "--device", "cpu"),
)
"""A run of two cells."""

Record = dict[str, Any]


def comparable(folder: Path) -> tuple[Record, dict[str, str]]:
    """The record without what belongs to one run alone, and the other files' contents; what is told of the run has its id and times in it."""
    record = json.loads((folder / "run.json").read_text())
    for key in ("id", "started", "finished", "resumed"):
        del record["run"][key]
    for row in [*record["cells"], *record["claims"], *record["models"], *record["experiments"]["adversarial"]]:
        del row["seconds"]
    for model in record["models"]:
        del model["cached"]
    return record, {str(path.relative_to(folder)): _content(path) for path in folder.rglob("*") if path.is_file()}


def _content(path: Path) -> str:
    content = path.read_bytes()
    if path.name in ("run.json", "index.html", "junit.xml", "summary.md"):
        return ""
    return hashlib.sha256(content).hexdigest()


def resumed_count(folder: Path) -> int:
    return json.loads((folder / "run.json").read_text())["run"]["resumed"]


def finish(call: Verify, folder: Path) -> Told:
    """Resume it, or begin it again, in the same folder, where it had not come so far as to have a journal."""
    return call("stress", "--resume", folder) if (folder / JOURNAL_FILE).exists() else call(*SMALL, "--out", folder)


def moments_of(undisturbed: tuple[Path, int], how_many: int, seed: int) -> list[int]:
    """Some of its moments, drawn once and for all."""
    return sorted(random.Random(seed).sample(range(undisturbed[1]), min(how_many, undisturbed[1])))
