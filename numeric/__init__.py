"""How far floating point strays: formats, arithmetics, blocks, training, scenarios, measurement, verdicts."""

from numeric.contextual_block import ContextualBlock

__all__ = ["ContextualBlock"]
