"""The radii of variances, deviations and products of many numbers, held to the formulas of their docstrings; and Welford's steps to what is proved of them."""

import random
from fractions import Fraction as F  # noqa: N817 - the formulas are read more easily
from math import prod

import pytest
import torch

from numeric.operator_rules import variances
from tests.numeric.operator_rules.swept import probed
from tests.numeric.operator_rules.test_stated_sums import NAMES, Unit, cases, exact, held, operands, root, walked

EPS = F(1, 2**53)


def _parts(x: list[F], r: list[F], unit: Unit) -> tuple[F, F, F]:
    """M, ‖r‖ and max|x|."""
    mean = sum(x) / len(x)
    return sum((each - mean) ** 2 for each in x), root(sum(unit.read(a, b) ** 2 for a, b in zip(x, r, strict=True))), max(map(abs, x))


def _last(unit: Unit, z: F, ends: F) -> F:
    return unit.rounded(z) + unit.underflow + unit.flushed + 4 * EPS * ends


@cases
@pytest.mark.parametrize("correction", [1, pytest.param(0.5, marks=pytest.mark.soak)])
def test_variance_and_deviation(name: str, kind: str, seed: int, correction: float) -> None:
    """Two columns at once, so that the kernel goes by Welford's steps."""
    given = operands(name, kind, seed, 1, sizes=10)
    unit = Unit(probed(name).layer)
    x, r = exact(given[0][0]), exact(given[0][1])
    half, n, free = 5, 5, 5 - F(correction)
    for take, rooted in ((torch.var, False), (torch.std, True)):
        values, found = walked(name, lambda x, take=take: take(x.reshape(2, 5), 1, correction=correction), given)  # type: ignore[misc]
        stated = []
        for place, z in enumerate(values):
            M, spread, most = _parts(x[place * half :][:n], r[place * half :][:n], unit)
            E = 24 * n * n * EPS * most**2 + 8 * n * F(2) ** -1074 * (1 + most)
            if rooted:
                own = min(root(E), E / root(M))
                stated.append((spread + own) / root(free) + _last(unit, z, (root(M) + own) / root(free)))
            else:
                stated.append((2 * root(M) * spread + spread**2 + E) / free + _last(unit, z, (M + E) / free))
        held(found, stated)


@cases
def test_a_single_variance_goes_by_a_rounded_mean(name: str, kind: str, seed: int) -> None:
    """n(m̂ - μ)² beside it, in fp32; in 16 bits the steps are Welford's."""
    given = operands(name, kind, seed, 1)
    unit, x, r = Unit(probed(name).layer), exact(given[0][0]), exact(given[0][1])
    M, spread, most = _parts(x, r, unit)
    n = len(x)
    E = 24 * n * n * EPS * most**2 + 8 * n * F(2) ** -1074 * (1 + most)
    if not unit.narrow:
        e = sum(map(abs, x)) / n * (unit.gamma(n - 1) * (1 + 2 * unit.v) + 2 * unit.v) + 2 * unit.underflow + 2 * unit.flushed
        E = max(E, n * e * e + unit.gamma(n + 3, EPS) * (M + n * e * e) + n * F(2) ** -1074 * (1 + most))
    (z,), found = walked(name, lambda x: x.var(), given)
    held(found, [(2 * root(M) * spread + spread**2 + E) / (n - 1) + _last(unit, z, (M + E) / (n - 1))])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("apart", [(0, 0, 0, 0, 0), (-70, -60, 60, 50, 0), (0, 60, -100, -60, 90)], ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_products_of_many(name: str, apart: tuple[int, ...], seed: int) -> None:
    """Also where a partial product is lost, and factors follow that are large."""
    ((x, radius),) = operands(name, "plain", seed, 1)
    powers = torch.tensor(apart, dtype=torch.float64).exp2()
    given = [((x.double() * powers).to(x.dtype), radius * powers)]
    unit, x, r = Unit(probed(name).layer), [abs(each) for each in exact(given[0][0])], exact(given[0][1])
    r = [unit.read(a, b) for a, b in zip(x, r, strict=True)]
    u = unit.u + 2 * unit.v if unit.narrow else unit.u
    stated = []
    for k in range(1, len(x) + 1):
        moved = sum(r[i] * prod(x[:i]) * prod(a + b for a, b in zip(x[i + 1 : k], r[i + 1 : k], strict=True)) for i in range(k))
        assert moved == prod(a + b for a, b in zip(x[:k], r[:k], strict=True)) - prod(x[:k])
        one, share = unit.underflow + unit.eta + unit.flushed, unit.gamma(k - 1, u)
        most = prod(max(a + b, F(1)) for a, b in zip(x[:k], r[:k], strict=True))
        own = share * prod(x[:k]) + (k - 1) * one * most * (1 + share) + one if k > 1 else unit.flushed
        stated.append(moved + own)
    _, found = walked(name, lambda x: x.cumprod(0), given)
    held(found, stated)
    _, found = walked(name, lambda x: x.prod(), given)
    held(found, stated[-1:])


class Erring:
    """Operations that err by ε or -ε of their result, by the next sign."""

    def __init__(self, draw: random.Random, epsilon: F) -> None:
        self.draw, self.epsilon, self.worst = draw, epsilon, draw.choice([None, None, 1, -1])

    def __call__(self, x: F) -> F:
        return x * (1 + self.epsilon * (self.worst or self.draw.choice([1, -1])))


Part = tuple[int, F, F]
"""How many numbers, their mean, and Σ(x - m)²."""


def stepped(part: Part, x: F, off: Erring) -> Part:
    k, mean, squares = part[0] + 1, part[1], part[2]
    delta = off(x - mean)
    moved = off(mean + off(delta / k)) if k > 1 else x
    return k, moved, off(squares + off(delta * off(x - moved))) if k > 1 else F(0)


def joined(a: Part, b: Part, off: Erring) -> Part:
    k, delta, share = a[0] + b[0], off(b[1] - a[1]), off(F(b[0], a[0] + b[0]))
    return k, off(a[1] + off(delta * share)), off(off(a[2] + b[2]) + off(off(off(delta * delta) * a[0]) * share))


def worst_of(seeds: range) -> tuple[F, F]:
    """The largest errors of Σ(x - μ)² and of the mean by steps and joins, over n²εX² and nεX."""
    epsilon, squares, means = F(1, 2**40), F(0), F(0)
    for seed in seeds:
        draw = random.Random(seed)
        off, n = Erring(draw, epsilon), draw.randint(2, 14)
        x = [F(draw.choice([draw.uniform(-1, 1), draw.choice([-1.0, 1.0]), 1.0])) for _ in range(n)]
        parts: list[Part] = []
        for each in x:
            if parts and draw.random() < 0.6:
                parts[-1] = stepped(parts[-1], each, off)
            else:
                parts.append(stepped((0, F(0), F(0)), each, off))
        while len(parts) > 1:
            parts.append(joined(parts.pop(draw.randrange(len(parts))), parts.pop(draw.randrange(len(parts))), off))
        mean, most = sum(x) / n, max(map(abs, x))
        squares = max(squares, abs(parts[0][2] - sum((each - mean) ** 2 for each in x)) / (n * n * epsilon * most**2))
        means = max(means, abs(parts[0][1] - mean) / (n * epsilon * most))
    return squares, means


def test_steps_and_joins_that_err_stay_within_what_is_proved() -> None:
    """Each operation is off by a whole ε, in any tree.  The constants are not sharp; a count of roundings in which each counts once would not do."""
    squares, means = worst_of(range(300))
    assert 1 < squares <= variances.WELFORD
    assert 1 < means <= variances.OF_MEAN
