"""Ten causal Pre-LN blocks, one on the other; as a contextual block the last one, whose contextual layer is all that comes before its network.

Block i has the streams of all tokens before it: v_t = s_t + attention(N₁(s_1), ..., N₁(s_t)), s_t ← v_t + W′GELU(W N₂(v_t) + b) + b′. A token sees
itself and those before it, so what the context contributes to a block does not depend on the query. The claim ``stack`` patches every block, in
order (``numeric/experiments/patched_stack.py``); the grid tests the last one behind a contextual layer that is nine blocks deep.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.architecture import Block, ContextualBlock, Recipe
from numeric.architecture.layers import PreNormAttention, heads_together, sequence

DEPTH = 10


class CausalBlock(ContextualBlock):
    """A Pre-LN block that can also be run for all tokens at once."""

    def __init__(self, recipe: Recipe) -> None:
        width, hidden = recipe.width, recipe.hidden
        network = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        attention = PreNormAttention(width, recipe.heads, nn.LayerNorm)
        super().__init__(attention, network, "0", input_width=width, norm=nn.LayerNorm(width))

    def streams(self, tokens: Tensor) -> Tensor:
        """The streams of all tokens after this block, from those before it.  tokens: (batch, n, width). Returns the same shape."""
        attention = self.contextual
        assert isinstance(attention, PreNormAttention)
        assert self.norm is not None
        q, k, v = attention.projected_all(attention.norm(tokens))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        stream = tokens + attention.out(heads_together(mixed))
        found: Tensor = stream + self.network(self.norm(stream))
        return found


class Below(nn.Module):
    """All blocks but the last, and the attention of that one."""

    def __init__(self, blocks: list[CausalBlock], attention: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.attention = attention

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """v of the last block.  context: (batch, n, width) or None; query: (batch, width). Returns (batch, width)."""
        tokens = sequence(context, query)
        for block in self.blocks:
            assert isinstance(block, CausalBlock)
            tokens = block.streams(tokens)
        found: Tensor = self.attention(None if context is None else tokens[..., :-1, :], tokens[..., -1, :])
        return found


def stacked(block: ContextualBlock) -> list[ContextualBlock]:
    """The ten blocks, each as one that reads the streams of the tokens before it as its context."""
    below = block.contextual
    assert isinstance(below, Below)
    last = ContextualBlock(below.attention, block.network, "0", input_width=block.input_width, norm=block.norm)
    return [*(each for each in below.blocks if isinstance(each, ContextualBlock)), last]


def _build(recipe: Recipe) -> ContextualBlock:
    *below, last = (CausalBlock(recipe) for _ in range(DEPTH))
    attention = last.contextual
    assert isinstance(attention, nn.Module)
    with torch.no_grad():
        for block in (*below, last):  # each adds to the stream what a tenth of its kind would: Radford et al. (2019), §2.3
            block.get_parameter("contextual.out.weight").mul_(DEPTH**-0.5)
            block.get_parameter("network.2.weight").mul_(DEPTH**-0.5)
    return ContextualBlock(Below(below, attention), last.network, "0", input_width=recipe.width, norm=last.norm)


BLOCKS = (
    Block(
        "pre-ln-stack",
        "Ten Pre-LN blocks: causal softmax attention, LayerNorm, GELU networks",
        _build,
        Recipe(examples=10, heads=4, hidden=64, batch=64, steps=200, learning_rate=2e-3),
        claims=("stack", "generation"),
        normalises=True,
        longest=128,
    ),
)
