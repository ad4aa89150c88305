"""A line of a proof, and the refusal of one."""

from dataclasses import dataclass


class StepFails(Exception):
    """A line of the proof does not follow; the message names it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a proof."""

    text: str
    latex: str
    rule: str
    """The rule that leads from the line before to this one: what was checked."""
    hypothesis: str | None = None
    """The hypotheses without which the rule does not apply, found by trying without."""
    remark: str = ""
    """What the proof script says about it; no program checks that."""
    in_words: bool = False
    """Whether the line is a remark as a whole: it explains a notation, or says in words what the equalities mean together."""
