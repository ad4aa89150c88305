"""Whether a float64 run of a block is one: where it casts to float32, and that nothing does where float64 is kept."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.real_blocks.cases import POSITIONS, ROUNDINGS, apart, drawn, module_of, names
from tests.real_blocks.corpus import ALL
from tests.real_blocks.float64_kept import Float64Kept, casts
from tests.real_blocks.real_block import D, RealBlock

each_block = pytest.mark.parametrize("block", ALL, ids=names)
CONSTANT = {"rotary"}
"""Submodules whose casts are of constants: tables of angles, which read the positions and no token."""


class Casting(nn.Module):
    """Each way to float32 that a library takes, one at a time."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        match self.way:
            case "float":
                return x.float().sin().type_as(x)
            case "to":
                return x.to(torch.float32).sin().to(x.dtype)
            case "dtype":
                return x.to(dtype=torch.float32).sin().to(x.dtype)
            case "type":
                return x.type(torch.float32).sin().type(x.dtype)
            case "softmax":
                return F.softmax(x, -1, dtype=torch.float32).to(x.dtype)
            case "sum":
                return x.cumsum(-1, dtype=torch.float32).to(x.dtype)
            case _:
                return x.sin()


WAYS = ("float", "to", "dtype", "type", "softmax", "sum")


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_float32_is_found_and_kept(way: str) -> None:
    module, (_, x) = nn.Sequential(nn.Identity(), Casting(way)), drawn(3)
    with casts(module) as found:
        rounded = module(x)
    assert found.found == {"1"}
    with Float64Kept(), casts(module) as kept:
        exact = module(x)
    assert not kept.found
    assert exact.dtype == torch.float64
    assert apart(rounded, exact) > torch.finfo(torch.float64).eps


def test_what_does_not_cast_is_not_accused_and_float32_stays_float32() -> None:
    module, (_, x) = nn.Sequential(Casting("")), drawn(3)
    with casts(module) as found:
        module(x)
    assert not found.found
    narrow = x.float()
    with Float64Kept():
        assert all(Casting(way)(narrow).dtype == torch.float32 for way in WAYS)


@each_block
def test_it_casts_where_its_row_says_and_nowhere_once_float64_is_kept(block: RealBlock) -> None:
    module, (context, query) = module_of(block), drawn(1)
    with casts(module) as found:
        block.call(module, context, query, POSITIONS)
    assert found.found == block.casts
    with Float64Kept(), casts(module) as kept:
        output = block.call(module, context, query, POSITIONS)
    assert not kept.found
    assert output.dtype == torch.float64


STEP, COARSE = 2.0**-33, 2.0**-23
"""1e-10, which float32 cannot see, and a step that is as fine as float32."""


def slope(block: RealBlock, step: float) -> Tensor:
    """How far the output moves for a step of the context, per step. A norm would take away a step that is the same in all entries."""
    module, (context, query) = module_of(block), drawn(1)
    moved = context + step * torch.linspace(-1, 1, D, dtype=context.dtype)
    return (block.call(module, moved, query, POSITIONS) - block.call(module, context, query, POSITIONS)) / step


@each_block
def test_a_change_that_float32_cannot_see_reaches_the_output(block: RealBlock) -> None:
    """The slope over the step is that over the coarse one, but for the roundings of two outputs, and as much again for the coarse step's and curvature.

    The negative: where a value that depends on the tokens is cast to float32, it is not.
    """
    blur = 4 * ROUNDINGS * torch.finfo(torch.float64).eps / 2 / STEP * float(block.call(module_of(block), *drawn(1), POSITIONS).abs().max())
    with Float64Kept():
        fine, coarse = slope(block, STEP), slope(block, COARSE)
    assert (fine - coarse).abs().max() <= blur
    assert coarse.abs().max() > 2 * blur
    if block.casts - CONSTANT:
        assert (slope(block, STEP) - coarse).abs().max() > blur


@each_block
def test_the_fast_path_is_taken_where_the_row_says_so(block: RealBlock) -> None:
    module, (context, query) = module_of(block), drawn(1)
    with casts(module) as seen:
        block.call(module, context, query, POSITIONS)
    fast = {each for each in seen.operators if "_fwd" in each or "native_multi_head" in each}
    assert fast == ({block.fused} if block.fused is not None else set())
