"""The rows of functions, choices, powers and log-sums against kernels that err as much as their model allows: no term of a row is there for nothing."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from flint import arb, ctx

from numeric.machine import ErrorModel
from numeric.operator_rules.functions import FUNCTIONS
from numeric.rules import elementary_error
from tests.numeric.operator_rules.erring_kernels import Erring, Trial, asked, results
from tests.numeric.operator_rules.references_functions import REFERENCES, each, log_sum, power
from tests.numeric.rules.test_worst_kernels import POINTS
from tests.numeric.rules.worst_kernels import LOW, ONE, TWO, coarse, model

FINE = model(coarse("fp32", 26))
"""So fine that all that counts is where the operand lies."""
SHORT = model(coarse("fp32", 7, highest=3))
"""So short a range upwards that e^3 passes it."""
MODELS = {"one format": ONE, "two formats": TWO, "underflow": LOW, "fine": FINE}
RADII = (0.0, 2.0**-9, 0.05, 0.4)
"""Of a number, as shares of it."""


@dataclass(frozen=True, slots=True)
class Case:
    """An operator, and a kernel of it."""

    overload: str
    kernel: Callable[[Erring, float], float]
    given: dict[str, Any] = field(default_factory=dict)
    points: tuple[float, ...] = tuple(POINTS)
    narrow: bool = True
    """Whether a 16-bit format has this kernel too."""


def _library(name: str, f: Callable[[float], float], *, points: tuple[float, ...] = tuple(POINTS)) -> Case:
    return Case(f"aten.{name}.default", lambda k, x: k.stored(k.library(name, f(x))), points=points, narrow=name not in ("rsqrt", "erf"))


POSITIVE = tuple(t for t in (*POINTS, 300.0, 2.0**-40) if t > 0)
ABOVE_POWERS = tuple(j * math.log(2.0) - 2.0**-30 for j in (-4, -3, -2, -1, 1, 2, 3, 4))
"""Of which e^x lies just below a power of two."""


ABOVE = tuple(1.015 * 2.0**j for j in range(-7, 3))
"""A little above powers of two, where a unit in the last place is largest next to the number."""
OF_LOGARITHM = tuple(math.log(math.expm1(y)) for y in ABOVE)
"""Of which ln(1 + e^x) is one of these."""
OF_SMALL_POWER = tuple(sign * math.log(math.expm1(y)) for y in ABOVE if y < 0.69 for sign in (1, -1))
"""Of which ln(1 + e^-|x|) is."""
OF_DIFFERENCE = tuple(math.log1p(-y) for y in ABOVE if y < 1.0)
"""Of which 1 - e^x is."""


def _softplus(k: Erring, x: float) -> float:
    z = k.off(2.0 * x)
    return x if z > 4.0 else k.stored(k.lost(k.library("log1p", math.log1p(k.library("exp", math.exp(z)))) / 2.0))


def _mish(k: Erring, x: float) -> float:
    s = k.library("log1p", math.log1p(k.library("exp", math.exp(x))))
    return k.stored(k.lost(x * k.library("tanh", math.tanh(s))))


def _log_sigmoid(k: Erring, x: float) -> float:
    return k.stored(k.off(min(x, 0.0) - k.library("log1p", math.log1p(k.library("exp", math.exp(-abs(x)))))))


def _elu(k: Erring, x: float, alpha: float = 1.0, scale: float = 1.0, inner: float = 1.0) -> float:
    if x > 0:
        return x if scale == 1.0 else k.stored(k.lost(scale * x))
    return k.stored(k.lost(k.off(alpha * scale) * k.library("expm1", math.expm1(k.off(inner * x)))))


def _celu(k: Erring, x: float) -> float:
    return x if x > 0 else k.stored(k.lost(2.0 * k.library("expm1", math.expm1(k.off(0.5 * x)))))


def _hardswish(k: Erring, x: float) -> float:
    return k.stored(k.lost(k.lost(x * min(max(k.off(x + 3.0), 0.0), 6.0)) / 6.0))


def _hardsigmoid(k: Erring, x: float) -> float:
    return k.stored(k.lost(min(max(k.off(x + 3.0), 0.0), 6.0) / 6.0))


def _leaky(k: Erring, x: float) -> float:
    return x if x > 0 else k.stored(k.lost(0.3 * x))


def _power(exponent: float) -> Case:
    given = {"exponent": exponent}
    if exponent == 2.0:
        return Case("aten.pow.Tensor_Scalar", lambda k, x: k.stored(k.lost(x * x)), given)
    if exponent == 3.0:
        return Case("aten.pow.Tensor_Scalar", lambda k, x: k.stored(k.lost(k.stored(k.lost(x * x)) * x)), given)
    if exponent == -2.0:
        return Case("aten.pow.Tensor_Scalar", lambda k, x: k.stored(k.lost(1.0 / k.stored(k.lost(x * x)))), given, tuple(t for t in POINTS if abs(t) > 0.1))
    points = POSITIVE if exponent % 1 else tuple(t for t in POINTS if abs(t) > 0.1)
    return Case("aten.pow.Tensor_Scalar", lambda k, x: k.stored(k.library("pow", x**exponent)), given, points)


CASES = {
    "exp": _library("exp", math.exp, points=(*POINTS, *ABOVE_POWERS)),
    "exp2": _library("exp2", math.exp2, points=(*POINTS, 1.0 - 2.0**-30, 2.0 - 2.0**-30, -1.0 - 2.0**-30)),
    "expm1": _library("expm1", math.expm1),
    "log": _library("log", math.log, points=POSITIVE),
    "log2": _library("log2", math.log2, points=POSITIVE),
    "log1p": _library("log1p", math.log1p, points=tuple(t for t in POINTS if t > -0.7)),
    "sqrt": _library("sqrt", math.sqrt, points=POSITIVE),
    "rsqrt": _library("rsqrt", lambda x: 1.0 / math.sqrt(x), points=POSITIVE),
    "tanh": _library("tanh", math.tanh),
    "sigmoid": _library("sigmoid", lambda x: 1.0 / (1.0 + math.exp(-x))),
    "erf": _library("erf", math.erf),
    "sin": _library("sin", math.sin),
    "cos": _library("cos", math.cos),
    "softplus": Case("aten.softplus.default", _softplus, {"beta": 2.0, "threshold": 4.0}, (*POINTS, 1.99, 2.01, *(z / 2.0 for z in OF_LOGARITHM))),
    "mish": Case("aten.mish.default", _mish, {}, (*POINTS, *OF_LOGARITHM)),
    "log-sigmoid": Case("aten.log_sigmoid_forward.default", _log_sigmoid, {}, (*POINTS, *OF_SMALL_POWER)),
    "elu": Case("aten.elu.default", _elu, {}, (*POINTS, *OF_DIFFERENCE)),
    "elu with numbers": Case(
        "aten.elu.default",
        lambda k, x: _elu(k, x, 3.0, 1.25, 0.625),
        {"alpha": 3.0, "scale": 1.25, "input_scale": 0.625},
        (*POINTS, *(x / 0.625 for x in OF_DIFFERENCE)),
    ),
    "celu": Case("aten.celu.default", _celu, {"alpha": 2.0}, (*POINTS, *(2.0 * x for x in OF_DIFFERENCE))),
    "hardswish": Case("aten.hardswish.default", _hardswish, {}, (*POINTS, -2.95, 7.0)),
    "hardsigmoid": Case("aten.hardsigmoid.default", _hardsigmoid, {}, (*POINTS, -2.95)),
    "leaky relu": Case("aten.leaky_relu.default", _leaky, {"negative_slope": 0.3}),
    **{f"power {exponent}": _power(exponent) for exponent in (2.0, 3.0, -2.0, 4.0, 1.7, 0.3, -1.3, 5.0, -3.0)},
}


def trial(case: Case, n: ErrorModel) -> Trial:
    """Every point with every radius, and the worst of the kernels' results against both ends."""
    made = Trial(case.overload, n, case.given)
    reference = REFERENCES[case.overload]
    with ctx.workprec(256):
        for x in case.points:
            if abs(x) < 4 * n.storage.smallest_normal:
                continue
            values = {value for (value,) in results(n, lambda k, x=x: [case.kernel(k, x)])}  # type: ignore[misc]
            for share in RADII:
                r = abs(x) * share
                for end in {x - r, x, x + r}:
                    truth = reference(each(lambda t: t, end), **case.given)
                    truth = (truth[0] if isinstance(truth, tuple) else truth).item()
                    for value in (min(values), max(values)):
                        made.add({"self": [x]}, {"self": [r]}, [value], [truth])
    return made


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("of", ["one format", *(pytest.param(of, marks=pytest.mark.soak) for of in MODELS if of != "one format")])
def test_a_kernel_that_errs_as_much_as_it_may_is_within_its_radius(name: str, of: str) -> None:
    case, n = CASES[name], MODELS[of]
    if of == "two formats" and not case.narrow:
        assert case.overload in ("aten.rsqrt.default", "aten.erf.default"), "their 16-bit kernels are of another kind"
        return
    found = trial(case, n)
    assert not found.outside()
    assert len(found.values) > 50


def test_a_kernel_that_errs_twice_as_much_is_not() -> None:
    """The planted one."""
    for name in ("exp", "softplus", "hardswish"):
        found = trial(CASES[name], ONE)
        spoiled = Trial(found.overload, found.n, found.given)
        for operands, radii, value, truth in zip(found.operands, found.radii, found.values, found.truths, strict=True):
            twice = float(truth[0].mid()) + 2.0 * (value[0] - float(truth[0].mid()))
            spoiled.add(operands, radii, [twice], truth)
        assert spoiled.outside(), name


def test_a_sigmoid_whose_power_overflows_is_nearly_nothing() -> None:
    """1/(1 + e^-x) is 0 where e^-x passes Ω, and 2/Ω at most if it saturates."""
    made = Trial("aten.sigmoid.default", SHORT, {})
    with ctx.workprec(256):
        for x in (-2.8, -4.0, -9.0):
            for value in (0.0, 1.0 / SHORT.opmath.largest):
                made.add({"self": [x]}, {"self": [0.0]}, [value], [REFERENCES["aten.sigmoid.default"](each(lambda t: t, x)).item()])
    assert not made.outside()


COLUMNS = ([1.0, -1.0], [3.0, 3.0, -0.5], [-2.0, 0.5, 1.5, 1.75], [0.0, -9.0])


def _log_softmax(k: Erring, x: list[float], *, stores: bool) -> list[float]:
    top = max(x)
    powers = [k.library("exp of softmax", math.exp(k.off(t - top))) for t in x]
    total = math.fsum(powers)
    for _ in x[1:]:
        total = k.off(total)
    total = k.stored(total) if stores else total
    log = k.library("log", math.log(total))
    log = k.stored(log) if stores else log
    return [k.stored(k.off(k.off(t - top) - log)) for t in x]


def _log_sum(k: Erring, x: list[float]) -> list[float]:
    top = max(x)
    powers = [k.stored(k.library("exp", math.exp(k.stored(k.off(t - top))))) for t in x]
    total = math.fsum(powers)
    for _ in x[1:]:
        total = k.off(total)
    return [k.stored(k.off(top + k.stored(k.library("log", math.log(k.stored(total))))))]


@pytest.mark.parametrize("of", ["two formats", *(pytest.param(of, marks=pytest.mark.soak) for of in ("one format", "fine"))])
def test_logarithms_of_sums_stay_within_their_radii(of: str) -> None:
    """Operands are moved against each other by their radii."""
    n = MODELS[of]
    for x in COLUMNS:
        soft = Trial("aten._log_softmax.default", n, {"dim": -1, "half_to_float": False})
        summed = Trial("aten.logsumexp.default", n, {"dim": [1], "keepdim": True})
        for share in (0.0, 2.0**-9, 0.125):
            for alone in range(-1, len(x)):
                moved = [t + share * (1 if place == alone else -1) for place, t in enumerate(x)]
                with ctx.workprec(256):
                    exact = [arb(t) for t in moved]
                    logs, total = [-log_sum(exact, t) for t in exact], [log_sum(exact)]
                for value in results(n, lambda k, x=x: _log_softmax(k, x, stores=n.opmath != n.storage)):  # type: ignore[misc]
                    soft.add({"self": x}, {"self": [share] * len(x)}, value, logs)
                for value in results(n, lambda k, x=x: _log_sum(k, x)):  # type: ignore[misc]
                    summed.add({"self": x}, {"self": [share] * len(x)}, value, total)
        assert not soft.outside()
        assert not summed.outside()


def test_a_power_of_a_moved_exponent_stays_within_its_radius() -> None:
    """Both operands are off, each to either side."""
    for n in (ONE, FINE):
        made = Trial("aten.pow.Tensor_Tensor", n, {})
        with ctx.workprec(256):
            for x in (0.3, 0.9, 1.1, 4.0):
                for p in (-2.5, -0.5, 0.4, 1.5, 3.0):
                    values = {value for (value,) in results(n, lambda k, x=x, p=p: [k.stored(k.library("pow", x**p))])}  # type: ignore[misc]
                    for r, q in ((0.0, 0.1), (0.1, 0.0), (0.05, 0.05)):
                        for x_end in {x - r, x + r}:
                            for p_end in {p - q, p + q}:
                                for value in (min(values), max(values)):
                                    made.add({"self": [x], "exponent": [p]}, {"self": [r], "exponent": [q]}, [value], [power(arb(x_end), arb(p_end))])
        assert not made.outside()


def _batch_norm(k: Erring, x: float, m: float, V: float, w: float, b: float, eps: float) -> list[float]:
    root = k.library("rsqrt of normalisation", 1.0 / math.sqrt(k.off(V + eps)))
    alpha = k.stored(k.lost(root * w))
    beta = k.stored(k.off(b - k.lost(m * alpha)))
    return [k.stored(k.off(k.lost(x * alpha) + beta))]


@pytest.mark.parametrize("of", ["two formats", *(pytest.param(of, marks=pytest.mark.soak) for of in ("one format", "fine"))])
def test_a_batch_norm_that_errs_stays_within_its_radius(of: str) -> None:
    """Each of the five numbers is off by itself, and all of them are; each case is a channel."""
    n, eps, cases = MODELS[of], 0.125, []
    for numbers in ((1.5, 0.5, 0.875, 1.25, -0.25), (2.0, -1.0, 0.25, -0.75, 1.0), (-0.5, -2.0, 3.0, 1.0, 0.0)):
        values = {value for (value,) in results(n, lambda k, numbers=numbers: _batch_norm(k, *numbers, eps))}  # type: ignore[misc]
        for moves in ((0.0,) * 5, *(tuple(0.03125 if place == at else 0.0 for place in range(5)) for at in range(5)), (0.03125,) * 5):
            for signs in itertools.product((1, -1), repeat=5):
                x, m, V, w, b = (arb(t + sign * by) for t, sign, by in zip(numbers, signs, moves, strict=True))
                with ctx.workprec(256):
                    truth = (x - m) * w / (V + arb(eps)).sqrt() + b
                cases += [(numbers, moves, value, truth) for value in (min(values), max(values))]
    names = ("input", "running_mean", "running_var", "weight", "bias")
    given = {name: torch.tensor([case[0][place] for case in cases], dtype=torch.float64) for place, name in enumerate(names)}
    given["input"] = given["input"].unsqueeze(0)
    radii = {
        id(given[name]): torch.tensor([case[1][place] for case in cases], dtype=torch.float64).reshape(given[name].shape) for place, name in enumerate(names)
    }
    value = torch.tensor([[case[2] for case in cases]], dtype=torch.float64)
    no_more = [torch.zeros(0, dtype=torch.float64)] * 2
    found = asked("aten._native_batch_norm_legit_no_training.default", n, {**given, "eps": eps, "momentum": 0.1}, [value, *no_more], radii)[0]
    for (numbers, moves, got, truth), radius in zip(cases, found.radius[0].tolist(), strict=True):
        assert abs(arb(got) - truth).lower() <= arb(radius), f"{numbers} ± {moves}"


def test_every_function_is_tried() -> None:
    assert {function.name for function in FUNCTIONS} <= set(CASES)
    assert all(elementary_error(function.name, "cpu", "fp32").ulps > 0 for function in FUNCTIONS)
    assert torch.get_default_dtype() == torch.float32
