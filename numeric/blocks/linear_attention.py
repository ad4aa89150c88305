"""Linear attention: no softmax, so A(C, x) is a sum over tokens, A(C, x) = O Σ_i v_i (k_iᵀq)/(n + 1) head by head.

The layer of von Oswald et al., "Transformers learn in-context by gradient descent" (2023), whose context vector is of rank one in
each token (claim ``linear-attention``). Without a context A(sx) = s³A(x), but ΔA goes to zero with the query too, like s.
"""

from torch import Tensor, nn

from numeric.block import Block
from numeric.block_parts import heads_apart, heads_together, relu_network, sequence
from numeric.contextual_block import ContextualBlock
from numeric.recipe import Recipe


class LinearAttention(nn.Module):
    """Attention of one query to its context and itself, without a softmax."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, width) or None; query: (batch, width). Returns (batch, width)."""
        tokens = sequence(context, query)
        q, k, v = (heads_apart(x, self.heads) for x in (self.query(query.unsqueeze(-2)), self.key(tokens), self.value(tokens)))
        memory = k.mT @ v / tokens.shape[-2]
        return self.out(heads_together(q @ memory).squeeze(-2))


def _build(recipe: Recipe) -> ContextualBlock:
    return ContextualBlock(LinearAttention(recipe.width, recipe.heads), relu_network(recipe), "0", input_width=recipe.width)


BLOCKS = (Block("linear-attention", "Linear attention, ReLU network", _build, Recipe(steps=1000)),)
