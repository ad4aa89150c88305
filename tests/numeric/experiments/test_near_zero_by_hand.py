"""What a sweep measures at one distance, computed once more by plain operations of the format; and a prediction, power by power."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from numeric.experiments.near_zero_sweep import SWEPT, SWEPT_LEVELS, effect_of, level_at, lowest_exponent, predicted_radius, sweep
from numeric.formats import torch_dtype
from numeric.sides import variants_named
from numeric.sides.range_limits import range_losses
from tests.numeric.experiments.test_near_zero_predictions import Layer, drawn

FORMULA, SCALED, FACTORED = variants_named(["formula", "scaled", "factored"])
AT = {"fp32": (0, -30, -68, -73, -80, -151), "fp16": (0, -8, -11, -13, -26), "bf16": (0, -40, -66, -69, -131)}


def product(layer: Layer, which: str, exponent: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ΔW·a of the cases, WΔA in float64, fl(WΔA) and a, each a row a case."""
    dtype = torch_dtype(layer.probed.mode.activations)
    W, (z, a) = layer.block.first_weight.to(dtype), layer.at(exponent)
    delta = (z - a).unsqueeze(-1)
    v, column = W @ delta, a.unsqueeze(-1)
    if which == "factored":
        found = v @ (column.mT @ column / (column.mT @ column))
    elif which == "formula":
        found = v @ column.mT / (column.mT @ column) @ column
    else:
        top = column.abs().amax(-2, keepdim=True)
        c = column / top
        found = v @ c.mT / (c.mT @ c) / top @ column
    return found.squeeze(-1).double(), (W.double() @ (z.double() - a.double()).unsqueeze(-1)).squeeze(-1), v.squeeze(-1).double(), a


@pytest.mark.parametrize("name", AT)
@pytest.mark.parametrize("variant", [FORMULA, SCALED, FACTORED], ids=lambda row: row.id)
def test_a_level_is_what_plain_operations_give(name: str, variant: object) -> None:
    """Largest and median error relative to ‖WΔA‖∞, and whether one case missed fl(WΔA) by more than a tenth."""
    layer = drawn(name, 3, (5, 3), "dense", 0)
    seen = set()
    for exponent in AT[name]:
        level = level_at(layer, variant, exponent)  # type: ignore[arg-type]
        found, exact, near, a = product(layer, variant.id, exponent)  # type: ignore[attr-defined]
        assert torch.equal(effect_of(layer.block.first_weight, *layer.at(exponent), layer.probed), near)
        error = torch.nan_to_num((found - exact).abs(), nan=math.inf).amax(-1) / exact.abs().amax(-1)
        missed = torch.nan_to_num((found - near).abs(), nan=math.inf).amax(-1) / near.abs().amax(-1)
        assert level.exponent == exponent
        assert (level.error, level.error_median) == (float(error.max()), float(error.median())) or level.bound == math.inf
        assert level.fails is bool((missed > 0.1).any()), exponent
        assert level.refused >= float((a == 0).all(-1).double().mean())
        assert level.error <= level.bound
        assert (level.bound == math.inf) == (level.refused > 0)
        if exponent == 0:
            assert level.bound < 2.0**6 * layer.probed.update.storage.unit_roundoff, "a bound of some roundings"
        seen.add(level.fails)
    assert seen == {False, True} or variant is FACTORED


@pytest.mark.parametrize("name", ["fp32", "fp16"])
@pytest.mark.parametrize("variant", [FORMULA, SCALED], ids=lambda row: row.id)
def test_the_predicted_radius_is_the_last_power_from_below(name: str, variant: object) -> None:
    """Of the losses of a = e·2^k as the format holds it, from the lowest on until no case's sum is above a tenth."""
    layer = drawn(name, 5, (5, 3), "dense", 0)
    radius, limit = predicted_radius(layer, variant)  # type: ignore[arg-type]
    lowest, largest = lowest_exponent(layer.probed), 0.0
    assert 2.0**lowest == layer.probed.mode.range.smallest_subnormal / 4
    assert 2.0 ** (lowest + 3) < radius < 1
    dtype = torch_dtype(layer.probed.mode.activations)
    for exponent in range(lowest, int(math.log2(radius)) + 2):
        v, e = layer.operands(max(exponent, -40))
        rho = 2.0**exponent
        held = (e * rho).to(dtype).double() / rho
        held = torch.where((held != 0).any(-1, keepdim=True), held, e)
        losses = range_losses(v, held, torch.full((SWEPT,), rho, dtype=torch.float64), variant, layer.probed)  # type: ignore[arg-type]
        fails = bool((sum(losses.values()) > 0.1).any())  # type: ignore[union-attr]
        assert fails is (rho <= radius)
        if rho == radius:
            largest = max(float(loss.max()) for loss in losses.values())
            assert float(losses[limit].max()) == largest > 0


def test_a_sweep_halves_down_to_neighbours() -> None:
    """The measured radius fails and twice it does not; all levels in order, from 1 to below the smallest number."""
    layer = drawn("fp32", 7, (5, 3), "dense", 0)
    found = sweep(layer, FORMULA)
    exponents = [level.exponent for level in found.levels]
    assert exponents == sorted(exponents, reverse=True)
    assert (exponents[0], exponents[-1]) == (0, -151)
    by = {level.exponent: level for level in found.levels}
    at = int(math.log2(found.measured_radius))
    assert by[at].fails
    assert not by[at + 1].fails
    assert all(not by[e].fails for e in exponents if e > at)
    assert all(by[e].fails for e in exponents if e < at)
    assert SWEPT_LEVELS <= len(exponents) <= SWEPT_LEVELS + 3
    assert len({round(a - b) for a, b in pairwise(exponents)}) > 1
