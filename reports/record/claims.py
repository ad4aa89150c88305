"""The rows of the record that are proofs: claims with their false variants, and errata."""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from reports.record.row import Count, Digest, Finite, Name, Row
from symbolic.vocabulary import Verdict


class Formula(Row):
    """One formula, for a terminal and for a page."""

    text: Name = Field(description="Unicode, for a terminal.")
    latex: Name = Field(description="LaTeX without delimiters, for MathML and for copying.")


class Step(Row):
    """One line of a proof."""

    expression: Formula
    rule: Name = Field(description="The rule that leads from the line before to this one.")
    hypothesis: Name | None = Field(default=None, description="The hypothesis that the rule used, if it used one.")
    remark: str = Field(default="", description="What the proof says about the line; no program checks it.")
    in_words: bool = Field(default=False, description="Whether the line is a remark as a whole, that no program checks.")


class Counterexample(Row):
    """Exact rationals at which two sides differ, found by search and checked again by evaluation."""

    sizes: dict[Name, Count] = Field(description="The dimensions, e.g. {'d': 1, 'm': 1}.")
    values: dict[Name, list[list[Name]]] = Field(description="Each matrix by rows; entries like '-3/2'.")
    left: list[list[Name]] = Field(description="The left side, by rows.")
    right: list[list[Name]] = Field(description="The right side, by rows; a side that does not exist is [['undefined']].")
    note: str = Field(default="", description="What the numbers do not say, such as the function that f_θ stands for.")

    @property
    def differs(self) -> bool:
        """Whether the sides do."""
        return self.left != self.right


class MutantRecord(Row):
    """A claim changed to be false, and the numbers that show it."""

    id: Name
    description: Name = Field(description="What was changed, in words.")
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
    assumptions: list[Name] = []


class ClaimDigests(Row):
    """What a claim is, in four numbers: another statement, hypothesis, proof or false variant has another one."""

    statement: Digest
    hypotheses: Digest = Field(description="Of those that are assumed and those in words.")
    proof: Digest = Field(description="Of each line: the term, the rule, the hypothesis that it used, and whether a program checked it.")
    mutants: Digest = Field(description="Of each false variant's name, statement, verdict and counterexample.")


def _stated(fields: Mapping[str, Any]) -> ClaimDigests:
    """SHA-256 of the rows as JSON has them.  fields: of a claim."""
    parts = {"statement": [fields["statement"]], "hypotheses": [*fields["hypotheses"], *fields["hypotheses_in_words"]]}
    parts |= {"proof": [step.model_copy(update={"remark": ""}) for step in fields["steps"]], "mutants": fields["mutants"]}
    return ClaimDigests(**{name: hashlib.sha256("\n".join(row.model_dump_json() for row in rows).encode()).hexdigest() for name, rows in parts.items()})


class ClaimRecord(Row):
    """One claim: its statement, its proof, its mutants."""

    id: Name
    title: Name
    source: Name = Field(description="Where the paper says it.")
    hypotheses: list[Formula] = Field(description="As they were assumed, rendered from their terms.")
    hypotheses_in_words: list[Formula] = Field(default=[], description="Those that no program looks at, since they are built into the statement.")
    statement: Formula = Field(description="As it was compared, rendered from its terms.")
    remark: Formula | None = Field(default=None, description="The same in words; null where the statement is itself in words, because it has no terms.")
    verdict: Verdict
    reason: Name | None = Field(default=None, description="Why the verdict is not HOLDS; names the step that failed.")
    counterexample: Counterexample | None = Field(default=None, description="Where the claim itself fails, if it does.")
    scope: Name = Field(description="'all sizes', or the sizes for which it was shown.")
    steps: list[Step]
    mutants: list[MutantRecord]
    kernel: Kernel = Kernel()
    seconds: Finite
    digests: ClaimDigests = Field(default_factory=_stated)

    @property
    def stated(self) -> ClaimDigests:
        """The digests of what the row says; others than ``digests`` if it was changed since it was written."""
        return _stated(dict(self))

    @property
    def lines_in_words(self) -> int:
        """Lines and hypotheses that no program checks."""
        return sum(step.in_words for step in self.steps) + len(self.hypotheses_in_words)


class ErratumRecord(Row):
    """A place of the paper that does not hold as it is printed: its reading refuted, the corrected statement proved."""

    number: Count
    title: Name
    where: Name = Field(description="Section and equation in the paper.")
    wording: Name = Field(description="What the paper says there, paraphrased.")
    literal: Formula = Field(description="The same as a statement, word for word.")
    counterexample: Counterexample | None = Field(description="Where the literal statement fails; null if it was not refuted in this run.")
    correction: Name = Field(description="The corrected wording.")
    corrected: Formula = Field(description="The statement that was proved in its place.")
    claim: Name = Field(description="The claim that is that statement.")
    proved: bool = Field(description="Whether it was proved in this run.")
    to_measure: Name | None = Field(default=None, description="What a measurement can add.")
    measured: Name | None = Field(default=None, description="Measured: what it added, in words with figures; null if nothing was measured.")

    @property
    def shown(self) -> bool:
        """Whether both halves are there."""
        return self.counterexample is not None and self.counterexample.differs and self.proved
