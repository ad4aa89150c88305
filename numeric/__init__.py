"""How far floating point strays: formats, arithmetics, blocks, training, scenarios, measurement, verdicts."""

from numeric.architecture import ContextualBlock, LargestOnly, Product, WeightedSum

__all__ = ["ContextualBlock", "LargestOnly", "Product", "WeightedSum"]
