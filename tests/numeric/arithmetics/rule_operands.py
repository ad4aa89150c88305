"""Operands at which the rules for elementwise operations are used up.  A trial yields whether each result lies where the rule says it does."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import torch

from numeric.formats import Format, round_to
from numeric.machine.kernels import ALL_KERNELS
from tests.numeric.arithmetics.rule_trials import FP32, TF32, Desk, Machine, exactly, of

EIGHTH = Fraction(1, 8)

# Sums and differences.


@of("__add__", "__sub__", "_sum", "sum_error", "rounding_error", "entrywise_rounding", "first_place")
def sums_round_once(desk: Desk) -> Iterator[bool]:
    u, true = desk.u, 1 + Fraction(desk.u)
    yield desk.inside(desk.column(1.0) + desk.column(u), true)
    yield desk.inside(desk.column(1.0) - desk.column(-u), true)
    for shared in (False, True):
        yield desk.kept(desk.matrix(1.0, 1.0, shared=shared) + desk.matrix(u, u, shared=shared), true)
        # 1 + 3u is rounded up, above the sum of the magnitudes.
        yield desk.kept(desk.matrix(1.0, 1.0, shared=shared) - desk.matrix(-3 * u, -3 * u, shared=shared), 1 + 3 * Fraction(u))
    update = desk.column(1.0, 1.0) @ desk.column(3 * u, 3 * u).mT
    yield desk.kept(desk.matrix(1.0, 1.0, shared=True) + update, 1 + 3 * Fraction(u))
    yield desk.kept(update + desk.matrix(1.0, 1.0), 1 + 3 * Fraction(u))


@of("__add__", "__sub__", "_sum", "sum_error")
def sums_are_exact_only_where_they_have_to_be(desk: Desk) -> Iterator[bool]:
    """5/2 + 2u and its like below 4λ lie midway between two numbers."""
    u, normal, eta = desk.u, desk.row.smallest_normal, desk.row.smallest_subnormal
    yield desk.inside(desk.column(1.5) + desk.column(1 + 2 * u), Fraction(5, 2) + 2 * Fraction(u))
    yield desk.inside(desk.column(1.5 * normal) + desk.column(normal + eta), Fraction(5, 2) * Fraction(normal) + Fraction(eta))
    yield desk.inside(desk.column(1.5) - desk.column(1.0), Fraction(1, 2))


@of("__add__", "__sub__", "_sum", "_made")
def sums_inherit(desk: Desk) -> Iterator[bool]:
    for sign in (1, -1):
        x, y = desk.column(1.0), desk.column(1.0, radius=0.125)
        yield desk.inside(x + y if sign > 0 else x - y, 1 + sign * (1 + EIGHTH))
        yield desk.inside(y + x if sign > 0 else y - x, 1 + sign + EIGHTH)
        x, y = desk.matrix(1.0, 1.0), desk.matrix(1.0, 1.0, radius=0.125)
        yield desk.inside(x + y if sign > 0 else x - y, 1 + sign * (1 + EIGHTH))
        yield desk.inside(y + x if sign > 0 else y - x, 1 + sign + EIGHTH)


@of("_lifted")
def constants_are_stored(desk: Desk) -> Iterator[bool]:
    """In fp64 every constant is what it is."""
    constant = 1.0 + desk.u * (1 - 2.0**-20)
    yield desk.inside(desk.column(-1.0) + constant, Fraction(constant) - 1)


@of("__add__", "__sub__", "_sum")
def sums_of_flushed_operands(desk: Desk) -> Iterator[bool]:
    below = desk.below
    desk = desk.flushing(elementwise_flushes=True)
    true = 2 * Fraction(below)
    yield desk.inside(desk.column(below) + desk.column(below), true)
    yield desk.inside(desk.column(below) - desk.column(-below), true)
    yield desk.kept(desk.matrix(below, below) + desk.matrix(below, below), true)


@of("__add__", "__sub__", "__truediv__", "_outer", "rounding_error", "entrywise_rounding")
def operations_round_twice(desk: Desk) -> Iterator[bool]:
    """1 + u + u', u' the roundoff of the format that it is first rounded to, is rounded to 1 + u and then to 1."""
    if not desk.short:
        return
    desk = desk.twice
    u, op, eta = desk.u, desk.numerics.opmath.unit_roundoff, desk.row.smallest_subnormal
    true = 1 + Fraction(u) + Fraction(op)
    yield desk.inside(desk.column(1.0) + desk.column(u + op), true)
    for shared in (False, True):
        yield desk.inside(desk.matrix(1.0, 1.0, shared=shared) + desk.matrix(u + op, u + op, shared=shared), true)
    for x, y in _hard(desk.row, desk.numerics.opmath, divided=False):
        yield desk.inside(desk.column(x, 1.0) @ desk.column(y, 1.0).mT, exactly(x, y))
    for x, y in _hard(desk.row, desk.numerics.opmath, divided=True):
        yield desk.inside(desk.column(x) / desk.column(y), Fraction(x) / Fraction(y))
    # η/2 and half a unit of the other format: to η/2, and then to nothing.
    odd = int((eta / 2) / desk.numerics.opmath.half_subnormal) + 1
    n = next(n for n in range(2, odd + 1) if odd % n == 0)
    half = 2.0 ** (desk.row.min_exponent // 2)
    x, y = n * half, odd // n * (desk.numerics.opmath.half_subnormal / half)
    yield desk.inside(desk.column(x, 0.0) @ desk.column(y, 0.0).mT, exactly(x, y))


@cache
def _hard(row: Format, opmath: Format, *, divided: bool) -> list[tuple[float, float]]:
    """Pairs in [1, 2) whose product or quotient lies above a tie by no more than u', with an even number below it."""
    u, op = Fraction(row.unit_roundoff), Fraction(opmath.unit_roundoff)
    numbers = [1 + 2 * row.unit_roundoff * n for n in range(2 ** (row.significand_bits - 1))]
    found = []
    for x in numbers[:: max(1, len(numbers) // 64)]:
        for y in numbers:
            t = Fraction(y) / Fraction(x) if divided else exactly(x, y)
            if 1 <= t < 2 and u < t % (4 * u) <= u + op:
                found.append((y, x))
                break
    return found


@of("foretell_overflow", "_made", "_sum", "_outer", "__truediv__", "product_radius", "_product", "hazards")
def an_overflow_is_foretold(desk: Desk) -> Iterator[bool]:
    large = 2.0**desk.row.max_exponent
    for result in (
        lambda d: d.column(large) + d.column(large),
        lambda d: d.matrix(large, large) + d.matrix(large, large),
        lambda d: d.column(large, 1.0) @ d.column(2.0, 1.0).mT,
        lambda d: d.column(large) / d.column(0.5),
        lambda d: d.column(large, large).mT @ d.column(1.0, 1.0),
    ):
        fresh = desk.wide if desk.short else desk.having()
        yield fresh.foretold(result(fresh))


# Outer products and quotients.


@of("__matmul__", "_outer", "_made", "mT", "entry_radius")
def outer_products(desk: Desk) -> Iterator[bool]:
    left, right = desk.factors
    yield desk.kept(desk.column(left, 1.0) @ desk.column(right, 1.0).mT, exactly(left, right))
    yield desk.kept((desk.column(left, 1.0) @ desk.column(right, 1.0).mT).mT, exactly(left, right))
    # 1 + 2u(n + 1) + 4u²n with 4un just above 1: a little more than midway between two numbers, and rounded up.
    up, over = 1 + 2 * desk.u, 1 + 2 * desk.u * (1 / (4 * desk.u) + 1)
    yield desk.kept(desk.column(up, 1.0) @ desk.column(over, 1.0).mT, exactly(up, over))
    for rx, ry in ((0.125, None), (None, 0.125)):
        yield desk.inside(desk.column(1.0, 1.0, radius=rx) @ desk.column(1.0, 1.0, radius=ry).mT, 1 + EIGHTH)
    yield desk.inside(desk.column(0.0, 1.0, radius=0.125) @ desk.column(0.0, 1.0, radius=0.125).mT, EIGHTH**2)
    yield desk.inside((desk.column(1.0, 1.0, radius=0.125) @ desk.column(1.0, 1.0).mT).mT, 1 + EIGHTH)


@of("_outer", "__truediv__")
def products_and_quotients_underflow(desk: Desk) -> Iterator[bool]:
    """5η/2 is rounded to 2η."""
    eta = desk.row.smallest_subnormal
    half = 2.0 ** (desk.row.min_exponent // 2)
    other = 2.5 * (eta / half)
    yield desk.inside(desk.column(half, 0.0) @ desk.column(other, 0.0).mT, exactly(half, other))
    yield desk.inside(desk.column(5 * eta) / desk.column(2.0), Fraction(5, 2) * Fraction(eta))


@of("_outer", "subnormal_part")
def outer_products_of_flushed_numbers(desk: Desk) -> Iterator[bool]:
    below, normal = desk.below, desk.row.smallest_normal
    desk = (desk.wide if desk.short else desk).flushing(flushing=ALL_KERNELS)
    yield desk.inside(desk.column(below, 0.0) @ desk.column(1024.0, 0.0).mT, exactly(below, 1024.0))
    yield desk.inside(desk.column(1024.0, 0.0) @ desk.column(below, 0.0).mT, exactly(below, 1024.0))
    yield desk.inside(desk.column(normal, 0.0) @ desk.column(1 - 2 * desk.u, 0.0).mT, exactly(normal, 1 - 2 * desk.u))
    desk = desk.having(flushing=frozenset(), elementwise_flushes=True)
    yield desk.inside(desk.column(normal, 0.0) @ desk.column(1 - 2 * desk.u, 0.0).mT, exactly(normal, 1 - 2 * desk.u))


@of("_outer", "operand_error")
def outer_products_of_rounded_operands(desk: Desk) -> Iterator[bool]:
    if desk.row != FP32:
        return
    desk = desk.having(operands=TF32, running=lambda: Machine(lambda x: round_to(x, TF32), lambda x: x))
    for x in (1 + TF32.unit_roundoff, 2.5 * TF32.smallest_subnormal):
        yield desk.inside(desk.column(x, 0.0) @ desk.column(1.0, 0.0).mT, Fraction(x))
        yield desk.inside(desk.column(1.0, 0.0) @ desk.column(x, 0.0).mT, Fraction(x))


@of("__truediv__", "_made")
def quotients(desk: Desk) -> Iterator[bool]:
    left, right = desk.factors
    numerator = left + right - 1
    yield desk.inside(desk.column(numerator) / desk.column(right), Fraction(numerator) / Fraction(right))
    one = desk.column(1.0, 1.0) @ desk.column(numerator, numerator).mT
    yield desk.kept(one / desk.column(right), Fraction(numerator) / Fraction(right))
    up = 1 + desk.u * 2
    for over in (1 + 6 * desk.u, 1 + 10 * desk.u, 2 - 2 * desk.u, 2 - 4 * desk.u):  # 1/(1 + 6u) and its like: some are rounded up by nearly u/2
        one = desk.column(1.0, 1.0) @ desk.column(up, up).mT
        yield desk.kept(one / desk.column(over), Fraction(up) / Fraction(over))
    x, s = desk.column(1.0), desk.column(1.0, radius=0.5)
    yield desk.inside(x / s, Fraction(2))
    yield desk.inside(desk.column(1.0, radius=0.125) / desk.column(1.0), 1 + EIGHTH)
    yield desk.inside(desk.column(0.0, radius=0.5) / s, Fraction(1))


@of("__truediv__")
def quotients_of_flushed_numbers(desk: Desk) -> Iterator[bool]:
    below, normal = desk.below, desk.row.smallest_normal
    desk = desk.flushing(elementwise_flushes=True)
    yield desk.inside(desk.column(below) / desk.column(2.0**-10), exactly(below, 1024.0))
    large = 2.0**10
    yield desk.inside(desk.column(normal * large) / desk.column(large * (1 + 2 * desk.u)), exactly(normal) / (1 + 2 * Fraction(desk.u)))
    desk = desk.having()
    result = desk.column(1.0) / desk.column(0.75 * normal)
    yield bool(torch.isfinite(result.value).all()) or bool(desk.found.underflow.all())
