"""Pre-LN blocks: attention to normalised tokens is added to the residual stream, and the network reads the normalised stream.

    v = x + attention(N₁(c₁), ..., N₁(c_n), N₁(x)),    T(C, x) = v + M(N₂(v))

Attention is causal, and x the last token, so it sees them all. Xiong et al., "On layer normalization in the transformer architecture"
(2020); with RMSNorm, no biases and a gated network, as in Touvron et al., "LLaMA" (2023). The network is a GELU one with LayerNorm; or a
gated one, W_o(SiLU(W_g a) ⊙ W_u a), whose output matrix takes what the bias of the first would. RMSNorm has no scale here: it would be a part
of W. Without a context A(x) does not go to zero with x: N₁(x) has one length, whatever x.
"""

from torch import nn

from numeric.architecture import Block, ContextualBlock, Recipe
from numeric.architecture.layers import GatedNetwork, PreNormAttention, unscaled_rms_norm


def _layer_norm(recipe: Recipe) -> ContextualBlock:
    attention = PreNormAttention(recipe.width, recipe.heads, nn.LayerNorm)
    network = nn.Sequential(nn.Linear(recipe.width, recipe.hidden), nn.GELU(), nn.Linear(recipe.hidden, recipe.width))
    return ContextualBlock(attention, network, "0", input_width=recipe.width, norm=nn.LayerNorm(recipe.width))


def _rms_norm(recipe: Recipe) -> ContextualBlock:
    attention = PreNormAttention(recipe.width, recipe.heads, unscaled_rms_norm)
    network = GatedNetwork(recipe.width, recipe.hidden)
    return ContextualBlock(attention, network, ("gate", "up"), input_width=recipe.width, norm=unscaled_rms_norm(recipe.width))


BLOCKS = (
    Block(
        "pre-ln",
        "Pre-LN: softmax attention, LayerNorm, GELU network",
        _layer_norm,
        Recipe(heads=4, steps=500),
        too_coarse_in=(("subset", "fp16"),),
        normalises=True,
    ),
    Block(
        "pre-ln-gated",
        "Pre-LN: softmax attention, RMSNorm, gated SiLU network, no biases",
        _rms_norm,
        Recipe(heads=4, hidden=64, steps=400),
        too_coarse_in=(("subset", "fp16"), ("repeated", "fp32")),
        normalises=True,
    ),
)
