"""Pictures, and the tables of their data."""

from reports.figures.dynamics_rows import dynamics_table
from reports.figures.many_queries_figure import static_picture
from reports.figures.near_zero_figure import sweep_picture
from reports.figures.near_zero_table import radii_table
from reports.figures.paper_figures import paper_pictures
from reports.figures.training_figure import training_picture

__all__ = ["dynamics_table", "paper_pictures", "radii_table", "static_picture", "sweep_picture", "training_picture"]
