"""What the output matrices take, of experts too, in rationals; and the planted wrong one, made of h as it came into its activation."""

from fractions import Fraction
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.architecture import output_layers
from numeric.architecture.wiring import INPUT, wiring
from numeric.arithmetics import WithRadius, exact, hazards
from numeric.blocks.experts import EXPERTS, Experts
from numeric.machine.kernels import BARE, DENSE, PATCHED_BIAS, PATCHED_WEIGHT
from numeric.sides import one_side
from numeric.sides.output_patch import output_patch, wrong_output_patch
from tests.numeric.sides.test_both_sides_exactly import Handing, found, machine, measured, setting

WIDTH, HIDDEN = 3, 4
OFF = 2.0**-20
"""How far h may lie from what was computed."""


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def block_of(network: nn.Module, first: tuple[str, ...] | str, parallel: bool = True) -> ContextualBlock:
    block = ContextualBlock(Handing(), network.double(), first, input_width=WIDTH, norm=nn.Identity(), parallel=parallel)
    return block.eval().requires_grad_(False)


def matrix(x: Tensor) -> list[list[Fraction]]:
    return [[Fraction(t) for t in row] for row in x.tolist()]


def column(x: Tensor) -> list[Fraction]:
    return [Fraction(t) for t in x.flatten().tolist()]


def added(W: Tensor, target: list[Fraction], h: list[Fraction]) -> list[list[Fraction]]:
    """W + target hᵀ/‖h‖²."""
    norm = sum(t * t for t in h)
    return [[w + s * t / norm for w, t in zip(row, h, strict=True)] for row, s in zip(matrix(W), target, strict=True)]


def test_each_chosen_expert_takes_its_share() -> None:
    """(δ/Σγ)hᵀ/‖h‖² for those with a gate, whatever h is for the others."""
    torch.manual_seed(1)
    block, probed, flags = (
        block_of(Experts(WIDTH, HIDDEN), ("router", *(f"experts.{k}.0" for k in range(EXPERTS))), parallel=False),
        machine("fp64"),
        hazards(2),
    )
    layers = output_layers(block, wiring(block))
    gates = torch.tensor([[0.5, 0.0, 0.25, 0.0], [0.0, 0.375, 0.0, 0.5]], dtype=torch.float64)
    values: dict[str, WithRadius] = {layers.gates or "": exact(gates.unsqueeze(-1), probed.layer, flags)}
    for place, call in enumerate(layers.matrices):
        h = draw(2, HIDDEN, 1, seed=place)
        chosen = (gates[:, place] != 0).reshape(2, 1, 1)
        h, off = torch.where(chosen, h, 0.0), torch.where(chosen, OFF, torch.inf).expand_as(h)
        values[call.reads[0]] = exact(h, probed.layer, flags, radius=off)
    change = draw(2, WIDTH, 1, seed=9)
    made = output_patch(block, layers, exact(change, probed.update, flags), values, probed)
    assert len(made) == EXPERTS
    for case in range(2):
        total = sum(column(gates[case]))
        for place, call in enumerate(layers.matrices):
            name = f"network.{call.name}.weight"
            W = block.get_parameter(name)
            patched = bool(gates[case, place])
            target, h = [t / total for t in column(change[case])], column(values[call.reads[0]].value[case])
            radius = made[name].entry_radius.expand(2, *W.shape)[case]
            for off in (0, Fraction(OFF), -Fraction(OFF)):
                exactly = added(W, target, [t + off for t in h]) if patched else matrix(W)
                for wanted, row, within in zip(exactly, matrix(made[name].value[case]), matrix(radius), strict=True):
                    assert all(abs(p - q) <= r < Fraction(1, 2 ** (8 if patched else 40)) for p, q, r in zip(wanted, row, within, strict=True))
    assert not bool(flags.underflow.any()), "h of an expert that is not chosen divides nothing"


def made_wrong(network: nn.Sequential) -> tuple[Tensor, Tensor, dict[str, Tensor], Tensor]:
    """The last matrix, what stands for it, what each module returned, and δ."""
    torch.manual_seed(2)
    block, probed = block_of(network, "0"), machine("fp64")
    calls = wiring(block)
    heard: dict[str, Tensor] = {INPUT: draw(2, WIDTH, seed=5)}
    for name, module in network.named_children():
        heard[name] = module(heard[list(heard)[-1]])
    change = draw(2, WIDTH, 1, seed=7)
    wrong = wrong_output_patch(block, calls, output_layers(block, calls), change, heard, probed)
    last = list(heard)[-1]
    return block.get_parameter(f"network.{last}.weight"), wrong[f"network.{last}.weight"], heard, change


def linear(p: int, q: int) -> nn.Linear:
    return nn.Linear(p, q, bias=False, dtype=torch.float64).requires_grad_(False)


@pytest.mark.parametrize("behind", [0, 1, 2])
def test_the_planted_one_is_made_of_what_came_into_the_activation(behind: int) -> None:
    """Also behind modules that hand on what they were given."""
    W, wrong, heard, change = made_wrong(nn.Sequential(linear(WIDTH, HIDDEN), nn.ReLU(), *(nn.Identity() for _ in range(behind)), linear(HIDDEN, WIDTH)))
    for case in range(2):
        wanted = added(W, column(change[case]), column(heard["0"][case]))
        right = added(W, column(change[case]), column(heard["1"][case]))
        rows = list(zip(matrix(wrong[case]), wanted, right, strict=True))
        assert all(abs(p - q) < Fraction(1, 2**40) for row, goal, _ in rows for p, q in zip(row, goal, strict=True))
        assert any(abs(p - q) > Fraction(1, 2**10) for row, _, other in rows for p, q in zip(row, other, strict=True))


def unit() -> nn.Linear:
    """Which returns the very input."""
    layer = linear(WIDTH, WIDTH)
    layer.weight.copy_(torch.eye(WIDTH))
    return layer


WITHOUT_ACTIVATION = {
    "two layers": (linear(WIDTH, HIDDEN), linear(HIDDEN, WIDTH)),
    "three layers": (linear(WIDTH, HIDDEN), linear(HIDDEN, 2), linear(2, WIDTH)),
    "of one width": (linear(WIDTH, WIDTH), linear(WIDTH, WIDTH)),
    "the input itself": (unit(), linear(WIDTH, WIDTH)),
}


@pytest.mark.parametrize("network", WITHOUT_ACTIVATION.values(), ids=WITHOUT_ACTIVATION)
def test_without_an_activation_nothing_is_planted(network: tuple[nn.Linear, ...]) -> None:
    """What the last matrix reads comes of the input, or of a vector of another width."""
    W, wrong, _, _ = made_wrong(nn.Sequential(*network))
    assert torch.equal(wrong, W.expand_as(wrong))


@pytest.mark.parametrize(
    ("kind", "variant", "kernels"),
    [
        ("plain", "formula", [DENSE, DENSE, PATCHED_WEIGHT, DENSE]),
        ("plain", "factored", [DENSE, DENSE, DENSE, DENSE]),
        ("skip", "formula", [DENSE, DENSE, PATCHED_WEIGHT, PATCHED_BIAS]),
        ("stream without a last bias", "formula", [DENSE, BARE[DENSE], PATCHED_WEIGHT, BARE[PATCHED_WEIGHT]]),
        ("parallel", "formula", [BARE[DENSE], BARE[DENSE], BARE[DENSE], BARE[PATCHED_WEIGHT]]),
    ],
)
def test_a_layer_is_bounded_as_the_kernel_that_ran(kind: str, variant: str, kernels: list[str]) -> None:
    """By whether its weight or its bias is a case's own, in the left side's two layers and then in the right side's."""
    (block, probed), (_, cases) = setting(kind, "fp64"), found(kind, "fp64", "none")
    named: list[str] = []

    def note(*operands: object) -> WithRadius:
        named.append(str(operands[-1]))
        return real(*operands)  # type: ignore[arg-type]

    real = one_side.dense_layer
    with patch.object(one_side, "dense_layer", note):
        measured(block, cases, probed, "none", variant)
    assert named == kernels


def test_a_factored_patch_of_a_layer_without_a_bias() -> None:
    """Both sides are one real vector, within both radii."""
    torch.manual_seed(4)
    network = nn.Sequential(linear(4, 5), nn.ReLU(), nn.Linear(5, 4, dtype=torch.float64)).requires_grad_(False)
    block = ContextualBlock(Handing(), network, "0", input_width=4).eval()
    sides = measured(block, found("plain", "fp64", "none")[1], machine("fp64"), "none", "factored")
    apart = (sides.left.first_layer.value - sides.right.first_layer.value).abs()
    assert bool((apart <= sides.bound).all())
    assert bool((sides.bound < sides.effect.amax() * 2.0**-40).all())
