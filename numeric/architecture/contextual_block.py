"""A contextual block: a contextual layer A followed by a network whose first dense layer is W.

T(C, x) = M_W(A(C, x)),  M_W(z) = f_θ(Wz + b)                    Definition 2.1
T(C, x) = x + A(C, x) + W′g_θ(W A(C, x) + b) + b′                Definition A.1, with ``skip``
T(C, x) = v + M_W(N(v)),  v = A(C, x)                            a Pre-LN block, with ``norm``: A is the residual stream (claim ``pre-ln``)
T(C, x) = v + M_W(N(x)),  v = A(C, x)                            attention and network side by side, with ``parallel`` (claim ``parallel``)

A gated network has several first layers, side by side: W is one above the other (claim ``gated``).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from symbolic import formulas
from symbolic.vocabulary import CallError


class UnusableBlock(CallError):
    """The module is not a block to which the claims could apply."""


class ContextualBlock(nn.Module):
    """A contextual layer and a network, as one module.

    contextual: called with ``(context, query)``, context (batch, n, d_in) or None, query (batch, d_in); returns (batch, d).
    network: maps (batch, d) to (batch, d_out). first_layer: dotted name of its first ``nn.Linear``, or the names of all that read the
    network's input. input_width: d_in. skip: Definition A.1's skip connection, for which d_in = d = d_out. norm: of a Pre-LN block, for
    which d = d_out; parallel: it normalises the query and not the stream.
    """

    def __init__(  # public, and a block's parts are seven: each but the first three by its name
        self,
        contextual: Callable[[Tensor | None, Tensor], Tensor],
        network: nn.Module,
        first_layer: str | Sequence[str],
        *,
        input_width: int,
        skip: bool = False,
        norm: nn.Module | None = None,
        parallel: bool = False,
    ) -> None:
        super().__init__()
        if skip and norm is not None:
            raise UnusableBlock("skip is Definition A.1's, which has no norm; a Pre-LN block is given by its norm alone, and its contextual layer returns v.")
        if norm is not None and not isinstance(norm, nn.Module):
            raise UnusableBlock(f"the norm is a {type(norm).__name__}; give it as an nn.Module.")
        if parallel and norm is None:
            raise UnusableBlock("a parallel block reads N(x): give its norm, nn.Identity() if it has none.")
        self.contextual = contextual
        self.network = network
        self.norm = norm
        self.first_layers = (first_layer,) if isinstance(first_layer, str) else tuple(first_layer)
        self.input_width = input_width
        self.skip = skip
        self.parallel = parallel
        self.batches: bool | None = None
        """Whether torch.vmap can run the contextual layer; found out when it is first asked to (``passes.py``)."""
        layers = dict(network.named_modules())
        for name in self.first_layers:
            if not isinstance(layers.get(name), nn.Linear):
                raise UnusableBlock(f'"{name}" is no nn.Linear of the network; its modules are {", ".join(n for n in layers if n)}.')
        if not self.first_layers or len(set(self.first_layers)) < len(self.first_layers):
            raise UnusableBlock("first_layer is a name, or a list of names that are all different.")

    @property
    def first_linears(self) -> list[nn.Linear]:
        """The first dense layers, by name in the order they were given."""
        found = [self.network.get_submodule(name) for name in self.first_layers]
        return [layer for layer in found if isinstance(layer, nn.Linear)]

    @property
    def first(self) -> nn.Linear:
        """The first dense layer, or one of several."""
        return self.first_linears[0]

    @property
    def first_weight(self) -> Tensor:
        """W, whose update the claims are of: (m, d); those of several first layers one above the other."""
        weights: list[Tensor] = [layer.weight for layer in self.first_linears]
        return weights[0] if len(weights) == 1 else torch.cat(weights)

    @property
    def first_bias(self) -> Tensor:
        """b: (m,); zeros where there is none."""
        biases: list[Tensor] = [layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias for layer in self.first_linears]
        return biases[0] if len(biases) == 1 else torch.cat(biases)

    @property
    def has_stream(self) -> bool:
        """Whether the contextual layer's output reaches the block's output beside the network too, so that more than W has to be patched."""
        return self.skip or self.norm is not None

    def network_input(self, attended: Tensor, query: Tensor) -> Tensor:
        """What the network reads.  attended: (batch, d), of the contextual layer; query: (batch, d_in). Returns (batch, d)."""
        if self.norm is None:
            return attended
        return self.norm(query if self.parallel else attended)

    def read(self, context: Tensor | None, query: Tensor) -> Tensor:
        """What the network reads for a context and a query: A(C, x) or N(A(C, x)), the z and a of the claims. Returns (batch, d)."""
        return self.network_input(self.contextual(context, query), query)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        """T(context, query).  context: (batch, n, d_in) or None; query: (batch, d_in). Returns (batch, d_out)."""
        attended = self.contextual(context, query)
        answer = self.network(self.network_input(attended, query))
        if self.skip:
            return formulas.skip_connection(query, attended, answer)
        return answer if self.norm is None else formulas.residual_connection(attended, answer)
