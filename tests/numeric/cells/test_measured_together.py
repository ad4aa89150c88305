"""Cells that differ in their variant alone are measured together: each comes out as it does alone, bit for bit."""

from dataclasses import fields, replace

import numpy as np
import pytest

from numeric.cells import Measurement, measure_cell
from numeric.cells.measurement import measure_variants
from numeric.machine import ProbedMode
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic import formulas
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import a_cell


def same(one: Measurement, other: Measurement) -> bool:
    """Whether every number of every case, the certificates and the witness are equal; NaN is like NaN."""
    pairs = [(getattr(one.judged, each.name), getattr(other.judged, each.name)) for each in fields(one.judged)]
    numbers = all(np.array_equal(a, b, equal_nan=a.dtype == np.float64) for a, b in pairs)
    assert one.witness is not None
    assert other.witness is not None
    rest = (one.certificates, one.compared) == (other.certificates, other.compared)
    return numbers and rest and one.witness.to_bytes() == other.witness.to_bytes()


TRIED = [("attention", "fp32", "random"), ("attention-skip", "bf16", "recompute"), ("pre-ln", "fp16", "subset")]


@pytest.mark.parametrize(("block", "mode", "scenario"), TRIED)
def test_each_is_as_it_is_alone(block: str, mode: str, scenario: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    cells = [a_cell(blocks[block], replace(machine[mode], batch=64), variant, scenario, cases=100) for variant in VARIANTS]
    together = measure_variants(cells, 3)
    alone = [measure_cell(cell, 3) for cell in cells]
    assert all(map(same, together, alone))
    assert not same(together[0], alone[1]), "what is compared tells two variants apart"
    assert {found.verdict for found in together} == {Verdict.HOLDS}
    if scenario == "random":
        wide = [(a.unrefined, b.unrefined) for a, b in zip(together, alone, strict=True)]
        assert all(a is not None and b is not None and np.array_equal(a.judged.bound, b.judged.bound) for a, b in wide)


def test_an_update_of_one_variant_is_not_taken_for_another(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """The planted defect: a variant that updates twice is violated between two that hold, and they hold."""
    wrong = replace(VARIANTS[0], id="wrong", update=lambda W, delta, a: formulas.rank_one_update(W, delta, a) + formulas.rank_one_update(W, delta, a))
    cells = [a_cell(blocks["attention"], machine["fp32"], variant, cases=64) for variant in (VARIANTS[0], wrong, VARIANTS[1])]
    assert [found.verdict for found in measure_variants(cells, 0)] == [Verdict.HOLDS, Verdict.VIOLATED, Verdict.HOLDS]
