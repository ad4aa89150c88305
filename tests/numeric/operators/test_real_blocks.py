"""Whole layers as their libraries wrote them are admitted with nothing but how they are called and which parameters are W.

The corpus has the absorber of each written down from its architecture's formula. By default the layers that need no import of transformers; the soak takes all.
"""

import pytest

from numeric.operators.block import BlockAsWritten
from numeric.operators.updates import Mistake
from tests.real_blocks import own_words, torch_layers
from tests.real_blocks.corpus import ALL, BLOCKS
from tests.real_blocks.real_block import RealBlock

QUICK = (*own_words.BLOCKS, *torch_layers.BLOCKS)
TARGET = 2.0**-39
"""2 10⁻¹², and what is allowed is far less for most: one division by a small entry of a norm, in Gemma 2, is allowed 4 10⁻¹¹."""


def admitted(real: RealBlock) -> BlockAsWritten:
    """The block, after a look at what was found."""
    block = BlockAsWritten.of(real.build(), real.call, real.w)
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
    block = BlockAsWritten.of(real.build(), real.call, (real.projection,))
    assert block.anatomy.stream is None
    assert block.check.off <= min(TARGET, block.check.allowed)
    assert all(noticed > block.check.allowed for noticed in block.check.noticed.values())
