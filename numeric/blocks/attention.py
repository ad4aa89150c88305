"""Multi-head softmax attention and a ReLU network: the paper's block, without and with the skip of Definition A.1.

A(C, x) is the attention layer's output at the query, which attends to the context and to itself. The attention has no
biases, so A(x) is linear in x and can be driven to zero by the query alone.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.block import Block
from numeric.contextual_block import ContextualBlock
from numeric.recipe import Recipe


class SoftmaxAttention(nn.Module):
    """Softmax attention of one query to its context and itself.  Vaswani et al. (2017), §3.2."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, width) or None; query: (batch, width). Returns (batch, width)."""
        asked = query.unsqueeze(-2)
        tokens = asked if context is None else torch.cat([context, asked], dim=-2)
        q, k, v = (self._split(f(t)) for f, t in ((self.query, asked), (self.key, tokens), (self.value, tokens)))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(-3, -2).flatten(-2).squeeze(-2))

    def _split(self, x: Tensor) -> Tensor:
        """(batch, n, width) to (batch, heads, n, width/heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)


def _build(recipe: Recipe, *, skip: bool) -> ContextualBlock:
    outputs = recipe.width if skip else recipe.token_width
    network = nn.Sequential(nn.Linear(recipe.width, recipe.hidden), nn.ReLU(), nn.Linear(recipe.hidden, outputs))
    return ContextualBlock(SoftmaxAttention(recipe.width, recipe.heads), network, "0", input_width=recipe.width, skip=skip)


def _plain(recipe: Recipe) -> ContextualBlock:
    return _build(recipe, skip=False)


def _with_skip(recipe: Recipe) -> ContextualBlock:
    return _build(recipe, skip=True)


BLOCKS = (
    Block("attention", "Softmax attention, ReLU network", _plain, Recipe()),
    Block("attention-skip", "Softmax attention, ReLU network, skip connection", _with_skip, Recipe()),
)
