"""T_W(C, x) = T_{W+ΔW}(C∖Y, x) in every block of the corpus, by a patch that is written by hand and put into a copy of the module.

In float64 that is kept, to 1e-12 of the output. Without the patch, or with a wrong one, the outputs differ.
"""

from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor

from tests.real_blocks.anatomies import ANATOMIES
from tests.real_blocks.by_hand import Weights, absorbed, first_matrices, seen, with_parameters
from tests.real_blocks.cases import POSITIONS, SEEN, N, agree, apart, drawn, module_of, names
from tests.real_blocks.corpus import BLOCKS
from tests.real_blocks.float64_kept import Float64Kept
from tests.real_blocks.real_block import RealBlock

each_block = pytest.mark.parametrize("block", BLOCKS, ids=names)
each_part = pytest.mark.parametrize("kept", [(), (1, 3)], ids=["the whole context", "a part of it"])
ROUNDED_AWAY = {"Gemma 2", "Gemma 3", "Mixtral"}
"""Blocks in which a patched value itself is cast to float32: the absorbing scale, or the gates by which δ is divided."""

Case = tuple[Tensor | None, Tensor, Tensor]


def float64(block: RealBlock) -> AbstractContextManager[object]:
    """Keeps float64 where the block casts; elsewhere nothing is in the way, so that torch takes its fast path."""
    return Float64Kept() if block.casts else nullcontext()


def both_cases(kept: tuple[int, ...]) -> tuple[Case, Case]:
    """One prompt with its context, and with the tokens that are kept, at their positions."""
    context, query = drawn(1)
    return (context, query, POSITIONS), (context[:, kept] if kept else None, query, POSITIONS[[*kept, N]])


def patches(block: RealBlock, with_context: Case, without: Case) -> tuple[Weights, Weights, Weights]:
    """W + ΔW, W + ΔW with A(C, x) in the divisor, and the absorber."""
    module, anatomy = module_of(block.name), ANATOMIES[block.name]
    weights, passes = dict(module.named_parameters()), (seen(block, module, *with_context), seen(block, module, *without))
    first, wrong = (first_matrices(block, anatomy, weights, passes, wrong=each) for each in (False, True))
    return first, wrong, absorbed(anatomy, weights, passes)


@each_block
@each_part
def test_the_patched_block_without_the_context_is_the_block_with_it(block: RealBlock, kept: tuple[int, ...]) -> None:
    module, (with_context, without) = module_of(block.name), both_cases(kept)
    with float64(block):
        output, (first, wrong, absorber) = block.call(module, *with_context), patches(block, with_context, without)

        def patched(changed: Weights) -> Tensor:
            return block.call(with_parameters(module, changed), *without)

        assert set(first) == set(block.first)
        assert set(absorber) == ({block.absorber} if block.absorber else set())
        assert agree(patched(first | absorber), output)
        negatives = {"no patch": {}}
        if block.reads_context:
            negatives |= {"A(C, x) in the divisor": wrong | absorber, "the absorber alone": absorber}
        if absorber:
            negatives |= {"W alone": first}
        for name, changed in negatives.items():
            assert apart(patched(changed), output) > SEEN, name
        if not block.reads_context:
            assert all(torch.equal(first[name], module.get_parameter(name)) for name in first)


@each_part
@pytest.mark.parametrize("block", [block for block in BLOCKS if block.casts], ids=names)
def test_float64_that_is_cast_on_the_way_shows_too_little(block: RealBlock, kept: tuple[int, ...]) -> None:
    """Left as it is, such a run misses the equality where a patched value is rounded to float32, and agrees by rounding elsewhere."""
    with_context, without = both_cases(kept)
    first, _, absorber = patches(block, with_context, without)
    output = block.call(module_of(block.name), *with_context)
    assert agree(block.call(with_parameters(module_of(block.name), first | absorber), *without), output) == (block.name not in ROUNDED_AWAY)


def test_every_block_has_its_anatomy_and_none_is_left_over() -> None:
    assert set(ANATOMIES) == {block.name for block in BLOCKS}
