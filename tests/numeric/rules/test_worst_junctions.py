"""The rules of products, choices and weighted sums at their worst operands, in rationals."""

import itertools
import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from numeric.architecture import LargestOnly, Product, WeightedSum
from numeric.arithmetics import Hazards, WithRadius, exact, hazards, outward
from numeric.machine import ErrorModel
from numeric.rules import rule_for
from numeric.rules.junctions import entrywise_product
from tests.numeric.rules.worst_kernels import LOW, NEARLY, ONE, TWO, coarse, model, tensor

SIGNS = (1, -1)
FLUSHING = model(coarse("fp32", 12, lowest=-6), flushes=True)


def column(values: list[float], n: ErrorModel, found: Hazards, radius: float | list[float] = 0.0) -> WithRadius:
    around = torch.full((1, len(values), 1), radius, dtype=torch.float64) if isinstance(radius, float) else tensor([radius])
    return exact(tensor([values]), n, found, radius=around if bool((around > 0).any()) else None)


def inside(found: WithRadius, truth: list[Fraction]) -> bool:
    values, radii = found.value[0, :, 0].tolist(), found.entry_radius[0, :, 0].tolist()
    return all(r == math.inf or abs(Fraction(v) - t) <= Fraction(r) for v, r, t in zip(values, radii, truth, strict=True))


@pytest.mark.parametrize("n", [ONE, TWO, LOW], ids=["one", "two", "low"])
@pytest.mark.parametrize(("x", "y"), [(1.0, 1.0), (1.0, -1.0), (-4.0, 2.0), (2.0**-5, 2.0**-4)])
def test_a_product(n: ErrorModel, x: float, y: float) -> None:
    """Both factors at either end, the product rounded either way, and an underflow."""
    for rx, ry, s, t, w in itertools.product((0.0, 0.125), (0.0, 0.25), SIGNS, SIGNS, SIGNS):
        found = hazards(1)
        off = n.storage.unit_roundoff * NEARLY * abs(x * y) / (1 + n.storage.unit_roundoff)
        off = max(off, n.storage.half_subnormal * NEARLY) if abs(x * y) < n.storage.smallest_normal else off
        off = off / 2 if w * x * y < 0 and abs(x * y) >= n.storage.smallest_normal else off  # below a power of two numbers lie twice as close
        value = tensor([[x * y + w * off]])
        truth = (Fraction(x) + s * Fraction(rx)) * (Fraction(y) + t * Fraction(ry))
        assert inside(entrywise_product(column([x], n, found, rx), column([y], n, found, ry), value), [truth])
        rule = rule_for(Product())
        assert rule is not None
        assert inside(rule(Product(), column([x], n, found, rx), column([y], n, found, ry), value), [truth])


def test_a_product_of_flushed_numbers() -> None:
    below = FLUSHING.storage.smallest_normal - FLUSHING.storage.smallest_subnormal
    for x, y in ((below, 8.0), (8.0, below)):
        assert inside(entrywise_product(column([x], FLUSHING, hazards(1)), column([y], FLUSHING, hazards(1)), tensor([[0.0]])), [Fraction(x) * Fraction(y)])


def test_a_product_that_may_overflow_is_foretold() -> None:
    n, found = model(coarse("fp32", 7, highest=3)), hazards(1)
    entrywise_product(column([4.0, 1.0], n, found), column([4.0, 1.0], n, found), tensor([[math.inf, 1.0]]))
    assert bool(found.overflow.all())
    found = hazards(1)
    entrywise_product(column([2.0], n, found), column([4.0], n, found), tensor([[8.0]]))
    assert not bool(found.overflow.any())


def just_above(found: WithRadius, radii: list[float]) -> bool:
    """To within the steps that an envelope of three terms is rounded upwards by."""
    return all(r <= f <= outward(torch.tensor(r, dtype=torch.float64), 8).item() for f, r in zip(found.entry_radius[0, :, 0].tolist(), radii, strict=True))


def chosen(values: list[float], radii: list[float], k: int) -> tuple[WithRadius, Hazards]:
    found, module = hazards(1), LargestOnly(k)
    x = column(values, ONE, found, radii)
    rule = rule_for(module)
    assert rule is not None
    return rule(module, x, module(tensor([values]).squeeze(-1)).unsqueeze(-1)), found


def test_a_choice_keeps_the_radius_of_what_stays() -> None:
    result, found = chosen([4.0, 1.0, 2.0], [0.5, 0.25, 0.25], 1)
    assert just_above(result, [0.5, 0.0, 0.0])
    assert not bool(found.undecided.any())


@pytest.mark.parametrize(("radii", "undecided"), [([0.5, 0.25, 0.5], True), ([0.5, 0.25, 0.25], False), ([0.25, 0.25, 0.5], False), ([0.0, 2.5, 0.0], True)])
def test_a_choice_that_rounding_decides_is_undecided(radii: list[float], undecided: bool) -> None:
    """3 ± r against 2 ± r: the least that stays must be above the most that goes."""
    result, found = chosen([3.0, 1.0, 2.0], radii, 1)
    assert bool(found.undecided.all()) is undecided
    assert bool(torch.isinf(result.entry_radius).all()) is undecided


def test_entries_that_tie_are_undecided() -> None:
    _, found = chosen([3.0, 3.0, 2.0], [0.0, 0.0, 0.0], 1)
    assert bool(found.undecided.all())


@pytest.mark.parametrize("n", [ONE, LOW], ids=["one", "low"])
def test_a_weighted_sum(n: ErrorModel) -> None:
    """Gates and terms at either end; the products and sums are those of the machine, in float64, which rounds less than the format allows."""
    gates, terms, module = [0.75, 0.5], [[1.0, -2.0, 2.0**-5], [3.0, 0.25, 2.0**-6]], WeightedSum()
    for s, t in itertools.product(SIGNS, SIGNS):
        found = hazards(1)
        weights = column(gates, n, found, 0.125)
        values = [column(term, n, found, 0.25) for term in terms]
        result = module(*(x.value.squeeze(-1) for x in (weights, *values))).unsqueeze(-1)
        rule = rule_for(module)
        assert rule is not None
        bounded = rule(module, weights, *values, result)
        pairs = [(Fraction(g) + s * Fraction(1, 8), [Fraction(v) + t * Fraction(1, 4) for v in term]) for g, term in zip(gates, terms, strict=True)]
        truth = [sum((g * term[i] for g, term in pairs), Fraction(0)) for i in range(3)]
        assert inside(bounded, truth)


def test_an_infinite_result_is_marked() -> None:
    found = hazards(1)
    entrywise_product(column([1.0], ONE, found), column([1.0], ONE, found), tensor([[math.inf]]))
    assert bool(found.not_finite.all())


def test_a_rectified_entry_keeps_its_radius() -> None:
    rule = rule_for(nn.ReLU())
    assert rule is not None
    x: Tensor = tensor([[1.0, 2.0]])
    assert just_above(rule(nn.ReLU(), column([1.0, 2.0], ONE, hazards(1), [0.5, 0.25]), x), [0.5, 0.25])
