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
from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors, log_sums
from numeric.operator_rules.doubts import Doubt
from numeric.operator_rules.models import models_of
from numeric.rules import elementary_error
from tests.numeric.operator_rules.erring_kernels import asked
from tests.numeric.operator_rules.stated_functions import BITS, STATED, Unit, close, noted, soaked
from tests.numeric.operator_rules.swept import probed
from tests.numeric.operator_rules.test_stated_products import doubts_of
from tests.numeric.rules.worst_kernels import coarse, model

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


def test_a_logarithm_of_which_nothing_is_left_has_no_bound() -> None:
    """Where the errors of the powers may be all of their sum; and over no axes it is over all of them."""
    n = model(coarse("fp16", 4), coarse("fp32", 5))
    x, y = torch.tensor([[1.0, -1.0, 0.5]], dtype=torch.float64), torch.tensor([[-0.6, -2.6, -1.1]], dtype=torch.float64)
    lost = asked("aten._log_softmax.default", n, {"self": x, "dim": 0, "half_to_float": False}, [torch.zeros_like(x)], {})[0].radius
    assert bool(torch.isfinite(lost).any()) is False
    several = asked("aten._log_softmax.default", STATED["one"], {"self": x, "dim": 1, "half_to_float": False}, [y], {})[0].radius
    assert bool(torch.isfinite(several).all())
    total = torch.tensor(1.6, dtype=torch.float64)
    every, none = (asked("aten.logsumexp.default", STATED["one"], {"self": x, "dim": dims, "keepdim": False}, [total], {})[0].radius for dims in ([0, 1], []))
    assert every.tolist() == none.tolist()


NUMBERS = (
    (1.5, 0.5, 0.875, 1.25, -0.25),
    (2.0, -1.0, 0.25, -0.75, 1.0),
    (-0.5, -2.0, 3.0, 1.0, 0.0),
    (0.0, 0.0, 0.0, 4.0, 2.0),
    (3.0, -2.5, 40.0, 0.125, 0.5),
    (0.0, 0.0, 0.0, 0.25, 0.0),
)
"""x, m, V, w, b; each is a channel."""
MOVES = ((0.0,) * 5, *(tuple(2.0**-6 if place == at else 0.0 for place in range(5)) for at in range(5)), (2.0**-6,) * 5)
NAMES = ("input", "running_mean", "running_var", "weight", "bias")
EPS = 0.125


def test_a_group_norm_rounds_its_terms_once_more() -> None:
    """γ_4 of them, where a layer norm has γ_3: D^-½(|x| + |μ|) of a roundoff more, of each entry."""
    n = model(coarse("fp32", 26))
    x = torch.tensor([1.5, -0.25, 3.0, 0.0, -2.0, 0.75], dtype=torch.float64)
    y = (x - x.mean()) / (x.var(correction=0) + EPS).sqrt()
    one = torch.ones((1, 1), dtype=torch.float64)
    shared = {"weight": None, "bias": None, "eps": EPS}
    layer = asked("aten.native_layer_norm.default", n, {"input": x[None], "normalized_shape": [6], **shared}, [y[None], one, one], {})[0].radius[0]
    sizes = {"input": x.reshape(1, 6, 1), "N": 1, "C": 6, "HxW": 1, "group": 1}
    group = asked("aten.native_group_norm.default", n, {**sizes, **shared}, [y.reshape(1, 6, 1), one, one], {})[0].radius[0, :, 0]
    more = (x.abs() + x.mean().abs()) / (x.var(correction=0) + EPS).sqrt() * n.opmath.unit_roundoff
    assert bool((group - layer >= more).all())
    assert bool((group - layer <= more * (1.0 + 2.0**-10)).all())


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
    negative = _asked(n, {**given, "running_var": torch.tensor([-0.0625]), "weight": w, "bias": b}, y, {})
    assert negative.radius.item() == float("inf"), "the rounding of V + ε is not relative to it"
    known = _asked(n, {**given, "weight": w, "bias": b}, y, {id(V): off * 0.9})
    assert known.doubts is None
    assert known.radius.item() < 1000.0


@pytest.mark.parametrize("doubt", list(Doubt))
def test_a_norm_has_the_doubts_of_its_weights(doubt: Doubt) -> None:
    """Of a layer norm every row meets all weights; of a group norm those of its own channels. Each kind of doubt stays what it is."""
    kind, row, channels = int(doubt), torch.tensor([0, 1, 0], dtype=torch.uint8) * int(doubt), torch.tensor([0, 1], dtype=torch.uint8) * int(doubt)
    x, w = torch.tensor([[1.0, -2.0, 0.5], [0.25, 3.0, 1.0]], dtype=torch.bfloat16), torch.ones(3, dtype=torch.bfloat16)
    layer = doubts_of(lambda x, w: torch.native_layer_norm(x, [3], w, None, 0.5)[0], {"input": x, "weight": w}, "weight", row)
    assert layer.tolist() == [[kind] * 3] * 2
    x, w = torch.tensor([[[1.0, -2.0], [0.5, 3.0]]], dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)
    groups = doubts_of(lambda x, w: torch.native_group_norm(x, w, None, 1, 2, 2, 2, 0.5)[0], {"input": x, "weight": w}, "weight", channels)
    assert groups.tolist() == [[[0] * 2, [kind] * 2]]
    given = {"input": x, "weight": w, "mean": torch.zeros_like(w), "variance": torch.ones_like(w)}
    batch = doubts_of(lambda x, w, m, V: torch.native_batch_norm(x, w, None, m, V, False, 0.1, 0.5)[0], given, "weight", channels)
    assert batch.tolist() == [[[0] * 2, [kind] * 2]]


def test_a_batch_norm_leaves_its_statistics_as_they_are_known() -> None:
    """They are named as overwritten, and are not, where nothing is trained."""
    x, m, V = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([0.25, 0.5]), torch.tensor([1.0, 2.0])
    knowledge, radius = KnownTensors(), torch.full((2,), 0.125, dtype=torch.float64)
    for each, r in ((x, torch.zeros_like(x, dtype=torch.float64)), (m, radius), (V, radius / 2)):
        knowledge.put(each, Bounded(r))
    with BoundedWalk(models_of(probed("fp32")), knowledge):
        torch.ops.aten._native_batch_norm_legit(x, None, None, m, V, False, 0.1, 0.5)
    for each, r in ((m, radius), (V, radius / 2)):
        known = knowledge.of(each)
        assert isinstance(known, Bounded)
        assert known.radius.tolist() == r.tolist()


def test_a_root_mean_square_without_an_eps_has_its_own() -> None:
    """Which is a roundoff of the format, as the rule has it."""
    x, one = torch.tensor([[1.5, -0.25, 3.0]], dtype=torch.float64), torch.ones((1, 1), dtype=torch.float64)
    given = {"input": x, "normalized_shape": [3], "weight": None}
    plain, other = (asked("aten._fused_rms_norm.default", STATED["one"], {**given, "eps": eps}, [x, one], {})[0].radius for eps in (None, 0.5))
    assert bool(torch.isfinite(plain).all())
    assert plain.tolist() != other.tolist()
