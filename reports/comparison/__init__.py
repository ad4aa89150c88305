"""Two runs, or many, held against each other: baseline, margins, differences, history."""

from reports.comparison.against_baseline import differences
from reports.comparison.baseline_file import BASELINE_FILE, load_baseline, save_baseline
from reports.comparison.changes import FAILING, UNACCEPTED, Comparison, DifferenceKind
from reports.comparison.rendering import as_outcomes

__all__ = ["BASELINE_FILE", "FAILING", "UNACCEPTED", "Comparison", "DifferenceKind", "as_outcomes", "differences", "load_baseline", "save_baseline"]
