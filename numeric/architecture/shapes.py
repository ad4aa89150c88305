"""The shapes of blocks' dense layers, which are what the machine is asked about."""

from collections.abc import Iterable
from typing import TypedDict

from torch import nn

from numeric.architecture.contextual_block import ContextualBlock
from numeric.architecture.form import output_layers
from numeric.architecture.wiring import wiring

LayerShape = tuple[int, int]


class AskedShapes(TypedDict):
    """What ``probe`` is given: (rows, columns) each."""

    shapes: tuple[LayerShape, ...]
    """Of every dense layer."""
    first: tuple[LayerShape, ...]
    """Of those whose weight is patched: the first layers, and output matrices that take what a stream lacks."""
    bare: tuple[LayerShape, ...]
    """Of those without a bias."""


def asked_shapes(blocks: Iterable[ContextualBlock]) -> AskedShapes:
    """All shapes of these blocks."""
    every, patched, bare = set[LayerShape](), set[LayerShape](), set[LayerShape]()
    for block in blocks:
        layers = [module for module in block.network.modules() if isinstance(module, nn.Linear)]
        outputs = output_layers(block, wiring(block)).matrices if block.has_stream else ()
        every |= _shapes(layers)
        patched |= _shapes(block.first_linears) | _shapes(block.network.get_submodule(call.name) for call in outputs)
        bare |= _shapes(layer for layer in layers if layer.bias is None)
    return {"shapes": tuple(sorted(every)), "first": tuple(sorted(patched)), "bare": tuple(sorted(bare))}


def _shapes(layers: Iterable[nn.Module]) -> set[LayerShape]:
    return {(layer.out_features, layer.in_features) for layer in layers if isinstance(layer, nn.Linear)}
