"""The run record: what a run found, as plain data.

One run is one folder; this is its ``run.json``. Every number says in its field's description which of three kinds it
is: *rigorous* (a proved inequality), *certified* (compared with ball arithmetic) or *measured*. Totals are computed
from the rows whenever they are asked for; a stored total that disagrees with its rows makes a record damaged.
Non-finite numbers are written as the strings "NaN", "Infinity" and "-Infinity", never as null.
"""

from collections import Counter
from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, computed_field, model_validator

from reports.record.experiments import Experiments
from reports.record.row import NotMeasured, Real, Row
from symbolic.vocabulary.verdict import Verdict

SCHEMA_VERSION = 1


class Formula(Row):
    """One formula, for a terminal and for a page."""

    text: str = Field(description="Unicode, for a terminal.")
    latex: str = Field(description="LaTeX without delimiters, for MathML and for copying.")


class Step(Row):
    """One line of a proof."""

    expression: Formula
    rule: str = Field(description="The rule that leads from the line before to this one.")
    hypothesis: str | None = Field(default=None, description="The hypothesis that the rule used, if it used one.")
    remark: str = Field(default="", description="What the proof says about the line; no program checks it.")
    in_words: bool = Field(default=False, description="Whether the line is a remark as a whole, that no program checks.")


class Counterexample(Row):
    """Exact rationals at which two sides differ, found by search and checked again by evaluation."""

    sizes: dict[str, int] = Field(description="The dimensions, e.g. {'d': 1, 'm': 1}.")
    values: dict[str, list[list[str]]] = Field(description="Each matrix by rows; entries like '-3/2'.")
    left: list[list[str]] = Field(description="The left side, by rows.")
    right: list[list[str]] = Field(description="The right side, by rows; a side that does not exist is [['undefined']].")
    note: str = Field(default="", description="What the numbers do not say, such as the function that f_θ stands for.")


class MutantRecord(Row):
    """A claim changed to be false, and the numbers that show it."""

    id: str
    description: str = Field(description="What was changed, in words.")
    why: str = Field(default="", description="Why someone might believe it.")
    statement: Formula = Field(description="As it was compared, rendered from its terms.")
    remark: Formula | None = Field(default=None, description="The same in words; null where the statement is itself in words, because it has no terms.")
    verdict: Verdict = Field(description="VIOLATED if refuted by a counterexample; anything else is a broken prover.")
    counterexample: Counterexample | None


class Kernel(Row):
    """What a proof assistant's kernel said of the claim."""

    status: Literal["not run", "checked", "failed"] = "not run"
    assumptions: list[str] = []


class ClaimRecord(Row):
    """One claim: its statement, its proof, its mutants."""

    id: str
    title: str
    source: str = Field(description="Where the paper says it.")
    hypotheses: list[Formula] = Field(description="As they were assumed, rendered from their terms.")
    hypotheses_in_words: list[Formula] = Field(default=[], description="Those that no program looks at, since they are built into the statement.")
    statement: Formula = Field(description="As it was compared, rendered from its terms.")
    remark: Formula | None = Field(default=None, description="The same in words; null where the statement is itself in words, because it has no terms.")
    verdict: Verdict
    reason: str | None = Field(default=None, description="Why the verdict is not HOLDS; names the step that failed.")
    counterexample: Counterexample | None = Field(default=None, description="Where the claim itself fails, if it does.")
    scope: str = Field(description="'all sizes', or the sizes for which it was shown.")
    steps: list[Step]
    mutants: list[MutantRecord]
    kernel: Kernel = Kernel()
    seconds: float

    @property
    def lines_in_words(self) -> int:
        """Lines and hypotheses that no program checks."""
        return sum(step.in_words for step in self.steps) + len(self.hypotheses_in_words)


class ErratumRecord(Row):
    """A place of the paper that does not hold as it is printed: its reading refuted, the corrected statement proved."""

    number: int
    title: str
    where: str = Field(description="Section and equation in the paper.")
    wording: str = Field(description="What the paper says there, paraphrased.")
    literal: Formula = Field(description="The same as a statement, word for word.")
    counterexample: Counterexample | None = Field(description="Where the literal statement fails; null if it was not refuted in this run.")
    correction: str = Field(description="The corrected wording.")
    corrected: Formula = Field(description="The statement that was proved in its place.")
    claim: str = Field(description="The claim that is that statement.")
    proved: bool = Field(description="Whether it was proved in this run.")
    to_measure: str | None = Field(default=None, description="What a measurement can add.")
    measured: str | None = Field(default=None, description="Measured: what it added, in words with figures; null if nothing was measured.")

    @property
    def shown(self) -> bool:
        """Whether both halves are there."""
        return self.counterexample is not None and self.proved


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


class Certified(Row):
    """Cases of the cell whose sides were compared with real arithmetic, by balls."""

    cases: int = Field(description="Judged cases whose measured sides were compared with the ball of the exact one.")
    by_formula: int = Field(description="CaseColumns, the worst ones, in which the patched formula itself ran over balls and came to the same.")
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
    mutant_caught: int = Field(default=0, description="CaseColumns whose planted wrong update was noticed.")
    certified: Certified | None = None
    well_inside: Ranged | None = None
    recomputed: Recomputed | None = None
    independent: bool = Field(
        default=True, description="Whether each case was drawn by itself. Where they have draws in common, their spread is not that of another seed's."
    )
    seconds: float = 0.0
    witness: str | None = None

    @model_validator(mode="after")
    def _named_after_its_parts(self) -> Self:
        """A cell whose id says one thing and whose fields say another was edited."""
        expected = "/".join((self.claim, self.block, self.numerics, self.variant, self.scenario))
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
    measured_radius: Real = Field(description="Measured: the largest power of two at which a case errs by over a tenth of ‖WΔA‖ or is not finite.")
    predicted_by: str = Field(description="Which range limit sets the predicted radius.")
    levels: list[NearZeroLevel]


class NotSwept(Row):
    """A sweep that was planned and broke, or for which the time did not suffice."""

    block: str
    format: str
    variant: str
    reason: str
    verdict: Literal[Verdict.ERROR, Verdict.TIMEOUT] = Verdict.ERROR


class Probe(Row):
    """One question that was put to the machine, and its answer."""

    id: str
    question: str
    answer: str


class Refinement(Row):
    """A rule that makes bounds tighter."""

    id: str
    title: str
    used: bool = Field(description="Whether the bounds of this run used it; a run can do without, to compare.")


class Bounds(Row):
    """What the rigorous bounds of a run rest on."""

    refinements: list[Refinement]
    assumptions: list[str] = Field(description="What every bound takes for granted, in words.")


class Environment(Row):
    """Where the run ran."""

    python: str
    platform: str
    processor: str
    torch: str
    device: str
    blas: str
    threads: int
    commit: str
    versions: dict[str, str]
    probes: list[Probe]


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
    certified: int = Field(description="CaseColumns whose sides were compared with ball arithmetic.")
    well_inside: int = Field(description="CaseColumns a factor of 4 or more inside every range limit.")
    well_inside_refused: int = Field(description="How many of those were refused all the same.")
    worst_ratio: Real | None
    worst_cell: str | None
    wrong_updates: int = Field(description="Cells that measured a planted wrong update.")
    wrong_updates_caught: int


class RunRecord(Row):
    """Everything that a run found."""

    schema_version: int = SCHEMA_VERSION
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
            mutants_refuted=sum(m.verdict is Verdict.VIOLATED and m.counterexample is not None for c in self.claims for m in c.mutants),
            cells=dict(Counter(cell.verdict.value for cell in self.cells)),
            cases=sum(cell.cases for cell in self.cells),
            holds=sum(cell.counts.holds for cell in self.cells),
            violated=sum(cell.counts.violated for cell in self.cells),
            vacuous=sum(cell.counts.vacuous for cell in self.cells),
            inconclusive=sum(cell.counts.inconclusive for cell in self.cells),
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
