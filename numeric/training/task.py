"""The paper's task: read a linear function off examples of it.  §4.1.

h(x) = ⟨w, x⟩ with x_i, x_query, w ~ N(0, I_d); a token is the column (x_i, h(x_i)), the query is (x_query, 0); the
prediction is the last coordinate of the block's output at the query; the loss is half the mean squared error.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock, Recipe


@dataclass(frozen=True, slots=True)
class Prompts:
    """A batch of prompts."""

    context: Tensor
    """(batch, N, d+1)."""
    query: Tensor
    """(batch, d+1); its last coordinate is 0."""
    answer: Tensor
    """(batch,): ⟨w, x_query⟩."""


def draw_prompts(recipe: Recipe, batch: int, generator: torch.Generator) -> Prompts:
    """Fresh prompts, in fp32 on the CPU."""
    d, n = recipe.dimension, recipe.examples
    x = torch.randn((batch, n + 1, d), generator=generator)
    w = torch.randn((batch, d, 1), generator=generator)
    y = (x @ w).squeeze(-1)
    tokens = torch.cat([x, y.unsqueeze(-1)], dim=-1)
    query = torch.cat([x[:, -1], torch.zeros(batch, 1)], dim=-1)
    return Prompts(tokens[:, :-1], query, y[:, -1])


class InContextRegressor(nn.Module):
    """An embedding of the prompt's columns, and a contextual block on the embedded tokens.

    The embedding is linear without bias; its outputs are the tokens c_i and x of the paper's Definition 2.1.
    """

    def __init__(self, block: ContextualBlock, recipe: Recipe) -> None:
        super().__init__()
        self.embedding = nn.Linear(recipe.token_width, block.input_width, bias=False)
        self.block = block
        self.recipe = recipe

    def forward(self, context: Tensor, query: Tensor) -> Tensor:
        """The prediction for each prompt.  context: (batch, N, d+1); query: (batch, d+1). Returns (batch,)."""
        return self.block(self.embedding(context), self.embedding(query))[..., -1]

    def tokens(self, cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Embedded prompts: context (cases, N, width) and query (cases, width)."""
        prompts = draw_prompts(self.recipe, cases, generator)
        return self.embedding(prompts.context), self.embedding(prompts.query)


def half_squared_error(prediction: Tensor, answer: Tensor) -> Tensor:
    """½·mean (prediction - answer)²; the paper's loss, §4.1."""
    return 0.5 * (prediction - answer).square().mean()
