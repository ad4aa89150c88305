"""The radii of arithmetic entry by entry and of what is pieced together of lines, held to the formulas of their docstrings in mpmath, from both sides."""

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any
from unittest.mock import patch

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import Tensor

from numeric.operator_rules import Bounded
from numeric.operator_rules.call import OperatorCall
from numeric.operator_rules.doubts import Doubt
from tests.numeric.operator_rules.erring_kernels import asked
from tests.numeric.operator_rules.stated_functions import BITS, STATED, Number, Stated, Unit, close, held

POINTS = (-9.0, -3.5, -2.75, -0.375, -(2.0**-9), 2.0**-9, 0.375, 1.75, 2.875, 9.0)
OPERANDS = [(x, abs(x) * share) for x, share in product(POINTS, (0.0, 2.0**-7, 0.25))] + [(0.25, 2.0), (-0.25, 4.0), (1.0, 9.0), (0.0, 0.5), (0.0, 0.0)]


def _ramp(x: mpf) -> mpf:
    return min(max(x + 3, mpf(0)), mpf(6))


def _sixth(unit: Unit, y: mpf, number: mpf, roundings: int) -> tuple[mpf, mpf]:
    """What is lost, and the largest number, of a product that is divided by 6."""
    size = number / 6
    own = size * unit.gamma(roundings) + 2 * (mpf(unit.n.opmath.half_subnormal) + unit.flushed) + unit.stored(y)
    passes = number * (1 + unit.gamma(2)) >= unit.n.opmath.largest
    return own if number > 0 else mpf(0), mpf("inf") if passes else size * (1 + unit.roundoff) ** 2


def _hardswish(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
    low, high = (min(max(t, mpf(-3)), mpf(3)) for t in (x - r, x + r))
    slope = mpf(1) if x - r >= 3 else mpf(0) if x + r <= -3 else max(abs(2 * low + 3), abs(2 * high + 3)) / 6
    own, largest = _sixth(unit, y, abs(x) * _ramp(x), 3)
    return Stated(slope * r + own, largest)


def _hardsigmoid(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
    own, largest = _sixth(unit, y, _ramp(x), 2)
    return Stated((0 if x - r >= 3 or x + r <= -3 else mpf(1) / 6) * r + own, largest)


def test_what_is_pieced_together_of_parabolas_gives_what_is_stated() -> None:
    for of, n in STATED.items():
        reaches = [(math.sqrt(2.25 + n.opmath.largest * (1.0 - k * n.opmath.unit_roundoff)) - 1.5, 0.0) for k in (1.5, 3.0)]
        inside = [(x, r) for x, r in reaches if x < 3.0]  # of which x(x + 3) is a little less than the largest number
        held("aten.hardswish.default", of, {}, OPERANDS + inside, lambda x: x * _ramp(x) / 6, _hardswish)
        held("aten.hardsigmoid.default", of, {}, OPERANDS, lambda x: _ramp(x) / 6, _hardsigmoid)


@pytest.mark.parametrize("slope", [0.3, 1.7, -0.7])
def test_a_leaky_relu_gives_what_is_stated(slope: float) -> None:
    s = Number.of(slope)
    above = abs(s.value) + s.off

    def stated(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
        steepest = mpf(1) if x - r > 0 else above if x + r < 0 else max(above, mpf(1))
        own = abs(x) * s.off + abs(x) * above * unit.v + mpf(unit.n.opmath.half_subnormal) + unit.flushed + unit.stored(y)
        return Stated(steepest * r + (unit.flushed if x > 0 else own), abs(x) if x > 0 else abs(x) * above * (1 + unit.roundoff))

    for of in STATED:
        held("aten.leaky_relu.default", of, {"negative_slope": slope}, OPERANDS, lambda x: x if x > 0 else s.value * x, stated)


def _larger(x: tuple[mpf, mpf], y: tuple[mpf, mpf]) -> tuple[mpf, mpf]:
    """The larger of two, and its radius."""
    (a, r), (b, q) = x, y
    return max(a, b), r if a - r > b + q else q if b - q > a + r else max(r, q)


@pytest.mark.parametrize(("low", "high"), [(-0.7, 1.3), (None, 1.75), (-2.75, None), (1.3, -0.7)])
def test_a_clamp_gives_what_is_stated(low: float | None, high: float | None) -> None:
    """Also between ends in the wrong order, where it is the upper one."""
    ends = [None if each is None else Number.of(each) for each in (low, high)]

    def stated(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
        found = x, r
        if ends[0] is not None:
            found = _larger(found, (ends[0].value, unit.read(ends[0].value, ends[0].off)))
        if ends[1] is not None:
            value, radius = _larger((-found[0], found[1]), (-ends[1].value, unit.read(ends[1].value, ends[1].off)))
            found = -value, radius
        return Stated(found[1] + unit.flushed)

    for of in STATED:
        held("aten.clamp.default", of, {"min": low, "max": high}, OPERANDS, lambda x: x, stated)


@pytest.mark.parametrize(("at", "other"), [(0.375, 7.3), (-0.7, 0.3)])
def test_a_threshold_gives_what_is_stated(at: float, other: float) -> None:
    t, c = Number.of(at), Number.of(other)

    def stated(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
        radius = r if x - r > t.value + t.off else c.off if x + r <= t.value - t.off else abs(x - c.value) + max(r, c.off)
        return Stated(radius + unit.flushed)

    for of in STATED:
        held(
            "aten.threshold.default", of, {"threshold": at, "value": other}, [*OPERANDS, (float(t.value), 0.0)], lambda x: x if x > t.value else c.value, stated
        )


@contextmanager
def _largest(handed: list[Tensor]) -> Iterator[None]:
    """From which an overflow is foretold."""
    right = OperatorCall.rounded

    def rounded(call: OperatorCall, propagated: Tensor, largest: Tensor, *operands: Any, products: bool = True) -> Bounded:
        handed.append(largest)
        return right(call, propagated, largest, *operands, products=products)

    with patch.object(OperatorCall, "rounded", rounded):
        yield


PAIRS = [
    (x, r, y, q) for x, y in ((1.75, -0.375), (-6.5, 2.0**-9), (2.0**-9, 2.5), (0.375, 0.625), (-9.0, -9.0)) for r, q in product((0.0, 2.0**-11), repeat=2)
]
Way = Callable[[Unit, mpf, mpf, mpf, mpf], tuple[mpf, mpf]]
"""What is carried on, an underflow included, and the largest number that is rounded."""


def _added(alpha: float) -> Way:
    def way(unit: Unit, x: mpf, r: mpf, y: mpf, q: mpf) -> tuple[mpf, mpf]:
        a, u = abs(mpf(alpha)), unit.roundoff
        if alpha == 1.0:
            return r + q + unit.flushed, (abs(x) + abs(y)) * (1 + 2 * u)
        return r + a * q + 3 * u * a * abs(y) + 2 * unit.underflow + unit.underflow, (abs(x) + a * abs(y)) * (1 + 2 * u)

    return way


def _times(unit: Unit, x: mpf, r: mpf, y: mpf, q: mpf) -> tuple[mpf, mpf]:
    return abs(x) * q + r * (abs(y) + q) + unit.underflow, abs(x * y)


def _over(unit: Unit, x: mpf, r: mpf, y: mpf, q: mpf) -> tuple[mpf, mpf]:
    low = abs(y) - q
    return (r + abs(x / y) * q) / low + unit.underflow, (abs(x) + r) / low


def _between(alpha: float) -> Way:
    """y - αx."""
    return lambda unit, x, r, y, q: _added(alpha)(unit, y, q, x, r)


WAYS: dict[str, tuple[dict[str, Any], Callable[[Any, Any], Any], Way]] = {
    "add.Tensor": ({}, operator.add, _added(1.0)),
    "add.Tensor scaled": ({"alpha": -0.3}, lambda x, y: x - 0.3 * y, _added(-0.3)),
    "sub.Tensor": ({}, operator.sub, _added(1.0)),
    "sub.Tensor scaled": ({"alpha": 2.0}, lambda x, y: x - 2.0 * y, _added(2.0)),
    "rsub.Tensor scaled": ({"alpha": 0.3}, lambda x, y: y - 0.3 * x, _between(0.3)),
    "mul.Tensor": ({}, operator.mul, _times),
    "div.Tensor": ({}, operator.truediv, _over),
    "reciprocal.default": ({}, lambda x, y: 1.0 / y, lambda unit, x, r, y, q: _over(unit, mpf(1), mpf(0), y, q)),
}


@pytest.mark.parametrize("name", WAYS)
def test_arithmetic_gives_what_is_stated(name: str) -> None:
    given, plain, way = WAYS[name]
    x, r, y, q = (torch.tensor([each[place] for each in PAIRS], dtype=kind) for place, kind in enumerate((torch.float32, torch.float64) * 2))
    value = plain(x.double(), y.double()).float()
    operands = {"self": y} if name == "reciprocal.default" else {"self": x, "other": y}
    for of, n in STATED.items():
        handed: list[Tensor] = []
        unit, kept = Unit(n), [k for k in range(len(PAIRS)) if (way is not _over and name != "reciprocal.default") or abs(PAIRS[k][2]) > Unit(n).flushed]
        with _largest(handed), mpmath.workprec(BITS):
            found = asked(f"aten.{name.split()[0]}", n, {**operands, **given}, [value], {id(x): r, id(y): q})[0].radius
            for k in kept:
                a, b, c, d = (mpf(each) for each in PAIRS[k])
                carried, largest = way(unit, a, unit.read(a, b), c, unit.read(c, d))
                z = abs(mpf(float(value[k])))
                place = mpf(2) ** mpmath.floor(mpmath.log(z, 2)) if z else mpf(0)
                rounded = n.storage.unit_roundoff * place + (2 * unit.v * z if n.opmath != n.storage else 0)
                close(float(found[k]), carried + rounded, f"{name} {of} of {PAIRS[k]}")
                close(float(handed[0][k]), largest, f"the largest number, {name} {of} of {PAIRS[k]}")


def test_a_denominator_that_may_be_nothing_leaves_nothing_known() -> None:
    """Off by as much as it is, or flushed; of one that is no number that is said already, and of one that is larger it is not said."""
    inside = 2.0**-9
    for of, y, r, lost, doubt in (
        ("one", 1.0, 1.5, True, True),
        ("one", -1.0, 1.0, True, True),
        ("one", -1.0, 0.5, False, False),
        ("one", 0.0, 0.0, True, True),
        ("flushing", inside, 0.0, True, True),
        ("low", inside, 0.0, False, False),
        ("one", float("nan"), 0.0, True, False),
    ):
        x = torch.tensor([y], dtype=torch.float32)
        value = torch.tensor([float("nan") if y != y else 1.0], dtype=torch.float32)
        found = asked("aten.reciprocal.default", STATED[of], {"self": x}, [value], {id(x): torch.tensor([r], dtype=torch.float64)})[0]
        said = 0 if found.doubts is None else int(found.doubts)
        assert bool(torch.isinf(found.radius) | torch.isnan(found.radius)) is lost, f"{of} {y} ± {r}"
        assert bool(said & Doubt.UNDERFLOW) is doubt, f"{of} {y} ± {r}"
