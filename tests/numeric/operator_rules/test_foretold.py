"""What the rows of functions foretell: an overflow where a kernel that errs as much as it may could pass Ω, and nothing known outside of a domain."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from numeric.operator_rules import Bounded
from numeric.operator_rules.doubts import Doubt
from tests.numeric.operator_rules.erring_kernels import asked
from tests.numeric.rules.worst_kernels import ONE, TWO, coarse, model

OMEGA = ONE.storage.largest
NARROW = model(coarse("fp16", 6, highest=20), coarse("fp32", 9))
"""Of which the format of computation reaches much farther than the storage."""
REACHES = {
    "aten.exp.default": ({}, math.log),
    "aten.exp2.default": ({}, math.log2),
    "aten.expm1.default": ({}, math.log),
    "aten.softplus.default": ({"beta": 1.0, "threshold": 1000.0}, math.log),
    "aten.leaky_relu.default": ({"negative_slope": 4.0}, lambda y: -y / 4.0),
    "aten.elu.default": ({"alpha": 1.0, "scale": 4.0, "input_scale": 1.0}, lambda y: y / 4.0),
    "aten.hardswish.default": ({}, lambda y: y / 6.0),
    "aten.pow.Tensor_Scalar": ({"exponent": 2.0}, math.sqrt),
    "aten.pow_.Scalar": ({"exponent": 3.0}, lambda y: -(y ** (1 / 3))),
    "aten.pow.Tensor_Tensor": ({"exponent": torch.tensor(2.5, dtype=torch.float64)}, lambda y: y**0.4),
    "aten.pow.Scalar": ({"self": 2.0}, math.log2),
}
"""With the operand of which the largest number inside is y."""
INSIDE = ("aten.softplus.default", "aten.hardswish.default")
"""Of which that number is one on the way."""


def said(overload: str, x: float, given: dict[str, Any], *, radius: float = 0.0, value: float = 1.0, n: Any = ONE) -> Bounded:
    """Of one entry."""
    name = "exponent" if overload == "aten.pow.Scalar" else "self"
    operand = torch.tensor([x], dtype=torch.float64)
    return asked(
        overload, n, {**given, name: operand}, [torch.tensor([value], dtype=torch.float64)], {id(operand): torch.tensor([radius], dtype=torch.float64)}
    )[0]


def doubts(found: Bounded) -> int:
    return 0 if found.doubts is None else int(found.doubts[0])


@pytest.mark.parametrize("overload", REACHES)
def test_an_overflow_is_foretold_where_it_could_be(overload: str) -> None:
    """An operand at which the largest number is half a roundoff below Ω, and one at which it is an eighth; inside a kernel Ω is that of its own format."""
    given, inverse = REACHES[overload]
    for n in (ONE,) if overload in INSIDE else (ONE, NARROW):
        reach = n.storage.largest
        near, far = inverse(reach * (1.0 - 0.5 * n.opmath.unit_roundoff)), inverse(reach / 8.0)
        assert doubts(said(overload, near, given, n=n)) & Doubt.OVERFLOW
        assert not doubts(said(overload, far, given, n=n, value=reach / 8.0))


@pytest.mark.parametrize("overload", REACHES)
def test_what_came_out_infinite_was_foretold(overload: str) -> None:
    given, inverse = REACHES[overload]
    assert doubts(said(overload, inverse(OMEGA), given, value=math.inf)) == Doubt.OVERFLOW | Doubt.NOT_FINITE
    assert doubts(said(overload, inverse(OMEGA / 8.0), given, value=math.inf)) == Doubt.NOT_FINITE | Doubt.UNFORESEEN, "the planted one"


DOMAINS: dict[str, tuple[dict[str, Any], tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]] = {
    "aten.log.default": ({}, ((1.0, 0.5), (0.5, 0.49)), ((0.0, 0.0), (-1.0, 0.0), (1.0, 1.0), (1.0, 2.0))),
    "aten.log2.default": ({}, ((1.0, 0.5),), ((0.0, 0.0), (1.0, 1.0))),
    "aten.log1p.default": ({}, ((-0.5, 0.25), (0.0, 0.0)), ((-1.0, 0.0), (-0.5, 0.5), (-2.0, 0.0))),
    "aten.sqrt.default": ({}, ((0.0, 0.0), (1.0, 0.5)), ((-1.0, 0.0), (1.0, 1.5), (0.0, 0.25))),
    "aten.rsqrt.default": ({}, ((1.0, 0.5),), ((0.0, 0.0), (-1.0, 0.0), (1.0, 1.0))),
    "aten.pow.Tensor_Scalar": ({"exponent": 1.5}, ((1.0, 0.5), (0.0, 0.0)), ((-1.0, 0.0), (1.0, 1.5), (0.0, 0.25))),
    "aten.pow_.Scalar": ({"exponent": -3.0}, ((1.0, 0.5), (-1.0, 0.5)), ((0.0, 0.0), (1.0, 1.5), (-1.0, 1.5))),
}
"""Operands and radii inside of the domain, and outside or on both sides of its end."""


@pytest.mark.parametrize("overload", DOMAINS)
def test_outside_of_a_domain_nothing_is_known(overload: str) -> None:
    given, inside, outside = DOMAINS[overload]
    for x, r in inside:
        found = said(overload, x, given, radius=r)
        assert math.isfinite(float(found.radius))
        assert not doubts(found)
    for x, r in outside:
        found = said(overload, x, given, radius=r)
        assert float(found.radius) == math.inf
        assert doubts(found) == Doubt.UNDERFLOW
    lost = said(overload, math.nan, given, value=math.nan)
    assert doubts(lost) & Doubt.NOT_FINITE
    assert not doubts(lost) & Doubt.UNDERFLOW, "what was given is lost already"
    assert float(lost.radius) == math.inf


def test_a_square_that_is_lost_spoils_its_reciprocal() -> None:
    """1/x²: where x² underflows nothing is known; where it passes Ω all of 1/x² may be lost."""
    tiny = 1.99 * math.sqrt(ONE.elementwise_underflow)
    lost = said("aten.pow.Tensor_Scalar", tiny, {"exponent": -2.0})
    assert float(lost.radius) == math.inf
    assert doubts(lost) & Doubt.UNDERFLOW
    told = said("aten.pow.Tensor_Scalar", 1.1 * tiny, {"exponent": -2.0}, value=1.0 / (1.1 * tiny) ** 2)
    assert math.isfinite(float(told.radius)), "of a square that is more than four underflows half is left"
    across = said("aten.pow.Tensor_Scalar", 1.0, {"exponent": -2.0}, radius=1.5)
    assert float(across.radius) == math.inf
    assert doubts(across) & Doubt.UNDERFLOW
    large = math.sqrt(OMEGA * (1.0 - ONE.elementwise_roundoff / 2.0))
    assert float(said("aten.pow.Tensor_Scalar", large, {"exponent": -2.0}, value=0.0).radius) >= 1.0 / OMEGA
    assert float(said("aten.pow.Tensor_Scalar", large / 4.0, {"exponent": -2.0}, value=16.0 / OMEGA).radius) < 1.0 / OMEGA


def test_a_whole_power_across_zero_is_bounded() -> None:
    """0.25 ± 0.5: the square moves by ½ at most, the slope being 1.5; x⁰ is 1 wherever x is; and 0^1.5 is 0, by an exponent that is off, too."""
    square = said("aten.pow.Tensor_Scalar", 0.25, {"exponent": 2.0}, radius=0.5, value=0.0625)
    assert 0.75 <= float(square.radius) <= 0.76
    assert not doubts(square)
    zeroth = said("aten.pow.Tensor_Tensor", 0.25, {"exponent": torch.zeros((), dtype=torch.float64)}, radius=0.5)
    assert float(zeroth.radius) <= 4.0 * ONE.opmath.unit_roundoff
    p, x = torch.tensor([1.5], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    nothing = asked("aten.pow.Tensor_Tensor", ONE, {"self": x, "exponent": p}, [x], {id(p): torch.tensor([0.25], dtype=torch.float64)})[0]
    assert float(nothing.radius) <= 2.0 * ONE.opmath.smallest_subnormal


CHOICES: dict[str, tuple[dict[str, Any], Callable[[float], float]]] = {
    "aten.relu.default": ({}, lambda x: 1.0 if x > 0 else 0.0),
    "aten.hardtanh.default": ({"min_val": -1.0, "max_val": 2.0}, lambda x: 1.0 if -1.0 < x < 2.0 else 0.0),
    "aten.clamp.default": ({"min": None, "max": 1.0}, lambda x: 1.0 if x < 1.0 else 0.0),
    "aten.threshold.default": ({"threshold": 0.5, "value": 7.0}, lambda x: 1.0 if x > 0.5 else 0.0),
    "aten.hardsigmoid.default": ({}, lambda x: 1 / 6 if -3 < x < 3 else 0.0),
    "aten.leaky_relu.default": ({"negative_slope": 0.25}, lambda x: 1.0 if x > 0 else 0.25),
}


@pytest.mark.parametrize("overload", CHOICES)
def test_a_radius_is_handed_on_where_its_operand_is(overload: str) -> None:
    """Far from a bend: the slope times the radius, and what the operator loses, no more; over a bend, the steeper slope."""
    given, slope = CHOICES[overload]
    for x in (-9.0, -2.0, -0.25, 0.25, 0.75, 1.5, 4.0):
        r = 2.0**-6
        handed_on = float(said(overload, x, given, radius=r, value=x).radius) - float(said(overload, x, given, value=x).radius)
        assert slope(x) * r <= handed_on * (1.0 + 2.0**-40)
        assert handed_on <= slope(x) * r * (1.0 + 2.0**-40)
    wide = float(said(overload, 0.25, given, radius=9.0).radius)
    assert wide >= max(map(slope, (-9.0, -0.25, 0.75, 1.5))) * 9.0
    if overload == "aten.threshold.default":
        assert wide >= 6.75 + 9.0


def test_the_larger_of_two_may_be_either() -> None:
    """Where neither is larger for certain the result may be off by as much as the worse of them; where one is, by as much as that one."""
    for name in ("maximum", "minimum"):
        for radii in ((0.125, 0.5), (0.5, 0.125)):
            for other, stated in ((1.0625, 0.5), (9.0, radii[1] if name == "maximum" else radii[0]), (-9.0, radii[0] if name == "maximum" else radii[1])):
                x, y = torch.tensor([1.0], dtype=torch.float64), torch.tensor([other], dtype=torch.float64)
                known = {id(x): torch.tensor([radii[0]], dtype=torch.float64), id(y): torch.tensor([radii[1]], dtype=torch.float64)}
                assert float(asked(f"aten.{name}.default", ONE, {"self": x, "other": y}, [x.clone()], known)[0].radius) == stated


def test_a_machine_that_flushes_loses_a_small_result() -> None:
    """A result below the smallest normal number may be stored as zero."""
    flushing, keeping = model(coarse("fp32", 7, lowest=-8), flushes=True), model(coarse("fp32", 7, lowest=-8))
    for overload, given in (
        ("aten.relu.default", {}),
        ("aten.leaky_relu.default", {"negative_slope": 0.25}),
        ("aten.hardswish.default", {}),
        ("aten.exp.default", {}),
    ):
        for x in (1.0, -0.5):
            more = float(said(overload, x, given, n=flushing).radius) - float(said(overload, x, given, n=keeping).radius)
            assert more >= flushing.storage.smallest_normal * (1.0 - 2.0**-40)


def test_two_formats_lose_more_than_one() -> None:
    """The rounding to storage is one more."""
    for overload, given in (("aten.exp.default", {}), ("aten.hardswish.default", {}), ("aten.pow.Tensor_Scalar", {"exponent": 1.5})):
        wide = model(TWO.opmath)
        assert float(said(overload, 1.0, given, n=TWO).radius) > float(said(overload, 1.0, given, n=wide).radius)
