"""The shapes of a block's dense layers, which are what the machine is asked about."""

from torch import nn

from numeric.contextual_block import ContextualBlock


def layer_shapes(block: ContextualBlock) -> tuple[tuple[int, int], ...]:
    """(rows, columns) of every dense layer of the network."""
    return tuple(sorted({(m.out_features, m.in_features) for m in block.network.modules() if isinstance(m, nn.Linear)}))


def first_shape(block: ContextualBlock) -> tuple[int, int]:
    """(m, d) of the first dense layer."""
    return block.first.out_features, block.first.in_features
