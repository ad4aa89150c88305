"""Operands at which the rules for sums of products, for dense layers and for what is stored are used up.

A trial yields whether each result lies where the rule says it does.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import torch

from numeric.arithmetics.envelope import Envelope
from numeric.arithmetics.partial_sums import Form
from numeric.formats import format_named
from numeric.machine.operands import KernelCall
from tests.numeric.arithmetics.rule_trials import FP32, TF32, Desk, added, chain, exactly, of

EIGHTH = Fraction(1, 8)


@of("product_radius", "gamma")
def sums_in_any_order(desk: Desk) -> Iterator[bool]:
    """Two products and a bias, all three roundings downwards; and every product an underflow."""
    left, right = desk.factors
    u, eta = desk.u, desk.row.smallest_subnormal
    W, x = (left, 1.0), (right, u)
    true = exactly(left, right) + 2 * Fraction(u)
    value = added(chain(3, fused=False), [exactly(left, right), Fraction(u), Fraction(u)], desk.row, desk.row)
    yield desk.summed(desk.column(*W).mT, desk.column(*x), value, true, bias=u)
    yield desk.summed(desk.matrix(*W), desk.column(*x), value, true, bias=u)
    half = 2.0 ** (desk.row.min_exponent // 2)
    other = 2.5 * (eta / half)
    yield desk.summed(desk.column(half, half).mT, desk.column(other, other), 4 * eta, 5 * Fraction(eta))
    if desk.short:  # what is lost in a wide accumulator, where nothing is left that storage could round
        yield lost_in_a_wide_accumulator(desk.wide)


def lost_in_a_wide_accumulator(desk: Desk) -> bool:
    """1 + u', over and over, is 1, u' the accumulator's roundoff; less 1 it is nothing."""
    tiny = desk.numerics.accumulation.unit_roundoff
    terms = [1.0, *[tiny] * 4, -1.0]
    return desk.summed(desk.column(*[1.0] * len(terms)).mT, desk.column(*terms), 0.0, 4 * Fraction(tiny))


@of("product_radius", "rounding_error")
def wide_sums_are_stored(desk: Desk) -> Iterator[bool]:
    if not desk.short:
        return
    desk = desk.wide
    u, eta = desk.u, desk.row.smallest_subnormal
    yield desk.summed(desk.column(1.0, 1.0).mT, desk.column(1.0, u), 1.0, 1 + Fraction(u))
    half = 2.0 ** (desk.row.min_exponent // 2)
    yield desk.summed(desk.column(half, 1.0).mT, desk.column(2.5 * (eta / half), 0.0), 2 * eta, Fraction(5, 2) * Fraction(eta))
    if desk.row.min_exponent == FP32.min_exponent:  # two products that vanish in fp32, and a sum that is stored
        small = 2.0**-75
        X, y = (half, small, small), (2.5 * (eta / half), small, small)
        yield desk.summed(desk.column(*X).mT, desk.column(*y), 2 * eta, Fraction(5, 2) * Fraction(eta) + 2 * exactly(small, small))


@of("product_radius", "_sum_error_in_order")
def sums_in_a_known_order(desk: Desk) -> Iterator[bool]:
    left, right = desk.factors
    u = Fraction(desk.u)
    apart = chain(2, fused=False)
    terms = [u, exactly(left, right)]
    yield desk.summed(desk.column(1.0, left).mT, desk.column(desk.u, right), added(apart, terms, desk.row, desk.row), sum(terms), order=apart)
    together = chain(4)
    terms = [Fraction(1), u, u, u]
    yield desk.summed(desk.column(*[1.0] * 4).mT, desk.column(*map(float, terms)), added(together, terms, desk.row, desk.row), sum(terms), order=together)
    if not desk.short:
        return
    desk = desk.wide
    size, tiny = Fraction(256), Fraction(256 * FP32.unit_roundoff)
    strandwise = desk.having(accumulation=desk.row)  # as is said of a kernel that stores a partial sum
    for at, order in ((desk, chain(5)), (strandwise, chain(7, block=5))):
        terms = [size, tiny, tiny, tiny, -size, Fraction(0), Fraction(0)][: order.leaves]
        value = added(order, terms, FP32, desk.row)
        yield at.summed(at.column(*[1.0] * order.leaves).mT, at.column(*map(float, terms)), value, sum(terms, Fraction(0)), order=order)
    strands = chain(4, block=2)
    terms = [Fraction(1), u, u, Fraction(0)]
    value = added(strands, terms, FP32, desk.row)
    yield strandwise.summed(strandwise.column(*[1.0] * 4).mT, strandwise.column(*map(float, terms)), value, sum(terms, Fraction(0)), order=strands)


@of("product_radius", "_sum_error_in_order")
def sums_of_a_matrix_that_its_form_is_only_close_to(desk: Desk) -> Iterator[bool]:
    """1 + u, over and over, is 1; the short form says 1/2."""
    steps, u = 8, Fraction(desk.u)
    near = replace(desk.matrix(*[1.0] * (steps + 1)), form=far(desk, steps + 1))
    terms = [Fraction(1), *[u] * steps]
    value = added(chain(steps + 1), terms, desk.row, desk.row)
    yield desk.summed(near, desk.column(*map(float, terms)), value, sum(terms, Fraction(0)), order=chain(steps + 1))


def far(desk: Desk, width: int) -> Form:
    """A form of ones that says 1/2, and how far it is off."""
    half = torch.full((1, 2, width), 0.5, dtype=torch.float64)
    return Form(half, (), Envelope(parts=(half,)))


@of("product_radius", "_product", "__matmul__")
def products_inherit(desk: Desk) -> Iterator[bool]:
    for make in (lambda **r: desk.column(1.0, 1.0, **r).mT, lambda **r: desk.matrix(1.0, 1.0, **r), lambda **r: desk.matrix(1.0, 1.0, shared=True, **r)):
        yield desk.summed(make(radius=0.125), desk.column(1.0, 0.0), 1.0, 1 + EIGHTH)
        yield desk.summed(make(), desk.column(1.0, 1.0, radius=0.125), 2.0, 2 + 2 * EIGHTH)
        yield desk.summed(make(radius=0.125), desk.column(0.0, 0.0, radius=0.125), 0.0, 2 * EIGHTH * (1 + EIGHTH))
    yield desk.inside(desk.column(1.0, 1.0, radius=0.125).mT @ desk.column(1.0, 1.0, radius=0.125), 2 * (1 + EIGHTH) ** 2)


@of("product_radius", "operand_error", "operand_error_of_matrix")
def products_of_rounded_operands(desk: Desk) -> Iterator[bool]:
    if desk.row != FP32:
        return
    desk = desk.having(operands=TF32)
    for x in (1 + TF32.unit_roundoff, 2.5 * TF32.smallest_subnormal):
        rounded = 1.0 if x > 1 else 2 * TF32.smallest_subnormal
        for X in (desk.column(x, 0.0).mT, desk.matrix(x, 0.0), desk.matrix(x, 0.0, shared=True)):
            yield desk.summed(X, desk.column(1.0, 0.0), rounded, Fraction(x))
            one = replace(X, value=torch.ones_like(X.value), magnitude=X.magnitude.scaled(0.0) + desk.matrix(1.0, 1.0).magnitude)
            yield desk.summed(one, desk.column(x, 0.0), rounded, Fraction(x))
    short = desk.having(operands=format_named("fp8-e4m3"))
    for X, y in ((500.0, 1.0), (1.0, 500.0)):
        fresh = short.having()
        matrix, column = fresh.matrix(X, X), fresh.column(y, y)
        fresh.rules.product_radius(matrix, column, fresh.held(1000.0, 1000.0), KernelCall.of("asked", matrix.value, column.value))
        yield bool(fresh.found.overflow.all())


@of("product_radius", "_flushed_operands", "subnormal_part")
def products_of_flushed_numbers(desk: Desk) -> Iterator[bool]:
    below, normal = desk.below, desk.row.smallest_normal
    desk = (desk.wide if desk.short else desk).having(flushing=frozenset({"asked"}))
    yield desk.summed(desk.column(1024.0, 0.0).mT, desk.column(below, 0.0), 0.0, exactly(below, 1024.0))
    yield desk.summed(desk.column(below, 0.0).mT, desk.column(1024.0, 0.0), 0.0, exactly(below, 1024.0))
    yield desk.summed(desk.column(normal, 0.0).mT, desk.column(1 - desk.u, 0.0), 0.0, exactly(normal, 1 - desk.u))


@of("dense_layer", "product_radius", "largest_product", "from_module", "rounding_error")
def dense_layers(desk: Desk) -> Iterator[bool]:
    u, (left, right), large = desk.u, desk.factors, 2.0**desk.row.max_exponent
    true = exactly(left, right) + 2 * Fraction(u)
    value = added(chain(3, fused=False), [exactly(left, right), Fraction(u), Fraction(u)], desk.row, desk.row)
    for apart in (False, True):
        yield desk.inside(desk.layer([left, 1.0], [right, u], u, float(value), apart=apart), true)
        yield desk.inside(desk.layer([1.0, 1.0], [1.0, 0.0], 1.0, 2.0, apart=apart, radius=0.125), 2 + EIGHTH)
        fresh = desk.having()
        yield fresh.foretold(fresh.layer([1.0], [large], large, float("inf"), apart=apart))
    bare = added(chain(2, fused=False), [exactly(left, right), Fraction(u)], desk.row, desk.row)
    yield desk.inside(desk.layer([left, 1.0], [right, u], None, float(bare)), exactly(left, right) + Fraction(u))
    if desk.short:
        wide = desk.wide
        yield wide.inside(wide.layer([1.0, 1.0], [1.0, u], None, 1.0), 1 + Fraction(u))
        yield wide.inside(wide.layer([1.0, 1.0], [1.0, u], 0.0, 1.0, apart=False), 1 + Fraction(u))
        yield wide.inside(wide.layer([1.0, 1.0], [1.0, u], u, 1.0, apart=True), 1 + 2 * Fraction(u))
        # 2 + 2u is stored as 2; 2 - (1 - u) = 1 + u as 1, which is less than half of what was stored.
        yield wide.inside(wide.layer([1.0, 1.0], [2.0, 2 * u], u - 1.0, 1.0, apart=True), 1 + 3 * Fraction(u))
        # 1 + u is stored as 1, less than half of what |ẑ| + |b| allow it to be; 2 + 2u as 2.
        yield wide.inside(wide.layer([1.0, 1.0], [1.0, u], 1 + 2 * u, 2.0, apart=True), 2 + 3 * Fraction(u))
    if desk.row == FP32:
        rounding = desk.having(operands=TF32, bias_is_an_operand=True)
        for b, held in ((1 + TF32.unit_roundoff, 1.0), (2.5 * TF32.smallest_subnormal, 2 * TF32.smallest_subnormal)):
            yield rounding.inside(rounding.layer([1.0], [0.0], b, held, apart=False), Fraction(b))


@of("dense_layer")
def dense_layers_that_overflow_only_as_they_are_rounded(desk: Desk) -> Iterator[bool]:
    """Wx + b stays below Ω, and the machine passes it: 64 terms are each rounded up to a unit of the last place; or both operands of a product are."""
    top, unit = Fraction(2) ** desk.row.max_exponent, Fraction(2) ** (desk.row.max_exponent - desk.row.significand_bits + 1)
    largest, terms = Fraction(desk.row.largest), [top, *[unit / 2 * (1 + 8 * Fraction(desk.u))] * 64]
    bias = largest - top - 63 * unit
    assert sum(terms, bias) < largest < largest + unit <= bias + added(chain(65), terms, desk.row, desk.row)
    fresh = desk.having()
    yield fresh.foretold(fresh.layer([1.0] * 65, list(map(float, terms)), float(bias), float("inf"), apart=True))
    if desk.row != FP32:
        return
    v = TF32.unit_roundoff
    fresh = desk.having(operands=TF32)
    yield fresh.foretold(fresh.layer([1 + 3 * v], [float(top) * (1 + 3 * v)], float(top) * (1 - 7.5 * v), float("inf"), apart=True))


@of("dense_layer", "product_radius", "subnormal_part")
def dense_layers_of_flushed_numbers(desk: Desk) -> Iterator[bool]:
    """Wx and b are just under λ and of one sign; a machine that flushes both answers 0."""
    u, normal, below = desk.u, desk.row.smallest_normal, desk.below
    desk = desk.wide if desk.short else desk
    products, sums = desk.having(flushing=frozenset({"asked"})), desk.having(elementwise_flushes=True)
    for apart in (False, True):
        yield products.inside(products.layer([1 - u], [normal], below, 0.0, apart=apart), exactly(1 - u, normal) + Fraction(below))
    yield sums.inside(sums.layer([1.0], [below], below, 0.0, apart=True), 2 * Fraction(below))


@of("stored", "first_place")
def numbers_are_stored(desk: Desk) -> Iterator[bool]:
    targets = {"fp64": ["fp32", "bf16", "fp16"], "fp32": ["bf16", "fp16", "tf32", "fp8-e4m3", "fp8-e5m2"]}.get(desk.row.name, [])
    for target in map(format_named, targets):
        v, eta = target.unit_roundoff, target.smallest_subnormal
        for number, held in ((1 + v, 1), (1 + 3 * v, 1 + 4 * Fraction(v)), (2.5 * eta, 2 * Fraction(eta)), (3.5 * eta, 4 * Fraction(eta))):
            for x in (desk.column(number, number), desk.matrix(number, number), desk.matrix(number, number, shared=True)):
                kept = desk.rules.stored(x, target, desk.numerics)
                assert Fraction(kept.value.double().flatten()[0].item()) == held
                yield desk.kept(kept, Fraction(number))
        for x in (desk.column(1.0, 1.0, radius=0.125), desk.matrix(1.0, 1.0, radius=0.125)):
            yield desk.kept(desk.rules.stored(x, target, desk.numerics), 1 + EIGHTH)
        yield desk.kept(desk.rules.stored(replace(desk.matrix(1.0, 1.0), form=far(desk, 2)), target, desk.numerics), Fraction(1))
        beyond = desk.column(2.0**target.max_exponent * 2.0, 1.0) if target.max_exponent < desk.row.max_exponent else None
        if beyond is not None:
            fresh = desk.having()
            yield fresh.foretold(desk.rules.stored(replace(beyond, hazards=fresh.found), target, desk.numerics))


@of("cast_up", "in_arithmetic", "stored", "exact", "_largest_entry", "mT")
def numbers_are_carried_over(desk: Desk) -> Iterator[bool]:
    wider = replace(desk.numerics, storage=format_named("fp64"))
    for x in (desk.column(1.0, 1.0, radius=0.125), desk.matrix(1.0, 1.0, radius=0.125)):
        yield desk.kept(desk.rules.cast_up(x, wider), 1 + EIGHTH)
        yield desk.kept(desk.rules.in_arithmetic(x, desk.numerics), 1 + EIGHTH)
        yield desk.kept(desk.rules.stored(x, desk.row, desk.numerics), 1 + EIGHTH)
        yield desk.kept(x.mT, 1 + EIGHTH)
    yield desk.inside(desk.rules.largest_entry(desk.column(-2.0, 1.0)), Fraction(2))
    try:
        desk.rules.largest_entry(desk.column(1.0, radius=0.125))
    except AssertionError:
        yield True
    else:
        yield False
