"""Many batches of cases: what is drawn, what is left out, the witness and its replay."""

from numeric.cells.cell import Cell
from numeric.cells.exclusions import exclusion_reason
from numeric.cells.measurement import Measurement, measure_cell
from numeric.cells.scenario import Scenario, claim_of, drawn
from numeric.cells.subject import Subject, variant_of
from numeric.cells.witness import Witness

__all__ = ["Cell", "Measurement", "Scenario", "Subject", "Witness", "claim_of", "drawn", "exclusion_reason", "measure_cell", "variant_of"]
