"""How far floating point strays: formats, arithmetics, blocks, training, scenarios, measurement, verdicts."""

from numeric.architecture.contextual_block import ContextualBlock
from numeric.architecture.junctions import LargestOnly, Product, WeightedSum

__all__ = ["ContextualBlock", "LargestOnly", "Product", "WeightedSum"]
