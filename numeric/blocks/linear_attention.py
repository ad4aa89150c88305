"""Linear attention: no softmax, so A(C, x) is a sum over tokens, A(C, x) = O Σ_i v_i (k_iᵀq)/(n + 1) head by head.

The layer of von Oswald et al., "Transformers learn in-context by gradient descent" (2023), whose context vector is of rank one in
each token (claim ``linear-attention``). Without a context A(sx) = s³A(x), but ΔA goes to zero with the query too, like s.
"""

from torch import Tensor

from numeric.architecture import Block, ContextualBlock, Recipe
from numeric.architecture.layers import AttentionWeights, relu_network, sequence


class LinearAttention(AttentionWeights):
    """Attention of one query to its context and itself, without a softmax."""

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, width) or None; query: (batch, width). Returns (batch, width)."""
        tokens = sequence(context, query)
        q, k, v = self.projected(query, tokens)
        memory = k.mT @ v / tokens.shape[-2]
        return self.mapped_out(q @ memory)


def _build(recipe: Recipe) -> ContextualBlock:
    return ContextualBlock(LinearAttention(recipe.width, recipe.heads), relu_network(recipe), "0", input_width=recipe.width)


BLOCKS = (Block("linear-attention", "Linear attention, ReLU network", _build, Recipe(steps=600), claims=("linear-attention",)),)
