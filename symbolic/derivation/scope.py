"""A scope: a stretch of a proof in which more is known, or less, than before it. A case distinction is one, and so is an induction.

Scopes are nested. Only the innermost one may go on or end, and at its end what was known where it began is known again: otherwise a case that has
ended could give back what another case assumed.
"""

from dataclasses import dataclass

from symbolic.derivation.knowledge import Knowledge
from symbolic.terms import Term


@dataclass(frozen=True, slots=True)
class State:
    """What a derivation knows, and where it stands, at one line."""

    known: Knowledge
    part: int
    """The part of the statement that is being proved."""
    reached: frozenset[int]
    """The parts whose right side was reached."""
    origin: Term | None
    """The first term of the chain that is being written."""
    at: Term | None
    """Its last."""


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """One that is open. Two are never the same."""

    name: str
    before: State
    """Where it began."""
