"""What the suite may say of a claim or a cell: one word each, and never a kinder one than was earned.

A word is a plain string in the record, so that a report or a gate needs none of the machinery that found it.
"""

from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of one claim, one mutant, one case or one cell."""

    HOLDS = "HOLDS"
    """Proved for the stated scope, or measured inside a bound that would have noticed a wrong update."""

    VIOLATED = "VIOLATED"
    """Refuted by numbers that are printed, or measured outside its bound."""

    VACUOUS = "VACUOUS"
    """Measured inside its bound, but a wrong update would have been inside it too."""

    INCONCLUSIVE = "INCONCLUSIVE"
    """Refused before the measurement: an overflow, an underflow or a singular update was predicted."""

    SKIPPED = "SKIPPED"
    """The combination makes no sense or was not asked for; the reason is recorded."""

    ERROR = "ERROR"
    """The check itself broke; nothing is known about what it was to check."""

    TIMEOUT = "TIMEOUT"
    """The check did not finish in its time; nothing is known about what it was to check."""
