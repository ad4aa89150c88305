"""Mixtures of experts in a format: both sides lie within their radii of what plain loops over float64 make of the same z and the same stream."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators.block import WatchedBlock
from numeric.operators.double_precision import converted
from numeric.sides import Sides, judge
from numeric.sides.one_side import Site
from numeric.sides.written_choices import run_case
from numeric.sides.written_passes import BlockInFormat
from numeric.sides.written_sides import WrittenCases, measure_written_sides
from tests.numeric.sides.small_mixtures import WAYS, Mixture, Way, mixture
from tests.numeric.sides.test_written_sides import FORMULA, TOKENS, in_format, outside, some_cases
from tests.real_blocks.float64_kept import Float64Kept
from tests.real_blocks.real_block import RealBlock
from tests.real_blocks.transformers_experts import BLOCKS, OTHER_KERNELS

ALL, PART = tuple(range(TOKENS)), (0, 3)
Plain = Callable[[nn.Module, Tensor], Tensor]
"""A module in float64 and z (d,), to a vector."""


def streams(block: BlockInFormat, cases: WrittenCases) -> Tensor:
    """What goes past the network with the context, as the format has it: (cases, d) float64."""
    ((place, index),) = block.anatomy.stream.summands  # type: ignore[union-attr]
    return torch.cat([run_case(block, cases.whole.one(case)).whole.operand(place, index).value for case in range(len(cases.query))]).double()


def certain(sides: Sides) -> Sides:
    left, right = (
        replace(side, **{name: Site(getattr(side, name).value, torch.zeros_like(getattr(side, name).radius)) for name in ("first_layer", "output")})
        for side in (sides.left, sides.right)
    )
    return replace(sides, left=left, right=right)


def check(watched: WatchedBlock, name: str, removed: tuple[int, ...], first: Plain, network: Plain) -> Sides:
    """Both sides against the two functions, and planted: radii of zero do not do."""
    block, cases = in_format(watched, name), some_cases(watched, name, removed)
    sides, module = measure_written_sides(block, cases, FORMULA), converted(block.module, torch.float64)
    exact_out = streams(block, cases) + torch.stack([network(module, z) for z in sides.z.double()])
    width = sides.effect.shape[-1]  # the planted wrong update may have chosen other matrices, of which neither side makes anything
    exact_first = torch.stack([F.pad(made, (0, width - len(made))) for made in (first(module, z) for z in sides.z.double())])
    assert outside(sides, exact_first, exact_out) == []
    assert torch.equal(sides.again, sides.a)
    assert len(outside(certain(sides), exact_first, exact_out)) >= 2
    return sides


def of_small(way: Way, name: str, removed: tuple[int, ...]) -> Sides:
    def first(module: nn.Module, z: Tensor) -> Tensor:
        assert isinstance(module, Mixture)
        return module.first_layer(z)

    def network(module: nn.Module, z: Tensor) -> Tensor:
        assert isinstance(module, Mixture)
        return module.plainly(z)

    return check(mixture(way), name, removed, first, network)


@pytest.mark.parametrize("way", [list(WAYS)[1], *(pytest.param(way, marks=pytest.mark.soak) for way in [list(WAYS)[0], *list(WAYS)[2:]])])
def test_a_mixture_lies_within_its_radii(way: str) -> None:
    for name in ("fp32", "bf16"):
        for removed in (ALL, PART):
            judged = judge(of_small(WAYS[way], name, removed))
            assert "VIOLATED" not in judged.verdict
            if name == "fp32":
                assert set(judged.verdict) == {"HOLDS"}
                assert judged.wrong_noticed.all()


def _plain_first(real: RealBlock) -> Plain:
    """What the router's and the chosen experts' matrices make of z; of a shared expert all that are called W, the first one first."""

    def first(module: nn.Module, z: Tensor) -> Tensor:
        named = dict(module.named_parameters())
        router, experts = (
            named[next(name for name in real.first if "router" in name or name.endswith("mlp.gate.weight"))],
            named["layer.mlp.experts.gate_up_proj"],
        )
        bias = named.get("layer.mlp.router.bias")
        logits = router @ z if bias is None else router @ z + bias
        chosen = sorted(logits.argsort(descending=True)[:2].tolist())
        made = [(experts[e].mT if "gpt" in type(module.get_submodule("layer")).__module__ else experts[e]) @ z for e in chosen]
        shared = {name: named[name] @ z for name in real.first if "shared" in name}
        parts = {**shared, real.first[0]: logits, "experts": torch.cat(made)}
        in_order = [name for name in named if name in parts]
        lead = next(iter(shared), real.first[0])
        rest = [parts["experts"] if name == "layer.mlp.experts.gate_up_proj" else parts[name] for name in named if name in {*parts, *real.first} - {lead}]
        assert in_order
        return torch.cat([parts[lead], *rest])

    return first


def _layers_network(module: nn.Module, z: Tensor) -> Tensor:
    """The layer's own network in float64, without casts."""
    with Float64Kept(), torch.no_grad():
        made = module.get_submodule("layer.mlp")(z[None, None])
    return (made[0] if isinstance(made, tuple) else made)[0, 0]  # type: ignore[no-any-return]


@pytest.mark.soak
@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("real", [*BLOCKS, *OTHER_KERNELS], ids=str)
def test_a_mixture_of_a_library_lies_within_its_radii(real: RealBlock, name: str) -> None:
    from tests.numeric.sides.test_written_sides import watched

    for removed in (ALL, PART):
        judged = judge(check(watched(real), name, removed, _plain_first(real), _layers_network))
        assert "VIOLATED" not in judged.verdict
        if name in ("fp64", "fp32"):
            assert set(judged.verdict) == {"HOLDS"}
            assert judged.wrong_noticed.all()
