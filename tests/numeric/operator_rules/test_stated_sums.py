"""The radii of sums, means, norms, accumulations and mixtures, held to the formulas of their docstrings in exact arithmetic, from both sides."""

import math
import random
from collections.abc import Callable
from fractions import Fraction as F  # noqa: N817 - the formulas are read more easily

import pytest
import torch
from torch import Tensor

from numeric.machine import ErrorModel
from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors
from numeric.operator_rules.models import models_of
from numeric.rules.library_errors import elementary_error
from tests.numeric.operator_rules.swept import FORMATS, probed

NAMES = ("fp32", "bf16", "fp32-ftz")
SLACK = F(1, 2**20)
"""Of what is stated: float64's own roundings are far less."""
KINDS = ("plain", "tiny")


def operands(name: str, kind: str, seed: int, count: int, sizes: int = 5) -> list[tuple[Tensor, Tensor]]:
    """Columns with radii."""
    draw, form = random.Random(seed), probed(name).layer.storage
    scale = form.smallest_normal * 2.0 if kind == "tiny" else 1.0
    made = []
    for _ in range(count):
        x = torch.tensor([draw.gauss(0, 1) * scale for _ in range(sizes)], dtype=torch.float64).to(FORMATS[name])
        made.append((x, torch.tensor([abs(draw.gauss(0, 1)) * scale * draw.choice([0.01, 1e-6]) for _ in range(sizes)], dtype=torch.float64)))
    return made


def scaled(pair: tuple[Tensor, Tensor], exponent: int) -> tuple[Tensor, Tensor]:
    """A column that is larger by a power of 2."""
    return (pair[0].double() * 2.0**exponent).to(pair[0].dtype), pair[1] * 2.0**exponent


def walked(name: str, run: Callable[..., Tensor], given: list[tuple[Tensor, Tensor]]) -> tuple[list[F], list[F]]:
    """The result and its radii."""
    knowledge = KnownTensors()
    for x, radius in given:
        knowledge.put(x, Bounded(radius))
    with BoundedWalk(models_of(probed(name)), knowledge, probed(name).mode.while_running("cpu")):
        value = run(*(x for x, _ in given))
    known = knowledge.of(value)
    assert isinstance(known, Bounded)
    return exact(value), exact(known.radius.expand(value.shape))


def exact(x: Tensor) -> list[F]:
    return [F(each) for each in x.double().flatten().tolist()]


class Unit:
    """The constants of a format."""

    def __init__(self, n: ErrorModel) -> None:
        self.n, self.narrow = n, n.opmath != n.storage
        self.v, self.u = F(n.opmath.unit_roundoff), F(n.storage.unit_roundoff)
        self.flushed = F(n.storage.smallest_normal) if n.elementwise_flushes else F(0)
        self.eta = F(n.opmath.half_subnormal)
        self.underflow = F(n.storage.half_subnormal) + (self.eta if self.narrow else 0) + self.flushed

    def gamma(self, k: int, u: F | None = None) -> F:
        u = self.v if u is None else u
        return k * u / (1 - k * u)

    def place(self, x: F) -> F:
        """ufp(x), of float64's numbers that are normal."""
        return F(2) ** (math.frexp(float(x))[1] - 1) if x else F(0)

    def stored(self, z: F) -> F:
        """One rounding to a narrow format."""
        return self.u * self.place(z) if self.narrow else F(0)

    def rounded(self, z: F) -> F:
        """One elementwise operation."""
        return self.u * self.place(z) + (2 * self.v * abs(z) if self.narrow else 0)

    def read(self, x: F, r: F) -> F:
        """The radius of what is read."""
        return r + (abs(x) if abs(x) < self.flushed else 0)


def held(found: list[F], stated: list[F]) -> None:
    """Not below what is stated, and hardly above."""
    assert len(found) == len(stated)
    for radius, right in zip(found, stated, strict=True):
        assert right <= radius <= right * (1 + SLACK), f"{float(radius)} where {float(right)} is stated"


def cases(test: Callable[..., None]) -> Callable[..., None]:
    """Each format, each kind of numbers, two draws."""
    for mark in (pytest.mark.parametrize("name", NAMES), pytest.mark.parametrize("kind", KINDS), pytest.mark.parametrize("seed", [1, 2])):
        test = mark(test)
    return test


def _sum(unit: Unit, x: list[F], r: list[F]) -> tuple[F, F]:
    """Σ of the radii, and what the additions lose."""
    spread = sum((unit.read(a, b) for a, b in zip(x, r, strict=True)), F(0))
    return spread, unit.gamma(len(x) - 1) * sum(map(abs, x)) + len(x) * unit.flushed


@cases
def test_sum_mean_and_running_total(name: str, kind: str, seed: int) -> None:
    given = operands(name, kind, seed, 1)
    unit, x, r = Unit(probed(name).layer), exact(given[0][0]), exact(given[0][1])
    n = len(x)
    spread, lost = _sum(unit, x, r)
    (z,), found = walked(name, lambda x: x.sum(0), given)
    held(found, [spread + lost + unit.stored(z)])
    (z,), found = walked(name, lambda x: x.mean(0), given)
    ends = (abs(sum(x)) + sum(map(abs, x)) * F(2) ** -52 * n + lost) / n
    held(found, [(spread + lost) / n + 2 * unit.v * ends + unit.underflow + unit.eta + unit.stored(z)])
    running, found = walked(name, lambda x: x.cumsum(0), given)
    held(found, [sum(_sum(unit, x[: k + 1], r[: k + 1])) + unit.stored(z) for k, z in enumerate(running)])


@pytest.mark.parametrize("name", [*NAMES, "fp16"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_norm(name: str, kind: str, seed: int) -> None:
    given = operands(name, kind, seed, 1)
    unit, x, r = Unit(probed(name).layer), exact(given[0][0]), exact(given[0][1])
    k = F(elementary_error("sqrt", "cpu", unit.n.opmath.name).ulps)
    squares = sum(each * each for each in x)
    error = unit.gamma(len(x) + 1) * squares + 2 * len(x) * (unit.eta + unit.flushed)
    moved = min(root(error), error / root(squares))
    ends = root(squares) + moved
    (z,), found = walked(name, lambda x: torch.linalg.vector_norm(x), given)
    own = 2 * k * unit.v * ends + unit.u * unit.place(z) + unit.underflow
    held(found, [root(sum(unit.read(a, b) ** 2 for a, b in zip(x, r, strict=True))) + moved + own])


def root(x: F) -> F:
    """√x, rounded down at 2⁻⁶⁰⁰ of whole numbers' roots."""
    return F(math.isqrt(int(x * F(4) ** 600)), 2**600)


@cases
def test_what_is_added_at_places(name: str, kind: str, seed: int) -> None:
    given = operands(name, kind, seed, 2)
    unit, (x, s), (rx, rs) = Unit(probed(name).layer), [exact(a) for a, _ in given], [exact(r) for _, r in given]
    index = torch.tensor([0, 1, 1, 3, 3])
    ways = [(1, lambda x, s: x.index_add(0, index, s)), (-0.5, lambda x, s: x.index_add(0, index, s, alpha=-0.5))]
    ways += [(1, lambda x, s: x.scatter_add(0, index, s)), (1, lambda x, s: x.index_put((index,), s, accumulate=True))]
    for alpha, way in ways:
        z, found = walked(name, way, given)
        stated = []
        for place in range(5):
            at = [k for k, to in enumerate(index.tolist()) if to == place]
            spread = rx[place] + abs(F(alpha)) * sum(rs[k] for k in at)
            terms = abs(x[place]) + abs(F(alpha)) * sum(abs(s[k]) for k in at)
            u = unit.u + 2 * unit.v if unit.narrow else unit.u
            lost = unit.gamma(len(at) + 2 * (alpha != 1), u) * terms + len(at) * (2 * unit.flushed + (2 * unit.underflow if alpha != 1 else 0))
            once = unit.rounded(z[place]) + 2 * unit.flushed
            stated.append(spread + (0 if not at else once if len(at) == 1 and alpha == 1 else lost))
        held(found, stated)


@cases
@pytest.mark.parametrize("apart", [(0, 0, 0), (-126, 60, -120), (-126, -120, 60)])
def test_products_and_quotients_that_are_added(name: str, kind: str, seed: int, apart: tuple[int, int, int]) -> None:
    given = operands(name, kind if apart == (0, 0, 0) else "plain", seed, 3)
    given[2] = operands(name, "plain", seed + 50, 1)[0]
    given = [scaled(*pair) for pair in zip(given, apart, strict=True)]
    unit, (x, s, t), (rx, rs, rt) = Unit(probed(name).layer), [exact(a) for a, _ in given], [exact(r) for _, r in given]
    v, small = F(-2), F(unit.n.opmath.smallest_subnormal)
    z, found = walked(name, lambda x, s, t: torch.addcmul(x, s, t, value=-2), given)
    stated = []
    for k in range(5):
        a, b = abs(s[k]) + unit.read(s[k], rs[k]), abs(t[k]) + unit.read(t[k], rt[k])
        size = abs(v * s[k] * t[k])
        lost = size * unit.gamma(2) + (1 + abs(v) + a + b) * (small + unit.flushed)
        stated.append(unit.read(x[k], rx[k]) + (abs(v) * a * b - size) + lost + unit.rounded(z[k]) + unit.underflow)
    held(found, stated)
    given[2] = scaled(given[2], -2 * apart[2])
    t, rt = exact(given[2][0]), exact(given[2][1])
    z, found = walked(name, lambda x, s, t: torch.addcdiv(x, s, t, value=-2), given)
    stated = []
    for k in range(5):
        low = abs(t[k]) - unit.read(t[k], rt[k])
        assert low > 0
        a, quotient = abs(s[k]) + unit.read(s[k], rs[k]), abs(v * s[k] / t[k])
        moved = (abs(v) * (a - abs(s[k])) + quotient * unit.read(t[k], rt[k])) / low
        lost = quotient * unit.gamma(2) + (1 + abs(v) + (1 + a) / low) * (small + unit.flushed)
        stated.append(unit.read(x[k], rx[k]) + moved + lost + unit.rounded(z[k]) + unit.underflow)
    held(found, stated)


@cases
@pytest.mark.parametrize("weight", [0, 60])
def test_between_two(name: str, kind: str, seed: int, weight: int) -> None:
    given = [*operands(name, kind, seed, 2), scaled(operands(name, "plain", seed + 50, 1)[0], weight)]
    unit, (x, y, w), (rx, ry, rw) = Unit(probed(name).layer), [exact(a) for a, _ in given], [exact(r) for _, r in given]
    z, found = walked(name, lambda x, y, w: torch.lerp(x, y, w), given)
    stated = []
    for k in range(5):
        ex, ey, ew = unit.read(x[k], rx[k]), unit.read(y[k], ry[k]), unit.read(w[k], rw[k])
        apart, rest = abs(x[k]) + abs(y[k]), abs(1 - w[k])
        share = max(abs(w[k]), rest)
        moved = rest * ex + abs(w[k]) * ey + ew * (apart + ex + ey)
        lost = share * apart * unit.gamma(3) + (1 + share + apart) * (F(unit.n.opmath.smallest_subnormal) + unit.flushed)
        stated.append(moved + lost + unit.rounded(z[k]) + unit.underflow)
    held(found, stated)
