"""The rows of the record that are measurements on many cases: cells, their figures, and the sweeps towards a = 0."""

from typing import Literal, Self

from pydantic import Field, model_validator

from reports.record.row import Count, Digest, Finite, Magnitude, Name, Row, Share
from symbolic.vocabulary import CellId, Verdict

WITNESSES_FOLDER = "witnesses"
"""In a run's folder."""


DEVICE_NOT_ASKED = "not asked"
"""The device of a cell that was not measured, where the machine was not asked how it computes."""


def witness_name(cell: str) -> str:
    """Where a cell's witness is in the run's folder.  cell: its id."""
    return f"{WITNESSES_FOLDER}/{cell.replace('/', '_')}.safetensors"


class Spread(Row):
    """Largest and median value over the judged cases of a cell."""

    max: Magnitude
    median: Magnitude


class Quantiles(Row):
    """Ten, fifty and ninety percent of the judged cases lie below."""

    p10: Magnitude
    median: Magnitude
    p90: Magnitude


class Counts(Row):
    """How many cases of a cell got which verdict."""

    holds: Count = 0
    violated: Count = 0
    vacuous: Count = 0
    inconclusive: Count = 0

    @property
    def judged(self) -> int:
        """Those that were not refused."""
        return self.holds + self.violated + self.vacuous


class Certified(Row):
    """Cases of the cell whose sides were compared with real arithmetic, by balls."""

    cases: Count = Field(description="Judged cases whose measured sides were compared with the ball of the exact one.")
    by_formula: Count = Field(description="Cases, the worst ones, in which the patched formula itself ran over balls and came to the same.")
    seconded: Count = Field(description="Of those, cases in which mpmath's interval arithmetic agreed with the balls at the entry nearest to its bound.")
    left: Magnitude = Field(description="Certified: largest error of the left side, in infinity norm, over the sample.")
    right: Magnitude = Field(description="Certified: the same for the right side.")
    inside: bool = Field(description="Whether each side of each of these cases lay inside its own radius, and both references agreed.")


class Recomputed(Row):
    """What an A(C∖Y,x) that the patched pass computed anew, and otherwise, moved the first dense layer by."""

    cases: Count = Field(description="Measured: judged cases in which it came out different.")
    moved: Spread = Field(description="‖(WΔA)(aᵀε)/‖a‖² + Wε‖∞ over the judged cases, computed in fp64; the error is what is left without it.")
    noticed: Count = Field(description="Judged cases that would lie outside their bounds if the prediction were left out.")


class Ranged(Row):
    """Cases that lie a factor of 4 or more inside every range limit, from the operands alone; to refuse them would be timid."""

    cases: Count
    refused: Count = Field(description="How many of them were refused all the same.")


class Expected(Row):
    """What the error was expected not to exceed, if roundings were independent errors with zero mean. No verdict depends on it."""

    factor: Magnitude = Field(description="λ: the expected bound is so many standard deviations, beside what is lost for certain.")
    failure_probability: Share = Field(description="Probability, in the model, that a case exceeds it at one of its entries.")
    tightness_median: Magnitude = Field(description="Expected bound over measured error, ‖·‖∞, median over these cases; infinite where the error is 0.")
    exceeded: Count = Field(description="Of these cases, those of which an entry exceeded it.")
    cases: Count = Field(description="Judged cases of which it was asked; so many times the failure probability may exceed it on average.")
    asked: Count = Field(description="Cases of which it was computed: the first 128 of the first of every eight batches. Refused ones count, too.")


class Unrefined(Row):
    """The cell's first batch with bounds that use no refinement, as on a machine that adds in an unknown order. Cells of one scenario alone have it."""

    cases: Count = Field(description="Cases of the batch that were judged.")
    holds: Count = Field(description="Of those, cases that hold with these bounds, too.")
    noticed: Count = Field(description="Of those that hold, cases whose planted wrong update was noticed.")
    resolution: Magnitude = Field(description="Rigorous: median of the cell's resolution over the batch with these bounds.")
    refined: Magnitude = Field(description="Rigorous: the same with all refinements.")


class CellRecord(Row):
    """One square of the grid: many cases of one claim, block, numerics, variant and scenario."""

    id: Name = Field(description="claim/block/numerics/variant/scenario; unique in the run.")
    claim: Name
    block: Name
    format: Name
    numerics: Name
    variant: Name
    scenario: Name
    device: Name = Field(description="cpu or cuda, as the run's environment; of a cell that was not measured it may be 'not asked'.")
    cases: Count
    batch: Count | None = Field(default=None, description="Cases that were computed at once, on which the kernels that a library chooses may depend.")
    verdict: Verdict
    reason: Name | None = Field(default=None, description="In words: why not HOLDS, or what was refused.")
    error: Spread | None = Field(default=None, description="Measured: |left - right| at the first dense layer, infinity norm.")
    bound: Spread | None = Field(default=None, description="Rigorous: the bound on it, infinity norm.")
    tightness: Quantiles | None = Field(default=None, description="Bound over error, case by case; infinite where the error is 0.")
    expected: Expected | None = Field(default=None, description="Probabilistic: the expected bound at the first dense layer.")
    worst_ratio: Magnitude | None = Field(
        default=None, description="Largest measured error over rigorous bound, entry by entry, at the first dense layer and at the block's output."
    )
    worst_site: Literal["first layer", "output"] | None = None
    resolution: Magnitude | None = Field(
        default=None,
        description="Rigorous: median over judged cases of bound over size of the update's effect, at the first dense layer or, with a skip "
        "connection, at the output if it is larger there; 1 or more is VACUOUS.",
    )
    output_resolution: Magnitude | None = Field(
        default=None, description="Rigorous over measured: median of the bound at the block's output over the change that the update makes there."
    )
    context_effect: Magnitude | None = Field(
        default=None, description="Measured: median of ‖ΔA‖/‖A(C∖Y,x)‖ over judged cases, what the removed part of the context does to the network's input."
    )
    output_blind: Count = Field(default=0, description="Holding cases for which that is 1 or more: only the first dense layer tests the update in them.")
    counts: Counts = Counts()
    reasons: dict[Name, Count] = Field(default={}, description="How many inconclusive cases for each reason.")
    mutant: Name | None = Field(default=None, description="What the planted wrong update is.")
    mutant_verdict: Verdict | None = Field(
        default=None, description="VIOLATED if the planted wrong update was noticed in at least half of the cases where the right one holds."
    )
    mutant_caught: Count = Field(default=0, description="Cases whose planted wrong update was noticed.")
    certified: Certified | None = None
    well_inside: Ranged | None = None
    recomputed: Recomputed | None = None
    unrefined: Unrefined | None = Field(default=None, description="What of the cell does not depend on what is known of the machine's sums.")
    independent: bool = Field(
        default=True, description="Whether each case was drawn by itself. Where they have draws in common, their spread is not that of another seed's."
    )
    as_written: bool = Field(
        default=False,
        description="Whether the block is a user's as it is written, bounded operator by operator: so far without a witness.",
    )
    seconds: Finite = 0.0
    cases_digest: Digest | None = Field(default=None, description="Of the cell's rows in cases.parquet, every bit of them; null if nothing was measured.")
    witness: Name | None = Field(default=None, description="Its gravest case: a file in the run's folder.")
    witness_digest: Digest | None = Field(default=None, description="Of that file.")

    @model_validator(mode="after")
    def _named_after_its_parts(self) -> Self:
        """A cell whose id says one thing and whose fields say another was edited."""
        expected = str(CellId(self.claim, self.block, self.numerics, self.variant, self.scenario))
        if self.id != expected:
            raise ValueError(f"the cell's id is {self.id}, but its fields say {expected}")
        return self


class NearZeroLevel(Row):
    """The cases at one distance from a = 0."""

    norm: Magnitude = Field(description="Median of ‖a‖ at this level.")
    error: Magnitude = Field(description="Measured: largest of ‖left - right‖/‖WΔA‖ over the cases; Infinity if one is not finite.")
    error_median: Magnitude
    bound: Magnitude = Field(description="Rigorous: largest of ‖bound‖/‖WΔA‖; Infinity where the update was refused.")
    refused: Share = Field(description="Share of the cases that were refused.")
    cases: Count


class NearZeroSweep(Row):
    """How one variant in one format behaves as ‖a‖ goes to zero."""

    block: Name
    format: Name
    numerics: Name
    variant: Name
    predicted_radius: Magnitude = Field(description="From the range limits of the format and the operands' sizes alone.")
    measured_radius: Magnitude = Field(
        description="Measured: the largest power of two at and below which a case errs by over a tenth of ‖WΔA‖ or is not finite."
    )
    predicted_by: Name = Field(description="Which range limit sets the predicted radius.")
    timid_by: Magnitude = Field(
        description="Powers of two by which the predicted radius may lie above the measured one, from the width and the format; infinite where the "
        "limit is of a tiny W, which may lose all at any distance."
    )
    levels: list[NearZeroLevel]


class NotSwept(Row):
    """A sweep that was planned and broke, or for which the time did not suffice."""

    block: Name
    format: Name
    variant: Name
    reason: Name
    verdict: Literal[Verdict.ERROR, Verdict.TIMEOUT] = Verdict.ERROR
