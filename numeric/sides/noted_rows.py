"""Rows of a pass as they were at a place, with what was known of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius
from numeric.operator_rules import Bounded
from numeric.operators.anatomy import Anatomy


@dataclass(frozen=True, slots=True)
class Noted:
    """A tensor as it was at a place, with what was known of it: (cases, features), the query's rows."""

    value: Tensor
    radius: Tensor
    """float64; zero where it is exact."""
    doubts: Tensor | None

    def columns(self, some: Tensor) -> "Noted":
        """Some of its features.  some: (features,) bool."""
        return Noted(self.value[:, some], self.radius[:, some], None if self.doubts is None else self.doubts[:, some])


def turned(known: Bounded | WithRadius | None) -> Bounded | WithRadius | None:
    """The same of the transposed tensor."""
    if isinstance(known, Bounded):
        return Bounded(known.radius.mT, None if known.doubts is None else known.doubts.mT)
    return known


def noted(value: Tensor, known: Bounded | WithRadius | None, anatomy: Anatomy, cases: int) -> Noted:
    """The query's rows of a tensor (…, features)."""
    assert not isinstance(known, WithRadius), "a matrix is no row"
    radius = torch.zeros(value.shape, dtype=torch.float64) if known is None else known.radius.expand(value.shape)
    doubts = None if known is None or known.doubts is None else anatomy.layout.query(known.doubts.expand(value.shape), cases)
    return Noted(anatomy.layout.query(value, cases), anatomy.layout.query(radius, cases), doubts)
