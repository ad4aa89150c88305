"""The rows of the record that are of a block as it is written: what was found in it, and how it did on many prompts, in float64.

All of it is measured. What is allowed between two passes, n u κ, is an estimate of what roundings of float64 can make of them, and no bound.
"""

from pydantic import Field

from reports.record.row import Count, Digest, Finite, Magnitude, Name, Row
from symbolic.vocabulary import Verdict

WHOLE = "random"
"""The scenario that removes the whole context; every case of it is drawn by itself. In the other one the cases of a batch lack the same tokens."""

SCENARIO_CLAIM = {WHOLE: "corollary-2.3.1", "subset": "theorem-2.2"}
"""Of each scenario: of the whole context, and of a part of it."""


WRONG_PATCHES = ("no patch at all", "ΔW with ‖z‖² in place of ‖a‖²", "ΔW without the absorber's part", "the absorber's part without ΔW")
"""Each is planted in a block as it is written, or left out for a reason."""


class WatchedRecord(Row):
    """What was found in a block by watching it, operator by operator."""

    block: Name
    weights: Digest = Field(description="Of every weight, bit for bit.")
    parameters: Count
    width: Count = Field(description="Of a token.")
    first: list[Name] = Field(description="The parameters that are W, as the user named them.")
    cuts: list[Name] = Field(description="The operators that read W, each with the line that called it.")
    stream: Name | None = Field(description="The operator in which the network meets what goes past it; null if nothing that reads the context does.")
    absorber: Name | None = Field(description="The parameter that takes what the stream lacks without the context.")
    absorbs_as: Name | None = Field(description="bias, scale, matrix or several.")
    claims: list[Name] = Field(description="Claims by which the patch is right, beside the scenario's.")
    unproved: list[Name] = Field(description="Those of them that are not proved.")
    way: Name = Field(description="How patched passes run.")
    operators: list[Name] = Field(description="From the cut on, each once: those that a bound would need a rule for.")
    casts: list[Name] = Field(description="Lines that cast to a shorter format, which is left out here.")
    notes: list[Name] = Field(description="What does not run here as it usually does, or was not seen.")
    off: Magnitude = Field(description="Measured on a few small cases: largest difference of a patched pass from that with the context, over the output.")
    allowed: Magnitude = Field(description="An estimate, no bound: what roundings of float64 can make of it.")
    planted: dict[Name, Magnitude] = Field(description="Wrong patches, and that difference.")
    left_out: dict[Name, Name] = Field(description="Wrong patches that are none for this block, and why.")


class InDoubleRecord(Row):
    """Many prompts of one scenario, in float64."""

    block: Name
    variant: Name
    scenario: Name
    claim: Name
    cases: Count
    refused: Count = Field(description="Cases without an update: what the patch is divided by cannot be told from zero, or a number is not finite.")
    unequal: Count = Field(description="Cases in which the patched pass is farther from the pass with the context than is allowed.")
    off: Magnitude = Field(description="Measured: the largest difference, of the largest entry of a case's output.")
    worst_ratio: Magnitude = Field(description="The largest difference over what is allowed.")
    planted: dict[Name, tuple[Count, Count]] = Field(description="By wrong patch: in how many cases it was noticed, and of how many.")
    seconds: Finite

    @property
    def name(self) -> str:
        """Unique within a run."""
        return f"{self.block}/{self.variant}/{self.scenario}"

    @property
    def judged(self) -> int:
        """Cases in which there was something to compare."""
        return self.cases - self.refused

    @property
    def independent(self) -> bool:
        """Whether each case was drawn by itself, so that another seed has as many of a kind but for chance."""
        return self.scenario == WHOLE

    @property
    def unnoticed(self) -> list[str]:
        """Wrong patches that were noticed in less than half of the cases in which they are wrong."""
        return [words for words, (noticed, tried) in self.planted.items() if 2 * noticed < tried]

    @property
    def unaffected(self) -> bool:
        """Whether no wrong patch is another one than the right one in any judged case: what was removed changes nothing there."""
        return bool(self.judged and self.planted) and not any(tried for _, tried in self.planted.values())

    @property
    def verdict(self) -> Verdict:
        """VIOLATED for one unequal case; HOLDS only if every wrong patch was noticed in at least half of the cases."""
        if self.unequal or not self.worst_ratio <= 1:
            return Verdict.VIOLATED
        if not self.judged or self.unaffected:
            return Verdict.INCONCLUSIVE
        return Verdict.VACUOUS if self.unnoticed or not self.planted else Verdict.HOLDS
