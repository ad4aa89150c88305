"""Both sides of a claim on one batch of cases: measured, bounded, judged, certified."""

from numeric.sides.batch import Batch, block_in_format, in_format, seed_of
from numeric.sides.both_sides import Sides, measure_sides
from numeric.sides.judging import Judged, judge
from numeric.sides.variant import Variant, variants_named

__all__ = ["Batch", "Judged", "Sides", "Variant", "block_in_format", "in_format", "judge", "measure_sides", "seed_of", "variants_named"]
