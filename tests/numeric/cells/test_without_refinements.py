"""The first batch without refinements: its bounds are wider case by case, and what they show is what a cell without refinements shows."""

import numpy as np
import pytest

from numeric.machine import ProbedMode, Refinement
from numeric.training import TrainedBlock
from tests.numeric.measuring import measured


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_no_bound_is_narrower_and_the_cell_without_refinements_is_the_same(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], name: str) -> None:
    refined = measured(blocks["attention"], machine[name])
    wide = refined.unrefined
    assert wide is not None
    assert (wide.judged.bound >= wide.refined.bound).all()
    assert (wide.judged.bound > wide.refined.bound).any(), "the planted negative: with refinements it is another bound"
    assert np.array_equal(wide.judged.error, wide.refined.error), "the same cases"
    without = measured(blocks["attention"], machine[name].without(Refinement))
    for number in ("bound", "ratio", "output_ratio", "resolution", "output_resolution", "wrong_noticed", "verdict", "reason"):
        assert np.array_equal(getattr(without.judged, number), getattr(wide.judged, number)), "though there the passes ran again"
    assert without.unrefined is None, "it does without them already"
    assert measured(blocks["attention"], machine[name], scenario="near_zero", cases=32).unrefined is None
