"""The radii of functions of one number and of powers, held to the formulas of their docstrings in mpmath, from both sides."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from unittest.mock import patch

import mpmath
import pytest
import torch
from mpmath import mpf

from numeric.operator_rules import functions
from numeric.rules import elementary_error
from tests.numeric.operator_rules.erring_kernels import asked
from tests.numeric.operator_rules.stated_functions import STATED, Number, Stated, Unit, held, soaked
from tests.numeric.rules.worst_kernels import coarse, model

SHARES = (0.0, 2.0**-7, 0.25)
"""Radii, as shares of what they belong to."""
EVERYWHERE = (-6.5, -1.75, -0.375, -(2.0**-9), 2.0**-9, 0.375, 1.0, 1.75, 2.125)
POSITIVE = (2.0**-9, 0.375, 1.0, 1.75, 5.5)
INSIDE_MINUS_ONE = (-0.5, -0.125, 2.0**-9, 1.75)


def _near(x: mpf, r: mpf) -> mpf:
    return max(abs(x) - r, mpf(0))


def _sech2(t: mpf) -> mpf:
    return 1 / mpmath.cosh(t) ** 2


SLOPES: dict[str, tuple[tuple[float, ...], Callable[[mpf], mpf], Callable[[mpf, mpf], mpf]]] = {
    "exp": (EVERYWHERE, mpmath.exp, lambda x, r: mpmath.exp(x + r)),
    "exp2": (EVERYWHERE, lambda x: mpf(2) ** x, lambda x, r: mpf(2) ** (x + r) * mpmath.log(2)),
    "expm1": (EVERYWHERE, mpmath.expm1, lambda x, r: mpmath.exp(x + r)),
    "log": (POSITIVE, mpmath.log, lambda x, r: 1 / (x - r)),
    "log2": (POSITIVE, lambda x: mpmath.log(x, 2), lambda x, r: 1 / (x - r) / mpmath.log(2)),
    "log1p": (INSIDE_MINUS_ONE, mpmath.log1p, lambda x, r: 1 / (1 + x - r)),
    "sqrt": ((0.0, *POSITIVE), mpmath.sqrt, lambda x, r: 1 / (mpmath.sqrt(x) + mpmath.sqrt(x - r)) if x else mpf(0)),
    "rsqrt": (POSITIVE, lambda x: 1 / mpmath.sqrt(x), lambda x, r: (x - r) ** mpf(-1.5) / 2),
    "tanh": (EVERYWHERE, mpmath.tanh, lambda x, r: _sech2(_near(x, r))),
    "sigmoid": (EVERYWHERE, lambda x: 1 / (1 + mpmath.exp(-x)), lambda x, r: _sech2(_near(x, r) / 2) / 4),
    "erf": (EVERYWHERE, mpmath.erf, lambda x, r: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(_near(x, r) ** 2))),
    "sin": (EVERYWHERE, mpmath.sin, lambda x, r: mpf(1)),
    "cos": (EVERYWHERE, mpmath.cos, lambda x, r: min(mpf(1), abs(x) + r)),
}
"""Operands; the function; and the supremum of its slope."""
GROWS = {"exp": mpmath.exp, "exp2": lambda x: mpf(2) ** x, "expm1": mpmath.exp}
INSIDE = 4
"""Numbers inside a library's function that a flushing machine is assumed to take for zero."""


def _library(unit: Unit, name: str, y: mpf) -> mpf:
    """2kv|f| + kη, then ω(ŷ); |f| from what came out."""
    n, row = unit.n, elementary_error(name, unit.n.device, unit.n.storage.name)
    form = n.storage if row.in_storage else n.opmath
    relative, k = 2 * mpf(row.ulps) * form.unit_roundoff, mpf(row.ulps)
    own_flush = mpf(n.opmath.smallest_normal) if row.flushes and not n.elementwise_flushes else unit.flushed
    least = k * form.smallest_subnormal + INSIDE * unit.flushed
    lost = own_flush if row.in_storage else unit.stored(y, own_flush)
    if row.of_one:
        return relative + lost
    return relative * (abs(y) + lost + least) / (1 - relative) + least + lost


def _stated(name: str, unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
    own = _library(unit, name, y)
    if name == "sigmoid" and mpmath.exp(-x) * (1 + 2 * unit.ulps("exp") * unit.v) >= unit.n.opmath.largest:
        own = max(own, 1 / (1 + mpmath.exp(-x)) + 2 / mpf(unit.n.opmath.largest))
    largest = GROWS[name](x) * (1 + 2 * unit.ulps(name) * unit.v) if name in GROWS else None
    return Stated((SLOPES[name][2](x, r) * r if r else mpf(0)) + own, largest)


@pytest.mark.parametrize("name", soaked(SLOPES, "exp", "rsqrt", "sigmoid", "erf"))
def test_a_function_gives_what_is_stated(name: str) -> None:
    points, plain, _ = SLOPES[name]
    for of in STATED:
        operands = [(x, abs(x) * share) for x, share in product(points, SHARES) if name not in ("log", "log2", "log1p", "rsqrt", "sqrt") or _stays(name, of, x)]
        held(f"aten.{name}.default", of, {}, operands, plain, lambda *given: _stated(name, *given))


def _stays(name: str, of: str, x: float) -> bool:
    """Whether an operand that a flushing machine reads as zero is still inside the domain."""
    unit = Unit(STATED[of])
    return not abs(x) < unit.flushed or name == "log1p" or x == 0.0


def test_ends_where_the_power_inside_a_sigmoid_passes_the_largest_number() -> None:
    """1/(1 + e^-x): from where e^-x could round to Ω on the quotient may be 0, or 2/Ω; at a few roundings less it may not."""
    for n in (STATED["short"], replace(STATED["short"], device="cuda")):
        omega, k = n.opmath.largest, elementary_error("exp", n.device, n.storage.name).ulps
        for roundings, passes in ((0.0, True), (1.75 * k, True), (2.5 * k, False)):
            x = torch.tensor([-math.log(omega * (1.0 - roundings * n.opmath.unit_roundoff))], dtype=torch.float64)
            sigma = 1.0 / (1.0 + math.exp(-float(x)))
            radius = float(asked("aten.sigmoid.default", n, {"self": x}, [torch.tensor([sigma], dtype=torch.float64)], {})[0].radius)
            assert (radius >= sigma + 2.0 / omega) is passes, f"{roundings} roundings below on {n.device}"


def test_ends_where_a_kernel_flushes_by_itself() -> None:
    """As a row of the table of errors may say, whatever the machine does elsewhere: the smallest normal number more."""
    n = model(coarse("bf16", 6, lowest=-20), coarse("fp32", 12, lowest=-10))
    x, y = torch.tensor([0.5], dtype=torch.float64), torch.tensor([math.exp(0.5)], dtype=torch.float64)

    def radius() -> float:
        return float(asked("aten.exp.default", n, {"self": x}, [y], {})[0].radius)

    plain = radius()
    with patch.object(functions, "elementary_error", lambda *at: replace(elementary_error(*at), flushes=True)):
        assert n.opmath.smallest_normal <= radius() - plain <= 1.1 * n.opmath.smallest_normal


EXPONENTS = (2.0, 3.0, -2.0, 4.0, 1.7, 0.3, -1.3, 5.0, -3.0)


def _corner(x: mpf, r: mpf, p: mpf, q: mpf, less: int) -> mpf:
    near, far = _near(x, r), abs(x) + r
    return max(t ** (s - less) for t in (near, far) for s in (p - q, p + q))


def _power(unit: Unit, x: mpf, r: mpf, y: mpf, *, p: mpf, q: mpf, products: float | None) -> Stated:
    near, far, size, ulps = _near(x, r), abs(x) + r, abs(x) ** p, unit.ulps("pow")
    moved = (abs(p) + q) * _corner(x, r, p, q, 1) * r + max(abs(mpmath.log(near)), abs(mpmath.log(far))) * _corner(x, r, p, q, 0) * q
    own = 2 * unit.v * ulps * size + ulps * (unit.eta + unit.flushed) + unit.stored(y)
    least = unit.underflow
    if products in (2.0, 3.0):
        own = max(own, unit.gamma(int(products) - 1, unit.roundoff) * size + least * (1 + abs(x)))
    elif products == -2.0:
        passes = x * x * (1 + unit.roundoff) >= unit.n.storage.largest
        own = max(own, (mpf(1) if passes else unit.gamma(2, unit.roundoff) + 2 * least / x**2) * size + least)
    return Stated(moved + own, size * (1 + max(4 * unit.roundoff, 2 * ulps * unit.v)))


@pytest.mark.parametrize("given", soaked(EXPONENTS, 3.0, -2.0, 1.7))
def test_a_power_gives_what_is_stated(given: float) -> None:
    """A number that is an exponent is rounded when it is read; of whole exponents operands of both signs."""
    points = (0.375, 0.75, 1.25, 3.5) if given % 1 else (-1.5, -0.375, 0.375, 0.75, 1.25, 3.5)
    p = Number.of(given)
    for of in STATED:
        operands = [(x, abs(x) * share) for x, share in product(points, (*SHARES, 0.75)) if given != -2.0 or x * x > 4.5 * Unit(STATED[of]).underflow]

        def stated(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
            return _power(unit, x, r, y, p=p.value, q=p.off, products=given if given in (2.0, 3.0, -2.0) else None)

        held("aten.pow.Tensor_Scalar", of, {"exponent": given}, operands, lambda x: x**p.value, stated)


@pytest.mark.parametrize("base", soaked((0.3, 0.75, 2.5), 0.3))
def test_a_power_of_a_number_gives_what_is_stated(base: float) -> None:
    b = Number.of(base)
    for of in STATED:

        def stated(unit: Unit, p: mpf, q: mpf, y: mpf) -> Stated:
            return _power(unit, b.value, unit.read(b.value, b.off), y, p=p, q=q, products=None)

        operands = [(p, r) for p, r in product((-1.75, 0.375, 2.0, 3.0), (0.0, 0.125))]
        held("aten.pow.Scalar", of, {"self": base}, operands, lambda p: b.value**p, stated, name="exponent")


def test_powers_that_are_other_functions() -> None:
    """x⁰ is 1, x¹ is x; ½ and -½ are roots, and 0^½ is 0; -1 is a quotient."""
    n = STATED["two"]
    x, r = torch.tensor([0.375, 1.75], dtype=torch.float32), torch.tensor([2.0**-6, 0.0], dtype=torch.float64)

    def said(exponent: float, y: list[float], to: str = "aten.pow.Tensor_Scalar") -> list[float]:
        given = {"exponent": exponent} if to == "aten.pow.Tensor_Scalar" else {}
        return asked(to, n, {"self": x, **given}, [torch.tensor(y, dtype=torch.float32)], {id(x): r})[0].radius.tolist()  # type: ignore[no-any-return]

    assert said(0.0, [1.0, 1.0]) == [0.0, 0.0]
    assert said(1.0, [0.375, 1.75]) == r.tolist()
    roots, inverse, over = [0.6123724, 1.3228756], [1.6329932, 0.7559289], [2.6666667, 0.5714286]
    assert said(0.5, roots) == said(0.5, roots, "aten.sqrt.default")
    assert said(-0.5, inverse) == said(-0.5, inverse, "aten.rsqrt.default") != said(-0.5, inverse, "aten.sqrt.default")
    assert said(-1.0, over) == said(-1.0, over, "aten.reciprocal.default")
