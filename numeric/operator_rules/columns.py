"""Tensors as the columns that the arithmetics of ``numeric/arithmetics`` and ``numeric/rules`` work on: (rows, p, 1), with hazards for each row."""

from collections.abc import Callable

from torch import Tensor

from numeric.arithmetics import WithRadius, exact
from numeric.operator_rules.call import Bounded, OperatorCall
from numeric.operator_rules.doubts import as_hazards, doubts_over, of_hazards

Arrangement = Callable[[Tensor], Tensor]
"""From a tensor to (rows, p)."""


def entry_by_entry(x: Tensor) -> Tensor:
    """Each entry as a row of its own."""
    return x.reshape(-1, 1)


def along(dim: int) -> Arrangement:
    """The entries along an axis as a row."""
    return lambda x: x.reshape(1, 1) if x.dim() == 0 else x.movedim(dim, -1).reshape(-1, x.shape[dim])


def as_column(call: OperatorCall, x: Tensor, arranged: Arrangement) -> WithRadius:
    """An operand as columns."""
    doubts, known, rows = call.doubts(x), call.known(x), arranged(x)
    hazards = as_hazards(None if doubts is None else doubts_over(arranged(doubts), (-1,), keepdim=False), len(rows), x.device)
    radius = None if known is None else arranged(call.radius(x)).contiguous().unsqueeze(-1)
    return exact(rows.contiguous().unsqueeze(-1), call.model, hazards, radius=radius)


def bounded(made: WithRadius, shape: tuple[int, ...]) -> Bounded:
    """A column back as a tensor.  shape: of the result, whose entries are those of (rows, p)."""
    rows = made.value.shape[0]
    doubts = of_hazards(made.hazards)
    radius = made.entry_radius.expand(rows, *made.value.shape[-2:]).reshape(shape)
    return Bounded(radius, None if doubts is None else doubts.reshape(rows, 1).expand(rows, made.value.shape[-2]).reshape(shape))


def bounded_along(dim: int, made: WithRadius, shape: tuple[int, ...]) -> Bounded:
    """The same of columns that lie along an axis."""
    if not shape:
        return bounded(made, shape)
    moved = [size for axis, size in enumerate(shape) if axis != dim % len(shape)]
    found = bounded(made, (*moved, shape[dim]))
    return Bounded(found.radius.movedim(-1, dim), None if found.doubts is None else found.doubts.movedim(-1, dim))
