"""The rows of the record that are measurements on many cases: cells, their figures, and the sweeps towards a = 0."""

from typing import Literal, Self

from pydantic import Field, model_validator

from reports.record.row import Real, Row
from symbolic.vocabulary import CellId, Verdict


class Spread(Row):
    """Largest and median value over the judged cases of a cell."""

    max: Real
    median: Real


class Quantiles(Row):
    """Ten, fifty and ninety percent of the judged cases lie below."""

    p10: Real
    median: Real
    p90: Real


class Counts(Row):
    """How many cases of a cell got which verdict."""

    holds: int = 0
    violated: int = 0
    vacuous: int = 0
    inconclusive: int = 0

    @property
    def judged(self) -> int:
        """Those that were not refused."""
        return self.holds + self.violated + self.vacuous


class Certified(Row):
    """Cases of the cell whose sides were compared with real arithmetic, by balls."""

    cases: int = Field(description="Judged cases whose measured sides were compared with the ball of the exact one.")
    by_formula: int = Field(description="Cases, the worst ones, in which the patched formula itself ran over balls and came to the same.")
    seconded: int = Field(description="Of those, cases in which mpmath's interval arithmetic agreed with the balls at the entry nearest to its bound.")
    left: Real = Field(description="Certified: largest error of the left side, in infinity norm, over the sample.")
    right: Real = Field(description="Certified: the same for the right side.")
    inside: bool = Field(description="Whether each side of each of these cases lay inside its own radius, and both references agreed.")


class Recomputed(Row):
    """What an A(C∖Y,x) that the patched pass computed anew, and otherwise, moved the first dense layer by."""

    cases: int = Field(description="Measured: judged cases in which it came out different.")
    moved: Spread = Field(description="‖(WΔA)(aᵀε)/‖a‖² + Wε‖∞ over the judged cases, computed in fp64; the error is what is left without it.")
    noticed: int = Field(description="Judged cases that would lie outside their bounds if the prediction were left out.")


class Ranged(Row):
    """Cases that lie a factor of 4 or more inside every range limit, from the operands alone; to refuse them would be timid."""

    cases: int
    refused: int = Field(description="How many of them were refused all the same.")


class Expected(Row):
    """What the error was expected not to exceed, if roundings were independent errors with zero mean. No verdict depends on it."""

    factor: Real = Field(description="λ: the expected bound is so many standard deviations, beside what is lost for certain.")
    failure_probability: float = Field(description="Probability, in the model, that a case exceeds it at one of its entries.")
    tightness_median: Real = Field(description="Expected bound over measured error, ‖·‖∞, median over the judged cases; infinite where the error is 0.")
    exceeded: int = Field(description="Judged cases of which an entry exceeded it.")
    cases: int = Field(description="Judged cases; so many times the failure probability may exceed it on average.")


class Unrefined(Row):
    """The cell's first batch with bounds that use no refinement, as on a machine that adds in an unknown order. Cells of one scenario alone have it."""

    cases: int = Field(description="Cases of the batch that were judged.")
    holds: int = Field(description="Of those, cases that hold with these bounds, too.")
    noticed: int = Field(description="Of those that hold, cases whose planted wrong update was noticed.")
    resolution: Real = Field(description="Rigorous: median of the cell's resolution over the batch with these bounds.")
    refined: Real = Field(description="Rigorous: the same with all refinements.")


class CellRecord(Row):
    """One square of the grid: many cases of one claim, block, numerics, variant and scenario."""

    id: str = Field(description="claim/block/numerics/variant/scenario; unique in the run.")
    claim: str
    block: str
    format: str
    numerics: str
    variant: str
    scenario: str
    device: str
    cases: int
    batch: int | None = Field(default=None, description="Cases that were computed at once, on which the kernels that a library chooses may depend.")
    verdict: Verdict
    reason: str | None = Field(default=None, description="In words: why not HOLDS, or what was refused.")
    error: Spread | None = Field(default=None, description="Measured: |left - right| at the first dense layer, infinity norm.")
    bound: Spread | None = Field(default=None, description="Rigorous: the bound on it, infinity norm.")
    tightness: Quantiles | None = Field(default=None, description="Bound over error, case by case; infinite where the error is 0.")
    expected: Expected | None = Field(default=None, description="Probabilistic: the expected bound at the first dense layer.")
    worst_ratio: Real | None = Field(
        default=None, description="Largest measured error over rigorous bound, entry by entry, at the first dense layer and at the block's output."
    )
    worst_site: Literal["first layer", "output"] | None = None
    resolution: Real | None = Field(
        default=None,
        description="Rigorous: median over judged cases of bound over size of the update's effect, at the first dense layer or, with a skip "
        "connection, at the output if it is larger there; 1 or more is VACUOUS.",
    )
    output_resolution: Real | None = Field(
        default=None, description="Rigorous over measured: median of the bound at the block's output over the change that the update makes there."
    )
    output_blind: int = Field(default=0, description="Holding cases for which that is 1 or more: only the first dense layer tests the update in them.")
    counts: Counts = Counts()
    reasons: dict[str, int] = Field(default={}, description="How many inconclusive cases for each reason.")
    mutant: str | None = Field(default=None, description="What the planted wrong update is.")
    mutant_verdict: Verdict | None = Field(
        default=None, description="VIOLATED if the planted wrong update was noticed in at least half of the cases where the right one holds."
    )
    mutant_caught: int = Field(default=0, description="Cases whose planted wrong update was noticed.")
    certified: Certified | None = None
    well_inside: Ranged | None = None
    recomputed: Recomputed | None = None
    unrefined: Unrefined | None = Field(default=None, description="What of the cell does not depend on what is known of the machine's sums.")
    independent: bool = Field(
        default=True, description="Whether each case was drawn by itself. Where they have draws in common, their spread is not that of another seed's."
    )
    seconds: float = 0.0
    witness: str | None = None

    @model_validator(mode="after")
    def _named_after_its_parts(self) -> Self:
        """A cell whose id says one thing and whose fields say another was edited."""
        expected = str(CellId(self.claim, self.block, self.numerics, self.variant, self.scenario))
        if self.id != expected:
            raise ValueError(f"the cell's id is {self.id}, but its fields say {expected}")
        return self


class NearZeroLevel(Row):
    """The cases at one distance from a = 0."""

    norm: Real = Field(description="Median of ‖a‖ at this level.")
    error: Real = Field(description="Measured: largest of ‖left - right‖/‖WΔA‖ over the cases; Infinity if one is not finite.")
    error_median: Real
    bound: Real = Field(description="Rigorous: largest of ‖bound‖/‖WΔA‖; Infinity where the update was refused.")
    refused: float = Field(description="Share of the cases that were refused.")
    cases: int


class NearZeroSweep(Row):
    """How one variant in one format behaves as ‖a‖ goes to zero."""

    block: str
    format: str
    numerics: str
    variant: str
    predicted_radius: Real = Field(description="From the range limits of the format and the operands' sizes alone.")
    measured_radius: Real = Field(description="Measured: the largest power of two at and below which a case errs by over a tenth of ‖WΔA‖ or is not finite.")
    predicted_by: str = Field(description="Which range limit sets the predicted radius.")
    levels: list[NearZeroLevel]


class NotSwept(Row):
    """A sweep that was planned and broke, or for which the time did not suffice."""

    block: str
    format: str
    variant: str
    reason: str
    verdict: Literal[Verdict.ERROR, Verdict.TIMEOUT] = Verdict.ERROR
