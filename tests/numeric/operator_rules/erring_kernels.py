"""Kernels of operators that err as much as their model allows, in formats so coarse that a term of second order counts, and rows that are asked about them.

A kernel is written once, in the operations of ``Erring``, each of which takes the next sign; it is run with every choice of signs, or with many of them.
The numbers are float64's: the machine's formats are those of the model alone.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

import torch
from flint import arb
from torch import Tensor

from numeric.machine import ErrorModel
from numeric.operator_rules import Bounded
from numeric.operator_rules import call as calls
from numeric.operator_rules.call import OperatorCall
from numeric.operator_rules.table import operator_row
from numeric.operators.executions import CallSite, Execution
from tests.numeric.operator_rules.drawn_calls import overload_named
from tests.numeric.rules.worst_kernels import Kernel

MANY = 5
"""Operations of which every choice of signs is tried; of more, as many as there are of these, drawn."""


@dataclass(slots=True)
class Erring:
    """The operations of a kernel."""

    kernel: Kernel
    signs: Sequence[int]
    at: int = 0

    def _sign(self) -> int:
        self.at += 1
        return self.signs[self.at - 1] if self.at <= len(self.signs) else 1

    def off(self, x: float, times: int = 1) -> float:
        """After so many roundings."""
        return self.kernel.off(x, self._sign(), times)

    def lost(self, x: float) -> float:
        """A product or quotient: rounded, and perhaps underflowed; nothing of it if it is 0."""
        sign = self._sign()
        if x == 0.0:
            return x
        return self.kernel.lost(self.kernel.off(x, sign), sign)

    def library(self, function: str, y: float) -> float:
        return self.kernel.library(function, y, self._sign())

    def stored(self, x: float) -> float:
        sign = self._sign()
        return self.kernel.stored(x, sign) if x else x


def results(n: ErrorModel, run: Callable[[Erring], list[float]]) -> Iterator[list[float]]:
    """What comes of a kernel with every choice of signs, or many of them."""
    counted = Erring(Kernel(n), ())
    run(counted)
    chosen: Iterator[Sequence[int]] = itertools.product((1, -1), repeat=counted.at)
    if counted.at > MANY:
        draw = random.Random(0)
        alike = [(sign,) * counted.at for sign in (1, -1)]
        chosen = iter([*alike, *(tuple(draw.choice((1, -1)) for _ in range(counted.at)) for _ in range(2**MANY))])
    for signs in chosen:
        yield run(Erring(Kernel(n), signs))


@dataclass(slots=True)
class Trial:
    """Calls of one overload in one model: what a kernel made of each, and exact results of operands within their radii."""

    overload: str
    n: ErrorModel
    given: Mapping[str, object]
    """Arguments that all calls share: numbers, or tensors that broadcast."""
    operands: list[dict[str, list[float]]] = field(default_factory=list)
    radii: list[dict[str, list[float]]] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    truths: list[list[arb]] = field(default_factory=list)

    def add(self, operands: dict[str, list[float]], radii: dict[str, list[float]], value: list[float], truth: list[arb]) -> None:
        """One row more; it has a column for each entry."""
        self.operands.append(operands)
        self.radii.append(radii)
        self.values.append(value)
        self.truths.append(truth)

    def bounded(self) -> Bounded:
        """What the row says of all of them.  (rows, entries)."""
        names = self.operands[0].keys()
        given = {name: torch.tensor([each[name] for each in self.operands], dtype=torch.float64) for name in names}
        known = {id(given[name]): torch.tensor([each[name] for each in self.radii], dtype=torch.float64) for name in names}
        shared = {id(x): torch.zeros_like(x) for x in self.given.values() if isinstance(x, Tensor)}
        value, no_more = torch.tensor(self.values, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
        results = [value, *(no_more for _ in overload_named(self.overload)._schema.returns[1:])]
        return asked(self.overload, self.n, {**given, **self.given}, results, known | shared)[0]

    def outside(self) -> list[str]:
        """The results that are not within their radii."""
        found = self.bounded()
        radius = found.radius.expand(len(self.values), len(self.values[0])).tolist()
        return [
            f"{self.overload} of {self.operands[case]} ± {self.radii[case]}: {value}, exactly {truth}, radius {radius[case][place]}"
            for case, (row, exact) in enumerate(zip(self.values, self.truths, strict=True))
            for place, (value, truth) in enumerate(zip(row, exact, strict=True))
            if not abs(arb(value) - truth).lower() <= arb(radius[case][place])
        ]


def asked(overload: str, n: ErrorModel, given: Mapping[str, object], values: list[Tensor], radii: Mapping[int, Tensor]) -> list[Bounded]:
    """What a row says.  radii: of tensors among the arguments, by their identity."""
    operator = overload_named(overload)
    step = Execution(CallSite(overload, "a test", 0), operator, (), {})
    defaults = {each.name: each.default_value for each in operator._schema.arguments if each.has_default_value()}
    call = OperatorCall(step, {**defaults, **given}, values, lambda x: Bounded(radii[id(x)]) if id(x) in radii else None, lambda dtype: n)
    with patch.object(calls, "format_of", lambda dtype: n.storage):
        return operator_row(operator)(call)
