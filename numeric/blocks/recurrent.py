"""Recurrent contextual layers: the tokens are read in order, the query last, and A(C, x) is the last state.

Of a contextual layer the paper asks only that it is a function of a context and a query (§2). What it reads off three figures
of softmax attention need not hold here: successive updates do not vanish (erratum 9).
"""

from torch import Tensor, nn

from numeric.architecture import Block, ContextualBlock, Recipe
from numeric.architecture.layers import relu_network, sequence


class LastState(nn.Module):
    """The last state of one of PyTorch's recurrent layers."""

    def __init__(self, recurrence: nn.RNN | nn.GRU) -> None:
        super().__init__()
        self.recurrence = recurrence

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """A(context, query).  context: (batch, n, d_in) or None; query: (batch, d_in). Returns (batch, width)."""
        states, _ = self.recurrence(sequence(context, query))
        return states[..., -1, :]


def _rnn(recipe: Recipe) -> ContextualBlock:
    """h_t = ReLU(U c_t + V h_{t-1}).  Elman, "Finding structure in time" (1990); with a tanh it learns the task far less well."""
    layer = nn.RNN(recipe.width, recipe.width, nonlinearity="relu", bias=False, batch_first=True)
    return ContextualBlock(LastState(layer), relu_network(recipe), "0", input_width=recipe.width)


def _gru(recipe: Recipe) -> ContextualBlock:
    """Cho et al., "Learning phrase representations using RNN encoder–decoder" (2014)."""
    layer = nn.GRU(recipe.width, recipe.width, bias=False, batch_first=True)
    return ContextualBlock(LastState(layer), relu_network(recipe), "0", input_width=recipe.width)


BLOCKS = (
    Block("rnn", "Recurrent layer (ReLU), ReLU network", _rnn, Recipe(learning_rate=2e-3, steps=1000), homogeneous=True, longest=1024),
    Block("gru", "Gated recurrent unit, ReLU network", _gru, Recipe(steps=450), longest=1024),
)
