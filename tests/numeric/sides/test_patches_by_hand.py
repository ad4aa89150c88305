"""What the patched pass puts into the block, entry by entry, at operands of which every step is a short binary fraction; the planted wrong update with it.

W has whole entries, ΔA and a have entries ±1 and ±2, and ‖a‖² is 8 or 16: fp64 rounds nothing, and the few that fp8 and bf16 round are rounded in rationals.
"""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.arithmetics import WithRadius, exact, hazards
from numeric.formats import modes_named, torch_dtype
from numeric.machine import FP64, ProbedMode
from numeric.sides import Batch, block_in_format, both_sides
from numeric.sides.passes import Patch
from numeric.sides.patches import first_layer_patch, numbers, patch_of_tensors
from numeric.sides.setting import Setting
from numeric.sides.variant import VARIANTS, Variant, variants_named
from numeric.sides.wrong_update import wrong_parallel_patch, wrong_patch
from tests.numeric.arithmetics.rule_trials import nearest
from tests.numeric.sides.test_both_sides_exactly import KINDS, D, Handing, M, made

FORMULA, FACTORED = variants_named(["formula", "factored"])
DELTA = [[1.0, -2.0, 2.0, 1.0], [2.0, 1.0, -1.0, -2.0]]
A = [[2.0, 2.0, -2.0, 2.0], [-2.0, 2.0, 0.0, 0.0]]
OUTPUT = {"plain": "network.2.bias", "skip": "network.2.bias", "stream": "network.2.bias", "stream without a last bias": "network.2.weight"}
OUTPUT["parallel"] = "network.2.weight"
"""What takes what the stream lacks, where there is a stream."""


class Two(nn.Module):
    """Two first layers, of which both read the same."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.gate, self.down = nn.Linear(D, M), nn.Linear(D, M), nn.Linear(M, D)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.down(torch.relu(self.up(x) + self.gate(x))))


def machine(name: str) -> ProbedMode:
    """A machine of which nothing is known: it may add in any order."""
    (mode,) = modes_named([name])
    update, layer = (replace(FP64, storage=row, accumulation=row, opmath=row) for row in (mode.update, mode.activations))
    return ProbedMode(mode, update, replace(layer, operands=mode.operands), ())


def whole(seed: int, *shape: int) -> Tensor:
    return torch.randint(-4, 5, shape, generator=torch.Generator().manual_seed(seed)).double()


def desk(kind: str, name: str, variant: Variant) -> Setting:
    """Two cases, and a first weight of whole numbers."""
    block, probed = made(kind), machine(name)
    block.first.weight.copy_(whole(1, M, D))
    return both_sides._setting(block_in_format(block, probed), Batch(whole(2, 2, 1, D), None, whole(3, 2, D)), variant, probed)


def columns(setting: Setting, rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).unsqueeze(-1).to(torch_dtype(setting.probed.update.storage))


def patched(setting: Setting, delta: list[float], a: list[float], layer: nn.Linear | None = None) -> list[list[Fraction]]:
    """W + (Wδ)aᵀ/‖a‖², by loops."""
    rows = (setting.block.first if layer is None else layer).weight.tolist()
    d, s = ([Fraction(t) for t in x] for x in (delta, a))
    moved = [sum(Fraction(w) * t for w, t in zip(row, d, strict=True)) for row in rows]
    return [[Fraction(w) + m * t / sum(x * x for x in s) for w, t in zip(row, s, strict=True)] for row, m in zip(rows, moved, strict=True)]


def fractions(x: Tensor) -> list[list[Fraction]]:
    return [[Fraction(t) for t in row] for row in x.tolist()]


def test_numbers_are_without_radii_and_one_for_each_case() -> None:
    """A bias is a column with its radius, and a row without it; a weight with one column stays a matrix, and one that all cases share is each case's."""
    flags = hazards(3)
    bias, weight, shared = whole(4, 3, 5, 1), whole(5, 3, 5, 1), whole(6, 5, 2)
    v, a = whole(7, 3, 5, 1), whole(8, 3, 2, 1)
    x: dict[str, WithRadius] = {
        "network.2.bias": exact(bias, FP64, flags),
        "network.bias.weight": exact(weight, FP64, flags, radius=torch.ones_like(weight)),
        "network.2.weight": exact(shared, FP64, flags),
    }
    found = numbers(Patch(x, {"0": (exact(v, FP64, flags), exact(a, FP64, flags))}))
    assert list(found.parameters) == list(x)
    assert torch.equal(found.parameters["network.2.bias"], torch.stack([bias[case, :, 0] for case in range(3)]))
    assert torch.equal(found.parameters["network.bias.weight"], weight)
    assert torch.equal(found.parameters["network.2.weight"], torch.stack([shared] * 3))
    assert list(found.factors) == ["0"]
    assert all(torch.equal(one, other) for one, other in zip(found.factors["0"], (v, a), strict=True))


@pytest.mark.parametrize("name", ["fp64", "bf16", "fp8-e4m3"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_layer_takes_the_update(kind: str, name: str) -> None:
    """Each variant: one weight or one pair of factors; a parallel block's first layer takes nothing. The planted one is the update at -δ."""
    for variant in VARIANTS:
        setting = desk(kind, name, variant)
        probed, flags = setting.probed, hazards(2)
        delta, a = (exact(columns(setting, rows), probed.update, flags) for rows in (DELTA, A))
        found = first_layer_patch(setting, delta, a)
        assert list(found.parameters) == (["network.0.weight"] if kind != "parallel" and not variant.factored else [])
        assert list(found.factors) == (["0"] if kind != "parallel" and variant.factored else [])
        for v, by in found.factors.values():
            moved = [[sum(Fraction(w) * Fraction(t) for w, t in zip(row, d, strict=True)) for row in setting.block.first.weight.tolist()] for d in DELTA]
            assert fractions(v.value.squeeze(-1)) == moved
            assert torch.equal(by.value, a.value)
            assert v.numerics is by.numerics is probed.adapter
        for weight in found.parameters.values():
            assert weight.numerics is probed.layer
            assert weight.value.dtype == torch_dtype(probed.mode.weights)
            for case, (d, s) in enumerate(zip(DELTA, A, strict=True)):
                wanted, other = patched(setting, d, s), patched(setting, [-t for t in d], s)
                value, radius = fractions(weight.value[case]), fractions(weight.entry_radius[case])
                off = [[abs(p - q) <= r for p, q, r in zip(*rows, strict=True)] for rows in zip(value, wanted, radius, strict=True)]
                assert all(map(all, off))
                assert value == [[nearest(t, probed.mode.weights) for t in row] for row in wanted]
                assert value != [[nearest(t, probed.mode.weights) for t in row] for row in other]


@pytest.mark.parametrize("name", ["fp64", "bf16", "fp8-e4m3"])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
def test_of_tensors_the_update_is_made_of_numbers_alone(variant: Variant, name: str) -> None:
    """It stands beside what else is patched, and in front of what was there; the wrong one is the same of ΔA and z."""
    setting = desk("stream", name, variant)
    kept = whole(9, 2, D)
    right: Patch[Tensor] = Patch({"network.0.weight": torch.zeros(2, M, D), "network.2.bias": kept}, {"left": (kept, kept)})
    delta, a, z = (columns(setting, rows) for rows in (DELTA, A, [A[1], A[0]]))
    for make, by in ((patch_of_tensors(setting, right, delta, a), A), (wrong_patch(setting, right, delta, z), [A[1], A[0]])):
        assert sorted(make.parameters) == ["network.0.weight", "network.2.bias"]
        assert make.parameters["network.2.bias"] is kept
        if variant.factored:
            moved = [[sum(Fraction(w) * Fraction(t) for w, t in zip(row, d, strict=True)) for row in setting.block.first.weight.tolist()] for d in DELTA]
            assert list(make.factors) == ["0"]
            assert fractions(make.factors["0"][0].squeeze(-1)) == moved
            assert torch.equal(make.factors["0"][1], columns(setting, by))
            assert make.parameters["network.0.weight"] is right.parameters["network.0.weight"]
            continue
        assert not make.factors
        weights = setting.probed.mode.weights
        assert make.parameters["network.0.weight"].dtype == torch_dtype(weights)
        for case, (d, s) in enumerate(zip(DELTA, by, strict=True)):
            wanted = [[nearest(t, weights) for t in row] for row in patched(setting, d, s)]
            assert fractions(make.parameters["network.0.weight"][case]) == wanted
    assert set(right.parameters) == {"network.0.weight", "network.2.bias"}, "what was given is left as it is"


def test_each_of_two_first_layers_takes_its_own() -> None:
    network = Two().double().requires_grad_(False)
    network.up.weight.copy_(whole(10, M, D))
    network.gate.weight.copy_(whole(11, M, D))
    block, probed = ContextualBlock(Handing(), network, ("up", "gate"), input_width=D).eval(), machine("fp64")
    setting = Setting(block, Batch(whole(2, 2, 1, D), None, whole(3, 2, D)), FORMULA, probed, (), both_sides.OutputLayers(None))
    flags = hazards(2)
    delta, a = (columns(setting, rows) for rows in (DELTA, A))
    by_rule = numbers(first_layer_patch(setting, *(exact(x, probed.update, flags) for x in (delta, a))))
    for found in (by_rule, patch_of_tensors(setting, Patch(), delta, a)):
        assert list(found.parameters) == ["network.up.weight", "network.gate.weight"]
        for layer, weight in zip((network.up, network.gate), found.parameters.values(), strict=True):
            for case, (d, s) in enumerate(zip(DELTA, A, strict=True)):
                assert fractions(weight[case]) == patched(setting, d, s, layer)
    factors = patch_of_tensors(replace(setting, variant=FACTORED), Patch(), delta, a).factors
    assert list(factors) == ["up", "gate"]
    assert all(torch.equal(v, layer.weight @ delta) for (v, _), layer in zip(factors.values(), (network.up, network.gate), strict=True))


def test_the_wrong_update_of_a_parallel_block_is_of_p_beside_what_else_is_patched() -> None:
    """W_o + δpᵀ/‖p‖² with p as it came into the ReLU, of which the first layer has six."""
    setting = desk("parallel", "fp64", FORMULA)
    last = setting.block.network[2]
    last.weight.copy_(whole(12, D, M))
    p = torch.tensor([[1.0, -1.0, 1.0, -1.0, 2.0, 0.0], [-2.0, 2.0, 2.0, 2.0, 0.0, 0.0]], dtype=torch.float64)
    kept, zeros = whole(13, 2, M), torch.zeros((2, D, M), dtype=torch.float64)
    right: Patch[Tensor] = Patch({"network.0.bias": kept, "network.2.weight": zeros})
    found = wrong_parallel_patch(setting, right, columns(setting, DELTA), {"0": p, "1": p.clamp_min(0.0), "2": whole(14, 2, D)})
    assert sorted(found.parameters) == ["network.0.bias", "network.2.weight"]
    assert found.parameters["network.0.bias"] is kept
    assert not found.factors
    for case, (d, row) in enumerate(zip(DELTA, p.tolist(), strict=True)):
        h = [Fraction(t) for t in row]
        share = [t / sum(s * s for s in h) for t in h]
        wanted = [[Fraction(w) + Fraction(t) * s for w, s in zip(weights, share, strict=True)] for weights, t in zip(last.weight.tolist(), d, strict=True)]
        assert fractions(found.parameters["network.2.weight"][case]) == wanted
