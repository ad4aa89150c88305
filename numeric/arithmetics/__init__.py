"""One formula in four arithmetics: value and radius, value and variance, balls, intervals."""

from numeric.arithmetics.balls import Ball, ball, check_reference
from numeric.arithmetics.envelope import outward
from numeric.arithmetics.hazard import Hazards, foretell_overflow, hazards
from numeric.arithmetics.matrix_products import Enclosed
from numeric.arithmetics.value_and_radius import WithRadius, exact

__all__ = ["Ball", "Enclosed", "Hazards", "WithRadius", "ball", "check_reference", "exact", "foretell_overflow", "hazards", "outward"]
