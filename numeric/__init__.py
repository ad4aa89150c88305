"""How far floating point strays: formats, arithmetics, blocks, training, scenarios, measurement, verdicts."""

from numeric.contextual_block import ContextualBlock
from numeric.meeting import LargestOnly, Product, WeightedSum

__all__ = ["ContextualBlock", "LargestOnly", "Product", "WeightedSum"]
