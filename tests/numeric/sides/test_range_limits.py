"""Refusals are not timid: hardly a case that lies a factor of 4 or more inside every range limit is refused."""

import numpy as np
import pytest
import torch

from numeric.formats import MODES
from numeric.machine import ProbedMode
from numeric.sides import Variant, judging
from numeric.sides.range_limits import range_losses, well_inside
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from tests.numeric.measuring import measured

TIMID = 0.01
"""The share of such cases that may be refused."""

CASES = 2048
ON_A_CPU = [mode.id for mode in MODES if "cpu" in mode.runs_on]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
@pytest.mark.parametrize("name", ON_A_CPU)
def test_what_lies_well_inside_is_hardly_ever_refused(name: str, variant: Variant, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    judged = measured(blocks["attention"], machine[name], variant, "near_zero", CASES).judged
    inside, refused = judged.well_inside, judged.reason != ""
    assert inside.sum() > CASES / 8, "most distances of some format lie outside, but not so many"
    assert (inside & refused).sum() <= TIMID * inside.sum()
    # And it is no empty word: further in there is nothing that is refused, and what is refused lies outside.
    assert refused.any()
    assert not inside[refused].all()


def test_a_timid_prediction_is_noticed(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative: cases refused from ‖a‖ = 2^-20 on, far above where fp32 has its limit."""
    real = judging._reasons
    monkeypatch.setattr(
        judging, "_reasons", lambda sides: np.where(sides.a.double().norm(dim=-1).numpy() < 2.0**-20, "NormUnderflow", real(sides)).astype(object)
    )
    judged = measured(blocks["attention"], machine["fp32"], VARIANTS[0], "near_zero", CASES).judged
    inside, refused = judged.well_inside, judged.reason != ""
    assert (inside & refused).sum() > TIMID * inside.sum()


@pytest.mark.parametrize(("a", "inside"), [(1.0, True), (2.0**-5, True), (2.0**-11, False), (0.0, False), (float("nan"), False), (200.0, False)])
def test_by_hand_in_fp16(a: float, inside: bool, machine: dict[str, ProbedMode]) -> None:
    """‖a‖² underflows below about 2^-12 and overflows above about 2^8; a factor of 4 from either is no longer well inside."""
    vector = torch.full((1, 1), a, dtype=torch.float64)
    effect = torch.ones((1, 1), dtype=torch.float64)
    assert bool(well_inside(effect, vector, VARIANTS[0], machine["fp16"])) is inside


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
def test_entries_that_are_read_as_zero_are_lost_where_products_flush(variant: Variant, machine: dict[str, ProbedMode]) -> None:
    """Of e = (0.8, 0.6) at ρ = λ/0.7 the second entry is subnormal: a share 0.36 of ‖e‖² is lost if products flush, and none if they do not.

    Nor of a factored update, whose aᵀx and ‖a‖² lose the same.
    """
    e, v = torch.tensor([[0.8, 0.6]], dtype=torch.float64), torch.ones((1, 2), dtype=torch.float64)
    rho = torch.tensor([machine["fp32"].mode.range.smallest_normal / 0.7], dtype=torch.float64)
    name = "products read subnormal entries of a as zero"
    lost = {mode: float(range_losses(v, e, rho, variant, machine[mode]).get(name, 0.0)) for mode in ("fp32", "fp32-ftz")}
    assert lost["fp32"] == 0
    assert abs(lost["fp32-ftz"] - (0.0 if variant.factored else 0.36)) <= 2.0**-50


@pytest.mark.parametrize(("exponent", "lost"), [(-20, 2.0**-5), (-22, 2.0**-3)])
def test_what_an_underflowing_numerator_loses_by_hand(exponent: int, lost: float, machine: dict[str, ProbedMode]) -> None:
    """Of e = (1) and v = (1) in fp16 at a = ρ: v aᵀ is ρ, rounded with an error of up to η/2 = 2^-25, which is 2^-25/ρ of it."""
    one = torch.ones((1, 1), dtype=torch.float64)
    found = range_losses(one, one, torch.tensor([2.0**exponent], dtype=torch.float64), VARIANTS[0], machine["fp16"])
    assert found["(WΔA)aᵀ underflows"].item() == lost
