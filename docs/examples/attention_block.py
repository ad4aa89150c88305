"""A block of your own: PyTorch's multi-head attention and a GELU network.

verify check docs/examples/attention_block.py:make_block
"""

import torch
from torch import Tensor, nn

from numeric import ContextualBlock

WIDTH, HIDDEN = 16, 64


class Attention(nn.Module):
    """The query attends to the context and to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, WIDTH) or None; query: (batch, WIDTH). Returns (batch, WIDTH)."""
        asked = query.unsqueeze(1)
        tokens = asked if context is None else torch.cat([context, asked], dim=1)
        return self.attention(asked, tokens, tokens, need_weights=False)[0].squeeze(1)


def make_block() -> ContextualBlock:
    """The block that is to be checked."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))
    return ContextualBlock(Attention(), network, "0", input_width=WIDTH)
