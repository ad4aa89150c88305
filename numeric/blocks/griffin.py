"""Griffin's mixture of a gated linear recurrence and local attention, as one contextual layer.

De et al., "Griffin: mixing gated linear recurrences with local attention" (2024), arXiv 2402.19427, §2: the real-gated linear
recurrent unit (their Eqs. 1–4) in a gated branch, then softmax attention of the query to the last few states, each with
its residual.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.architecture import Block, ContextualBlock, Recipe
from numeric.architecture.layers import heads_apart, heads_together, linear_recurrence, relu_network, sequence

SHARPNESS = 8.0
"""c of Eq. (3): a_t = a^(c r_t)."""

WINDOW = 16
"""States that the local attention sees."""


class RealGatedUnit(nn.Module):
    """h_t = a_t ⊙ h_{t-1} + √(1 - a_t²) ⊙ (i_t ⊙ x_t), a_t = σ(Λ)^(c r_t).  Eqs. (1)–(4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.recurrence_gate = nn.Linear(width, width)
        self.input_gate = nn.Linear(width, width)
        self.decay = nn.Parameter(torch.linspace(2.2, 6.9, width))  # σ(Λ) between 0.9 and 0.999, as in §2.4

    def forward(self, x: Tensor) -> Tensor:
        """Every state.  x: (batch, n, width). Returns the same shape."""
        log_decay = SHARPNESS * torch.sigmoid(self.recurrence_gate(x)) * F.logsigmoid(self.decay)
        entering = torch.sqrt(-torch.expm1(2.0 * log_decay)) * (torch.sigmoid(self.input_gate(x)) * x)
        return linear_recurrence(log_decay, entering)


class Griffin(nn.Module):
    """A recurrent layer and a layer of local attention, read off at the query."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.gate = nn.Linear(width, width, bias=False)
        self.enter = nn.Linear(width, width, bias=False)
        self.recurrence = RealGatedUnit(width)
        self.leave = nn.Linear(width, width, bias=False)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, width) or None; query: (batch, width). Returns (batch, width)."""
        tokens = sequence(context, query)
        states = tokens + self.leave(F.gelu(self.gate(tokens)) * self.recurrence(self.enter(tokens)))
        near, last = states[..., -WINDOW:, :], states[..., -1:, :]
        q, k, v = (heads_apart(x, self.heads) for x in (self.query(last), self.key(near), self.value(near)))
        return (last + self.out(heads_together(F.scaled_dot_product_attention(q, k, v)))).squeeze(-2)


def _build(recipe: Recipe) -> ContextualBlock:
    return ContextualBlock(Griffin(recipe.width, recipe.heads), relu_network(recipe), "0", input_width=recipe.width)


BLOCKS = (
    Block(
        "griffin",
        "Gated linear recurrence and local attention (Griffin), ReLU network",
        _build,
        Recipe(steps=300),
        longest=1024,
        too_coarse_in=((None, "fp8-e5m2"),),
    ),
)
