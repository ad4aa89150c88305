"""The predicted radius, against one worked out by hand from the format's range; and the name of the limit that sets it.

Where nothing flushes, the norm ŝ of d = 32 entries errs by up to 32·η_acc/2, and by η/2 more where the accumulator is wider
than the storage; more than an eleventh of ‖a‖² ≥ ρ²/2 (the queries are scaled by powers of two) is lost where ρ² < 22 times that, and v/ŝ is then a tenth too
large. Rounded down to a power of two:

    fp64    22·2^-1070 = 2^-1065.5    ρ = 2^-533          bf16    22·(2^-145 + 2^-134) = 2^-129.5    ρ = 2^-65
    fp32    22·2^-145  = 2^-140.5     ρ = 2^-71           fp16    22·(2^-145 + 2^-25)  = 2^-20.5     ρ = 2^-11
"""

import dataclasses
import math
from itertools import pairwise

import pytest
import torch

from numeric.experiments import near_zero_sweep
from numeric.experiments.near_zero_sweep import Attended, level_at, predicted_radius
from numeric.formats import Format
from numeric.machine import ProbedMode
from numeric.machine.kernels import ALL_KERNELS
from numeric.sides import Variant, block_in_format, variants_named
from numeric.sides.range_limits import range_losses
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from tests.numeric.formats.drawn_operands import NATIVE

FORMULA, SCALED = variants_named(["formula", "scaled"])
BY_HAND = {"fp64": -533, "fp32": -71, "bf16": -65, "fp16": -11}


@pytest.fixture
def keeping(machine: dict[str, ProbedMode]) -> dict[str, ProbedMode]:
    """The machine's own error models, as far as it flushes nothing."""
    return {row.name: flushing(machine[row.name], False) for row in NATIVE}


def flushing(probed: ProbedMode, flushes: bool) -> ProbedMode:
    """The machine's error models, made to flush or not."""
    kernels = ALL_KERNELS if flushes else frozenset()
    parts = {part: dataclasses.replace(getattr(probed, part), flushing=kernels, elementwise_flushes=False) for part in ("update", "layer")}
    return dataclasses.replace(probed, **parts)


def predicted(trained: TrainedBlock, variant: Variant, probed: ProbedMode) -> tuple[float, str]:
    """The predicted radius and the limit that sets it, of the first prompts."""
    return predicted_radius(Attended(trained, block_in_format(trained.model.block, probed), probed, 0), variant)


@pytest.fixture(autouse=True)
def the_updates_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits here are the update's: what the contextual layer's kernels flush hangs on the processor, and is asked in ``test_near_zero_predictions.py``."""
    monkeypatch.setattr(near_zero_sweep, "_computed_as_zero", lambda *_: False)


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_the_formula_fails_where_its_norm_underflows(row: Format, blocks: dict[str, TrainedBlock], keeping: dict[str, ProbedMode]) -> None:
    numerics = keeping[row.name]
    assert numerics.update.accumulation.name == ("fp64" if row.name == "fp64" else "fp32"), "the table above is for such an accumulator"
    assert predicted(blocks["attention"], FORMULA, numerics) == (2.0 ** BY_HAND[row.name], "‖a‖² underflows")


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_the_scaled_form_fails_only_where_the_update_overflows(row: Format, blocks: dict[str, TrainedBlock], keeping: dict[str, ProbedMode]) -> None:
    """|ΔW| ≤ ‖v‖∞‖e‖∞/ρ: with ‖v‖∞‖e‖∞ between 2^-6 and 2^6 it passes Ω between Ω^-1·2^-6 and Ω^-1·2^6, if the format has such an a."""
    radius, limit = predicted(blocks["attention"], SCALED, keeping[row.name])
    assert limit == "ΔW overflows"
    assert abs(math.log2(radius) + row.max_exponent + 1) <= 6
    assert radius < 2.0 ** BY_HAND[row.name], "scaling first is what it is for"


def test_where_products_flush_the_radius_is_no_smaller(blocks: dict[str, TrainedBlock], keeping: dict[str, ProbedMode]) -> None:
    for name in ("fp32", "fp16"):
        numerics = keeping[name]
        lossy = flushing(numerics, True)
        for variant in VARIANTS:
            assert predicted(blocks["attention"], variant, lossy)[0] >= predicted(blocks["attention"], variant, numerics)[0]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
def test_losses_grow_on_the_way_down(variant: Variant, keeping: dict[str, ProbedMode]) -> None:
    v, e = torch.ones((1, 3), dtype=torch.float64), torch.full((1, 4), 0.5, dtype=torch.float64)
    for numerics in keeping.values():
        for flushes in (False, True):
            losses = [range_losses(v, e, torch.tensor([2.0**-k], dtype=torch.float64), variant, flushing(numerics, flushes)) for k in range(0, 1100, 11)]
            for name in losses[0]:
                shares = [float(loss[name]) for loss in losses]
                shares = shares[::-1] if name == "ΔW underflows" else shares  # ΔW grows
                assert all(above <= below for above, below in pairwise(shares)), name
            assert max(float(loss) for loss in losses[0].values()) < 0.1
            assert math.isinf(max(float(loss) for loss in losses[-1].values()))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_nothing_is_refused_at_one_and_everything_at_the_end(
    row: Format, variant: Variant, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]
) -> None:
    trained, numerics = blocks["attention"], machine[row.name]
    attended = Attended(trained, block_in_format(trained.model.block, numerics), numerics, 4)
    near = level_at(attended, variant, 0)
    assert (near.refused, near.fails) == (0.0, False)
    assert near.error <= near.bound < 1
    far = level_at(attended, variant, int(math.log2(row.smallest_subnormal)) - 2)
    assert (far.refused, far.fails) == (1.0, True)
