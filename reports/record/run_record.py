"""The run record: what a run found, as plain data.

One run is one folder; this is its ``run.json``. Every number says in its field's description which of three kinds it
is: *rigorous* (a proved inequality), *certified* (compared with ball arithmetic) or *measured*. Totals are computed
from the rows whenever they are asked for; a stored total that disagrees with its rows makes a record damaged
(``record_files.load_run``).
Non-finite numbers are written as the strings "NaN", "Infinity" and "-Infinity", never as null.
"""

from collections import Counter
from typing import Literal

from pydantic import Field, computed_field

from reports.record.cells import CellRecord, Counts, NearZeroSweep, NotSwept
from reports.record.claims import ClaimRecord, ErratumRecord
from reports.record.environment import Bounds, Environment
from reports.record.experiments import Experiments
from reports.record.row import Count, Digest, Finite, Magnitude, Moment, Name, NotMeasured, Row, SeedNumber
from symbolic.vocabulary import Verdict

RUN_SCHEMA_VERSION = 1


class ModelRecord(Row):
    """One trained block, and whether it has learned the task."""

    block: Name
    recipe: Name = Field(description="Hash of everything that determines the weights.")
    weights: Digest = Field(description="Of every weight, bit for bit.")
    parameters: Count
    steps: Count
    validation_loss: Magnitude = Field(description="Measured: half the mean squared error on fresh prompts.")
    zero_loss: Magnitude = Field(description="Measured: the same for predicting zero.")
    required_loss: Magnitude = Field(description="A block above this is refused as not trained.")
    losses: list[tuple[Count, Magnitude]] = Field(description="Measured: (training step, training loss), thinned.")
    seconds: Finite = Field(description="Seconds that training took when it was done.")
    cached: bool = Field(description="Whether the weights were read from the cache.")


class RunInfo(Row):
    """The run itself."""

    id: Name
    started: Moment = Field(description="UTC, ISO 8601.")
    finished: Moment | None = Field(description="UTC, ISO 8601; null while the run is not finished or was interrupted.")
    profile: Name
    seed: SeedNumber
    command: Name = Field(description="The command that repeats the run.")
    named_formats: list[Name] | None = Field(
        default=None, description="In a check of one's own block, the formats that were asked for by name, which must resolve it; null: all of them must."
    )
    exit_status: Literal[0, 1, 2, 3, 130] | None
    resumed: Count = Field(default=0, description="How often it was taken up again after it had been cut off; what was finished by then was kept.")


class Totals(Row):
    """Sums over the rows of a record."""

    claims: dict[Name, Count] = Field(description="Claims by verdict.")
    mutants: Count
    mutants_refuted: Count
    cells: dict[Name, Count] = Field(description="Cells by verdict.")
    cases: Count
    holds: Count
    violated: Count
    vacuous: Count
    inconclusive: Count
    certified: Count = Field(description="Cases whose sides were compared with ball arithmetic.")
    well_inside: Count = Field(description="Cases a factor of 4 or more inside every range limit.")
    well_inside_refused: Count = Field(description="How many of those were refused all the same.")
    worst_ratio: Magnitude | None
    worst_cell: Name | None
    wrong_updates: Count = Field(description="Cells that measured a planted wrong update.")
    wrong_updates_caught: Count


class RunRecord(Row):
    """Everything that a run found."""

    schema_version: Count = RUN_SCHEMA_VERSION
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
