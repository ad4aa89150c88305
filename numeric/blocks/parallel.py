"""Attention and network side by side: T(C, x) = x + attention(N(c₁), ..., N(c_n), N(x)) + W_o GELU(W N(x)).

The network reads the query's own stream, so no context reaches its first layer, and ΔW is 0; the output matrix takes what the stream lacks
(claim ``parallel``). Wang and Komatsuzaki, "GPT-J-6B" (2021).
"""

from torch import nn

from numeric.architecture import Block, ContextualBlock, Recipe
from numeric.architecture.layers import PreNormAttention


def _build(recipe: Recipe) -> ContextualBlock:
    attention = PreNormAttention(recipe.width, recipe.heads, nn.LayerNorm)
    network = nn.Sequential(nn.Linear(recipe.width, recipe.hidden, bias=False), nn.GELU(), nn.Linear(recipe.hidden, recipe.width, bias=False))
    return ContextualBlock(attention, network, "0", input_width=recipe.width, norm=nn.LayerNorm(recipe.width), parallel=True)


BLOCKS = (
    Block("parallel", "Softmax attention beside a GELU network, LayerNorm", _build, Recipe(heads=4, hidden=64, steps=300, required_loss=0.25), normalises=True),
)
