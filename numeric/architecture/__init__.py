"""What a block is: a contextual layer, a network, their wiring, and the block's form."""

from numeric.architecture.block import Block
from numeric.architecture.contextual_block import ContextualBlock
from numeric.architecture.form import output_layers, output_parameters
from numeric.architecture.junctions import LargestOnly, Product, WeightedSum
from numeric.architecture.recipe import Recipe
from numeric.architecture.shapes import asked_shapes
from numeric.architecture.unusable import UnusableBlock

__all__ = ["Block", "ContextualBlock", "LargestOnly", "Product", "Recipe", "UnusableBlock", "WeightedSum", "asked_shapes", "output_layers", "output_parameters"]
