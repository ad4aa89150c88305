"""The radii of softplus, log-sigmoid, the exponential units and Mish, held to the formulas of their docstrings in mpmath, from both sides."""

import math
from itertools import product

import mpmath
import pytest
import torch
from mpmath import mpf

from numeric.arithmetics import exact, hazards
from numeric.operator_rules.gates import MISH_LIPSCHITZ
from numeric.rules.activations import GELU, GELU_TANH, gated
from tests.numeric.operator_rules.erring_kernels import asked
from tests.numeric.operator_rules.stated_functions import STATED, Number, Stated, Unit, close, held, soaked

POINTS = (-60.0, -6.5, -1.75, -0.375, -(2.0**-9), 2.0**-9, 0.375, 1.75, 4.5)
RADII = (0.0, 2.0**-7, 0.25)
"""As shares of the operand."""
OPERANDS = [(x, abs(x) * share) for x, share in product(POINTS, RADII)] + [(0.25, 2.0), (-0.25, 2.0), (0.0, 0.5), (0.0, 0.0)]


def _sigma(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x))


def _inside(unit: Unit) -> mpf:
    """An underflow on the way."""
    return unit.eta + unit.flushed


def _softplus(unit: Unit, x: mpf, r: mpf, y: mpf, *, b: Number, t: Number) -> Stated:
    v, k_exp, k_log, beta, rho = unit.v, unit.ulps("exp"), unit.ulps("log1p"), b.value, b.rho
    low, high = x - r, x + r
    z, off = x * beta, (abs(x) + r) * beta * (v + rho * (1 + v))
    low, high = low * beta - off, high * beta + off
    linear, curved = low > t.value + t.off, high < t.value - t.off
    level = min(mpmath.exp(z + off), max(x, mpf(0)) * beta + off + mpmath.exp(off - abs(z)))
    epsilon = 2 * v * k_exp
    moved = _sigma(z + off) * (off + epsilon / (1 - epsilon)) + k_exp * _inside(unit)
    own = moved + 2 * v * k_log * (level + moved) + k_log * _inside(unit)
    own = (own + (v + rho) * (level + own)) / beta * (1 + 2 * rho) + _inside(unit)
    jump = mpf(0) if curved else mpmath.exp(off - low) / beta
    own = unit.flushed if linear else own + jump + unit.stored(y)
    passes = not linear and mpmath.exp(z + off) * (1 + epsilon) >= unit.n.opmath.largest
    largest = mpf("inf") if passes else max(abs(x) + r, level / beta)
    return Stated((_sigma(high) if curved else 1) * r + own, largest)


def _about(unit: Unit, b: Number, t: Number) -> list[tuple[float, float]]:
    """Two operands of which one end lies between the threshold as it is held and as it was given: either piece may be met."""
    theta, made = float(unit.v + b.rho * (1 + unit.v)), []
    for sign in (1, -1) if t.off else ():
        end, x = float(t.value + sign * t.off / 2), float(torch.tensor(float(t.value / b.value) * (1.0 + sign / 4.0), dtype=torch.float32))
        z, beta = x * float(b.value), float(b.value)
        made.append((x, (z * (1.0 - theta) - end if sign > 0 else end - z * (1.0 + theta)) / (beta * (1.0 + theta))))
    largest = unit.n.opmath.largest
    reach = math.log(largest) + math.log1p(
        -3.5 * unit.n.opmath.unit_roundoff
    )  # of which the power may pass the largest number, by its own error and its argument's
    return [*made, (reach / float(b.value), 0.0)] if largest < 2.0**20 else made


@pytest.mark.parametrize(("beta", "switch"), soaked([(1.0, 20.0), (2.0, 3.3), (0.3, 0.7), (3.3, 2.0)], (0.3, 0.7)))
def test_a_softplus_gives_what_is_stated(beta: float, switch: float) -> None:
    b, t = Number.of(beta), Number.of(switch)
    ends = [((switch + share) / beta, r) for share, r in product((-0.25, 0.25), (0.0, 2.0**-7))]
    for of in STATED:
        held(
            "aten.softplus.default",
            of,
            {"beta": beta, "threshold": switch},
            OPERANDS + ends + _about(Unit(STATED[of]), b, t),
            lambda x: mpmath.log1p(mpmath.exp(b.value * x)) / b.value,
            lambda *given: _softplus(*given, b=b, t=t),
        )


def _log_sigmoid(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
    v, k_exp, k_log, w = unit.v, unit.ulps("exp"), unit.ulps("log1p"), mpmath.exp(-abs(x))
    epsilon = 2 * v * k_exp
    own = epsilon / (1 - epsilon) * w + 2 * v * k_log * w * (1 + epsilon) + (k_exp + k_log) * _inside(unit)
    own = own + v * (max(-x, mpf(0)) + w + own) + _inside(unit)
    return Stated(_sigma(r - x) * r + own + unit.stored(y))


def test_a_log_sigmoid_gives_what_is_stated() -> None:
    for of in STATED:
        held("aten.log_sigmoid_forward.default", of, {}, OPERANDS, lambda x: mpmath.log(_sigma(x)), _log_sigmoid)


def test_what_a_log_sigmoid_keeps_for_its_derivative() -> None:
    """e^-|x|, by the power's own error; its radius moves it by e^-n r, n the smallest |t|."""
    for of, n in STATED.items():
        unit = Unit(n)
        x, r = (torch.tensor(each, dtype=kind) for each, kind in (([a for a, _ in OPERANDS], torch.float32), ([b for _, b in OPERANDS], torch.float64)))
        w = torch.exp(-x.double().abs()).float()
        found = asked("aten.log_sigmoid_forward.default", n, {"self": x}, [-w, w], {id(x): r})[1].radius
        with mpmath.workprec(120):
            for place, (a, b, y) in enumerate(zip(x.tolist(), r.tolist(), w.tolist(), strict=True)):
                a, b = mpf(a), unit.read(mpf(a), mpf(b))
                power = mpmath.exp(-abs(a))
                own = 2 * unit.v * unit.ulps("exp") * power + unit.ulps("exp") * _inside(unit)
                close(float(found[place]), mpmath.exp(-max(abs(a) - b, mpf(0))) * b + own + unit.stored(mpf(y)), f"{of} of {a}")


def _bent(unit: Unit, x: mpf, r: mpf, y: mpf, *, factor: tuple[mpf, mpf], scale: tuple[mpf, mpf], inner: tuple[mpf, mpf]) -> Stated:
    """s·x or c(e^(ix) - 1).  Each number with its relative error."""
    v, k, (c, rho_c), (s, rho_s), (i, rho_i) = unit.v, unit.ulps("expm1"), factor, scale, inner
    theta, argument, same = v + rho_i * (1 + v), abs(x) * i, (s, rho_s) == (1, 0)
    off = argument * theta
    bend = mpmath.exp(off - argument) * off
    level = min(argument, mpf(1))
    own = bend + 2 * v * k * (level + bend) + k * _inside(unit)
    c = c * (1 + rho_c)
    own = c * own + (v + rho_c * (1 + v)) * c * (level + own) + _inside(unit)
    if x > 0:
        own = unit.flushed if same else (v + rho_s * (1 + v)) * s * abs(x) + _inside(unit)
    if not (x > 0 and same):
        own += unit.stored(y)
    rising, falling = s * (1 + rho_s), c * i * (1 + rho_i) * mpmath.exp(min((x + r) * i * (1 - rho_i), mpf(0)))
    slope = rising if x - r > 0 else falling if x + r < 0 else max(falling, rising)
    largest = c * level * (1 + 2 * v)
    if x > 0:
        largest = abs(x) if same else s * abs(x) * (1 + unit.roundoff) ** 2
    return Stated(slope * r + own, largest)


@pytest.mark.parametrize(("alpha", "scale", "inner"), soaked([(1.0, 1.0, 1.0), (1.7, 1.3, 0.7), (0.3, 2.0, 2.3), (2.0, 1.0, 1.3)], (1.7, 1.3, 0.7)))
def test_an_exponential_unit_gives_what_is_stated(alpha: float, scale: float, inner: float) -> None:
    """Also where a flushing machine reads a small operand as nothing."""
    a, s, i = (Number.of(each) for each in (alpha, scale, inner))
    for of in STATED:

        def stated(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
            factor = a.value * s.value, a.rho + s.rho + a.rho * s.rho + 2 * unit.v
            return _bent(unit, x, r, y, factor=factor, scale=(s.value, s.rho), inner=(i.value, i.rho))

        held(
            "aten.elu.default",
            of,
            {"alpha": alpha, "scale": scale, "input_scale": inner},
            OPERANDS,
            lambda x: s.value * (x if x > 0 else a.value * mpmath.expm1(x * i.value)),
            stated,
        )


@pytest.mark.parametrize("alpha", soaked([1.0, 1.7, 0.3], 0.3))
def test_a_continuous_unit_gives_what_is_stated(alpha: float) -> None:
    """Its inner number is 1/α, in float64 and then as the machine holds it."""
    a, i = Number.of(alpha), Number.of(1.0 / alpha)
    for of in STATED:
        held(
            "aten.celu.default",
            of,
            {"alpha": alpha},
            OPERANDS,
            lambda x: x if x > 0 else a.value * mpmath.expm1(x / a.value),
            lambda *given: _bent(*given, factor=(a.value, a.rho), scale=(mpf(1), mpf(0)), inner=(i.value, i.rho)),
        )


def _mish_gate(x: mpf) -> mpf:
    return mpmath.tanh(mpmath.log1p(mpmath.exp(x)))


def _mish(unit: Unit, x: mpf, r: mpf, y: mpf) -> Stated:
    """By the rule of ``rules/activations.py`` with Mish's gate."""
    v, k_exp, k_log, k_tanh = unit.v, unit.ulps("exp"), unit.ulps("log1p"), unit.ulps("tanh")
    w, epsilon, eta = mpmath.exp(x), 2 * v * k_exp, _inside(unit)
    s = min(w, max(x, mpf(0)) + mpmath.exp(-abs(x)))
    error = min(w, mpf(1)) * epsilon / (1 - epsilon) + 2 * v * k_log * s * (1 + epsilon) + 2 * (k_exp + k_log) * eta
    falling = min(mpf(1), 4 * mpmath.exp(2 * (error - max(x, mpf(0)))))
    gate = falling * error + 2 * v * k_tanh * min(mpf(1), _mish_gate(x) + error) + k_tanh * eta
    own = abs(x) * (gate * (1 + v) + v * _mish_gate(x)) + 6 * (mpf(unit.n.opmath.half_subnormal) + unit.flushed)
    own = min(own, abs(y) + abs(x) * _mish_gate(x))
    near, far = max(abs(x) - r, mpf(0)), abs(x) + r
    slope = min(_mish_gate(x + r) + far * min(mpf(1), 4 * mpmath.exp(-near)), mpf(MISH_LIPSCHITZ))
    return Stated(slope * r + own + unit.stored(y))


def test_a_mish_gives_what_is_stated() -> None:
    for of in STATED:
        held("aten.mish.default", of, {}, [*OPERANDS, (12.0, 0.0), (70.0, 0.0), (12.0, 1.0)], lambda x: x * _mish_gate(x), _mish)


def test_the_form_of_a_gelu_is_the_one_that_is_asked_for() -> None:
    """By erf, or by tanh: each with the constants of its own kernel."""
    n, x = STATED["one"], torch.tensor([[-1.5], [0.375], [2.0]], dtype=torch.float32)
    y = torch.nn.functional.gelu(x)
    said = {form: asked("aten.gelu.default", n, {"self": x, "approximate": form}, [y], {})[0].radius.flatten().tolist() for form in ("none", "tanh")}
    for form, gate in (("none", GELU), ("tanh", GELU_TANH)):
        assert said[form] == gated(gate, exact(x.unsqueeze(-1), n, hazards(3)), y.unsqueeze(-1)).entry_radius.flatten().tolist()
    assert said["none"] != said["tanh"]


def test_a_log_sigmoid_on_a_gpu_keeps_nothing() -> None:
    """Of no entries nothing is in doubt, whatever came out besides."""
    x = torch.tensor([float("nan"), 1.0])
    result, kept = asked("aten.log_sigmoid_forward.default", STATED["gpu"], {"self": x}, [x, torch.zeros(0)], {})
    assert result.doubts is not None
    assert kept.radius.shape == (0,)
    assert kept.doubts is None
    infinite, w = torch.tensor([-float("inf"), -0.5]), torch.tensor([0.5, 0.375])
    _, kept = asked("aten.log_sigmoid_forward.default", STATED["one"], {"self": torch.tensor([0.5, 1.0])}, [infinite, w], {})
    assert kept.doubts is None, "it is the other result that came out infinite"
