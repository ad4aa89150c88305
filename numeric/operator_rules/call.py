"""One operator that was executed, as a row of the table sees it: what it read, with radii; what came out; and how the machine computes.

The operands are as they were before the operator ran, also where it overwrote them, so an in-place form has the row of the form that it writes back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, outward
from numeric.arithmetics.roundoff import rounding_error
from numeric.formats import Format, format_named
from numeric.machine import ErrorModel
from numeric.operator_rules.doubts import FORETOLD, Doubt, joint_doubts, marked, of_hazards
from numeric.operators import Execution

Models = Callable[[torch.dtype], ErrorModel]
"""How the machine computes with tensors of a dtype."""


class NoOperatorRule(Exception):
    """An operator is not in the table, or not with these arguments."""


class UndecidedShape(NoOperatorRule):
    """It is undecided how many entries there are, and none came out, so that no entry can carry the doubt."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """What is known of the entries of a tensor."""

    radius: Tensor
    """|value - exact| ≤ radius: float64, of the tensor's shape or what broadcasts to it."""
    doubts: Tensor | None = None
    """``Doubt`` of each entry, uint8, the same; None for none."""


@dataclass(frozen=True, slots=True)
class Entries:
    """An operand of an operator that works entry by entry."""

    value: Tensor
    """As the operator reads it, in float64."""
    radius: Tensor
    """What the exact operand may differ by from what is computed with: what it has inherited, and what it loses by being read."""
    doubts: Tensor | None

    @property
    def size(self) -> Tensor:
        """|value|."""
        return self.value.abs()

    @property
    def above(self) -> Tensor:
        """An upper bound of |exact|, and of |value|."""
        return outward(self.size + self.radius, 1)


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """An operator with its operands and results."""

    step: Execution
    """As it was executed; operands that it overwrote have their new numbers."""
    given: Mapping[str, object]
    """Every argument by its name in the schema, defaults too; tensors as they were before."""
    results: Sequence[Tensor]
    known: Callable[[Tensor], Bounded | WithRadius | None]
    """What is known of an operand, or of a view of it; None if it is exact."""
    models: Models

    @property
    def result(self) -> Tensor:
        """The first result."""
        return self.results[0]

    @property
    def model(self) -> ErrorModel:
        """How the machine computes with tensors of the result's dtype."""
        return self.models(self.result.dtype)

    def refuse(self, why: str) -> NoOperatorRule:
        """The exception to raise: there is no row for these arguments."""
        return NoOperatorRule(f"{self.step.operator} {why}")

    def tensor(self, name: str) -> Tensor:
        """An argument that is a tensor."""
        x = self.given[name]
        assert isinstance(x, Tensor)
        return x

    def number(self, name: str) -> float:
        """An argument that is a Python number."""
        x = self.given[name]
        if isinstance(x, bool | int | float):
            return float(x)
        raise self.refuse(f"with {name} = {x}")

    def radius(self, x: Tensor) -> Tensor:
        """What is inherited by an operand: float64, of its shape."""
        known = self.known(x)
        if isinstance(known, WithRadius):
            return known.entry_radius.expand(x.shape)
        return (torch.zeros((), dtype=torch.float64, device=x.device) if known is None else known.radius).expand(x.shape)

    def doubts(self, x: Tensor) -> Tensor | None:
        """Of an operand, of its shape; None for none."""
        known = self.known(x)
        if isinstance(known, WithRadius):
            found = of_hazards(known.hazards)
            return None if found is None else found.reshape(-1, 1, 1).expand(x.shape)
        return None if known is None or known.doubts is None else known.doubts.expand(x.shape)

    def entries(self, name: str) -> Entries:
        """An operand of arithmetic entry by entry: a tensor or a Python number."""
        return self.entries_of(self.given[name])

    def entries_of(self, x: object, dtype: torch.dtype | None = None) -> Entries:
        """The same of any tensor or number.  dtype: in which they are computed with, the result's if it is not given.

        A number, or a tensor of a wider format, is rounded to that format or to the one in which it is computed; both are inside the radius. Where
        the arithmetic flushes, an entry that would be read as zero is, too.
        """
        dtype = dtype or self.result.dtype
        n, flushed = self.models(dtype), self.flushed_below(dtype)
        if isinstance(x, Tensor):
            value, radius, doubts = x.double(), self.radius(x), self.doubts(x)
            lost = value.abs() * n.elementwise_roundoff
            flushed = max(flushed, self.flushed_below(x.dtype))
            if not x.is_floating_point():
                radius = torch.where(value.abs() > 2.0**n.storage.significand_bits, outward(radius + lost, 3), radius)
            elif not _holds(n.storage, format_of(x.dtype)):
                radius = outward(radius + lost + n.storage.half_subnormal + n.opmath.half_subnormal, 4)
        elif isinstance(x, bool | int | float):
            exact = torch.tensor(float(x), dtype=torch.float64, device=self.result.device)
            value = exact.to(dtype).double()
            between = (exact.to(getattr(torch, n.opmath.dtype)).double() - value).abs()
            apart = torch.maximum((value - exact).abs(), between)
            radius, doubts = torch.where(torch.isfinite(exact) & (apart > 0), outward(apart, 1), 0.0), None
        else:
            raise self.refuse(f"with {x} as an operand")
        if flushed:
            size = value.abs()
            radius = torch.where((size < flushed) & (size > 0), outward(radius + size, 1), radius)
        return Entries(value, radius, doubts)

    def flushed_below(self, dtype: torch.dtype) -> float:
        """The number below which an entry of a dtype may be taken for zero: 0 where none is."""
        if not dtype.is_floating_point:
            return 0.0
        n = self.models(dtype)
        return n.storage.smallest_normal if n.elementwise_flushes else 0.0

    def exactly(self, radius: Tensor, *doubts: Tensor | None, at: int = 0) -> Bounded:
        """A result of which nothing is lost to rounding."""
        result = self.results[at]
        found = joint_doubts(doubts, result.shape)
        return Bounded(radius, found if not result.is_floating_point() else came_out(result, found))

    def rounded(self, propagated: Tensor, largest: Tensor, *operands: Entries | Tensor | None, products: bool = True) -> Bounded:
        """A result that the machine rounded once.

        propagated: float64, how far the operation carries its operands' errors; largest: an upper bound of what was rounded, from which an overflow is
        foretold; operands: those whose doubts the result has; products: whether the operation can underflow, which a sum or a difference cannot.
        """
        n, value = self.model, self.result
        lost = rounding_error(value, n)
        if products:
            lost = lost + n.elementwise_underflow
        elif n.elementwise_flushes:
            lost = lost + n.storage.smallest_normal
        return self.within(outward(propagated + lost, 3), ~(largest < n.storage.largest), *operands)

    def within(self, radius: Tensor, passes: Tensor, *operands: Entries | Tensor | None) -> Bounded:
        """A result whose radius is known.  passes: bool, where what was rounded could be beyond the largest number; operands: whose doubts it has."""
        shape = self.result.shape
        foretold = marked(passes.expand(shape), Doubt.OVERFLOW)
        doubts = joint_doubts([foretold, *(each.doubts if isinstance(each, Entries) else each for each in operands)], shape)
        return Bounded(radius.expand(shape), came_out(self.result, doubts))


def came_out(value: Tensor, doubts: Tensor | None) -> Tensor | None:
    """Mark what came out infinite or NaN: unforeseen where nothing had foretold it."""
    lost = ~torch.isfinite(value)
    if not bool(lost.any()):
        return doubts
    foreseen = torch.zeros_like(lost) if doubts is None else (doubts & int(FORETOLD)) != 0
    return joint_doubts([doubts, marked(lost, Doubt.NOT_FINITE), marked(lost & ~foreseen, Doubt.UNFORESEEN)], value.shape)


def _holds(wide: Format, narrow: Format) -> bool:
    """Whether every number of a format is one of another."""
    fits = wide.significand_bits >= narrow.significand_bits and wide.largest >= narrow.largest
    return fits and wide.smallest_subnormal <= narrow.smallest_subnormal


def format_of(dtype: torch.dtype) -> Format:
    """The format whose numbers a tensor of a dtype holds.  Raises NoOperatorRule."""
    names = {torch.float64: "fp64", torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
    if dtype not in names:
        raise NoOperatorRule(f"{dtype} has no error model")
    return format_named(names[dtype])


OperatorRow = Callable[[OperatorCall], list[Bounded]]
"""What is known of each tensor that an operator returns, or overwrites."""
