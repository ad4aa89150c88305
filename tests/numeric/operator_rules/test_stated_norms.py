"""The radii of log-softmax, log-sum-exp and a batch norm, held to the formulas of their docstrings in mpmath, from both sides."""

from itertools import product
from typing import Any
from unittest.mock import patch

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import Tensor

from numeric.formats import Format
from numeric.machine import ErrorModel
from numeric.operator_rules import log_sums
from numeric.operator_rules.doubts import Doubt
from numeric.rules import elementary_error
from tests.numeric.operator_rules.erring_kernels import asked
from tests.numeric.operator_rules.stated_functions import BITS, STATED, Unit, close, noted, soaked

COLUMNS = ([1.0, -1.0], [3.0, 3.0, -0.5], [-2.0, 0.5, 1.5, 1.75], [0.0, -9.0, 0.015625], [0.25], [2.0**-9, -(2.0**-9), 2.0, -40.0, 1.0])
SHARES = (0.0, 2.0**-9, 0.125)


def _flushed(unit: Unit, function: str) -> mpf:
    """The number below which the kernel may take something for zero."""
    row = elementary_error(function, unit.n.device, unit.n.storage.name)
    return unit.flushed if unit.n.elementwise_flushes or not row.flushes else mpf(unit.n.opmath.smallest_normal)


def _logarithm(unit: Unit, total: mpf, share: mpf, stored: mpf) -> tuple[mpf, mpf]:
    """ln S, and λ + λ'."""
    level, moved, of_log = mpmath.log(total), share / (1 - share), 2 * unit.v * unit.ulps("log")
    of_log = of_log + stored * (1 + of_log)
    return level, moved + of_log * (level + moved) + mpf(unit.n.storage.smallest_subnormal) + unit.flushed


def _powers(unit: Unit, x: list[mpf]) -> tuple[list[mpf], list[mpf], mpf, mpf]:
    """t, N, S and s of a softmax."""
    v, k, p = unit.v, unit.ulps("exp of softmax"), len(x)
    t = [max(x) - each for each in x]
    N = [mpmath.exp(-each) for each in t]
    a = [v * each * mpmath.exp(-(1 - v) * each) for each in t]
    e = [b + 2 * k * v * (N_i + b) + k * unit.eta + _flushed(unit, "exp of softmax") for N_i, b in zip(N, a, strict=True)]
    return t, N, sum(N), sum(e) * (1 + unit.gamma(p - 1)) + unit.gamma(p - 1) * sum(N)


def _log_softmax(unit: Unit, x: list[mpf], r: list[mpf], y: list[mpf], *, stores: bool) -> tuple[list[mpf], list[mpf]]:
    """The radii, and the largest number that is met."""
    v, flushed = unit.v, _flushed(unit, "exp of softmax")
    t, _, total, lost_of_sum = _powers(unit, x)
    u = mpf(unit.n.storage.unit_roundoff) if stores and unit.n.opmath != unit.n.storage else mpf(0)
    share = lost_of_sum / total
    level, lost = _logarithm(unit, total, share + u * (1 + share), u)
    read = [b + (abs(a) if abs(a) < flushed else 0) for a, b in zip(x, r, strict=True)]
    radii = [
        v * t_i + lost + v * (t_i * (1 + v) + level + lost) + r_i + max(read) + unit.stored(y_i, flushed) for t_i, r_i, y_i in zip(t, read, y, strict=True)
    ]
    return radii, [(max(t) + level + lost) * (1 + 4 * v)]


def _log_sum(unit: Unit, x: list[mpf], r: list[mpf], y: list[mpf]) -> tuple[list[mpf], list[mpf]]:
    n, u, v, k, p = unit.n, unit.roundoff, unit.v, unit.ulps("exp"), len(x)
    eta = mpf(n.storage.smallest_subnormal) + unit.flushed
    t = [max(x) - each for each in x]
    lost = mpf(0)
    for each in t:
        a = u * each * mpmath.exp(-(1 - u) * each)
        lost += a + (2 * k * v + u) * (mpmath.exp(-each) + a) + (k + 1) * eta
    total, of_sum = sum(mpmath.exp(-each) for each in t), unit.gamma(p - 1) + u
    lost = lost * (1 + of_sum) + of_sum * total + eta
    level, of_log = _logarithm(unit, total, lost / total, mpf(n.storage.unit_roundoff) if n.storage != n.opmath else mpf(0))
    narrow = n.storage != n.opmath
    place = mpf(2) ** mpmath.floor(mpmath.log(abs(y[0]), 2)) if y[0] else mpf(0)
    rounded = n.storage.unit_roundoff * place + (2 * v * abs(y[0]) if narrow else 0)
    radius = of_log + max(unit.read(a, b) for a, b in zip(x, r, strict=True)) + rounded + unit.flushed
    return [radius], [max(t) * (1 + 2 * u), (max(map(abs, x)) + level + of_log) * (1 + 2 * u)]


def _compare(of: str, overload: str, given: dict[str, Any], x: list[float], share: float) -> None:
    """One column; given: what is asked of it besides."""
    column, r = torch.tensor([x], dtype=torch.float32), torch.tensor([[share * (1 + place % 3) for place in range(len(x))]], dtype=torch.float64)
    soft, dim = "softmax" in overload, int(given["dim"]) if "softmax" in overload else 1
    value = (torch.log_softmax(column, 1) if soft else torch.logsumexp(column, 1, keepdim=True)).float()
    met: list[tuple[Tensor, Format, bool]] = []

    def note(flags: object, largest: Tensor, storage: Format, *, hides: bool = False) -> None:
        met.append((largest, storage, hides))

    n, unit = STATED[of], Unit(STATED[of])
    turned = (lambda z: z.mT) if dim == 0 else lambda z: z
    operand = turned(column)
    with patch.object(log_sums, "foretell_overflow", note), mpmath.workprec(BITS):
        found = turned(asked(overload, n, {"self": operand, **given}, [turned(value)], {id(operand): turned(r)})[0].radius)
        a, b, y = ([mpf(each) for each in row[0].tolist()] for row in (column, r, value))
        radii, largest = _log_softmax(unit, a, b, y, stores=dim == 1) if soft else _log_sum(unit, a, b, y)
        for got, right in zip(found.flatten().tolist(), radii, strict=True):
            close(got, right, f"{overload} {of} of {x} ± {share} along {dim}")
        for (got, storage, hides), right, hidden in zip(met, largest, [False] if soft else [True, False], strict=True):
            close(float(got.flatten()[0]), right, f"the largest number of {overload} {of} of {x}")
            assert (storage, hides) == (n.storage, hidden)


@pytest.mark.parametrize("of", soaked(STATED, "two"))
def test_logarithms_of_sums_give_what_is_stated(of: str) -> None:
    """Along the last axis, where the 16-bit formats store what they sum up, and along another one."""
    for x, share in product(COLUMNS, SHARES):
        for dim in (0, 1):
            _compare(of, "aten._log_softmax.default", {"dim": dim, "half_to_float": False}, x, share)
        _compare(of, "aten.logsumexp.default", {"dim": [1], "keepdim": True}, x, share)


NUMBERS = ((1.5, 0.5, 0.875, 1.25, -0.25), (2.0, -1.0, 0.25, -0.75, 1.0), (-0.5, -2.0, 3.0, 1.0, 0.0), (0.0, 0.0, 0.0, 4.0, 2.0), (3.0, -2.5, 40.0, 0.125, 0.5))
"""x, m, V, w, b; each is a channel."""
MOVES = ((0.0,) * 5, *(tuple(2.0**-6 if place == at else 0.0 for place in range(5)) for at in range(5)), (2.0**-6,) * 5)
NAMES = ("input", "running_mean", "running_var", "weight", "bias")
EPS = 0.125


def _batch_norm(unit: Unit, numbers: tuple[mpf, ...], moves: tuple[mpf, ...], y: mpf) -> tuple[mpf, mpf]:
    """The radius, and the largest number that is met."""
    (x, m, V, w, b), (r_x, r_m, r_V, r_w, r_b) = numbers, [unit.read(t, r) for t, r in zip(numbers, moves, strict=True)]
    n, v, u = unit.n, unit.v, unit.roundoff
    D, beta, root = V + mpf(EPS), unit.gamma(2), 2 * v * unit.ulps("rsqrt of normalisation")
    least, inverse = D - r_V, 1 / mpmath.sqrt(D)
    psi = (1 + beta / (1 - beta) / 2) * (1 + root) * (1 + u) - 1
    g, distance, reach, eta = abs(w) * inverse, abs(x - m), abs(x) + abs(m), mpf(n.storage.smallest_subnormal) + unit.flushed
    own = g * (distance * psi + (unit.gamma(4) + u) * reach * (1 + psi)) + (unit.gamma(2) + u) * abs(b) + eta * (4 + 2 * reach + inverse)
    moved = (abs(w) + r_w) * (r_x + r_m + distance * r_V / least / 2) / mpmath.sqrt(least) + r_w * distance * inverse + r_b
    largest = max(max(g, mpf(1)) * reach * (1 + 16 * v) + abs(b) + own, 2 * inverse * max(abs(w), mpf(1)))
    return moved + own + unit.stored(y), largest


def _asked(n: ErrorModel, given: dict[str, Tensor | None], y: Tensor, radii: dict[int, Tensor], eps: float = EPS) -> Any:
    no_more = [torch.zeros(0, dtype=torch.float32)] * 2
    overload = "aten._native_batch_norm_legit_no_training.default"
    return asked(overload, n, {**given, "eps": eps, "momentum": 0.1}, [y, *no_more], radii)[0]


@pytest.mark.parametrize("of", soaked(STATED, "two", "flushing"))
def test_a_batch_norm_gives_what_is_stated(of: str) -> None:
    cases = list(product(NUMBERS, MOVES))
    given: dict[str, Any] = {name: torch.tensor([numbers[place] for numbers, _ in cases], dtype=torch.float32) for place, name in enumerate(NAMES)}
    x, m, V, w, b = given.values()
    y = ((x - m) * w / (V + EPS).sqrt() + b).float().unsqueeze(0)
    given["input"] = x.unsqueeze(0)
    radii = {id(given[name]): torch.tensor([moves[at] for _, moves in cases], dtype=torch.float64).reshape(given[name].shape) for at, name in enumerate(NAMES)}
    handed: list[Tensor] = []
    with noted(handed), mpmath.workprec(BITS):
        found = _asked(STATED[of], given, y, radii)
        for place, (numbers, moves) in enumerate(cases):
            radius, largest = _batch_norm(Unit(STATED[of]), tuple(map(mpf, numbers)), tuple(map(mpf, moves)), mpf(float(y[0, place])))
            close(float(found.radius[0, place]), radius, f"{of} of {numbers} ± {moves}")
            close(float(handed[0][0, place]), largest, f"the largest number, {of} of {numbers} ± {moves}")


def test_a_batch_norm_without_weights_has_one_and_zero() -> None:
    """And of a variance that may be less than nothing, nothing is known."""
    x, m, V, w, b = (torch.tensor([each], dtype=torch.float32) for each in (1.5, 0.5, 0.875, 1.0, 0.0))
    n, x, y = STATED["two"], x.unsqueeze(0), torch.ones((1, 1), dtype=torch.float32)
    given: dict[str, Tensor | None] = {"input": x, "running_mean": m, "running_var": V}
    plain = _asked(n, {**given, "weight": None, "bias": None}, y, {})
    assert plain.radius.tolist() == _asked(n, {**given, "weight": w, "bias": b}, y, {}).radius.tolist()
    off = torch.ones(1, dtype=torch.float64)
    lost = _asked(n, {**given, "weight": w, "bias": b}, y, {id(V): off})
    assert lost.radius.item() == float("inf")
    assert int(lost.doubts) & Doubt.UNDERFLOW
    known = _asked(n, {**given, "weight": w, "bias": b}, y, {id(V): off * 0.9})
    assert known.doubts is None
    assert known.radius.item() < 1000.0
