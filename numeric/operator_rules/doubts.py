"""Why nothing may be said of an entry: one bit each, carried from operator to operator beside the radius.

What ``arithmetics/hazard.py`` keeps for each case is kept here for each entry: whole layers hold many tokens, and only the query's entries are judged.
"""

from collections.abc import Sequence
from enum import IntFlag

import torch
from torch import Tensor

from numeric.arithmetics import Hazards, hazards


class Doubt(IntFlag):
    """What could have gone wrong on the way to an entry.  The names are those of ``Hazards``."""

    OVERFLOW = 1
    UNDERFLOW = 2
    NOT_FINITE = 4
    UNDECIDED = 8
    HIDDEN = 16
    UNFORESEEN = 32


FORETOLD = Doubt.OVERFLOW | Doubt.UNDERFLOW | Doubt.UNDECIDED | Doubt.HIDDEN
"""Of which a result that is not finite may come."""


def marked(where: Tensor, doubt: Doubt) -> Tensor | None:
    """A doubt at some entries; None if at none.  where: bool."""
    return where.to(torch.uint8) * int(doubt) if bool(where.any()) else None


def joint_doubts(doubts: Sequence[Tensor | None], shape: torch.Size) -> Tensor | None:
    """The union, entry by entry, of what broadcasts to a shape; None where there is no doubt at all."""
    made: Tensor | None = None
    for each in doubts:
        if each is not None:
            each = each.expand(shape)
            made = each if made is None else made | each
    return made


def doubts_over(doubts: Tensor | None, dims: Sequence[int], *, keepdim: bool) -> Tensor | None:
    """The union along some axes."""
    if doubts is None or not dims:
        return doubts
    bits = [((doubts & int(doubt)) != 0).any(tuple(dims), keepdim=keepdim).to(torch.uint8) * int(doubt) for doubt in Doubt]
    made = bits[0]
    for each in bits[1:]:
        made = made | each
    return made


def of_hazards(found: Hazards) -> Tensor | None:
    """What was found of some rows: (rows,) uint8."""
    return joint_doubts([marked(getattr(found, name), doubt) for name, doubt in _NAMES.items()], found.overflow.shape)


def as_hazards(doubts: Tensor | None, rows: int, device: torch.device | str) -> Hazards:
    """The same, back.  doubts: (rows,) or None."""
    found = hazards(rows, device)
    if doubts is not None:
        for name, doubt in _NAMES.items():
            getattr(found, name).logical_or_((doubts & int(doubt)) != 0)
    return found


def join(into: Hazards, found: Hazards) -> None:
    """What was found of the same rows elsewhere is found of these, too."""
    for name in _NAMES if found is not into else ():
        getattr(into, name).logical_or_(getattr(found, name))


_NAMES = {doubt.name.lower(): doubt for doubt in Doubt if doubt.name}
"""The fields of ``Hazards``, and the doubt that each is."""
