"""What a record amounts to, in words: violations, doubts, headline, outcomes, grid."""

from reports.findings.faults import NOT_RUN
from reports.findings.grid import GLYPHS
from reports.findings.judge import RunStanding
from reports.findings.row_outcomes import Outcome, Status, gravest_first, in_short, outcomes
from reports.findings.run_standing import headline, taken_up

__all__ = ["GLYPHS", "NOT_RUN", "Outcome", "RunStanding", "Status", "gravest_first", "headline", "in_short", "outcomes", "taken_up"]
