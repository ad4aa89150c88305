"""The lines of a run's journal: what the run keeps of itself, and what a later start finds there.

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

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from reports.record import CellRecord, ClaimRecord, ModelRecord, NearZeroSweep
from reports.record.as_written import InDoubleRecord, WatchedRecord
from reports.record.environment import Environment, Probe
from reports.record.experiments import AdversarialRecord, DynamicsRecord, Figure1, Figure3, LayerRecord, PostNormRecord, StackRecord, StaticPatchRecord
from reports.record.row import Row
from verify.plan import Request
from verify.run_folder.journal import JournalEntry


class Header(Row):
    """The first line: what the run is, and what it was begun with."""

    what: Literal["run"] = "run"
    run_id: str
    started: str = Field(description="UTC, ISO 8601.")
    request: Request
    code: str = Field(description="Digest of the code that ran.")
    environment: Environment


class Resumed(Row):
    """The run was taken up again."""

    what: Literal["resumed"] = "resumed"
    at: str


class FinishedClaim(Row):
    """A claim that came to a verdict."""

    what: Literal["claim"] = "claim"
    row: ClaimRecord


class FinishedModel(Row):
    """A trained block."""

    what: Literal["model"] = "model"
    row: ModelRecord


class Answers(Row):
    """What the machine answered."""

    what: Literal["probes"] = "probes"
    rows: list[Probe]


class FinishedCell(Row):
    """A measured cell."""

    what: Literal["cell"] = "cell"
    name: str
    row: CellRecord
    gradient_factor: str | None


class FinishedSweeps(Row):
    """The sweeps of one block in one format."""

    what: Literal["sweeps"] = "sweeps"
    name: str
    rows: list[NearZeroSweep]


class FinishedExperiment(Row):
    """An experiment; no two kinds of its row have the same fields, so that its fields say of which kind it is."""

    what: Literal["experiment"] = "experiment"
    name: str
    row: (
        Figure1 | LayerRecord | Figure3 | DynamicsRecord | StaticPatchRecord | StackRecord | PostNormRecord | AdversarialRecord | WatchedRecord | InDoubleRecord
    )


JournalLine = Header | Resumed | FinishedClaim | FinishedModel | Answers | FinishedCell | FinishedSweeps | FinishedExperiment

_LINE: TypeAdapter[JournalLine] = TypeAdapter(Annotated[JournalLine, Field(discriminator="what")])


@dataclass(slots=True)
class FinishedWork:
    """Everything that was finished, by its name."""

    resumed: int = 0
    """How often the run was taken up again."""
    claims: dict[str, ClaimRecord] = field(default_factory=dict)
    models: dict[str, ModelRecord] = field(default_factory=dict)
    probes: list[Probe] | None = None
    cells: dict[str, FinishedCell] = field(default_factory=dict)
    sweeps: dict[str, list[NearZeroSweep]] = field(default_factory=dict)
    experiments: dict[str, Row] = field(default_factory=dict)


def entry_of(line: JournalLine) -> JournalEntry:
    """The line as plain JSON, with numbers that are not finite as words."""
    entry: JournalEntry = json.loads(line.model_dump_json())
    return entry


def read_header(entries: Sequence[JournalEntry]) -> Header | None:
    """The first line; None if it is missing, or of another version."""
    try:
        return Header.model_validate(entries[0]) if entries else None
    except ValidationError:
        return None


def read_finished(entries: Sequence[JournalEntry]) -> FinishedWork:
    """What the lines after the first say; of what is there twice, the later counts.

    Raises pydantic.ValidationError for a line of another kind: the same code wrote it, and its checksum is right.
    """
    work = FinishedWork()
    for line in map(_LINE.validate_python, entries[1:]):
        match line:
            case Resumed():
                work.resumed += 1
            case FinishedClaim(row=row):
                work.claims[row.id] = row
            case FinishedModel():
                work.models[line.row.block] = line.row
            case Answers():
                work.probes = line.rows
            case FinishedCell():
                work.cells[line.name] = line
            case FinishedSweeps():
                work.sweeps[line.name] = line.rows
            case FinishedExperiment():
                work.experiments[line.name] = line.row
            case Header():
                raise AssertionError("a second first line")
    return work
