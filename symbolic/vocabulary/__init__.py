"""Words that every floor uses: verdicts, wrong calls, the name of a cell."""

from symbolic.vocabulary.cell_id import CellId
from symbolic.vocabulary.errors import CallError, MissingHypothesis, ShapeMismatch, UnknownClaim, chosen, unknown, with_its_name
from symbolic.vocabulary.verdict import Verdict

__all__ = ["CallError", "CellId", "MissingHypothesis", "ShapeMismatch", "UnknownClaim", "Verdict", "chosen", "unknown", "with_its_name"]
