"""The form of a block that carries its stream v past the network: which parameters of its last layers take δ = v - v′ (``output_patch.py``)."""

from dataclasses import dataclass

from torch import Tensor, nn

from numeric.architecture.contextual_block import AS_WRITTEN, ContextualBlock
from numeric.architecture.junctions import WeightedSum
from numeric.architecture.unusable import UnusableBlock
from numeric.architecture.wiring import Call


@dataclass(frozen=True, slots=True)
class OutputLayers:
    """The last layers of a network, which take δ."""

    bias: str | None
    """The layer whose bias takes it, by name."""
    matrices: tuple[Call, ...] = ()
    """The layers whose matrices take it, if there is no bias."""
    gates: str | None = None
    """What weighs these, if they are experts."""


def output_layers(block: ContextualBlock, calls: tuple[Call, ...]) -> OutputLayers:
    """Which parameters take δ. Raises UnusableBlock where there are none, or a first layer would have to."""
    found = _output_layers(block, calls)
    both = {found.bias, *(call.name for call in found.matrices)} & set(block.first_layers)
    if both:
        raise UnusableBlock(f'"{both.pop()}" is a first dense layer, and the last one that would take what the stream lacks: the claims are of two layers.')
    return found


def _output_layers(block: ContextualBlock, calls: tuple[Call, ...]) -> OutputLayers:
    last = calls[-1]
    module = block.network.get_submodule(last.name)
    if isinstance(module, nn.Linear) and module.bias is not None:
        return OutputLayers(last.name)
    if block.skip:
        raise UnusableBlock(f'Definition A.1 ends in a dense layer with a bias b′; "{last.name}" of the network, a {type(module).__name__}, is none.')
    if isinstance(module, nn.Linear):
        return OutputLayers(None, (last,))
    if isinstance(module, WeightedSum):
        gates, *experts = last.reads
        matrices = tuple(call for call in calls if call.name in experts)
        if len(matrices) == len(experts) and all(isinstance(block.network.get_submodule(call.name), nn.Linear) for call in matrices):
            return OutputLayers(None, matrices, gates)
    raise UnusableBlock(
        f'a block that carries its stream past the network ends in a dense layer, or in a weighted sum of such; "{last.name}" of the network, '
        f"a {type(module).__name__}, is neither, and nothing takes what the stream lacks: end it so, or {AS_WRITTEN}."
    )


def output_parameters(block: ContextualBlock, layers: OutputLayers) -> dict[str, Tensor]:
    """The parameters that take δ, by name in the block, as they are."""
    if layers.bias is not None:
        return {f"network.{layers.bias}.bias": network_parameter(block, layers.bias, "bias")}
    return {f"network.{call.name}.weight": network_parameter(block, call.name, "weight") for call in layers.matrices}


def network_parameter(block: ContextualBlock, layer: str, name: str) -> Tensor:
    """A weight or a bias of a layer of the network, detached."""
    return block.network.get_parameter(f"{layer}.{name}").detach()
