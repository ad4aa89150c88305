"""Every leaf of a record changed to each value that is worse, impossible, or other, and the copy held to the baseline of the original, or of another seed.

The leaves are those of the schema, so that a field which is added later, and which no gate looks at, fails here. Each copy ends with 1 (worse) or 2 (no run can
write it), or ``spared_leaves`` says why not (0, or 3). The control is the original, which ends with 0.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from reports.comparison import differences
from reports.comparison.baseline import baseline_of
from reports.comparison.baseline_rows import Baseline
from reports.record import DamagedRun, RunRecord
from reports.record.agreement import disagreeing_cells, lost_files
from reports.record.cells import Counts, Recomputed, Spread, Unrefined
from reports.record.environment import Probe
from reports.record.record_files import content_digest, record_from, write_run, write_witness
from tests import experiment_samples, gate_samples
from tests import report_samples as samples
from tests.rich_record import rich
from tests.verify.doctoring import Data, settled
from tests.verify.fuzz.leaves import Place, Schema, changed, changes_of
from tests.verify.fuzz.spared_leaves import ABSENT, ANY, BY_ANOTHER_DRAW, SPARED
from verify.exit_status import gate_status

SCHEMA = Schema()
BY_FILES = ("cases_digest", "witness_digest")
"""Leaves that are held to what stands beside the record."""

EACH, SHORT = 3, 31
"""Places of a pattern that are tried; and of all changes, one in so many, if not all are."""

WITNESS = b"a witness"


def sound() -> RunRecord:
    """A run in which everything held, with every kind of row that such a run has."""
    whole = rich()
    false = samples.mutant(remark=samples.UPDATE, why="why")
    proved = samples.claim(hypotheses_in_words=[samples.UPDATE], mutants=[false], kernel=whole.claims[0].kernel.model_copy(update={"status": "checked"}))
    printed = {"literal": false.statement, "counterexample": false.counterexample, "corrected": proved.statement, "claim": proved.id}
    again = samples.cell(scenario="near_zero", counts=Counts(holds=30, inconclusive=2), batch=32)
    assert whole.bounds is not None
    bounds = whole.bounds.model_copy(update={"assumptions": ["a", "b"]})
    environment = samples.environment(probes=[Probe(id=f"fp32/{name}", question="why?", answer=name) for name in ("fma", "order")])
    experiments = whole.experiments.model_copy(update={"broken": [], "out_of_time": []})
    rows = {"claims": [whole.claims[2], proved], "errata": [samples.erratum(measured="0.5", **printed)], "near_zero": [samples.sweep()], "not_swept": []}
    return settled(
        whole.model_copy(update={**rows, "cells": [whole.cells[0], again], "bounds": bounds, "environment": environment, "experiments": experiments})
    )


def known() -> RunRecord:
    """A run with failures that its baseline knows."""
    whole = rich()
    blunt = experiment_samples.identity(points=[(1, 0.0, 0.5, 0.25), (50, 0.01, 0.25, 0.5)], resolution=2.0, vacuous=[1])
    dynamics = experiment_samples.dynamics(moved=blunt, factored=blunt, descended=blunt, telescoped=blunt)
    late = [row.model_copy(update={"what": "another"}) for row in whole.experiments.out_of_time]
    nothing: Data = {"figure_1": None, "figure_3": None, "post_norm": None, "layers": [], "static_patch": [], "stacks": [], "adversarial": []}
    experiments = whole.experiments.model_copy(update={**nothing, "dynamics": [dynamics], "out_of_time": late})
    empty: Data = {"errata": [], "models": [], "cells": [], "near_zero": [], "not_swept": [], "not_measured": []}
    return settled(whole.model_copy(update={**empty, "claims": [whole.claims[0]], "environment": samples.environment(probes=[]), "experiments": experiments}))


RUNS = {"sound": sound, "known": known}
OTHER_SEED = "another seed"
KINDS = (*RUNS, OTHER_SEED)
BEFORE, AFTER = 7, 8
"""Seeds of the baseline and of the run that is changed, where the operands are others."""


def drawn_run(seed: int, folder: Path) -> RunRecord:
    """The sound run with cells that are made of cases, drawn from a seed."""
    whole = sound()
    parts = ("claims", "errata", "models", "near_zero", "not_swept", "not_measured", "bounds", "environment", "experiments")
    record = gate_samples.run_of(seed, folder, **{name: getattr(whole, name) for name in parts})
    first, *others = record.cells
    refined = float(np.median(gate_samples.drawn(seed, *gate_samples.CELLS[0]).resolution[: gate_samples.BATCH]))
    beside = {
        "recomputed": Recomputed(cases=first.cases, moved=Spread(max=1.0, median=0.5), noticed=first.cases),
        "unrefined": Unrefined(cases=512, holds=512, noticed=510, resolution=4 * refined, refined=refined),
    }
    record = settled(record.model_copy(update={"cells": [first.model_copy(update=beside), *others]}))
    write_run(record, folder)
    return record


@dataclass(frozen=True, slots=True)
class Kept:
    """A run and its baseline."""

    folder: Path
    record: RunRecord
    data: Data
    baseline: Baseline
    by_cases: bool = False
    """Whether the cases beside the record are those that its cells sum up, so that a change of a cell is held to them."""

    def status(self, data: Data, path: Place, *, strict: bool = False) -> int:
        """What the gate exits with for a copy.  path: what was changed, so that it is not brought in line with the rest."""
        try:
            text = _in_line(data, path)
            record = record_from(text, Path("run.json"))
            files = path[-1] in BY_FILES or (self.by_cases and path[0] == "cells")
            beside = (disagreeing_cells(record, self.folder), [*lost_files(record, self.folder)]) if files else ([], [])
            return gate_status(differences(self.baseline, record, beside[0], lost=beside[1]), strict=strict)
        except (DamagedRun, ValidationError):
            return 2


def _in_line(data: Data, path: Place) -> str:
    """The copy's text, with totals, digests of claims and an exit status that fit its rows, but for what was changed itself."""
    record = RunRecord.model_validate_json(json.dumps({name: value for name, value in data.items() if name != "totals"}), strict=True)
    if path[0] == "claims" and "digests" not in path:
        for row, claim in zip(data.get("claims", []), record.claims, strict=True):
            row |= {"digests": claim.stated.model_dump(mode="json")} if "digests" in row else {}
    if path not in (("run", "exit_status"), ("run",)):
        data["run"]["exit_status"] = settled(record).run.exit_status
    if path[0] != "totals":
        data["totals"] = record.totals.model_dump(mode="json")
    return json.dumps(data)


@pytest.fixture(scope="module", params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp(request.param)
    return _kept(request.param, folder)


def _kept(name: str, folder: Path) -> Kept:
    if name == OTHER_SEED:
        before = drawn_run(BEFORE, folder / "before")
        baseline = baseline_of(before, folder / "before")
        drawn_run(AFTER, folder / "after")
        record = _with_witnesses(_read(folder / "after"), folder / "after")
        return Kept(folder / "after", record, json.loads(record.model_dump_json()), baseline, by_cases=True)
    samples.write_folder(RUNS[name](), folder)
    record = _with_witnesses(_read(folder), folder)
    # These cases were drawn apart from the rows, so they have no margins to give.
    return Kept(folder, record, json.loads(record.model_dump_json()), baseline_of(record, None))


def _with_witnesses(record: RunRecord, folder: Path) -> RunRecord:
    """The record, written, with the witnesses that it names."""
    cells = []
    for cell in record.cells:
        if cell.witness is not None:
            write_witness(WITNESS, cell.id, folder)
            cell = cell.model_copy(update={"witness_digest": content_digest(WITNESS)})
        cells.append(cell)
    record = record.model_copy(update={"cells": cells})
    write_run(record, folder)
    return record


def _read(folder: Path) -> RunRecord:
    return record_from((folder / "run.json").read_text(encoding="utf-8"), folder / "run.json")


ENTRIES = (*SPARED, *BY_ANOTHER_DRAW)


def spared(pattern: str, change: str, *, reported: bool, drawn: bool, status: int) -> list[int]:
    """Places of the entries that say so.  drawn: whether the operands are others than the baseline's; status: what the gate exits with."""
    return [
        at
        for at, one in enumerate(ENTRIES if drawn else SPARED)
        if pattern in one.patterns and (one.changes == ANY or change in one.changes) and (one.reported, one.status) == (reported, status)
    ]


def tried(kept: Kept, one_in: int, begin: str = "") -> tuple[int, set[int], list[str]]:
    """How many copies were held to the baseline; the entries that were needed; and those that passed although none spares them.

    begin: how the patterns begin whose leaves are changed.
    """
    places = defaultdict(list)
    for path, pattern in SCHEMA.places(kept.data):
        if pattern.startswith(begin):
            places[pattern].append(path)
    number, needed, passed = 0, set[int](), list[str]()
    for at, (pattern, paths) in enumerate(places.items()):
        for path in paths[:EACH]:
            for turn, (change, value) in enumerate(changes_of(_at(kept.data, path))):
                data = changed(kept.data, path, value) if (at + turn) % one_in == 0 else None
                if data is None:
                    continue
                number += 1
                if (status := kept.status(data, path)) in (1, 2):
                    continue
                reported = kept.status(data, path, strict=True) == 1
                entries = spared(pattern, change, reported=reported, drawn=kept.by_cases, status=status)
                needed |= {*entries}
                if not entries:
                    passed.append(f"{pattern}, {change}: {status}{', reported' if reported else ''}")
    return number, needed, passed


def _at(data: Any, path: Place) -> Any:
    for part in path:
        data = data[part]
    return data


def test_as_it_was_it_passes(kept: Kept) -> None:
    assert kept.status(json.loads(json.dumps(kept.data)), ("nothing",)) == 0
    assert kept.status(json.loads(json.dumps(kept.data)), ("nothing", "witness_digest")) == 0


def test_each_leaf_of_the_schema_is_in_one_of_the_records() -> None:
    found = {pattern for make in RUNS.values() for _, pattern in SCHEMA.places(json.loads(make().model_dump_json()))}
    absent = {pattern for pattern in SCHEMA.patterns() if pattern not in found}
    assert {pattern for pattern in absent if not any(pattern.startswith(begin) for begin in ABSENT)} == set()
    assert all(any(pattern.startswith(begin) for pattern in absent) for begin in ABSENT), "an entry that is not needed"


def test_some_changes_of_all_leaves_are_refused_or_worse(kept: Kept) -> None:
    number, _, passed = tried(kept, SHORT)
    assert number > 20
    assert passed == []


@pytest.mark.soak
def test_every_change_of_every_leaf_is_refused_or_worse(tmp_path: Path) -> None:
    needed = set[int]()
    total = 0
    for name in KINDS:
        number, entries, passed = tried(_kept(name, tmp_path / name), 1)
        assert passed == []
        needed |= entries
        total += number
    assert total > 8000
    assert [ENTRIES[at].patterns for at in range(len(ENTRIES)) if at not in needed] == [], "entries that are not needed"


def test_a_gate_that_looks_away_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The planted negative: without its digests of numbers, the gate lets changes pass that nothing spares."""
    monkeypatch.setattr("reports.comparison.cell_changes._same_numbers", lambda line, now: iter(()))
    assert tried(_kept("sound", tmp_path), 1, "cells.*.error")[2]


def test_a_gate_that_compares_nothing_of_another_draw_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The planted negatives of the runs with another seed: without the cases beside the record, and without margins of medians."""
    kept = _kept(OTHER_SEED, tmp_path)
    assert tried(kept, 1, "cells.*.tightness")[2] == []
    alone = replace(kept, by_cases=False)
    assert any(passed.startswith("cells.*.tightness.p90") for passed in tried(alone, 1, "cells.*.tightness")[2])
    assert tried(alone, 1, "cells.*.error")[2] == []
    monkeypatch.setattr("reports.comparison.cell_changes._medians", lambda line, cell, basis: iter(()))
    assert tried(alone, 1, "cells.*.error")[2]
