"""What the trials of the rules leave to be asked: second roundings that add up, magnitudes, short forms, hazards, and which kernel it is.

Each is asked in every format; a trial yields whether what it found is right, as those of ``rule_operands.py`` do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
import torch

from numeric.arithmetics import value_and_radius
from numeric.formats import Format, format_named, round_to
from numeric.machine import Refinement
from numeric.machine.kernels import INNER_PRODUCT, PRODUCT, SHARED_PRODUCT, KernelAt
from numeric.machine.operands import KernelCall
from tests.numeric.arithmetics.rule_trials import FP32, TF32, Desk, Machine, added, chain, exactly
from tests.numeric.formats.drawn_operands import NATIVE

EIGHTH = Fraction(1, 8)
E4M3 = format_named("fp8-e4m3")


def forms_are_carried(desk: Desk) -> Iterator[bool]:
    """What is close to a short form stays so, and what has none has none."""
    near, bare = desk.matrix(1.0, 1.0, shared=True), replace(desk.matrix(1.0, 1.0), form=None)
    update = desk.column(1.0, 1.0) @ desk.column(desk.u, desk.u).mT
    yield desk.column(1.0).mT.form is not None
    yield all(desk.kept(x, Fraction(1)) and x.form is None for x in (bare.mT, bare / desk.column(1.0)))
    yield (bare + near).form is None
    yield (near + bare).form is None
    for made in (near + update, near - update, update / desk.column(2.0)):
        yield made.form is not None
    yield desk.kept(near - desk.column(1.0, 1.0) @ desk.column(0.5, 0.5).mT, Fraction(1, 2))
    yield desk.kept(desk.column(-1.0) + desk.column(-1.0), Fraction(-2))


def results_of_two_entries_are_vectors(desk: Desk) -> Iterator[bool]:
    """A known difference has no radius; a product of a matrix has one of its own."""
    yield float((desk.column(1.5, 1.5) - desk.column(1.0, 1.0)).entry_radius.max()) < 2.0**-1060
    yield desk.inside(desk.matrix(1.0, 1.0) @ desk.column(1.0, 0.0, radius=0.125), 1 + 2 * EIGHTH)


def quotients_by_inexact_numbers(desk: Desk) -> Iterator[bool]:
    u, eta = desk.u, desk.row.smallest_subnormal
    yield desk.inside(desk.column(1.0) / desk.column(0.5, radius=0.25), Fraction(4))
    up = 1 + 2 * u
    for over in (1 + 6 * u, 1 + 10 * u, 2 - 2 * u, 2 - 4 * u):
        yield desk.kept(desk.matrix(up, up) / desk.column(over), Fraction(up) / Fraction(over))
    fresh = desk.having()
    yield desk.inside(fresh.column(eta) / fresh.column(eta), Fraction(1)) and not bool(fresh.found.underflow.any())
    fresh = desk.having()
    _ = fresh.column(1.0) / fresh.column(torch.inf, radius=torch.inf)
    yield not bool(fresh.found.underflow.any())
    flushing = desk.flushing(elementwise_flushes=True)
    yield flushing.inside(flushing.column(1.0, radius=0.125) / flushing.column(1.0), 1 + EIGHTH)


def matrices_that_are_flushed(desk: Desk) -> Iterator[bool]:
    below = desk.below
    desk = desk.flushing(elementwise_flushes=True)
    update = desk.column(below, below) @ desk.column(1.0, 1.0).mT
    yield desk.kept(desk.matrix(below, below, shared=True) + update, 2 * Fraction(below))


def outer_products_of_short_operands(desk: Desk) -> Iterator[bool]:
    """An underflow is lost beside what the operands lose; and an operand beyond the short format's end is foretold, whichever it is."""
    if desk.row != FP32:
        return
    eta, half = desk.row.smallest_subnormal, 2.0 ** (desk.row.min_exponent // 2)
    short = desk.having(operands=TF32, running=lambda: Machine(lambda x: round_to(x, TF32), lambda x: x))
    yield short.inside(short.column(half, 0.0) @ short.column(2.5 * (eta / half), 0.0).mT, exactly(half, 2.5 * (eta / half)))
    for x, y in (((500.0, 1.0), (1.0, 1.0)), ((1.0, 1.0), (500.0, 1.0))):
        fresh = desk.having(operands=E4M3)
        _ = fresh.column(*x) @ fresh.column(*y).mT
        yield bool(fresh.found.overflow.all())


def a_product_is_that_of_its_kernel(desk: Desk) -> Iterator[bool]:
    """A kernel that flushes is believed to, and the others are not."""
    below = desk.below
    kinds = {SHARED_PRODUCT: {"shared": True}, INNER_PRODUCT: {}, PRODUCT: {}}
    for name, options in kinds.items():
        at = (desk.wide if desk.short else desk).flushing(flushing=frozenset({name}))
        X = at.column(1024.0, 0.0).mT if name == INNER_PRODUCT else at.matrix(1024.0, 0.0, **options)
        yield at.inside(X @ at.column(below, 0.0), exactly(below, 1024.0))
        other = desk.having(flushing=frozenset(kinds) - {name})
        X = other.column(1.0, 0.0).mT if name == INNER_PRODUCT else other.matrix(1.0, 0.0, **options)
        yield float((X @ other.column(0.0, 0.0)).entry_radius.max()) < desk.row.smallest_normal / 2


def what_flushes_inherits(desk: Desk) -> Iterator[bool]:
    at = (desk.wide if desk.short else desk).having(flushing=frozenset({"asked"}))
    yield at.summed(at.column(1.0, 0.0, radius=0.125).mT, at.column(1.0, 0.0), 1.0, 1 + EIGHTH)
    yield at.inside(at.layer([1.0, 1.0], [1.0, 0.0], 1.0, 2.0, radius=0.125), 2 + EIGHTH)
    half = 2.0 ** (desk.row.min_exponent // 2)
    other = desk.row.smallest_normal / half * (1 - desk.u)
    if at.numerics.accumulation.smallest_normal == desk.row.smallest_normal:  # each of the products is flushed, and none of the operands
        yield at.summed(at.column(*[half] * 8).mT, at.column(*[other] * 8), 0.0, 8 * exactly(half, other))


def what_overflowed_is_marked(desk: Desk) -> Iterator[bool]:
    """Wherever it is: the first entry, or the second; and a result that is not finite."""
    large = 2.0**desk.row.max_exponent
    for result in (lambda d: d.column(large, 1.0) + d.column(large, 1.0), lambda d: d.layer([1.0], [large], large, torch.inf)):
        fresh = desk.having()
        _ = result(fresh)
        yield bool(fresh.found.overflow.all()) and bool(fresh.found.not_finite.all())
    fresh = desk.wide if desk.short else desk.having()
    rows = torch.tensor([[[large, large], [1.0, 1.0]]], dtype=torch.float64).to(fresh.held(1.0).dtype)
    _ = fresh.rules.exact(rows, fresh.numerics, fresh.found) @ fresh.column(1.0, 1.0)
    yield bool(fresh.found.overflow.all())
    fresh = desk.having(rounds_before_bias=True)
    weight = fresh.rules.exact(rows, fresh.numerics, fresh.found)
    answer = torch.full((1, 2, 1), torch.inf, dtype=rows.dtype)
    _ = fresh.rules.dense_layer(weight, fresh.column(large, 1.0), fresh.column(1.0, 0.0), answer, "asked")
    yield bool(fresh.found.overflow.all())


def what_stays_below_the_end_is_not_refused(desk: Desk) -> Iterator[bool]:
    """Three quarters of 2^(e + 1): of a sum of two, and of a layer."""
    large = 2.0**desk.row.max_exponent
    fresh = desk.having()
    yield desk.inside(fresh.column(large) + fresh.column(large / 2), Fraction(large) * Fraction(3, 2))
    for apart in (False, True):
        yield desk.inside(fresh.layer([1.0], [large], large / 2, 1.5 * large, apart=apart), Fraction(large) * Fraction(3, 2))
    yield not bool(fresh.found.overflow.any())
    if desk.short:  # a wide sum of Ω less half of a unit of the last place, which is stored as Ω less a unit
        unit, largest = 2.0 ** (desk.row.max_exponent - desk.row.significand_bits + 1), desk.row.largest
        wide = desk.wide
        yield wide.inside(wide.layer([1.0, 1.0], [largest - unit, unit / 2], None, largest - unit), Fraction(largest) - Fraction(unit) / 2)
        yield not bool(wide.found.overflow.any())
        yield wide.foretold(wide.layer([1.0, 1.0], [largest, unit / 2], None, torch.inf))
    if desk.row == FP32:  # by no more than what the operands may grow by: twice v, and v of the bias
        short, bias = desk.having(operands=TF32, bias_is_an_operand=True), large * (1 - 4 * TF32.unit_roundoff)
        yield desk.inside(short.layer([1.0], [large], bias, large + bias, apart=True), Fraction(large) + Fraction(bias))
        yield not bool(short.found.overflow.any())


def sums_that_overflow_only_as_they_are_rounded(desk: Desk) -> Iterator[bool]:
    """64 terms, each just over half of a unit of the last place, are rounded up to units: exactly the sum stays below Ω, and the machine passes it."""
    unit = Fraction(2) ** (desk.row.max_exponent - desk.row.significand_bits + 1)
    largest, tiny = Fraction(desk.row.largest), unit / 2 * (1 + 8 * Fraction(desk.u))
    values = [largest - 40 * unit, *[tiny] * 64]
    assert sum(values) < largest
    assert added(chain(65), values, desk.row, desk.row) >= largest + unit
    fresh = desk.having()
    yield fresh.foretold(fresh.layer([1.0] * 65, list(map(float, values)), None, torch.inf))


def operands_that_are_rounded_up_overflow(desk: Desk) -> Iterator[bool]:
    """(1 + 3v)(1 - 3v)·2^128 is below Ω; rounded to (1 + 4v) it is beyond. The same of a bias."""
    if desk.row != FP32:
        return
    v, top = TF32.unit_roundoff, 2.0**127
    fresh = desk.having(operands=TF32)
    answer = torch.full((1, 2, 1), torch.inf)
    _ = fresh.rules.dense_layer(fresh.matrix(1 + 3 * v, 0.0), None, fresh.column(2 * top * (1 - 3 * v), 0.0), answer, "asked")
    yield bool(fresh.found.overflow.all())
    for apart in (False, True):
        fresh = desk.having(operands=TF32, bias_is_an_operand=True)
        yield fresh.foretold(fresh.layer([1.0], [0.0], 2 * top * (1 - v / 2), torch.inf, apart=apart))


def numbers_of_either_sign(desk: Desk) -> Iterator[bool]:
    """The sums and dense layers that lose the most, with every sign turned; and the same eight times as large."""
    left, right = desk.factors
    u = desk.u
    three, two = chain(3, fused=False), chain(2, fused=False)
    for size in (-1.0, 8.0):
        value = added(three, [Fraction(size) * t for t in (exactly(left, right), Fraction(u), Fraction(u))], desk.row, desk.row)
        true = Fraction(size) * (exactly(left, right) + 2 * Fraction(u))
        yield desk.summed(desk.column(size * left, size).mT, desk.column(right, u), value, true, bias=size * u)
        yield desk.inside(desk.layer([size * left, size], [right, u], size * u, float(value), apart=True), true)
        value = added(two, [Fraction(size) * t for t in (exactly(left, right), Fraction(u))], desk.row, desk.row)
        yield desk.summed(desk.column(size * left, size).mT, desk.column(right, u), value, Fraction(size) * (exactly(left, right) + Fraction(u)))
        if desk.short:
            wide = desk.wide
            layer = wide.layer([1.0, 1.0], [size * 2.0, size * 2 * u], size * (u - 1.0), size, apart=True)
            yield wide.inside(layer, Fraction(size) * (1 + 3 * Fraction(u)))
            yield wide.inside(wide.layer([1.0, -1.0], [size * 16.0, size * 16.0], size * 3, size * 3, apart=True), 3 * Fraction(size))
        yield desk.summed(desk.column(1.0).mT, desk.column(size * u), size, Fraction(size) * (1 + Fraction(u)), bias=size)
    if desk.row == FP32:
        short = desk.having(operands=TF32)
        yield short.summed(short.column(1.0, 1.0).mT, short.column(-1.0, -u), -1.0, -1 - Fraction(u))


def operands_that_are_rounded_inherit(desk: Desk) -> Iterator[bool]:
    if desk.row != FP32:
        return
    short = desk.having(operands=TF32, bias_is_an_operand=True)
    yield short.summed(short.matrix(1.0, 1.0, radius=0.125), short.column(1.0, 0.0), 1.0, 1 + EIGHTH)
    yield short.inside(short.layer([1.0], [0.0], 1.0, 1.0, radius=0.125), 1 + EIGHTH)


def errors_of_operands(desk: Desk) -> Iterator[bool]:
    """Zero for what is of the format; entry by entry of a shared matrix; of a matrix a case all of it."""
    if desk.row != FP32:
        return
    short, odd = desk.having(operands=TF32), 1 + TF32.unit_roundoff
    error = short.rules.operand_error_of_matrix
    yield not bool(error(short.matrix(1.0, 2.0), short.numerics).dense(2, 2).gt(2.0**-1060).any())
    yield bool(error(short.matrix(odd, odd), short.numerics).dense(2, 2).gt(TF32.unit_roundoff).all())
    shared = error(short.matrix(odd, 1.0, shared=True), short.numerics).dense(2, 2)
    row = error(short.column(odd, 1.0).mT, short.numerics).dense(1, 2)
    yield all(bool((found[..., 0] > TF32.unit_roundoff).all()) and bool((found[..., 1] < 2.0**-1060).all()) for found in (shared, row))
    own = error(short.matrix(odd, 1.0), short.numerics)
    yield bool((own.dense(2, 2) > TF32.unit_roundoff).all())


def orders_and_what_they_are_of(desk: Desk) -> Iterator[bool]:
    """An order of another number of terms is not used; one of a short accumulator counts with that accumulator's roundoff."""
    u = Fraction(desk.u)
    X, y = desk.column(1.0, 1.0).mT, desk.column(1.0, desk.u)
    yield desk.summed(X, y, 1.0, 1 + u, order=chain(3))
    X, y = desk.column(1.0, 1.0, 1.0).mT, desk.column(1.0, -1.0, 0.0)
    tight = replace(X, numerics=replace(desk.numerics, orders={KernelAt("asked", 1, 3): chain(3)}))
    radii = [desk.rules.product_radius(x, y, desk.held(0.0), KernelCall.of("asked", x.value, y.value)).item() for x in (tight, X)]
    yield radii[0] < radii[1] / 2
    if desk.short:
        bits = Format("fp13", "a short accumulator", 13, FP32.min_exponent, FP32.max_exponent, "float32", native=False)
        short = desk.having(accumulation=bits, opmath=FP32)
        terms = [Fraction(1), *[Fraction(bits.unit_roundoff)] * 8, Fraction(-1)]
        value = added(chain(10), terms, bits, desk.row)
        yield short.summed(short.column(*[1.0] * 10).mT, short.column(*map(float, terms)), value, sum(terms, Fraction(0)), order=chain(10))


def what_a_lost_sum_loses_again(desk: Desk) -> Iterator[bool]:
    """Eight terms are rounded up, then all of it but what they gained is taken away, and what is added to that is rounded up again and again.

    To first order the bound is 9u, for the first product is counted, and the error 8u; in bf16 what is of second order is larger than u.
    """
    u = Fraction(desk.u)
    terms = [Fraction(1), *[u + 2 * u * u] * 8, -(1 + 8 * u), *[8 * u * u * (1 + 2 * u)] * 80]
    if any(Fraction(t) != term for t, term in zip(map(float, terms), terms, strict=True)) or 8 * u * u < desk.row.smallest_normal:
        return
    order = chain(len(terms))
    value = added(order, terms, desk.row, desk.row)
    yield desk.summed(desk.column(*[1.0] * len(terms)).mT, desk.column(*map(float, terms)), value, sum(terms, Fraction(0)), order=order)


def largest_products(desk: Desk) -> Iterator[bool]:
    """No smaller than what the machine makes of terms that are all rounded up; nor of products that are, to numbers of the smallest."""
    u, eta, terms = Fraction(desk.u), desk.row.smallest_subnormal, 32
    upwards = [Fraction(1), *[u * (1 + 2 * u)] * terms]
    value = added(chain(len(upwards)), upwards, desk.row, desk.row)
    found = desk.rules.largest_product(desk.column(*[1.0] * len(upwards)).mT, desk.column(*map(float, upwards)), desk.numerics)
    yield value <= Fraction(found.item()) <= value * (1 + 2 * u + 2 * (terms * u) ** 2 + Fraction(terms, 2**48))
    half = 2.0 ** (desk.row.min_exponent // 2)
    small = desk.rules.largest_product(desk.column(*[half] * terms).mT, desk.column(*[1.5 * (eta / half)] * terms), desk.numerics)
    yield 2 * terms * Fraction(eta) <= Fraction(small.item())


def numbers_that_are_stored(desk: Desk) -> Iterator[bool]:
    """By their first place where that refinement is on, by their size where it is not; a matrix stays near its form, a column is what it is."""
    targets = {"fp64": ["fp32", "bf16", "fp16"], "fp32": ["bf16", "fp16", "tf32", "fp8-e4m3", "fp8-e5m2"]}.get(desk.row.name, [])
    coarse = desk.having(refinements=frozenset(Refinement) - {Refinement.FIRST_PLACE})
    for target in map(format_named, targets):
        v, number = target.unit_roundoff, 1.5 + target.unit_roundoff / 2
        for x in (desk.column(number, number), desk.matrix(number, number)):
            kept = desk.rules.stored(x, target, desk.numerics)
            yield float(kept.entry_radius.max()) < 1.25 * v + 2 * target.half_subnormal
            yield float(desk.rules.stored(x, target, coarse.numerics).entry_radius.min()) >= 1.5 * v
        given = (desk.column(number, -1.0), desk.matrix(1.0, 1.0), desk.matrix(1.0, 1.0, shared=True))
        column, matrix, shared = (desk.rules.stored(x, target, desk.numerics) for x in given)
        yield float(desk.rules.stored(desk.matrix(number, number, shared=True), target, desk.numerics).entry_radius.min()) >= 1.5 * v
        yield torch.equal(column.magnitude.parts[0], column.value.double().abs())
        yield all(x.form is not None and bool(x.form.slack.parts or x.form.slack.weighted) for x in (matrix, shared))
        bare = desk.rules.stored(replace(desk.matrix(1.0, 1.0), form=None), target, desk.numerics)
        yield desk.kept(bare, Fraction(1)) and bare.form is None


@dataclass
class Listener:
    """Whom a rule asks about a call, and who answers by leaving."""

    heard: list[KernelCall]

    def known(self, call: KernelCall) -> Any:
        self.heard.append(call)
        raise InterruptedError


def a_layer_asks_about_its_call(desk: Desk) -> Iterator[bool]:
    """With the bias among the operands, if there is one."""
    for bias in (None, 1.0):
        ear = Listener([])
        try:
            _ = desk.having(service=ear).layer([1.0], [1.0], bias, 2.0)
        except InterruptedError:
            yield [call.bias is None for call in ear.heard] == [bias is None]


EDGES = [each for name, each in list(vars().items()) if getattr(each, "__annotations__", {}).get("return") == Iterator[bool]]


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.__name__)
def test_every_edge_holds(edge: Any, row: Format) -> None:
    found = list(edge(Desk(value_and_radius, row)))
    assert all(found), [place for place, right in enumerate(found) if not right]
