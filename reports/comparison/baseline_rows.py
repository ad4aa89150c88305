"""What a baseline keeps: one line a claim, an erratum, a cell and a sweep, and where it comes from."""

from pydantic import Field

from reports.findings import Status
from reports.record.row import Real, Row
from symbolic.vocabulary import Verdict

BASELINE_VERSION = 3


class Accepted(Row):
    """Why a baseline was taken."""

    date: str = Field(description="UTC, of the run's end.")
    run: str
    reason: str


class Origin(Row):
    """Where a baseline comes from; by this it is known what may be compared."""

    run: str
    profile: str
    seed: int
    schema_version: int = Field(description="Of the run's record.")
    exit_status: int | None = Field(description="Of the run.")
    machine: dict[str, str] = Field(description="What decides how numbers come out, bit by bit: processor, torch, device, blas, threads.")
    probes: dict[str, str] = Field(description="Hash of what the machine answered, by the question. It names the shapes of the run's blocks, too.")
    recipes: dict[str, str] = Field(description="Hash of everything that determines a block's weights, by the block.")
    weights: dict[str, str] = Field(default={}, description="Digest of a block's weights, by the block.")
    suite: str = Field(default="", description="The version of the suite.")
    refinements: list[str] = Field(description="The rules that made the bounds tighter.")
    assumptions: list[str] = Field(description="What the bounds take for granted, in words.")


class ClaimLine(Row):
    """A claim: what was shown, and by how much."""

    verdict: Verdict
    scope: str
    statement: str
    hypotheses: list[str] = Field(description="All that was assumed.")
    lines: int = Field(description="Of its proof.")
    proof: str = Field(default="", description="Digest of them.")
    in_words: int = Field(description="Lines and hypotheses that no program checks.")
    kernel: str = Field(description="What a proof assistant's kernel said.")
    kernel_assumes: list[str] = Field(default=[], description="What it took for granted.")
    refuted: dict[str, str] = Field(description="The statements of the false variants that were refuted.")
    numbers: dict[str, str] = Field(default={}, description="Digest of the numbers that refuted each.")
    typeset: dict[str, str] = Field(default={}, description="Digests of the statement and the hypotheses as LaTeX, which a page shows.")


class ErratumLine(Row):
    """An erratum."""

    shown: bool = Field(description="Whether the printed statement was refuted and the corrected one proved.")
    printed: str
    corrected: str
    measured: bool = Field(description="Whether there was a measurement.")
    claim: str = Field(default="", description="The claim that corrects it.")
    typeset: dict[str, str] = Field(default={}, description="Digests of both statements as LaTeX.")


class CellLine(Row):
    """A cell. Numbers are absent where no case was judged, margins where no case is at hand."""

    verdict: Verdict
    numerics: str
    cases: int = 0
    holds: int = 0
    violated: int = 0
    vacuous: int = 0
    refused: int = 0
    reasons: dict[str, int] = Field(default={}, description="Refused cases by their reason.")
    noticed: int = Field(default=0, description="Holding cases whose planted wrong update was noticed.")
    blind: int = Field(default=0, description="Holding cases that the bound at the block's output does not test.")
    inside: int = Field(default=0, description="Cases a factor of 4 inside every range limit; a refusal of one is timid.")
    timid: int = Field(default=0, description="Refused ones among them.")
    moved: int = Field(default=0, description="Cases in which a recomputed A(C∖Y,x) came out different.")
    moves_noticed: int = Field(default=0, description="Cases that would lie outside their bounds if what it moves were left out.")
    certified: int = Field(default=0, description="Cases whose sides were compared with balls.")
    by_formula: int = Field(default=0, description="Cases in which the formula itself ran over balls.")
    mutant: str | None = Field(default=None, description="What the planted wrong update was.")
    independent: bool = Field(default=True, description="Whether each case was drawn by itself.")
    absent: list[str] = Field(default=[], description="The record's fields that the cell did without.")
    worst: Real | None = Field(default=None, description="Measured: the largest error over bound.")
    worst_limit: Real | None = Field(default=None, description="Probabilistic: what the largest one of another seed does not exceed.")
    tail: tuple[Real, Real] | None = Field(default=None, description="Of its square: a threshold and the mean excess, for a limit of more cases.")
    tightness: Real | None = Field(default=None, description="Median of bound over error.")
    tightness_order: list[tuple[int, Real]] = Field(default=[], description="Bound over error: a place among all judged cases, and the value there.")
    resolution: Real | None = Field(
        default=None, description="Rigorous: median of the bound over the update's effect; the same to the last bits if nothing but the seed is the same."
    )
    resolution_order: list[tuple[int, Real]] = Field(default=[], description="The same of the bound over the update's effect.")
    output_resolution: Real | None = Field(default=None, description="Rigorous: as resolution, at the block's output.")
    unrefined: Real | None = Field(default=None, description="Rigorous: resolution without any refinement, of one batch.")
    wider: Real | None = Field(default=None, description="How many times as large that is as with all refinements.")
    bound: Real | None = Field(default=None, description="Rigorous: the median of the bounds themselves.")
    bound_order: list[tuple[int, Real]] = Field(default=[], description="The same of the bounds themselves.")
    error: Real | None = Field(default=None, description="Measured: the median of the errors themselves.")
    error_order: list[tuple[int, Real]] = Field(default=[], description="The same of the errors themselves.")
    effect: Real | None = Field(default=None, description="Measured: the median of what the context does to the network's input.")
    output_order: list[tuple[int, Real]] = Field(default=[], description="The same of the bound over the update's effect at the block's output.")
    expected: Real | None = Field(default=None, description="Median of the expected bound over the error, of the cases of which it was asked.")
    expected_order: list[tuple[int, Real]] = Field(default=[], description="The same of these: places among the cases of which it was asked.")
    expected_terms: tuple[Real, Real] | None = Field(
        default=None, description="The expected bound's factor and failure probability, on which no draw has a part."
    )
    expected_cases: int = Field(default=0, description="Judged cases of which the expected bound was asked.")
    exceeded: int = Field(default=0, description="How many of these exceeded it.")
    batch: int | None = Field(default=None, description="Cases that were computed at once.")
    figures: dict[str, str] = Field(default={}, description="Digests of what the record shows of the cell: the same on the same operands.")
    unrefined_counts: tuple[int, int, int] | None = Field(default=None, description="Without refinements: cases judged, that hold, and that notice.")

    @property
    def judged(self) -> int:
        """Cases that were not refused."""
        return self.holds + self.violated + self.vacuous


class SweepLine(Row):
    """A sweep towards a = 0."""

    status: Status
    measured: Real
    predicted: Real
    timid_by: Real | None = Field(default=None, description="Powers of two by which the predicted radius may lie above the measured one.")
    figures: dict[str, str] = Field(default={}, description="Digests, as in a cell's line.")
    cases: int = Field(description="At each distance.")
    nearest: Real = Field(description="The smallest distance.")
    apart: Real = Field(description="The largest quotient of two neighbouring distances.")


class Baseline(Row):
    """What runs are held to."""

    baseline_version: int = BASELINE_VERSION
    accepted: list[Accepted] = Field(description="The newest last.")
    origin: Origin
    chance: float = Field(description="That a run of the same code passes one of the margins: of each margin.")
    claims: dict[str, ClaimLine]
    errata: dict[str, ErratumLine] = Field(description="By number.")
    cells: dict[str, CellLine]
    sweeps: dict[str, SweepLine]
    others: dict[str, Status] = Field(description="Trained blocks and experiments: what they came to.")
    figures: dict[str, dict[str, str]] = Field(
        default={}, description="Of each trained block and experiment, digests of what the record shows: the same on the same machine and weights."
    )
    amounts: dict[str, int] = Field(description="How much of each experiment there is: prompts, trials, points.")
    not_measured: dict[str, dict[str, str]] = Field(default={}, description="What was left out, by the block, with the reason.")
    allowed: dict[str, Real] = Field(description="What a trained block's loss, or a stack's difference, may be at most.")

    @property
    def has_margins(self) -> bool:
        """Whether the run's cases were at hand."""
        return any(line.worst_limit is not None for line in self.cells.values())
