"""Tensors as the columns that the arithmetics of ``numeric/arithmetics`` and ``numeric/rules`` work on: (rows, p, 1), with hazards for each row."""

from collections.abc import Callable

from torch import Tensor

from numeric.arithmetics import WithRadius, exact
from numeric.machine import ErrorModel
from numeric.operator_rules.call import Bounded, Call
from numeric.operator_rules.doubts import as_hazards, of_hazards, over

ColumnRule = Callable[[WithRadius, Tensor], WithRadius]
"""From a column and what was computed of it, (rows, p, 1), to the result with its radius."""


def column(call: Call, x: Tensor, numerics: ErrorModel | None = None) -> WithRadius:
    """An operand (rows, p) as a column a row."""
    doubts = over(call.doubts(x), (-1,), keepdim=False)
    hazards = as_hazards(doubts, len(x), x.device)
    known = call.known(x)
    radius = None if known is None else call.radius(x).contiguous().unsqueeze(-1)
    return exact(x.unsqueeze(-1), numerics or call.model, hazards, radius=radius)


def bounded(made: WithRadius, shape: tuple[int, ...]) -> Bounded:
    """A column back as a tensor.  shape: of the result, whose entries are those of (rows, p)."""
    rows = made.value.shape[0]
    doubts = of_hazards(made.hazards)
    radius = made.entry_radius.expand(rows, *made.value.shape[-2:]).reshape(shape)
    return Bounded(radius, None if doubts is None else doubts.reshape(rows, 1).expand(rows, made.value.shape[-2]).reshape(shape))
