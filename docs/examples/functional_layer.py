"""A layer written with functions and bare parameters: attention, then a gated network whose first two matrices are rows of one parameter.

verify check docs/examples/functional_layer.py:make_block
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric import ContextualBlock

WIDTH, HIDDEN = 16, 48


class Layer(nn.Module):
    """v + W_d(silu(W_g a) ⊙ W_u a), a = N(v)."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = (nn.Parameter(torch.randn(rows, WIDTH) / WIDTH**0.5) for rows in (3 * WIDTH, WIDTH))
        self.gate_and_up = nn.Parameter(torch.randn(2 * HIDDEN, WIDTH) / WIDTH**0.5)
        self.down = nn.Parameter(torch.randn(WIDTH, HIDDEN) / HIDDEN**0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (batch, n, WIDTH). The last token's output."""
        q, k, v = F.linear(F.rms_norm(tokens, (WIDTH,)), self.qkv).chunk(3, -1)
        stream = tokens[:, -1] + F.linear(F.scaled_dot_product_attention(q[:, -1:], k, v)[:, 0], self.out)
        gate, up = F.linear(F.rms_norm(stream, (WIDTH,)), self.gate_and_up).chunk(2, -1)
        return stream + F.linear(F.silu(gate) * up, self.down)


def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The query's output."""
    return module(query[:, None] if context is None else torch.cat([context, query[:, None]], 1))


def make_block() -> object:
    """All rows of one parameter are W; rows of one that has others too are named as `gate_and_up[0:48]`."""
    torch.manual_seed(0)
    return ContextualBlock.of(Layer(), call, first="gate_and_up")
