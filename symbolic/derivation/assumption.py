"""What a proof knows at one of its lines, and how a line is refused."""

from dataclasses import dataclass

from symbolic.terms.term import Term


class StepFails(Exception):
    """A line of the proof does not follow; the message names it."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something known at this point of the proof: one of the four is given."""

    text: str
    nonzero: Term | None = None
    equal: tuple[Term, Term] | None = None
    """A rule of calculation: the first may be replaced by the second."""
    no_zero_entry: Term | None = None
    """A column that is not zero in any entry."""
    zero: Term | None = None
    """Something that is zero and is recognised where it stands alone, in no other place."""
