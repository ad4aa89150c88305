"""What the rows of functions, powers and bends state, in mpmath: the formulas of their docstrings, written once more from there.

The formats are so coarse that terms of second order count, and their numbers are held as fp32, so that a Python number is rounded when it is read.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import Tensor

from numeric.formats import Format
from numeric.machine import ErrorModel
from numeric.operator_rules import bends, functions, norms, piecewise, powers
from numeric.rules import elementary_error
from tests.numeric.operator_rules.drawn_calls import overload_named
from tests.numeric.operator_rules.erring_kernels import asked
from tests.numeric.rules.worst_kernels import coarse, model

BITS = 120
SLACK = mpf(2) ** -24
"""Of what is stated: float64's own roundings are far less, and an eighth of the roundoff of fp32, as which numbers are held, is more."""

NOTHING = mpf(2) ** -1000
"""What float64's steps outward leave of zero."""


def _held(name: str, bits: int, lowest: int = -60, highest: int = 60) -> Format:
    return replace(coarse(name, bits, lowest, highest), dtype="float32")


STATED = {
    "one": model(_held("fp32", 10)),
    "two": model(_held("fp16", 6), _held("fp32", 9)),
    "low": model(_held("fp32", 12, lowest=-6)),
    "flushing": model(_held("fp32", 10, lowest=-8), flushes=True),
    "flushing both": model(_held("bf16", 6, lowest=-8), _held("fp32", 12, lowest=-8), flushes=True),
    "short": model(_held("fp32", 8, highest=3)),
    "gpu": replace(model(_held("fp32", 16, lowest=-6)), device="cuda"),
}
"""Of a range so short downwards, or upwards, that what is lost at its ends counts."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is handed to an operator, as the machine holds it."""

    value: mpf
    off: mpf
    """|value - exact|."""

    @classmethod
    def of(cls, given: float) -> "Number":
        value = float(torch.tensor(given, dtype=torch.float32))
        return cls(mpf(value), abs(mpf(value) - mpf(given)))

    @property
    def rho(self) -> mpf:
        return self.off / self.value


@dataclass(frozen=True, slots=True)
class Unit:
    """The constants of a model."""

    n: ErrorModel

    @property
    def v(self) -> mpf:
        return mpf(self.n.opmath.unit_roundoff)

    @property
    def eta(self) -> mpf:
        return mpf(self.n.opmath.smallest_subnormal)

    @property
    def flushed(self) -> mpf:
        return mpf(self.n.storage.smallest_normal) if self.n.elementwise_flushes else mpf(0)

    def ulps(self, function: str) -> mpf:
        return mpf(elementary_error(function, self.n.device, self.n.storage.name).ulps)

    def stored(self, y: mpf, flushed: mpf | None = None) -> mpf:
        """ω of the rounding to storage, underflow included."""
        flushed = self.flushed if flushed is None else flushed
        if self.n.opmath == self.n.storage:
            return flushed
        place = mpf(2) ** (math.frexp(abs(float(y)))[1] - 1) if y else mpf(0)
        return self.n.storage.unit_roundoff * place + mpf(self.n.storage.half_subnormal) + flushed

    @property
    def roundoff(self) -> mpf:
        """Of an elementwise operation, whose result is stored."""
        u = mpf(self.n.storage.unit_roundoff)
        return u if self.n.opmath == self.n.storage else u + 2 * self.v

    @property
    def underflow(self) -> mpf:
        narrow = self.n.opmath != self.n.storage
        return mpf(self.n.storage.half_subnormal) + (mpf(self.n.opmath.half_subnormal) if narrow else 0) + self.flushed

    def read(self, x: mpf, r: mpf) -> mpf:
        return r + (abs(x) if abs(x) < self.flushed else 0)

    def gamma(self, k: int, u: mpf | None = None) -> mpf:
        u = self.v if u is None else u
        return k * u / (1 - k * u)


@dataclass(frozen=True, slots=True)
class Stated:
    """What a row ought to say of one entry."""

    radius: mpf
    largest: mpf | None = None
    """From which an overflow is foretold."""


def soaked(every: Iterable[Any], *quick: Any) -> list[Any]:
    """Parameters of a test, of which a few are tried every day."""
    return [each if each in quick else pytest.param(*(each if isinstance(each, tuple) else (each,)), marks=pytest.mark.soak) for each in every]


Formula = Callable[[Unit, mpf, mpf, mpf], Stated]
"""Given the model, x̂, its radius as it is read, and what came out."""


def held(  # an operator, its operands, and what is stated of them
    overload: str, of: str, given: dict[str, Any], operands: list[tuple[float, float]], plain: Callable[[mpf], mpf], stated: Formula, *, name: str = "self"
) -> None:
    """Not below what is stated, and hardly above."""
    n, x = STATED[of], torch.tensor([a for a, _ in operands], dtype=torch.float32)
    radius = torch.tensor([r for _, r in operands], dtype=torch.float64)
    with mpmath.workprec(BITS):
        unit, value = Unit(n), torch.tensor([float(plain(mpf(a))) for a in x.tolist()], dtype=torch.float32)
        handed: list[Tensor] = []
        returns = len(overload_named(overload)._schema.returns)
        with noted(handed):
            found = asked(overload, n, {**given, name: x}, [value, *(torch.zeros(0) for _ in range(returns - 1))], {id(x): radius})[0]
        assert len(handed) <= 1
        for place, (a, r, y) in enumerate(zip(x.tolist(), radius.tolist(), value.tolist(), strict=True)):
            right = stated(unit, mpf(a), unit.read(mpf(a), mpf(r)), mpf(y))
            close(float(found.radius.expand(x.shape)[place]), right.radius, f"{overload} {of} of {a} ± {r}: the radius")
            if right.largest is not None:
                assert handed
                close(float(handed[0].expand(x.shape)[place]), right.largest, f"{overload} {of} of {a}: the largest number")


def close(found: float, stated: mpf, what: str) -> None:
    if mpmath.isinf(stated):
        assert math.isinf(found), what
        return
    assert stated <= mpf(found) <= stated * (1 + SLACK) + NOTHING, f"{what} is {found} where {mpmath.nstr(stated, 20)} is stated"


@contextmanager
def noted(handed: list[Tensor]) -> Iterator[None]:
    """The largest numbers from which overflows are foretold."""
    before = functions.overflowing

    def note(largest: Tensor, n: ErrorModel) -> Tensor | None:
        handed.append(largest)
        return before(largest, n)

    with ExitStack() as patches:
        for module in (functions, bends, norms, piecewise, powers):
            patches.enter_context(patch.object(module, "overflowing", note))
        yield
