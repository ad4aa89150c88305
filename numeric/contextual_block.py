"""A contextual block: a contextual layer A followed by a network whose first dense layer is W.

T(C, x) = M_W(A(C, x)),  M_W(z) = f_θ(Wz + b)                    Definition 2.1
T(C, x) = x + A(C, x) + W′g_θ(W A(C, x) + b) + b′                Definition A.1, with ``skip``
"""

from collections.abc import Callable

from torch import Tensor, nn

from symbolic import formulas
from symbolic.errors import CallError


class UnusableBlock(CallError):
    """The module is not a block to which the claims could apply."""


class ContextualBlock(nn.Module):
    """A contextual layer and a network, as one module.

    contextual: called with ``(context, query)``, context (batch, n, d_in) or None, query (batch, d_in); returns (batch, d).
    network: maps (batch, d) to (batch, d_out). first_layer: dotted name of its first ``nn.Linear``.
    input_width: d_in. skip: Definition A.1's skip connection, for which d_in = d = d_out.
    """

    def __init__(
        self, contextual: Callable[[Tensor | None, Tensor], Tensor], network: nn.Module, first_layer: str, *, input_width: int, skip: bool = False
    ) -> None:
        super().__init__()
        self.contextual = contextual
        self.network = network
        self.first_layer = first_layer
        self.input_width = input_width
        self.skip = skip
        self.batches: bool | None = None
        """Whether torch.vmap can run the contextual layer; found out when it is first asked to (``passes.py``)."""
        layers = dict(network.named_modules())
        if not isinstance(layers.get(first_layer), nn.Linear):
            raise UnusableBlock(f'"{first_layer}" is no nn.Linear of the network; its modules are {", ".join(n for n in layers if n)}.')

    @property
    def first(self) -> nn.Linear:
        """The first dense layer, whose weight the claims update."""
        layer = self.network.get_submodule(self.first_layer)
        assert isinstance(layer, nn.Linear)
        return layer

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """T(context, query).  context: (batch, n, d_in) or None; query: (batch, d_in). Returns (batch, d_out)."""
        attended = self.contextual(context, query)
        answer = self.network(attended)
        if not self.skip:
            return answer
        return formulas.skip_connection(query, attended, answer)
