"""The rounding rule of every operator that a network executes, and the walk that applies them."""

from numeric.operator_rules.call import Bounded, NoOperatorRule
from numeric.operator_rules.doubts import as_hazards, doubts_over, join, joint_doubts
from numeric.operator_rules.walk import BoundedWalk, KnownTensors

__all__ = ["Bounded", "BoundedWalk", "KnownTensors", "NoOperatorRule", "as_hazards", "doubts_over", "join", "joint_doubts"]
