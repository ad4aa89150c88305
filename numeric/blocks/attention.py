"""Multi-head softmax attention and a ReLU network: the paper's block, without and with the skip of Definition A.1.

A(C, x) is the attention layer's output at the query, which attends to the context and to itself; with the attention's own
residual, x + that. The attention has no biases, so A(x) is linear in x and can be driven to zero by the query alone.

Without the residual the network sees no more than averages of tokens, and the loss stays at 0.056, about what one step of
gradient descent on the examples reaches (with N = 50 and d = 2: w - (1/N)Σ y_i x_i errs by ½·(d+1)d/N = 0.06). With it, the
network knows the query, and learns to do better.
"""

from torch import Tensor
from torch.nn import functional as F

from numeric.architecture import Block, ContextualBlock, Recipe
from numeric.architecture.layers import AttentionWeights, relu_network, sequence


class SoftmaxAttention(AttentionWeights):
    """Softmax attention of one query to its context and itself, and the query added to it if ``residual``.  Vaswani et al. (2017), §3."""

    def __init__(self, width: int, heads: int, *, residual: bool = False) -> None:
        super().__init__(width, heads)
        self.residual = residual

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, width) or None; query: (batch, width). Returns (batch, width)."""
        q, k, v = self.projected(query, sequence(context, query))
        attended = self.mapped_out(F.scaled_dot_product_attention(q, k, v))
        return query + attended if self.residual else attended


def _build(recipe: Recipe, *, skip: bool = False, residual: bool = False) -> ContextualBlock:
    network = relu_network(recipe, outputs=recipe.width if skip else None)
    return ContextualBlock(SoftmaxAttention(recipe.width, recipe.heads, residual=residual), network, "0", input_width=recipe.width, skip=skip)


def _plain(recipe: Recipe) -> ContextualBlock:
    return _build(recipe)


def _with_skip(recipe: Recipe) -> ContextualBlock:
    return _build(recipe, skip=True)


def _with_residual(recipe: Recipe) -> ContextualBlock:
    return _build(recipe, residual=True)


BLOCKS = (
    Block("attention", "Softmax attention, ReLU network", _plain, Recipe(steps=800), homogeneous=True, cancels=True),
    Block("attention-skip", "Softmax attention, ReLU network, skip connection", _with_skip, Recipe(steps=800), homogeneous=True, cancels=True),
    Block(
        "attention-one-head",
        "Softmax attention with one head, ReLU network",
        _plain,
        Recipe(heads=1, steps=400, required_loss=0.25),
        homogeneous=True,
        cancels=True,
    ),
    Block(
        "attention-residual",
        "Softmax attention with its residual, ReLU network",
        _with_residual,
        Recipe(heads=4, steps=2500, learning_rate=8e-3, required_loss=0.03),
        homogeneous=True,
        cancels=True,
    ),
)
