"""A block whose parameters are expanded, one place in memory for many entries, is measured; one whose contextual layer reads such a place is refused."""

import pytest
import torch
from torch import Tensor

from numeric.architecture import ContextualBlock, UnusableBlock
from numeric.user_blocks import own_block
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import Average, block, measured


def expanded(shape: tuple[int, int], contextual: Average | None = None) -> ContextualBlock:
    made = block(contextual or Average())
    first = made.first
    first.weight.data = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=first.weight.dtype).expand(first.weight.shape)
    return made


def shapes() -> list[tuple[int, int]]:
    m, d = block(Average()).first.weight.shape
    return [(1, d), (m, 1)]


@pytest.mark.parametrize("shape", shapes())
def test_a_first_layer_that_is_expanded_is_measured(shape: tuple[int, int]) -> None:
    assert measured("formula", expanded(shape)).verdict is Verdict.HOLDS


class Reading(Average):
    """Computes with the first layer's weight."""

    weight: Tensor

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(context, query) + self.weight.sum()


@pytest.mark.parametrize("shape", shapes())
def test_one_that_the_contextual_layer_reads_is_refused(shape: tuple[int, int]) -> None:
    """The planted negative."""
    reading = Reading()
    made = expanded(shape, reading)
    reading.weight = made.first.weight.detach()
    with pytest.raises(UnusableBlock, match="computes with the first layer's weight"):
        own_block("own", made)
