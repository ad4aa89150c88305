"""A selective state-space layer: a linear recurrence whose step, input and output maps depend on the token.

Gu and Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023), §3: for each channel c and state s
    h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t,    y_t = C_tᵀ h_t + D u_t,    Δ_t = softplus(·),  A < 0,
with a SiLU gate beside it. Only the last output is read, so the states are summed at once instead of one after the other:
h_n = Σ_t exp(A Σ_{t' > t} Δ_t') Δ_t B_t u_t. The short convolution in front is left out.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.architecture import Block, ContextualBlock, Recipe
from numeric.architecture.layers import relu_network, sequence

STATES = 4
"""N: numbers kept for each channel."""

SMALL_STEP = -3.0
"""Offset of Δ's pre-activation: steps begin near softplus(-3) = 0.05, so that dozens of tokens are remembered (their §3.6)."""


class SelectiveStateSpace(nn.Module):
    """The last output of a selective state-space layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, width, bias=False)
        self.step = nn.Linear(width, width)
        self.input_map = nn.Linear(width, STATES, bias=False)
        self.output_map = nn.Linear(width, STATES, bias=False)
        self.log_rate = nn.Parameter(torch.arange(1.0, STATES + 1.0).log().repeat(width, 1))  # S4D-Real: A = -(1, ..., N)
        self.through = nn.Parameter(torch.ones(width))
        self.leave = nn.Linear(width, width, bias=False)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, width) or None; query: (batch, width). Returns (batch, width)."""
        tokens = sequence(context, query)
        u = F.silu(self.enter(tokens))
        step = F.softplus(self.step(u) + SMALL_STEP)
        after = step.flip(-2).cumsum(-2).flip(-2) - step  # Σ of the later steps
        weight = torch.exp(after.unsqueeze(-1) * -self.log_rate.exp())
        state = (weight * (step * u).unsqueeze(-1) * self.input_map(u).unsqueeze(-2)).sum(-3)
        last = u[..., -1, :]
        y = (state * self.output_map(last).unsqueeze(-2)).sum(-1) + self.through * last
        return self.leave(y * F.silu(self.gate(query)))


def _build(recipe: Recipe) -> ContextualBlock:
    return ContextualBlock(SelectiveStateSpace(recipe.width), relu_network(recipe), "0", input_width=recipe.width)


BLOCKS = (Block("selective-ssm", "Selective state-space layer (Mamba), ReLU network", _build, Recipe(steps=500, learning_rate=8e-3), longest=1024),)
