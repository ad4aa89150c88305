"""Refinements: each makes bounds tighter somewhere, none makes one wider, and without any of them everything still holds."""

import numpy as np
import pytest

from numeric.cells import Measurement
from numeric.machine import ProbedMode, Refinement, refinements_named
from numeric.machine.refinements import REFINEMENTS, TITLES, UnknownRefinement
from numeric.training import TrainedBlock
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import measured

NATIVE = ["fp64", "fp32", "bf16", "fp16"]
CASES = 512


@pytest.fixture(scope="module")
def full(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> dict[str, Measurement]:
    return {name: measured(blocks["attention"], machine[name], cases=CASES) for name in NATIVE}


def test_every_refinement_has_a_title() -> None:
    assert set(TITLES) == REFINEMENTS


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("left_out", [*([row] for row in Refinement), list(Refinement)], ids=lambda rows: rows[0].value if len(rows) == 1 else "all")
def test_bounds_are_no_tighter_without(
    left_out: list[Refinement], name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], full: dict[str, Measurement]
) -> None:
    found = measured(blocks["attention"], machine[name].without(left_out), cases=CASES)
    assert found.verdict is Verdict.HOLDS
    assert np.array_equal(found.judged.error, full[name].judged.error), "a refinement is of the bound, and changes nothing that is measured"
    assert (found.judged.bound >= full[name].judged.bound).all()


@pytest.mark.parametrize("row", Refinement)
def test_each_is_worth_something(row: Refinement, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], full: dict[str, Measurement]) -> None:
    wider = [np.median(measured(blocks["attention"], machine[name].without([row]), cases=CASES).judged.bound / full[name].judged.bound) for name in NATIVE]
    assert max(wider) > 1, f"{row} tightens no bound of {NATIVE}"


def test_names() -> None:
    assert refinements_named(["exact-products"]) == [Refinement.EXACT_PRODUCTS]
    with pytest.raises(UnknownRefinement, match='did you mean "exact-products"'):
        refinements_named(["exact-product"])
