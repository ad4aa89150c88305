"""PyTorch's own encoder layer, whose norms stand behind the sums. The norm behind the network reads the sum alone, so it may stay where it is.

verify check docs/examples/post_norm_layer.py:make_block
"""

import torch
from torch import Tensor, nn

from numeric import ContextualBlock


def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The query's output."""
    return module(query[:, None] if context is None else torch.cat([context, query[:, None]], 1))[:, -1]


def make_block() -> object:
    """The bias of `linear2` takes what the stream lacks without the context."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(32, 4, dim_feedforward=64, batch_first=True, activation="gelu").eval()
    return ContextualBlock.of(layer, call, first="linear1.weight")
