"""A part Y of the context at random positions moves into the weights, and the rest stays: Theorem 2.2 as it is stated.

C∖Y means positions, not values (erratum 8). The number of removed tokens is drawn anew for each batch, every number from 1
to all of them alike; which ones, for each case.
"""

import torch

from numeric.cells import Scenario, Subject, drawn
from numeric.cells.scenario import PART_RESOLVED, part_removed, refuses_blunt_formats
from numeric.formats import Format
from numeric.sides import Batch


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    return part_removed(*drawn(subject, cases, generator), generator)


SCENARIO = Scenario(
    "subset", "Y at random positions, from one token to all", "theorem-2.2", _draw, refuses=refuses_blunt_formats, usual=PART_RESOLVED, independent=False
)
