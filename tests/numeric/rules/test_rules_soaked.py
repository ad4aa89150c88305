"""A million operands through each rule of the value-and-radius arithmetic, in each format, judged in integers.

A number m·2^s of float64 is an integer in units of 2^-1074, and a sum of products of such numbers one in units of 2^-2148: the exact result, the
machine's result and the radius are compared as Python's integers, which know no rounding. Nothing of the code under test takes part in that.
A true operand is its stored one times (256 + q)/256, |q| ≤ 4, in every other batch; in the others it is the stored one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import Hazards, WithRadius, exact, hazards
from numeric.arithmetics.value_and_radius import dense_layer, stored
from numeric.formats import format_named, modes_named
from numeric.machine import BATCH, ErrorModel, probe
from tests.numeric.formats.drawn_operands import NAMES, Draw, draw
from tests.numeric.rules.drawn_columns import halved

K = 5
UNIT = 1074
"""Numbers are integers in units of 2^-UNIT, true ones in units of 2^-(UNIT + 8)."""
ENOUGH = 1_000_000


def integers(x: Tensor) -> list[int]:
    """Finite float64 numbers in units of 2^-1074; what is not finite is 0."""
    significand, exponent = torch.frexp(x.double().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).flatten())
    places = (exponent.long() - 53 + UNIT).tolist()
    return [m << s if s >= 0 else m >> -s for m, s in zip((significand * 2.0**53).long().tolist(), places, strict=True)]


@dataclass(frozen=True, slots=True)
class Operand:
    """What the machine holds, and what it stands for."""

    held: WithRadius
    true: list[int]
    """In units of 2^-(UNIT + 8)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A batch of results and the exact ones: numerator/(denominator·2^scale)."""

    result: WithRadius
    numerators: list[int]
    denominators: list[int] | None
    scale: int


@dataclass(slots=True)
class Bench:
    """Hands out operands of a format, and counts them."""

    draw: Draw
    numerics: ErrorModel
    found: Hazards
    around: bool
    """Whether the true operands lie elsewhere."""
    drawn: int = 0

    def operand(self, value: Tensor) -> Operand:
        """A batch as the machine holds it, with a radius if the true numbers lie elsewhere."""
        self.drawn += value.numel()
        size = value.double().abs()
        if not self.around:
            return Operand(exact(value, self.numerics, self.found), [m << 8 for m in integers(value)])
        # Below this float64 does not hold a 64th of a number.
        quarters = torch.where(size < 2.0**-1010, 0.0, 4.0 * self.draw.shares(tuple(value.shape))).long().flatten().tolist()
        held = exact(value, self.numerics, self.found, radius=size * 2.0**-6)
        return Operand(held, [m * (256 + q) for m, q in zip(integers(value), quarters, strict=True)])

    def numbers(self, *shape: int) -> Operand:
        return self.operand(self.draw.numbers(shape))

    def beside(self, other: Operand) -> Operand:
        return self.operand(self.draw.beside(other.held.value))


def by_case(numbers: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def sums(bench: Bench, sign: int = 1) -> Trial:
    x = bench.numbers(BATCH, 4, 1)
    y = bench.beside(x)
    return Trial(x.held + y.held if sign > 0 else x.held - y.held, [a + sign * b for a, b in zip(x.true, y.true, strict=True)], None, UNIT + 8)


def differences(bench: Bench) -> Trial:
    return sums(bench, -1)


def outer_products(bench: Bench) -> Trial:
    x, y = bench.numbers(BATCH, 2, 1), bench.numbers(BATCH, 2, 1)
    pairs = zip(by_case(x.true, 2), by_case(y.true, 2), strict=True)
    return Trial(x.held @ y.held.mT, [a * b for left, right in pairs for a in left for b in right], None, 2 * (UNIT + 8))


def quotients(bench: Bench) -> Trial:
    x, s = bench.numbers(BATCH, 2, 1), bench.numbers(BATCH, 1, 1)
    below = [b for b in s.true for _ in range(2)]
    signed = [a if b > 0 else -a for a, b in zip(x.true, below, strict=True)]
    return Trial(x.held / s.held, signed, [abs(b) for b in below], 0)


def inner_products(bench: Bench) -> Trial:
    x = bench.numbers(BATCH, K, 1)
    y = bench.beside(x) if bench.draw.integers(0, 1, (1,)).item() else bench.numbers(BATCH, K, 1)
    pairs = zip(by_case(x.true, K), by_case(y.true, K), strict=True)
    return Trial(x.held.mT @ y.held, [_inner(left, right) for left, right in pairs], None, 2 * (UNIT + 8))


def matrix_products(bench: Bench) -> Trial:
    W, y = bench.numbers(K, K), bench.numbers(BATCH, K, 1)
    rows = list(by_case(W.true, K))
    return Trial(W.held @ y.held, [_inner(row, column) for column in by_case(y.true, K) for row in rows], None, 2 * (UNIT + 8))


def dense_layers(bench: Bench) -> Trial:
    W, b, y = bench.numbers(K, K), bench.numbers(K, 1), bench.numbers(BATCH, K, 1)
    value = torch.nn.functional.linear(y.held.value.squeeze(-1), W.held.value, b.held.value.squeeze(-1)).unsqueeze(-1)
    result = dense_layer(W.held, b.held, y.held, value)
    rows = list(zip(by_case(W.true, K), b.true, strict=True))
    true = [_inner(row, column) + (offset << UNIT + 8) for column in by_case(y.true, K) for row, offset in rows]
    return Trial(result, true, None, 2 * (UNIT + 8))


def patched_weights(bench: Bench) -> Trial:
    """W + v aᵀ, a matrix a case."""
    W, v, a = bench.numbers(2, 2), bench.numbers(BATCH, 2, 1), bench.numbers(BATCH, 2, 1)
    pairs = zip(by_case(v.true, 2), by_case(a.true, 2), strict=True)
    true = [(W.true[2 * i + j] << UNIT + 8) + p * q for left, right in pairs for i, p in enumerate(left) for j, q in enumerate(right)]
    return Trial(W.held + v.held @ a.held.mT, true, None, 2 * (UNIT + 8))


def stored_numbers(bench: Bench) -> Trial:
    """Rounded to a narrower format: fp64 to fp32, fp32 to bf16."""
    x = bench.numbers(BATCH, 4, 1)
    target = {"fp64": "fp32", "fp32": "bf16"}[bench.draw.storage.name]
    bits = format_named(target).significand_bits + bench.numerics.storage.significand_bits - bench.draw.storage.significand_bits
    return Trial(stored(x.held, replace(format_named(target), significand_bits=bits), bench.numerics), x.true, None, UNIT + 8)


def _inner(x: list[int], y: list[int]) -> int:
    return sum(a * b for a, b in zip(x, y, strict=True))


Rule = Callable[[Bench], Trial]
POINTWISE: tuple[Rule, ...] = (sums, differences, outer_products, quotients, stored_numbers)
RULES: tuple[Rule, ...] = (*POINTWISE, inner_products, matrix_products, dense_layers, patched_weights)
APPLIES = [(rule, name) for rule in RULES for name in NAMES if rule is not stored_numbers or name in ("fp64", "fp32")]


@dataclass(slots=True)
class Tally:
    """What was asked, and what was found."""

    operands: int = 0
    results: int = 0
    compared: int = 0
    """Results that no hazard excuses and whose radius is finite."""
    outside: int = 0


def judge(trial: Trial, tally: Tally, found: Hazards) -> None:
    """Every result of a batch against the exact one."""
    value = trial.result.value.double()
    cases, *shape = value.shape
    radius = trial.result.radius.dense(*shape).expand(cases, *shape)
    finite = torch.isfinite(value)
    refused = found.underflow | found.overflowed(finite.all(-1).all(-1))
    excused, finite = refused.reshape(-1, 1).expand(cases, shape[0] * shape[1]).flatten(), finite.flatten()
    tally.results += value.numel()
    tally.outside += int((~finite & ~excused).sum())
    asked = (finite & ~excused & torch.isfinite(radius).flatten()).tolist()
    tally.compared += sum(asked)
    values, bounds = integers(value), integers(radius)
    below = trial.denominators or [1] * len(values)
    for counts, v, r, n, d in zip(asked, values, bounds, trial.numerators, below, strict=True):
        if counts and abs((v * d << trial.scale) - (n << UNIT)) > r * d << trial.scale:
            tally.outside += 1


@cache
def numerics_of(name: str) -> ErrorModel:
    return probe(modes_named([name])[0], shapes=((K, K), (1, K), (2, 2))).layer


def soaked(rule: Rule, name: str, numerics: ErrorModel, *, until: Callable[[Tally], bool]) -> Tally:
    tally, seed = Tally(), 0
    while not until(tally):
        found = hazards(BATCH)
        bench = Bench(draw(format_named(name), seed), numerics, found, around=seed % 2 == 1)
        judge(rule(bench), tally, found)
        tally.operands += bench.drawn
        seed += 1
    return tally


def tried(rule: Rule, tally: Tally) -> int:
    """Operands of which a result was compared; for a rule of one rounding a result, the results."""
    return tally.compared if rule in POINTWISE else tally.operands * tally.compared // max(tally.results, 1)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("rule", "name"), APPLIES, ids=lambda part: getattr(part, "__name__", part))
def test_a_million_operands_lie_within_the_radius(rule: Rule, name: str, record_property: Callable[[str, object], None]) -> None:
    tally = soaked(rule, name, numerics_of(name), until=lambda t: tried(rule, t) >= ENOUGH or t.outside > 0)
    record_property("tally", str(tally))
    assert tally.outside == 0
    assert tried(rule, tally) >= ENOUGH


@pytest.mark.parametrize(("rule", "name"), APPLIES, ids=lambda part: getattr(part, "__name__", part))
def test_half_of_the_roundoff_is_too_little(rule: Rule, name: str) -> None:
    """The same loop, in a few batches."""
    tally = soaked(rule, name, halved(numerics_of(name)), until=lambda t: t.outside > 0 or t.operands >= ENOUGH)
    assert tally.outside > 0


def test_the_integers_are_the_numbers() -> None:
    x = torch.tensor([1.0, -1.5, 2.0**-1074, -3 * 2.0**-1074, 1.7976931348623157e308, 0.0], dtype=torch.float64)
    assert [n / 2**UNIT if abs(n) >= 2**UNIT else n for n in integers(x)[:2]] == [1.0, -1.5]
    assert integers(x)[2:4] == [1, -3]
    assert integers(x)[4] == int(1.7976931348623157e308) << UNIT
    assert integers(x)[5] == 0
