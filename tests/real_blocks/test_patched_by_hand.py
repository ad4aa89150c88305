"""T_W(C, x) = T_{W+ΔW}(C∖Y, x) in every block of the corpus, by a patch that is written by hand.

In float64 that is kept, to 1e-12 of the output. Without the patch, or with a wrong one, the outputs differ.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.real_blocks.anatomies import ALSO, ANATOMIES
from tests.real_blocks.by_hand import Anatomy, Weights, absorbed, first_matrices, heads_of_torch, seen, with_parameters
from tests.real_blocks.cases import ROUNDINGS, SEEN, TERMS, N, agree, apart, drawn, module_of, names
from tests.real_blocks.corpus import ALL
from tests.real_blocks.float64_kept import Float64Kept
from tests.real_blocks.real_block import D, RealBlock

each_block = pytest.mark.parametrize("block", ALL, ids=names)
each_part = pytest.mark.parametrize("kept", [(), (1, 3)], ids=["the whole context", "a part of it"])
ROUNDED_AWAY = {"Gemma 2", "Gemma 3", "Mixtral"}
"""Blocks in which a patched value itself is cast to float32: the absorbing scale, or the gates by which δ is divided."""

NORMS_SCALES = {"layer.post_feedforward_layernorm.weight", "layers.1.0.1.gamma"}
"""Absorbers that are a norm's scale."""

SINGULAR = {"decoder with a memory"}
"""Attention to no token is 0, so that Eq. (1) for its output matrix divides by ‖a‖ = 0; one has to stay."""

Case = tuple[Tensor | None, Tensor, Tensor]


def float64(block: RealBlock) -> AbstractContextManager[object]:
    """Keeps float64 where the block casts; elsewhere nothing is in the way, so that torch takes its fast path."""
    return Float64Kept() if block.casts else nullcontext()


def both_cases(kept: tuple[int, ...], seed: int = 5, length: int = N) -> tuple[Case, Case]:
    """One prompt with its context, and with the tokens that are kept, at their positions."""
    context, query = drawn(1, seed=seed, length=length)
    positions = torch.arange(length + 1)
    return (context, query, positions), (context[:, kept] if kept else None, query, positions[[*kept, length]])


def patches(block: RealBlock, with_context: Case, without: Case, anatomy: Anatomy | None = None) -> tuple[Weights, Weights, Weights]:
    """W + ΔW, W + ΔW with A(C, x) in the divisor, and the absorber."""
    module, anatomy = module_of(block), anatomy or ANATOMIES[block.name]
    weights, passes = dict(module.named_parameters()), (seen(block, module, *with_context), seen(block, module, *without))
    z, a = (each.into(anatomy.reads) for each in passes)
    first, wrong = (first_matrices(block, anatomy, weights, (z, a), wrong=each) for each in (False, True))
    return first, wrong, absorbed(anatomy, weights, passes)


@each_block
@each_part
def test_the_patched_block_without_the_context_is_the_block_with_it(block: RealBlock, kept: tuple[int, ...]) -> None:
    module, (with_context, without) = module_of(block), both_cases(kept)
    with float64(block):
        output, (first, wrong, absorber) = block.call(module, *with_context), patches(block, with_context, without)

        def patched(changed: Weights) -> Tensor:
            return with_parameters(block, module, changed, *without)

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


@pytest.mark.parametrize("block", [block for block in ALL if block.also is not None], ids=names)
def test_the_other_branch_may_take_what_the_stream_lacks_as_well(block: RealBlock) -> None:
    """Either, and not both: then it is there twice."""
    module, (with_context, without) = module_of(block), both_cases(())
    with float64(block):
        output, (first, _, absorber) = block.call(module, *with_context), patches(block, with_context, without)
        _, _, other = patches(block, with_context, without, ALSO[block.name])
        assert set(other) == {block.also}
        assert agree(with_parameters(block, module, first | other, *without), output)
        assert apart(with_parameters(block, module, first | absorber | other, *without), output) > SEEN


@each_block
def test_with_the_attentions_output_matrix_for_w_no_absorber_is_needed(block: RealBlock) -> None:
    """u + W z, u the stream in front of it, which reads no context: what follows is a function of that sum alone, however many norms and sums it has."""
    module, (with_context, without) = module_of(block), both_cases((1, 3) if block.name in SINGULAR else ())
    layer, weights = block.projection.removesuffix(".weight"), dict(module.named_parameters())
    anatomy = Anatomy(layer, transposed=frozenset({"block.attn.c_proj.weight"}))
    block = replace(block, first=(block.projection,), rows=None, absorber=None)
    with float64(block):
        if block.library == "torch":
            operands = heads_of_torch(block, module, *with_context), heads_of_torch(block, module, *without)
        else:
            operands = seen(block, module, *with_context).into(layer), seen(block, module, *without).into(layer)
        right, wrong = (first_matrices(block, anatomy, weights, operands, wrong=each) for each in (False, True))
        output = block.call(module, *with_context)
        assert agree(with_parameters(block, module, right, *without), output)
        assert apart(with_parameters(block, module, wrong, *without), output) > SEEN
        assert apart(block.call(module, *without), output) > SEEN


@pytest.mark.parametrize("block", [block for block in ALL if block.library == "torch"], ids=names)
def test_attention_to_no_token_is_zero(block: RealBlock) -> None:
    _, (context, query, positions) = both_cases(())
    assert heads_of_torch(block, module_of(block), context, query, positions).any() != (block.name in SINGULAR)


@each_part
@pytest.mark.parametrize("block", [block for block in ALL if block.casts], ids=names)
def test_float64_that_is_cast_on_the_way_shows_too_little(block: RealBlock, kept: tuple[int, ...]) -> None:
    """Left as it is, such a run misses the equality where a patched value is rounded to float32, and agrees by rounding elsewhere."""
    with_context, without = both_cases(kept)
    first, _, absorber = patches(block, with_context, without)
    output = block.call(module_of(block), *with_context)
    assert agree(with_parameters(block, module_of(block), first | absorber, *without), output) == (block.name.split(",")[0] not in ROUNDED_AWAY)


STEP = 2.0**-30


@pytest.mark.soak
@each_block
def test_over_many_prompts_the_error_is_rounding_times_the_patched_blocks_condition(block: RealBlock) -> None:
    """Prompts of one to eight tokens, of which some stay.

    A patched block is worse conditioned than the block: δ ⊘ n has large entries where the norm's value n has small ones, and what rounding makes of
    n is multiplied by them. So 1e-12 of the output is not kept by every prompt where a scale absorbs; 1e-12 times the condition is, which is
    how far the patched block's output moves with its query.
    """
    module, errors, conditions = module_of(block), [], []
    for seed in range(60):
        length = 1 + seed % 8
        kept = tuple(token for token in range(length - 1) if seed >> token & 1)
        with_context, (context, query, positions) = both_cases(kept, seed, length)
        with float64(block):
            first, _, absorber = patches(block, with_context, (context, query, positions))
            output = block.call(module, *with_context)
            errors.append(apart(with_parameters(block, module, first | absorber, context, query, positions), output))
            moved = query + STEP * query.abs().max() * torch.linspace(-1, 1, D, dtype=query.dtype)
            moved = with_parameters(block, module, first | absorber, context, moved, positions)
            conditions.append(apart(moved, output) / STEP)
    print(f"{block.name}: errors up to {max(errors):.1e}, conditions up to {max(conditions):.1e}")
    unit = torch.finfo(torch.float64).eps / 2
    assert all(error <= TERMS * unit * max(1.0, condition) for error, condition in zip(errors, conditions, strict=True))
    assert max(errors) <= ROUNDINGS * unit or block.absorber in NORMS_SCALES


def test_every_block_has_its_anatomy_and_none_is_left_over() -> None:
    assert set(ANATOMIES) == {block.name for block in ALL}
    assert set(ALSO) == {block.name for block in ALL if block.also is not None}
