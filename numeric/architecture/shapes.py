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
    found: AskedShapes = {"shapes": (), "first": (), "bare": ()}
    for block in blocks:
        layers = [module for module in block.network.modules() if isinstance(module, nn.Linear)]
        outputs = output_layers(block, wiring(block)).matrices if block.has_stream else ()
        patched = [*block.first_linears, *(layer for call in outputs if isinstance(layer := block.network.get_submodule(call.name), nn.Linear))]
        found = {
            "shapes": _more(found["shapes"], layers),
            "first": _more(found["first"], patched),
            "bare": _more(found["bare"], [layer for layer in layers if layer.bias is None]),
        }
    return found


def _more(known: tuple[LayerShape, ...], layers: Iterable[nn.Linear]) -> tuple[LayerShape, ...]:
    return tuple(sorted({*known, *((layer.out_features, layer.in_features) for layer in layers)}))
