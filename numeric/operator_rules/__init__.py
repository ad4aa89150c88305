"""The rounding rule of every operator that a network executes, and the walk that applies them."""

from numeric.operator_rules.call import Bounded, Call, NoRule
from numeric.operator_rules.walk import BoundedWalk, Knowledge

__all__ = ["Bounded", "BoundedWalk", "Call", "Knowledge", "NoRule"]
