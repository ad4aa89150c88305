"""The rules against kernels that err as much as their model allows: no term of a rule is there for nothing."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from flint import arb
from torch import Tensor, nn

from numeric.arithmetics import WithRadius, exact, hazards
from numeric.rules import activations, reference
from numeric.rules.activations import GELU, GELU_TANH, SILU, Gate, gated
from numeric.rules.library_errors import elementary_error
from numeric.rules.normalisation import layer_norm_rule, rms_norm_rule, softmax_rule
from tests.numeric.rules.worst_kernels import LOW, MODELS, ONE, TWO, Kernel, Trial, coarse, model, precisely, tensor

SIGNS = (1, -1)
POINTS = [s * t for t in (2.0**-9, 0.02, 0.125, 0.5, 0.75, 1.0, 1.41, 2.0, 2.5, 3.25, 4.0, 5.5) for s in SIGNS]


def _gelu_by(k: Kernel, x: float, s: int) -> float:
    """s: whether the result is to come out too large or too small."""
    grows = s if x > 0 else -s  # the way in which the gate has to err
    t = x * math.sqrt(0.5)
    t = k.off(t, grows if t > 0 else -grows, 2)
    inner = k.library("erf of gelu", 1.0 + math.erf(t) if t > -0.5 else math.erfc(-t), grows)
    gate = k.off(0.5 * inner, grows if inner > 0 else -grows)
    half = k.lost(x, s)
    return k.stored(k.lost(k.off(half * gate, s if half * gate > 0 else -s), s), s)


def _gelu_tanh_by(k: Kernel, x: float, s: int) -> float:
    grows = s if x > 0 else -s
    w = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    w = k.off(w, grows if w > 0 else -grows, 7)
    inner = k.library("tanh of gelu", 2.0 / (1.0 + math.exp(-2.0 * w)), grows)
    gate = k.off(0.5 * inner, grows if inner > 0 else -grows)
    half = k.lost(x, s)
    return k.stored(k.lost(k.off(half * gate, s if half * gate > 0 else -s), s), s)


def _silu_by(k: Kernel, x: float, s: int) -> float:
    grows = s if x > 0 else -s
    power = k.library("exp of silu", math.exp(-x), -grows)
    below = k.off(1.0 + power, -grows)
    gate = k.off(1.0 / below, grows)  # a kernel that multiplies by the quotient rounds once more than one that divides x
    return k.stored(k.lost(k.off(x * gate, s if x > 0 else -s), s), s)


ACTIVATIONS = {"gelu": (GELU, _gelu_by, reference.gelu), "gelu-tanh": (GELU_TANH, _gelu_tanh_by, reference.gelu_tanh), "silu": (SILU, _silu_by, reference.silu)}
FINE = model(coarse("fp32", 26))
"""So fine that all that counts is where the input lies."""


BESIDE_POWERS = [s * j * math.log(2.0) - 2.0**-30 for j in (1, 2, 3, 4, 8, 16, 24) for s in SIGNS]
"""Arguments at which e^-x lies just above a power of two, where a unit in the last place is largest beside the number."""


@precisely
def erring(name: str, of: str) -> list[Trial]:
    """Positive and negative arguments, far and near; in a format without a low end also where products underflow."""
    _, kernel, truth = ACTIVATIONS[name]
    n = MODELS[of]
    smallest = [s * t * n.opmath.smallest_subnormal for t in (1.0, 3.0, 17.0) for s in SIGNS]
    trial, k = Trial(n), Kernel(n)
    for x, s in itertools.product(POINTS + BESIDE_POWERS + (smallest if n is LOW else []), SIGNS):
        trial.add([x], [kernel(k, x, s)], [truth(arb(x))])
    return [trial]


@precisely
def displaced(name: str) -> list[Trial]:
    """The exact input at either end of its radius: where the slope is largest, where it is least, and far out on either side."""
    _, kernel, truth = ACTIVATIONS[name]
    trials = []
    for n in (ONE, FINE):
        trial, k = Trial(n), Kernel(n)
        for share, s, end in itertools.product((2.0**-20, 0.25, 1.0, 2.5, 4.0, 16.0), SIGNS, SIGNS):
            for x in [*POINTS, -math.sqrt(2.0), math.sqrt(2.0), -0.75, 2.4, -1.27]:
                trial.add([x], [kernel(k, x, s)], [truth(arb(x) + end * share)], [share])
        trials.append(trial)
    return trials


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("of", MODELS)
def test_an_activation_that_errs_as_it_may(name: str, of: str) -> None:
    for trial in erring(name, of):
        assert not trial.outside(lambda x, value: gated(ACTIVATIONS[name][0], x, value))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_of_what_lies_elsewhere(name: str) -> None:
    for trial in displaced(name):
        assert not trial.outside(lambda x, value: gated(ACTIVATIONS[name][0], x, value))


@precisely
def passing(saturates: bool) -> list[Trial]:
    """From just below Ω on, where an exponential that errs upwards is above it, to far beyond."""
    n = model(coarse("fp32", 7, lowest=-30, highest=4))
    trial, ulps = Trial(n), elementary_error("exp of silu", "cpu", "fp32").ulps
    for more in (-1.9 * ulps * n.opmath.unit_roundoff, 0.0, 0.5, 3.0):
        x = -(math.log(n.opmath.largest) + more)
        trial.add([x], [x / n.opmath.largest if saturates else 0.0], [reference.silu(arb(x))])
    return [trial]


@pytest.mark.parametrize("saturates", [False, True])
def test_an_exponential_that_passes_the_largest_number(saturates: bool) -> None:
    """e^-x above Ω: the quotient is 0 or 2x/Ω, whatever came out of the exponential."""
    (trial,) = passing(saturates)
    assert not trial.outside(lambda x, value: gated(SILU, x, value))


@pytest.mark.parametrize(("gate", "doubles"), [(GELU, True), (GELU_TANH, True), (SILU, False)], ids=ACTIVATIONS)
def test_an_activation_that_doubles_its_operand_may_overflow(gate: Gate, doubles: bool) -> None:
    """x(1 + erf) before it is halved passes Ω from Ω/2 on, to the right of zero, in whichever case and entry it is."""
    n = model(coarse("fp32", 7, highest=6))
    limit, near = n.opmath.largest, 1.0 + 2.0**-21
    rows = [[0.0, limit / 2 * near], [limit / 2 * near, -1.0], [limit / 2 * (1.0 - 2.0**-19), 1.0], [0.0, -limit], [-limit, -limit]]
    x = exact(tensor(rows), n, hazards(len(rows)))
    gated(gate, x, tensor(rows))
    assert x.hazards.overflow.tolist() == [doubles, doubles, False, False, False]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_kernel_that_errs_twice_as_much_is_outside(name: str) -> None:
    """The planted one: the same kernel under a model of twice its precision."""
    (trial,) = erring(name, "one format")
    assert replace(trial, n=model(coarse("fp32", 8))).outside(lambda x, value: gated(ACTIVATIONS[name][0], x, value))


def _softmax_by(k: Kernel, x: list[float], place: int, s: int) -> float:
    """One probability, as far up or down as it may be: its own exponential one way, all else the other."""
    top = max(x)
    powers = []
    for j, t in enumerate(x):
        way = s if j == place else -s
        distance = k.off(t - top, -way)  # a longer distance makes less
        powers.append(k.library("exp of softmax", math.exp(distance), way))
    order = sorted(range(len(x)), key=lambda j: -powers[j])
    total = powers[order[0]]
    for j in order[1:]:
        total = k.off(total + powers[j], -s)
    inverse = k.off(1.0 / total, s)
    return k.stored(max(k.lost(k.off(powers[place] * inverse, s), s), 0.0), s)


COLUMNS = [
    [0.0, -math.log(2.0) + 2.0**-30, -2 * math.log(2.0) + 2.0**-30],
    [1.0, 1.0, 1.0, 1.0],
    [0.0, -4 * math.log(2.0) + 2.0**-30, -9 * math.log(2.0) + 2.0**-30],
    [3.0, 0.0, -3.0, 2.5, 2.0],
    [0.0],
    [-1.0, 2.0],
]


@precisely
def softmaxes(of: str) -> list[Trial]:
    """Each probability in its turn as far up or down as it may be."""
    n, trials = MODELS[of], []
    for x in COLUMNS:
        trial, k, truth = Trial(n), Kernel(n), reference.softmax([arb(t) for t in x])
        for s in SIGNS:
            trial.add(x, [_softmax_by(k, x, place, s) for place in range(len(x))], truth)
        trials.append(trial)
    return trials


@precisely
def displaced_softmaxes() -> list[Trial]:
    """Each entry in its turn at one end of its radius, and all others at the other end."""
    k, trials = Kernel(FINE), []
    for x in COLUMNS:
        trial = Trial(FINE)
        for size, s, place in itertools.product((2.0**-20, 2.0**-6, 0.125, 0.5, 1.0), SIGNS, range(len(x))):
            radii = [size * (1 + j % 3) for j in range(len(x))]
            moved = [arb(t) + (1 if j == place else -1) * s * arb(r) for j, (t, r) in enumerate(zip(x, radii, strict=True))]
            trial.add(x, [_softmax_by(k, x, other, -s if other == place else s) for other in range(len(x))], reference.softmax(moved), radii)
        trials.append(trial)
    return trials


def _softmax(x: WithRadius, value: Tensor) -> WithRadius:
    return softmax_rule(nn.Softmax(dim=-1), x, value)


@pytest.mark.parametrize("of", MODELS)
def test_a_softmax_that_errs_as_it_may(of: str) -> None:
    assert not [words for trial in softmaxes(of) for words in trial.outside(_softmax)]


def test_a_softmax_of_what_lies_elsewhere() -> None:
    assert not [words for trial in displaced_softmaxes() for words in trial.outside(_softmax)]


NORMALISED = [
    [1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0],
    [5.0, 5.125, 4.875, 5.0, 5.25, 4.75, 5.0, 5.0],
    [0.25, 0.0, 0.0, 0.0, -0.25, 0.0, 0.0, 0.0],
    [2.0, 1.0],
    [5.0, 5.01, 5.02, 5.03, 5.04, 5.05, 5.06, 5.07],
    [-9.0, -8.0, -6.0],
]
"""The last but one rises: a mean that lags behind makes all of its products with the deviations err one way."""
WEIGHT, BIAS = 1.5, 0.75


def _mean_by(k: Kernel, x: list[float], s: int) -> float:
    total = x[0]
    for t in x[1:]:
        total = k.off(total + t, s if total + t > 0 else -s)
    return k.off(total / len(x), s if total > 0 else -s)


def _root_by(k: Kernel, total: float, n: int, eps: float, s: int) -> float:
    """1/√(M/n + ε) with every rounding one way: the larger, the smaller what it is the root of."""
    inside = k.off(k.off(total / n, -s) + k.off(eps, -s), -s)
    return k.library("rsqrt of normalisation", 1.0 / math.sqrt(inside), s)


def _layer_norm_by(k: Kernel, x: list[float], eps: float, way: tuple[int, int, int]) -> list[list[float]]:
    """By two passes, and by Welford's update; the signs of the mean's, the square's and the last errors."""
    of_mean, of_square, s = way
    mean = _mean_by(k, x, of_mean)
    total = 0.0
    for t in x:
        d = k.off(t - mean, of_square if t > mean else -of_square) if t != mean else 0.0
        d = abs(t - mean) * (1.0 + of_square * k.v)
        total = k.off(total + k.off(d * d, of_square), of_square)
    found = [(mean, total)]
    m, total = 0.0, 0.0
    for count, t in enumerate(x, 1):
        delta = k.off(t - m, of_mean if t > m else -of_mean)
        step = k.off(delta / count, of_mean if delta > 0 else -of_mean, 2)
        m = k.off(m + step, of_mean if m + step > 0 else -of_mean)
        total = k.off(total + k.off(delta * k.off(t - m, of_square), of_square), of_square)
    found.append((m, max(total, 0.0)))
    out = []
    for mu, square in found:
        inverse = _root_by(k, square, len(x), eps, s)
        row = []
        for t in x:
            z = k.off((t - mu), s if t > mu else -s) * inverse
            y = k.off(k.off(z, s if z > 0 else -s) * WEIGHT, s if z > 0 else -s)
            row.append(k.stored(k.lost(k.off(y + BIAS, s if y + BIAS > 0 else -s), s), s))
        out.append(row)
        apart = []
        for t in x:  # multiplied out first: x/√D and μ/√D
            one, other = k.off(t * inverse, s if t > 0 else -s), k.off(mu * inverse, -s if mu > 0 else s)
            z = k.off(one - other, s if one > other else -s)
            y = k.off(z * WEIGHT, s if z > 0 else -s)
            apart.append(k.stored(k.lost(k.off(y + BIAS, s if y + BIAS > 0 else -s), s), s))
        out.append(apart)
    return out


def _rms_norm_by(k: Kernel, x: list[float], eps: float, s: int) -> list[float]:
    total = 0.0
    for t in sorted(x, key=abs, reverse=True):
        total = k.off(total + k.off(t * t, -s), -s)
    inverse = _root_by(k, total, len(x), eps, s)
    return [k.stored(k.lost(k.off(k.off(t * inverse, s if t > 0 else -s) * WEIGHT, s if t > 0 else -s), s), s) for t in x]


def _norm(kind: type[nn.LayerNorm] | type[nn.RMSNorm], width: int, eps: float) -> nn.LayerNorm | nn.RMSNorm:
    made = kind(width, eps=eps).double().requires_grad_(False)
    made.weight.fill_(WEIGHT)
    if isinstance(made, nn.LayerNorm):
        made.bias.fill_(BIAS)
    return made


@precisely
def norms(kind: type[nn.LayerNorm] | type[nn.RMSNorm], of: str, eps: float) -> list[tuple[int, Trial]]:
    """Columns by each kernel of the family that is simulated, with each choice of signs; and how wide they are."""
    n, trials = (FINE if of == "fine" else MODELS[of]), []
    k = Kernel(n)
    for x in NORMALISED:
        trial, truth = Trial(n), _normalised(kind, [arb(t) for t in x], eps)
        if kind is nn.LayerNorm:
            for way in itertools.product(SIGNS, repeat=3):
                for values in _layer_norm_by(k, x, eps, way):
                    trial.add(x, values, truth)
        else:
            for s in SIGNS:
                trial.add(x, _rms_norm_by(k, x, eps, s), truth)
        trials.append((len(x), trial))
    return trials


@precisely
def displaced_norms(kind: type[nn.LayerNorm] | type[nn.RMSNorm], eps: float) -> list[tuple[int, Trial]]:
    """One entry up and the others down, all by the same, and those of one sign."""
    trials = []
    for x in NORMALISED:
        trial = Trial(FINE)
        value = _norm(kind, len(x), eps)(torch.tensor([x], dtype=torch.float64))[0].tolist()
        patterns = [[1 if j == place else -1 for j in range(len(x))] for place in range(len(x))] + [[1 if t > 0 else -1 for t in x], [1] * len(x)]
        for size, pattern, s in itertools.product((2.0**-20, 2.0**-6, 0.25), patterns, SIGNS):
            radii = [size * (1 + j % 2) for j in range(len(x))]
            moved = [arb(t) + s * way * arb(r) for t, way, r in zip(x, pattern, radii, strict=True)]
            trial.add(x, value, _normalised(kind, moved, eps), radii)
        trials.append((len(x), trial))
    return trials


def _normalised(kind: type[nn.LayerNorm] | type[nn.RMSNorm], x: list[arb], eps: float) -> list[arb]:
    if kind is nn.LayerNorm:
        return reference.layer_norm(x, [WEIGHT] * len(x), [BIAS] * len(x), eps)
    return reference.rms_norm(x, [WEIGHT] * len(x), eps)


def _ruled(kind: type[nn.LayerNorm] | type[nn.RMSNorm], trials: list[tuple[int, Trial]], eps: float) -> list[str]:
    rule = layer_norm_rule if kind is nn.LayerNorm else rms_norm_rule
    return [words for width, trial in trials for words in trial.outside(lambda x, value, width=width: rule(_norm(kind, width, eps), x, value))]


KINDS = (nn.LayerNorm, nn.RMSNorm)


@pytest.mark.parametrize("eps", [2.0**-4, 2.0**-20])
@pytest.mark.parametrize("of", [*MODELS, "fine"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_norm_that_errs_as_it_may(kind: type[nn.LayerNorm] | type[nn.RMSNorm], of: str, eps: float) -> None:
    assert not _ruled(kind, norms(kind, of, eps), eps)


@pytest.mark.parametrize("eps", [2.0**-4, 2.0**-20])
@pytest.mark.parametrize("kind", KINDS)
def test_a_norm_of_what_lies_elsewhere(kind: type[nn.LayerNorm] | type[nn.RMSNorm], eps: float) -> None:
    assert not _ruled(kind, displaced_norms(kind, eps), eps)


def test_the_rows_that_a_coarse_format_borrows() -> None:
    """A coarse format is asked about under the name of fp32 or fp16: their rows are what its kernels err by."""
    assert elementary_error("erf of gelu", "cpu", ONE.storage.name).of_one
    assert not elementary_error("exp of silu", "cpu", ONE.storage.name).of_one
    assert elementary_error("exp of softmax", "cpu", TWO.storage.name).ulps == 20.0
    assert activations.UNDERFLOWS == 6
