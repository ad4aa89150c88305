"""A recurrent block, with contexts of its own: sine waves of ten to thirty points.

verify check docs/examples/recurrent_block.py:make_block
"""

import torch
from torch import Tensor, nn

from numeric import ContextualBlock

WIDTH, HIDDEN = 8, 32


class LastState(nn.Module):
    """Reads the tokens in order, the query last."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrence = nn.RNN(WIDTH, WIDTH, batch_first=True)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, WIDTH) or None; query: (batch, WIDTH). Returns (batch, WIDTH)."""
        asked = query.unsqueeze(1)
        tokens = asked if context is None else torch.cat([context, asked], dim=1)
        return self.recurrence(tokens)[0][:, -1]


def make_block() -> ContextualBlock:
    """The block that is to be checked."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
    return ContextualBlock(LastState(), network, "0", input_width=WIDTH)


def make_contexts(batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Contexts (batch, n, WIDTH), n the same for all of a batch, and queries (batch, WIDTH)."""
    n = int(torch.randint(10, 31, (), generator=generator))
    time = torch.linspace(0, 3, n + 1).reshape(1, -1, 1)
    phase, pitch = (torch.rand((batch, 1, WIDTH), generator=generator) for _ in range(2))
    waves = torch.sin(6.0 * (pitch * time + phase))
    return waves[:, :-1], waves[:, -1]
