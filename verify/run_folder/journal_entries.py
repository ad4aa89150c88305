"""What a run keeps of itself in its journal, and what a later start finds there.

kept, and not done again                 by what it is known again
claims that came to a verdict            the claim's id
rows of trained blocks                   the block, and a digest of its weights
cells, sweeps, experiments               their names in the plan; a cell's cases and its witness by their digests

done again
training                                 the trained blocks are in the cache; where not, training is deterministic
probes of the machine                    a few seconds; they must come out as before, or this is another machine
errata, totals, figures, the page        they follow from the rows
what broke or ran out of time            what disturbed it may be gone
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from reports.record import CellRecord, ClaimRecord, Experiments, ModelRecord, NearZeroSweep
from reports.record.environment import Environment, Probe
from reports.record.row import Row
from verify.plan.plan import Plan
from verify.run_folder.journal import Entry

_PLAN = TypeAdapter(Plan)


@dataclass(frozen=True, slots=True)
class Header:
    """The journal's first line: what the run is, and what it was begun with."""

    run_id: str
    started: str
    """UTC, ISO 8601."""
    plan: Plan
    code: str
    """Digest of the code that ran."""
    environment: Environment


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A trained block."""

    row: ModelRecord
    weights: str
    """Digest of its weights."""


@dataclass(frozen=True, slots=True)
class KeptCell:
    """A measured cell."""

    row: CellRecord
    gradient_factor: str | None
    cases: str
    """Digest of its rows in ``cases.parquet``."""
    witness: str | None
    """Digest of its witness's file, if it has one."""


@dataclass(slots=True)
class FinishedWork:
    """Everything that was finished, by its name."""

    resumed: int = 0
    """How often the run was taken up again."""
    claims: dict[str, ClaimRecord] = field(default_factory=dict)
    models: dict[str, KeptModel] = field(default_factory=dict)
    probes: list[Probe] | None = None
    cells: dict[str, KeptCell] = field(default_factory=dict)
    sweeps: dict[str, list[NearZeroSweep]] = field(default_factory=dict)
    experiments: dict[str, Row] = field(default_factory=dict)


def header_entry(header: Header) -> Entry:
    """The first line."""
    plan = _PLAN.dump_python(header.plan, mode="json")
    return {
        "what": "run",
        "id": header.run_id,
        "started": header.started,
        "plan": plan,
        "code": header.code,
        "environment": _plain(header.environment),
    }


def resumed_entry(at: str) -> Entry:
    """That the run was taken up again."""
    return {"what": "resumed", "at": at}


def claim_entry(row: ClaimRecord) -> Entry:
    """A claim."""
    return {"what": "claim", "row": _plain(row)}


def model_entry(row: ModelRecord, weights: str) -> Entry:
    """A trained block."""
    return {"what": "model", "row": _plain(row), "weights": weights}


def probes_entry(probes: Sequence[Probe]) -> Entry:
    """What the machine answered."""
    return {"what": "probes", "rows": [_plain(row) for row in probes]}


def cell_entry(name: str, kept: KeptCell) -> Entry:
    """A measured cell."""
    return {"what": "cell", "name": name, "row": _plain(kept.row), "gradient_factor": kept.gradient_factor, "cases": kept.cases, "witness": kept.witness}


def sweeps_entry(name: str, rows: Sequence[NearZeroSweep]) -> Entry:
    """The sweeps of one block in one format."""
    return {"what": "sweeps", "name": name, "rows": [_plain(row) for row in rows]}


def experiment_entry(name: str, field_: str, row: Row) -> Entry:
    """An experiment.  field_: of ``Experiments``, where its row goes."""
    return {"what": "experiment", "name": name, "field": field_, "row": _plain(row)}


def read_header(entries: Sequence[Entry]) -> Header | None:
    """The first line; None if it is missing."""
    if not entries or entries[0]["what"] != "run":
        return None
    first = entries[0]
    return Header(first["id"], first["started"], _PLAN.validate_python(first["plan"]), first["code"], Environment.model_validate(first["environment"]))


def read_kept(entries: Sequence[Entry]) -> FinishedWork:
    """What the lines after the first tell; of what is told twice, the later counts."""
    found = FinishedWork()
    for entry in entries[1:]:
        match entry["what"]:
            case "resumed":
                found.resumed += 1
            case "claim":
                claim = ClaimRecord.model_validate(entry["row"])
                found.claims[claim.id] = claim
            case "model":
                model = ModelRecord.model_validate(entry["row"])
                found.models[model.block] = KeptModel(model, entry["weights"])
            case "probes":
                found.probes = [Probe.model_validate(row) for row in entry["rows"]]
            case "cell":
                row = CellRecord.model_validate(entry["row"])
                found.cells[entry["name"]] = KeptCell(row, entry["gradient_factor"], entry["cases"], entry["witness"])
            case "sweeps":
                found.sweeps[entry["name"]] = [NearZeroSweep.model_validate(row) for row in entry["rows"]]
            case "experiment":
                found.experiments[entry["name"]] = _experiment(entry["field"], entry["row"])
            case other:
                raise AssertionError(f"a line of kind {other!r}")  # the same code wrote it, and its checksum is right
    return found


def digest(content: bytes) -> str:
    """SHA-256."""
    return hashlib.sha256(content).hexdigest()


def _plain(row: Row) -> dict[str, Any]:
    """The row as JSON has it, with numbers that are not finite as words."""
    return json.loads(row.model_dump_json())


def _experiment(name: str, row: dict[str, Any]) -> Row:
    """The row of an experiment, of whatever kind its field has."""
    several = isinstance(getattr(Experiments(), name), list)
    found = getattr(Experiments.model_validate({name: [row] if several else row}), name)
    return found[0] if several else found
