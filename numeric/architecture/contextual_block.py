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

from numeric.architecture.as_written import BlockAsWritten, BlockCall, described
from numeric.architecture.compiled import as_written, is_scripted, plain_name
from numeric.architecture.unusable import UnusableBlock
from symbolic import formulas

AS_WRITTEN = "give the block as it is written, ContextualBlock.of(module, call, first=[…]), which is judged in float64"
"""The way out where the form of this module does not reach, for the reader of a refusal."""


def _refuse_other_than_linear(network: nn.Module, name: str) -> None:
    """Raise UnusableBlock unless a name is that of a dense layer of the network."""
    if is_scripted(as_written(network)):
        raise UnusableBlock(f"the network is scripted (torch.jit), and its modules cannot be watched: give it as it was before, or {AS_WRITTEN}.")
    layers = {plain_name(other): as_written(layer) for other, layer in network.named_modules()}
    if isinstance(layers.get(name), nn.Linear):
        return
    dense = ", ".join(f'"{other}"' for other, layer in layers.items() if isinstance(layer, nn.Linear)) or "none"
    if name not in layers:
        raise UnusableBlock(f'first_layer "{name}" is no module of the network; its dense layers (nn.Linear) are {dense}.')
    kind = type(layers[name]).__name__
    # Conv1D of transformers holds its weight transposed.
    hint = "write nn.Linear with weight.T" if kind == "Conv1D" else f"name one of its dense layers, {dense}"
    raise UnusableBlock(f'first_layer "{name}" is a {kind} and no nn.Linear of the network: {hint}, or {AS_WRITTEN}.')


class ContextualBlock(nn.Module):
    """A contextual layer and a network, as one module.

    contextual: called with ``(context, query)``, context (batch, n, d_in) or None, query (batch, d_in); returns (batch, d).
    network: maps (batch, d) to (batch, d_out). first_layer: dotted name of its first ``nn.Linear``, or the names of all that read the
    network's input. input_width: d_in. skip: Definition A.1's skip connection, for which d_in = d = d_out. norm: of a Pre-LN block, for
    which d = d_out; parallel: it normalises the query and not the stream. whole: called with ``(context, query)``, returns the whole block's output as
    its library computes it; where the block is taken in it has to compute the same (``whole_block.py``).
    """

    whole: Callable[[Tensor | None, Tensor], Tensor] | None

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
        whole: Callable[[Tensor | None, Tensor], Tensor] | None = None,
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
        self.first_layers = tuple(plain_name(name) for name in ((first_layer,) if isinstance(first_layer, str) else first_layer))
        self.input_width = input_width
        self.skip = skip
        self.parallel = parallel
        object.__setattr__(self, "whole", whole)  # it is no part of the block, whose parameters are those of its parts
        for name in self.first_layers:
            _refuse_other_than_linear(network, name)
        if not self.first_layers or len(set(self.first_layers)) < len(self.first_layers):
            raise UnusableBlock("first_layer is a name, or a list of names that are all different.")

    @staticmethod
    def of(module: nn.Module, call: BlockCall, first: str | Sequence[str], absorb: str | None = None, width: int | None = None) -> BlockAsWritten:
        """A block as it is written, which nobody has to rebuild: what it does is found by watching it, operator by operator.

        module: any ``nn.Module``. call: ``call(module, context, query, positions)`` returns the query's output (batch, d_out); context (batch, n, d) or
        None, query (batch, d), positions (n + 1,) of the tokens that remain. first: the parameters that are W, by name; rows of one as
        ``weight[96:192]``. absorb: the parameter that takes what the stream lacks, if it is not to be the one that is found. width: d, if it is not W's.
        Raises UnusableBlock for what is none at first sight; the module is watched when the block is taken in.
        """
        return described(module, call, first, absorb, width)

    @property
    def first_linears(self) -> list[nn.Linear]:
        """The first dense layers, by name in the order they were given."""
        found = [as_written(self.network.get_submodule(name)) for name in self.first_layers]
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
