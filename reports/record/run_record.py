"""The run record: what a run found, as plain data.

One run is one folder; this is its ``run.json``. Every number says in its field's description which of three kinds it
is: *rigorous* (a proved inequality), *certified* (compared with ball arithmetic) or *measured*. Totals are computed
from the rows whenever they are asked for; a stored total that disagrees with its rows makes a record damaged.
Non-finite numbers are written as the strings "NaN", "Infinity" and "-Infinity", never as null.
"""

from collections import Counter
from typing import Any, Self

from pydantic import Field, ModelWrapValidatorHandler, computed_field, model_validator

from reports.record.cells import CellRecord, Counts, NearZeroSweep, NotSwept
from reports.record.claims import ClaimRecord, ErratumRecord
from reports.record.environment import Bounds, Environment
from reports.record.experiments import Experiments
from reports.record.row import NotMeasured, Real, Row
from symbolic.vocabulary import Verdict

RUN_SCHEMA_VERSION = 1


class ModelRecord(Row):
    """One trained block, and whether it has learned the task."""

    block: str
    recipe: str = Field(description="Hash of everything that determines the weights.")
    parameters: int
    steps: int
    validation_loss: Real = Field(description="Measured: half the mean squared error on fresh prompts.")
    zero_loss: Real = Field(description="Measured: the same for predicting zero.")
    required_loss: Real = Field(description="A block above this is refused as not trained.")
    losses: list[tuple[int, Real]] = Field(description="Measured: (training step, training loss), thinned.")
    seconds: float = Field(description="Seconds that training took when it was done.")
    cached: bool = Field(description="Whether the weights were read from the cache.")


class RunInfo(Row):
    """The run itself."""

    id: str
    started: str = Field(description="UTC, ISO 8601.")
    finished: str | None = Field(description="UTC, ISO 8601; null while the run is not finished or was interrupted.")
    profile: str
    seed: int
    command: str = Field(description="The command that repeats the run.")
    exit_status: int | None
    resumed: int = Field(default=0, description="How often it was taken up again after it had been cut off; what was finished by then was kept.")


class Totals(Row):
    """Sums over the rows of a record."""

    claims: dict[str, int] = Field(description="Claims by verdict.")
    mutants: int
    mutants_refuted: int
    cells: dict[str, int] = Field(description="Cells by verdict.")
    cases: int
    holds: int
    violated: int
    vacuous: int
    inconclusive: int
    certified: int = Field(description="Cases whose sides were compared with ball arithmetic.")
    well_inside: int = Field(description="Cases a factor of 4 or more inside every range limit.")
    well_inside_refused: int = Field(description="How many of those were refused all the same.")
    worst_ratio: Real | None
    worst_cell: str | None
    wrong_updates: int = Field(description="Cells that measured a planted wrong update.")
    wrong_updates_caught: int


class RunRecord(Row):
    """Everything that a run found."""

    schema_version: int = RUN_SCHEMA_VERSION
    run: RunInfo
    environment: Environment
    bounds: Bounds | None = Field(default=None, description="Null before the machine was probed, and in a run that measures nothing.")
    claims: list[ClaimRecord] = []
    errata: list[ErratumRecord] = []
    models: list[ModelRecord] = []
    cells: list[CellRecord] = []
    near_zero: list[NearZeroSweep] = []
    not_swept: list[NotSwept] = []
    not_measured: list[NotMeasured] = []
    experiments: Experiments = Experiments()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def totals(self) -> Totals:
        """Computed from the rows."""
        measured = [cell for cell in self.cells if cell.worst_ratio is not None]
        # A NaN ratio is worse than any number, and must not hide behind the order in which max() meets it.
        worst = max(measured, key=lambda cell: (cell.worst_ratio != cell.worst_ratio, cell.worst_ratio), default=None)
        planted = [cell for cell in self.cells if cell.mutant_verdict is not None]
        return Totals(
            claims=dict(Counter(claim.verdict.value for claim in self.claims)),
            mutants=sum(len(claim.mutants) for claim in self.claims),
            mutants_refuted=sum(mutant.refuted for claim in self.claims for mutant in claim.mutants),
            cells=dict(Counter(cell.verdict.value for cell in self.cells)),
            cases=sum(cell.cases for cell in self.cells),
            **{name: sum(getattr(cell.counts, name) for cell in self.cells) for name in Counts.model_fields},
            certified=sum(cell.certified.cases for cell in self.cells if cell.certified),
            well_inside=sum(cell.well_inside.cases for cell in self.cells if cell.well_inside),
            well_inside_refused=sum(cell.well_inside.refused for cell in self.cells if cell.well_inside),
            worst_ratio=worst.worst_ratio if worst else None,
            worst_cell=worst.id if worst else None,
            wrong_updates=len(planted),
            wrong_updates_caught=sum(cell.mutant_verdict is Verdict.VIOLATED for cell in planted),
        )

    @model_validator(mode="wrap")
    @classmethod
    def _stored_totals_agree(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Drop the stored totals on reading, and refuse a record whose rows do not add up to them."""
        stored = None
        if isinstance(data, dict) and "totals" in data:
            data = dict(data)
            stored = data.pop("totals")
        record = handler(data)
        if stored is not None and Totals.model_validate(stored).model_dump_json() != record.totals.model_dump_json():  # as text, where NaN equals NaN
            raise ValueError("the stored totals do not agree with the rows")
        return record
