"""The rows of the record that are proofs: claims with their false variants, and errata."""

from typing import Literal

from pydantic import Field

from reports.record.row import Row
from symbolic.vocabulary import Verdict


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

    @property
    def differs(self) -> bool:
        """Whether the sides do."""
        return self.left != self.right


class MutantRecord(Row):
    """A claim changed to be false, and the numbers that show it."""

    id: str
    description: str = Field(description="What was changed, in words.")
    why: str = Field(default="", description="Why someone might believe it.")
    statement: Formula = Field(description="As it was compared, rendered from its terms.")
    remark: Formula | None = Field(default=None, description="The same in words; null where the statement is itself in words, because it has no terms.")
    verdict: Verdict = Field(description="VIOLATED if refuted by a counterexample; anything else is a broken prover.")
    counterexample: Counterexample | None

    @property
    def refuted(self) -> bool:
        """Whether there are numbers that show it."""
        return self.verdict is Verdict.VIOLATED and self.counterexample is not None and self.counterexample.differs


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
        return self.counterexample is not None and self.counterexample.differs and self.proved
