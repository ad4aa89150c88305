"""What a CI reads: junit.xml, summary.md, annotations."""

from reports.ci.files import against_baseline, write_for_ci
from reports.ci.github_annotations import annotations, annotations_of

__all__ = ["against_baseline", "annotations", "annotations_of", "write_for_ci"]
