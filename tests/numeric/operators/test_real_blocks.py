"""Whole layers as their libraries wrote them are admitted with nothing but how they are called and which parameters are W.

The corpus has the absorber of each written down from its architecture's formula. By default those in our own words; the soak takes all.
"""

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.operators.block import WatchedBlock
from numeric.operators.updates import Mistake
from tests.real_blocks import own_words
from tests.real_blocks.corpus import ALL, BLOCKS
from tests.real_blocks.libraries import library
from tests.real_blocks.real_block import RealBlock, last_token

QUICK = own_words.BLOCKS
TARGET = 2.0**-39
"""2 10⁻¹², and what is allowed is far less for most: one division by a small entry of a norm, in Gemma 2, is allowed 4 10⁻¹¹."""


def admitted(real: RealBlock) -> WatchedBlock:
    """The block, after a look at what was found."""
    block = WatchedBlock.of(ContextualBlock.of(real.build(), real.call, real.w))
    absorber = block.anatomy.absorber
    assert (absorber.name if absorber else None) in (real.absorber, real.also)
    assert (absorber is None) == (real.absorber is None)
    assert block.anatomy.reads_context is real.reads_context
    assert block.check.off <= min(TARGET, block.check.allowed)
    assert block.check.noticed[Mistake.NOTHING] > 2**10 * block.check.allowed
    assert all(noticed > block.check.allowed for noticed in block.check.noticed.values())
    return block


@pytest.mark.parametrize("real", QUICK, ids=str)
def test_a_layer_is_admitted_as_it_is_written(real: RealBlock) -> None:
    admitted(real)


@pytest.mark.soak
@pytest.mark.parametrize("real", [each for each in ALL if each not in QUICK], ids=str)
def test_every_layer_of_the_corpus_is_admitted_as_it_is_written(real: RealBlock) -> None:
    block = admitted(real)
    assert bool(block.anatomy.casts) or not real.casts


@pytest.mark.soak
@pytest.mark.parametrize("real", BLOCKS, ids=str)
def test_w_in_the_attentions_output_needs_no_absorber(real: RealBlock) -> None:
    block = WatchedBlock.of(ContextualBlock.of(real.build(), real.call, (real.projection,)))
    assert block.anatomy.stream is None
    assert block.check.off <= min(TARGET, block.check.allowed)
    assert all(noticed > block.check.allowed for noticed in block.check.noticed.values())


def prefill_and_decode(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The context goes through a layer of Llama once, into its cache; the query alone is decoded."""
    cache = library("transformers").DynamicCache()
    layer, rotary = module.get_submodule("layer"), module.get_submodule("rotary")
    made = query
    for x, where in ((context, positions[None, :-1]), (query[:, None], positions[None, -1:])):
        if x is not None:
            made = layer(x, attention_mask=None, position_ids=where, position_embeddings=rotary(x, where), cache=cache, use_cache=True)
    return last_token(made)


@pytest.mark.soak
def test_a_prefill_and_one_decoding_step_are_the_whole_pass() -> None:
    """The same cut, on the last of its readings; what W makes of the context's tokens reaches the query's output no more than in the whole pass."""
    (llama,) = (each for each in BLOCKS if each.name == "Llama")
    block = WatchedBlock.of(ContextualBlock.of(llama.build(), prefill_and_decode, llama.w))
    assert block.anatomy.absorber is not None
    assert block.anatomy.absorber.name == llama.absorber
    assert len(block.anatomy.notes) == 2
    assert all("what does not reach the query's output" in note for note in block.anatomy.notes)
    x = torch.randn((2, 6, block.width), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    given = x[:, :5], x[:, 5], torch.arange(6)
    stepwise, whole = prefill_and_decode(block.double.module, *given), llama.call(block.double.module, *given)
    assert float((stepwise - whole).abs().max()) <= 2**6 * torch.finfo(torch.float32).eps * float(whole.abs().max()), "its norms cast to float32"
