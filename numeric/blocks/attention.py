"""Multi-head softmax attention and a ReLU network: the paper's block, without and with the skip of Definition A.1.

A(C, x) is the attention layer's output at the query, which attends to the context and to itself. The attention has no
biases, so A(x) is linear in x and can be driven to zero by the query alone.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from numeric.block import Block
from numeric.block_parts import heads_apart, heads_together, relu_network, sequence
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
        tokens = sequence(context, query)
        q, k, v = (heads_apart(x, self.heads) for x in (self.query(query.unsqueeze(-2)), self.key(tokens), self.value(tokens)))
        return self.out(heads_together(F.scaled_dot_product_attention(q, k, v)).squeeze(-2))


def _build(recipe: Recipe, *, skip: bool) -> ContextualBlock:
    network = relu_network(recipe, outputs=recipe.width if skip else None)
    return ContextualBlock(SoftmaxAttention(recipe.width, recipe.heads), network, "0", input_width=recipe.width, skip=skip)


def _plain(recipe: Recipe) -> ContextualBlock:
    return _build(recipe, skip=False)


def _with_skip(recipe: Recipe) -> ContextualBlock:
    return _build(recipe, skip=True)


BLOCKS = (
    Block("attention", "Softmax attention, ReLU network", _plain, Recipe(), homogeneous=True, cancels=True),
    Block("attention-skip", "Softmax attention, ReLU network, skip connection", _with_skip, Recipe(), homogeneous=True, cancels=True),
    Block(
        "attention-one-head",
        "Softmax attention with one head, ReLU network",
        _plain,
        Recipe(heads=1, steps=4000, required_loss=0.25),
        homogeneous=True,
        cancels=True,
    ),
)
