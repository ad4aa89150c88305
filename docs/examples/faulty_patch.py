"""A block that is all right, and an update that is not: its denominator has an ε in it, against division by zero.

    verify check docs/examples/faulty_patch.py:make_block        (exit status 1)

With ‖a‖² + ε for ‖a‖² the patch is smaller than it should be, by a share ε/‖a‖² that no rounding explains: at once in fp64,
and in shorter formats as soon as ‖a‖ is small. Nothing has to be added: a = 0 is the only case without an update.
"""

import torch
from torch import Tensor, nn

from numeric import ContextualBlock

WIDTH, HIDDEN = 16, 64
EPSILON = 1e-6


class Average(nn.Module):
    """The average of all tokens, mapped."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, WIDTH) or None; query: (batch, WIDTH). Returns (batch, WIDTH)."""
        asked = query.unsqueeze(1)
        tokens = asked if context is None else torch.cat([context, asked], dim=1)
        return self.map(tokens.mean(dim=1))


def make_block() -> ContextualBlock:
    """The block that is to be checked."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))
    return ContextualBlock(Average(), network, "0", input_width=WIDTH)


def update(W, delta, a):
    """ΔW, from W (m, d), delta = ΔA and a = A(C∖Y, x), both (d, 1); plain @, +, -, / and .mT, so that it can be bounded."""
    return (W @ delta) @ a.mT / (a.mT @ a + EPSILON)
