"""What several blocks are built of."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.architecture.junctions import Product
from numeric.architecture.recipe import Recipe


def relu_network(recipe: Recipe, *, outputs: int | None = None) -> nn.Sequential:
    """The paper's network: dense, ReLU, dense, from the contextual layer's width to a token's, or to ``outputs``; its first layer is "0"."""
    return nn.Sequential(nn.Linear(recipe.width, recipe.hidden), nn.ReLU(), nn.Linear(recipe.hidden, outputs or recipe.token_width))


class GatedNetwork(nn.Module):
    """W_o(SiLU(W_g a) ⊙ W_u a), without biases; its first layers are "gate" and "up".  Shazeer, "GLU variants improve transformer" (2020), SwiGLU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.activation = nn.SiLU()
        self.up = nn.Linear(width, hidden, bias=False)
        self.product = Product()
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, a: Tensor) -> Tensor:
        """a: (batch, width). Returns (batch, width)."""
        return self.down(self.product(self.activation(self.gate(a)), self.up(a)))


def sequence(context: Tensor | None, query: Tensor) -> Tensor:
    """The tokens in order, the query last.  context: (batch, n, d_in) or None; query: (batch, d_in). Returns (batch, n + 1, d_in)."""
    asked = query.unsqueeze(-2)
    return asked if context is None else torch.cat([context, asked], dim=-2)


def heads_apart(x: Tensor, heads: int) -> Tensor:
    """(batch, n, width) to (batch, heads, n, width/heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def heads_together(x: Tensor) -> Tensor:
    """(batch, heads, n, size) to (batch, n, heads·size)."""
    return x.transpose(-3, -2).flatten(-2)


class AttentionWeights(nn.Module):
    """The maps of multi-head attention, without biases; how the scores are used is for those to say who have them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def projected(self, query: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k and v by heads.  query: (batch, width); tokens: (batch, n, width). Returns (batch, heads, 1 or n, width/heads)."""
        q, k, v = (heads_apart(x, self.heads) for x in (self.query(query.unsqueeze(-2)), self.key(tokens), self.value(tokens)))
        return q, k, v

    def projected_all(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same with a query for each token.  Each: (batch, heads, n, width/heads)."""
        q, k, v = (heads_apart(part(tokens), self.heads) for part in (self.query, self.key, self.value))
        return q, k, v

    def mapped_out(self, mixed: Tensor) -> Tensor:
        """mixed: (batch, heads, 1, width/heads). Returns (batch, width)."""
        found: Tensor = self.out(heads_together(mixed).squeeze(-2))
        return found


unscaled_rms_norm = partial(nn.RMSNorm, elementwise_affine=False)


class PreNormAttention(AttentionWeights):
    """The residual stream after softmax attention to normalised tokens."""

    def __init__(self, width: int, heads: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__(width, heads)
        self.norm = norm(width)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """v.  context: (batch, n, width) or None; query: (batch, width). Returns (batch, width)."""
        tokens = self.norm(sequence(context, query))
        q, k, v = self.projected(tokens[..., -1, :], tokens)
        return query + self.mapped_out(F.scaled_dot_product_attention(q, k, v))


def linear_recurrence(log_decay: Tensor, entering: Tensor) -> Tensor:
    """Every state of h_t = exp(log_decay_t) h_{t-1} + entering_t, h_0 = 0, by doubling the stretch that a state covers.

    log_decay, entering: (batch, n, width). Returns (batch, n, width). Hillis and Steele, "Data parallel algorithms" (1986).
    """
    decay, state, covered = log_decay.exp(), entering, 1
    while covered < state.shape[-2]:
        state = torch.cat([state[..., :covered, :], state[..., covered:, :] + decay[..., covered:, :] * state[..., :-covered, :]], dim=-2)
        decay = torch.cat([decay[..., :covered, :], decay[..., covered:, :] * decay[..., :-covered, :]], dim=-2)
        covered *= 2
    return state
