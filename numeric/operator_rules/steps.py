"""The rows of functions that take whole numbers alone: x̂ the value, r its radius.

    sign, floor, ceil, trunc, round     0, where f(x̂ - r) = f(x̂ + r); otherwise undecided

Each rises, so between two places where it is the same it is that everywhere; and its values are numbers of every format of which x̂ is one.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from numeric.operator_rules.call import Bounded, OperatorCall, OperatorRow
from numeric.operator_rules.doubts import Doubt, marked
from numeric.operator_rules.functions import ends_of


def _row(step: Callable[[Tensor], Tensor], call: OperatorCall) -> list[Bounded]:
    zero = torch.zeros(call.result.shape, dtype=torch.float64, device=call.result.device)
    if not call.result.is_floating_point():
        return [call.exactly(zero, call.doubts(call.tensor("self")))]
    x = call.entries("self")
    low, high = ends_of(x)
    decided = (step(low) == step(high)) | (x.radius == 0)
    return [call.exactly(zero, x.doubts, marked(~decided, Doubt.UNDECIDED))]


STEPS: dict[str, OperatorRow] = {f"{step.__name__}.default": partial(_row, step) for step in (torch.sign, torch.floor, torch.ceil, torch.trunc, torch.round)}
"""The rows, by overload."""
