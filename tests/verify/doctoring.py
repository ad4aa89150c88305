"""A small real run, and what it takes to doctor copies of it: each is well formed, and worse than it, at odds with itself, or only other."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.record import NotMeasured, RunRecord, load_run
from reports.record.cell_reason import reason_of
from reports.record.record_files import write_run
from symbolic.claims import load_claims
from symbolic.errata import load_errata
from symbolic.prover import prove
from tests import experiment_samples
from tests.reports.findings.test_as_written import a_block, a_row
from tests.reports.findings.test_stacks import a_norm, a_stack
from tests.reports.hostile import search
from tests.verify.calling import Answer, verify
from verify.exit_status import exit_status
from verify.records import claim_rows

Data = dict[str, Any]
Doctor = Callable[[Data], object]
"""Changes the record's JSON in place."""

PROVED = ("theorem-2.2", "proposition-3.1", "pre-ln")
BLOCK = "attention"


@dataclass(frozen=True, slots=True)
class Copy:
    """One doctored copy of the run, and what the gate exits with."""

    status: int
    doctor: Doctor
    said: str = ""
    """What the answer says."""
    seed: int | None = None
    """The copy's, if it is to pass for a run with other operands."""
    strict: bool = False
    same_machine: bool = False


def real_run(folder: Path) -> Answer:
    """Three scenarios of one block in two formats, the proofs of three claims, and the experiments of the samples."""
    words = ["--block", BLOCK, "--format", "fp32", "--format", "bf16", "--scenario", "random", "--scenario", "near_zero", "--scenario", "recompute"]
    answer = verify("stress", *words, "--variant", "formula", "--cases", "1024", "--jobs", "1", "--out", str(folder / "run"))
    claims = {claim.id: claim_rows.claim_record(prove(claim)) for claim in load_claims(PROVED)}
    errata = [row for erratum in load_errata() if (row := claim_rows.erratum_record(erratum, claims, "1.5 times as large")) is not None]
    parts = {"stacks": [a_stack()], "post_norm": a_norm(), "adversarial": [search()], "watched": [a_block()], "in_double": [a_row(), a_row(scenario="subset")]}
    experiments = experiment_samples.experiments().model_copy(update=parts)
    left_out = [NotMeasured(block=BLOCK, what=what, reason="why") for what in ("scenario subset in bf16", "static patches")]
    record = load_run(folder / "run").model_copy(update={"not_measured": left_out, "claims": [*claims.values()], "errata": errata, "experiments": experiments})
    write_run(settled(record), folder / "run")
    return answer


def settled(record: RunRecord) -> RunRecord:
    """With the exit status that a run with such rows ends with, if it has ended."""
    if record.run.finished is None:
        return record
    judged = record.model_copy(update={"run": record.run.model_copy(update={"exit_status": None})})
    return record.model_copy(update={"run": record.run.model_copy(update={"exit_status": exit_status(judged)})})


def doctored(whole: Data, one: Copy) -> RunRecord:
    """A copy of the run, as it would be read from disk. Its exit status is what its rows come to, unless that is what was doctored."""
    data = copy.deepcopy(whole)
    data.pop("totals")
    if one.seed is not None:
        data["run"]["seed"] = one.seed
    before = copy.deepcopy(data["run"])
    one.doctor(data)
    record = RunRecord.model_validate(data)
    # What a run writes has the digests of what it says.
    claims = [claim.model_copy(update={"digests": claim.stated}) for claim in record.claims]
    said = {row["id"]: row["reason"] for row in whole["cells"]}
    cells = [row.model_copy(update={"reason": reason_of(row)}) if row.reason == said.get(row.id) else row for row in record.cells]
    record = record.model_copy(update={"claims": claims, "cells": cells})
    return settled(record) if data["run"]["exit_status"] == before["exit_status"] else record


def cell(data: Data, place: str) -> Data:
    """The cell of a format and a scenario, such as "fp32 random"."""
    name, scenario = place.split()
    return next(row for row in data["cells"] if (row["format"], row["scenario"]) == (name, scenario))


def in_cell(place: str, **changes: Any) -> Doctor:
    """Fields of a cell replaced; a callable is given what was there."""

    def doctor(data: Data) -> None:
        row = cell(data, place)
        for name, value in changes.items():
            row[name] = value(row[name]) if callable(value) else value

    return doctor


def times(factor: float) -> Callable[[Any], Any]:
    """A number, or each number of a row, multiplied."""
    return lambda was: {name: value * factor for name, value in was.items()} if isinstance(was, dict) else was * factor


def row_with(**changes: Any) -> Callable[[Data], Data]:
    """A row with some fields replaced."""
    return lambda was: {**was, **{name: value(was[name]) if callable(value) else value for name, value in changes.items()}}


def moved(place: str, number: int, to: str, reason: str = "") -> Doctor:
    """Cases that held became something else, and all that counts them says so."""

    def doctor(data: Data) -> None:
        row = cell(data, place)
        row["counts"]["holds"] -= number
        row["counts"][to] += number
        row["mutant_caught"] = max(row["mutant_caught"] - number, 0)
        if reason:
            row["reasons"] = {**row["reasons"], reason: row["reasons"].get(reason, 0) + number}
            inside, judged = row["well_inside"], row["cases"] - row["counts"]["inconclusive"]
            row["expected"]["cases"] = min(row["expected"]["cases"], judged)
            row["well_inside"] = {**inside, "cases": min(inside["cases"], judged + inside["refused"])}

    return doctor


def both(*doctors: Doctor) -> Doctor:
    """One after the other."""

    def doctor(data: Data) -> None:
        for each in doctors:
            each(data)

    return doctor


def put(*path: str | int, value: Any) -> Doctor:
    """A value at a place of the record; a callable is given what was there."""

    def doctor(data: Data) -> None:
        at: Any = data
        for part in path[:-1]:
            at = at[part]
        at[path[-1]] = value(at[path[-1]]) if callable(value) else value

    return doctor


def gone(*path: str | int) -> Doctor:
    """A row of a list removed."""

    def doctor(data: Data) -> None:
        at: Any = data
        for part in path[:-1]:
            at = at[part]
        del at[path[-1]]

    return doctor


def machine(**changes: str | int) -> Doctor:
    """Another machine."""
    return lambda data: data["environment"].update(changes)


ELSEWHERE = machine(processor="another")
