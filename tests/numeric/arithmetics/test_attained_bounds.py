"""No constant of a rule could be halved: for each rule, operands whose error is over half of the radius, and inside it.

Most are ties. With u the roundoff, j·k = 1/(4u) and j + k even, (1 + 2uj)(1 + 2uk) = 1 + 2u(j + k) + u lies midway
between two numbers of the format, and is rounded down by u.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards, value_and_radius
from numeric.arithmetics.value_and_radius import dense_layer
from numeric.formats import Format, torch_dtype
from numeric.machine import ErrorModel
from numeric.machine.kernels import KernelAt
from numeric.machine.summation_tree import order_of
from numeric.sides import Variant
from numeric.sides.variant import VARIANTS
from symbolic import formulas
from tests.numeric.arithmetics.rule_trials import Desk, exactly
from tests.numeric.formats.drawn_operands import NATIVE
from tests.numeric.measuring import with_bias_apart

NARROW = ["bf16", "fp16"]


def desk_of(numerics: ErrorModel) -> Desk:
    """At which this machine computes."""
    desk = Desk(value_and_radius, numerics.storage)
    desk.numerics = numerics
    return desk


def attained(result: WithRadius, truth: Fraction) -> bool:
    """Whether the error is inside the radius, and would be outside half of it."""
    error = abs(Fraction(result.value.double().flatten()[0].item()) - truth)
    radius = Fraction(result.entry_radius.flatten()[0].item())
    return radius / 2 < error <= radius


@pytest.fixture(params=NATIVE, ids=lambda row: row.name)
def desk(request: pytest.FixtureRequest, arithmetic: dict[str, ErrorModel]) -> Desk:
    row: Format = request.param
    return desk_of(arithmetic[row.name])


def test_a_sum_and_a_difference(desk: Desk) -> None:
    assert attained(desk.column(1.0) + desk.column(desk.u), Fraction(1) + Fraction(desk.u))
    assert attained(desk.column(1.0) - desk.column(-desk.u), Fraction(1) + Fraction(desk.u))


def test_an_outer_product(desk: Desk) -> None:
    left, right = desk.factors
    assert attained(desk.column(left, 1.0) @ desk.column(right, 1.0).mT, exactly(left, right))


def test_a_quotient(desk: Desk) -> None:
    """(1 + 2u(j + k))/(1 + 2uk) = 1 + 2uj - u + ..., next to a tie."""
    left, right = desk.factors
    numerator = left + right - 1
    assert attained(desk.column(numerator) / desk.column(right), Fraction(numerator) / Fraction(right))


def test_a_sum_in_the_storage_format_rounds_every_step() -> None:
    """Terms of a dense layer, one after another: three roundings, all of them downwards, against γ_3."""
    for row in NATIVE:
        desk = Desk(value_and_radius, row)
        left, right = desk.factors
        W, x, b = (left, 1.0), (right, desk.u), desk.u
        weights, inputs, bias = desk.held(*W), desk.held(*x), desk.held(b)
        total = weights[0, 0, 0] * inputs[0, 0, 0] + weights[0, 1, 0] * inputs[0, 1, 0] + bias[0, 0, 0]
        result = dense_layer(with_bias_apart(desk.column(*W).mT, False), desk.column(b), desk.column(*x), total.reshape(1, 1, 1))
        truth = sum((Fraction(p) * Fraction(q) for p, q in zip(W, x, strict=True)), Fraction(b))
        assert abs(Fraction(total.item()) - truth) == 3 * Fraction(desk.u)
        assert attained(result, truth)


def test_a_bias_is_no_product_that_could_be_rounded_apart() -> None:
    """A term of 3u/4 is lost beside a bias of 1: the one rounding that matters is that of the sum; a second u, for the bias, would double it."""
    for row in NATIVE:
        order = replace(order_of((0, 1)), fused=False)
        desk = Desk(value_and_radius, row).having(orders={KernelAt("dense layer", 1, 1): order})
        little = desk.u * 0.75
        result = dense_layer(with_bias_apart(desk.column(1.0).mT, False), desk.column(1.0), desk.column(little), desk.held(1.0))
        assert attained(result, 1 + Fraction(little))


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("kernel", ["product", "dense layer"])
def test_a_wide_accumulator_rounds_once_to_storage(kernel: str, name: str, arithmetic: dict[str, ErrorModel]) -> None:
    desk = desk_of(arithmetic[name])
    row, x = desk.column(1.0, 1.0).mT, desk.column(1.0, desk.u)
    result = row @ x if kernel == "product" else dense_layer(with_bias_apart(row, False), desk.column(0.0), x, desk.held(1.0))
    assert attained(result, Fraction(1) + Fraction(desk.u))


@pytest.mark.parametrize("name", NARROW)
def test_a_bias_added_apart_rounds_twice(name: str, arithmetic: dict[str, ErrorModel]) -> None:
    """1 + u is stored as 1, and 1 + u is again: the error is 2u, twice what one rounding could do."""
    desk = desk_of(arithmetic[name])
    row, x, b = desk.column(1.0, 1.0).mT, desk.column(1.0, desk.u), desk.column(desk.u)
    truth = Fraction(1) + 2 * Fraction(desk.u)
    assert attained(dense_layer(with_bias_apart(row, True), b, x, desk.held(1.0)), truth)
    once = dense_layer(with_bias_apart(row, False), b, x, desk.held(1.0))
    assert Fraction(once.radius.dense(1, 1).item()) < 2 * Fraction(desk.u), "the model of one rounding must notice two"


@pytest.mark.parametrize("name", ["fp32", *NARROW])
def test_a_constant_that_the_format_cannot_hold(name: str, arithmetic: dict[str, ErrorModel]) -> None:
    desk = desk_of(arithmetic[name])
    constant = 1.0 + desk.u * (1 - 2.0**-20)
    assert attained(desk.column(-1.0) + constant, Fraction(constant) - 1)


@pytest.mark.parametrize(
    ("operation", "truth"),
    [
        (lambda x, y: x + y, lambda x, y: x + y),
        (lambda x, y: x @ y.mT, lambda x, y: x * y),
        (lambda x, y: x.mT @ y, lambda x, y: 2 * x * y),
        (lambda x, y: x.mT / y, None),
    ],
    ids=["sum", "outer product", "inner product", "quotient"],
)
def test_what_the_operands_lack_is_inherited_whole(operation: Callable, truth: Callable | None, desk: Desk) -> None:
    """The true operands lie at the far ends of their radii of 1/8, which outweigh every rounding."""
    eighth = Fraction(1, 8)
    if truth is None:
        result, expected = operation(desk.column(1.0, 1.0, radius=0.125), desk.column(1.0, radius=0.125)), (1 + eighth) / (1 - eighth)
    else:
        result, expected = operation(desk.column(1.0, 1.0, radius=0.125), desk.column(1.0, 1.0, radius=0.125)), truth(1 + eighth, 1 + eighth)
    assert attained(result, expected)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
def test_the_values_are_those_of_a_plain_run(variant: Variant, desk: Desk) -> None:
    """One formula, two arithmetics: with a radius or without, torch computes the same bits."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(torch_dtype(desk.row))

    W, b, z, a = draw(12, 7), draw(12, 1), draw(64, 7, 1), draw(64, 7, 1)
    plain = formulas.patched_weight(W, variant.update(W, formulas.context_vector(z, a), a))
    found = hazards(64)
    Wr, br, zr, ar = (exact(x, desk.numerics, found) for x in (W, b, z, a))
    rounded = formulas.patched_weight(Wr, variant.update(Wr, formulas.context_vector(zr, ar), ar))
    assert torch.equal(rounded.value, plain)
    assert torch.equal(formulas.first_layer(rounded, br, ar).value, formulas.first_layer(plain, b, a))
    other = formulas.patched_weight(W, variant.update(W, formulas.context_vector(z, a), z))
    assert not torch.equal(rounded.value, other)
