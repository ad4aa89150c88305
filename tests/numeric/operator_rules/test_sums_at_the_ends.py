"""Sums, means and norms near the largest number, of no entries, of one, along one axis or all; and whose doubts they have."""

import math

import pytest
import torch
from torch import Tensor

from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors
from numeric.operator_rules.doubts import Doubt
from numeric.operator_rules.models import models_of
from tests.numeric.operator_rules.swept import FORMATS, probed
from tests.numeric.operator_rules.test_doubts_move_on import doubts, walked

BEYOND, LOST = int(Doubt.OVERFLOW), int(Doubt.OVERFLOW | Doubt.NOT_FINITE)
ONE = int(Doubt.UNDECIDED)
FP32, FP16 = torch.finfo(torch.float32).max, torch.finfo(torch.float16).max


def found(name: str, run: str, numbers: list[float]) -> int:
    """The doubts of a sum, a mean, a running total's last entry, or a norm of a column."""
    x, knowledge = torch.tensor(numbers, dtype=FORMATS[name]), KnownTensors()
    knowledge.put(x, Bounded(torch.zeros((), dtype=torch.float64)))
    with BoundedWalk(models_of(probed(name)), knowledge):
        value = {"sum": lambda: x.sum(0), "mean": lambda: x.mean(0), "cumsum": lambda: x.cumsum(0), "norm": lambda: torch.linalg.vector_norm(x)}[run]()
    known = knowledge.of(value)
    assert isinstance(known, Bounded)
    assert not known.radius.isnan().any()
    return 0 if known.doubts is None else int(known.doubts.flatten()[-1])


@pytest.mark.parametrize(
    ("name", "run", "numbers", "doubt"),
    [
        ("fp32", "sum", [FP32, FP32, -FP32], BEYOND),  # in another order it is finite
        ("fp32", "sum", [FP32 / 4, FP32 / 4, -FP32 / 4], 0),
        ("fp16", "sum", [60000.0, 60000.0, -60000.0], 0),  # fp32 holds the partial sums
        ("fp16", "sum", [60000.0, 60000.0], LOST),
        ("fp16", "sum", [FP16, 0.0], BEYOND),
        ("bf16", "sum", [3e38, -3e38, 3e38], BEYOND),  # fp32 does not hold them
        ("fp16", "mean", [60000.0, 60000.0, 60000.0], 0),
        ("fp16", "mean", [FP16, FP16], BEYOND),
        ("fp32", "mean", [FP32, FP32], LOST),
        ("fp32", "mean", [FP32 / 4, FP32 / 4], 0),
        ("fp16", "cumsum", [60000.0, -60000.0, 10000.0], BEYOND),
        ("fp32", "cumsum", [FP32 / 4, FP32 / 4], 0),
        ("fp32", "norm", [2e19, 2e19], LOST),  # the squares pass the largest number
        ("fp32", "norm", [1e18, 1e18], 0),
        ("fp16", "norm", [60000.0, 60000.0], LOST),
        ("fp16", "norm", [40000.0, 40000.0], 0),
        ("fp64", "sum", [1e308, 1e308, -1e308], BEYOND),
    ],
)
def test_what_could_pass_the_largest_number_is_foretold(name: str, run: str, numbers: list[float], doubt: int) -> None:
    """And nothing else is."""
    result = found(name, run, numbers)
    assert result in (doubt, doubt | int(Doubt.NOT_FINITE)) if doubt == BEYOND else result == doubt


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0), (3, 4), (2, 3, 2)])
def test_axes_may_be_one_several_none_or_all(shape: tuple[int, ...]) -> None:
    """The radius has the result's shape, and is that of the sum of the same numbers."""
    x = torch.ones(shape)
    ways = [lambda x: x.sum(), lambda x: torch.ops.aten.sum.dim_IntList(x, None), lambda x: torch.ops.aten.sum.dim_IntList(x, [], True)]
    ways += [lambda x, a=a: x.sum(a) for a in range(-len(shape), len(shape))] + [lambda x, a=a: torch.linalg.vector_norm(x, dim=a) for a in range(len(shape))]
    for way in ways:
        value, known = walked(way, (x, 0.5))
        terms = x.numel() / value.numel() if value.numel() else 0
        assert known.radius.expand(value.shape).shape == value.shape
        most = 0.5 * terms + 4 * (terms + 1) ** 2 * 2.0**-24  # what each term may be off, and four roundings to fp32 a term, of at most as many ones
        assert all(0.5 * math.sqrt(terms) <= each <= most for each in known.radius.flatten().tolist())


def test_a_mean_of_nothing_is_in_doubt() -> None:
    """0/0."""
    assert doubts(lambda x: x.mean(0), (torch.zeros(0), 0.0)) == LOST


def test_a_sum_has_the_doubts_of_its_terms_and_a_running_total_those_before() -> None:
    """Only along its axis."""
    router = torch.tensor([[1.0, 1.0001], [3.0, -1.0]])
    read = torch.tensor([5.0, 6.0, 7.0])

    def rows(r: Tensor, v: Tensor) -> Tensor:
        chosen = v[r.argmax(-1)]
        return torch.stack([v[1:], chosen], 1)

    operands = (router, 0.01), (read, 0.0)
    assert doubts(rows, *operands) == [[0, ONE], [0, 0]]
    assert doubts(lambda r, v: rows(r, v).sum(1), *operands) == [ONE, 0]
    assert doubts(lambda r, v: rows(r, v).mean(0), *operands) == [0, ONE]
    assert doubts(lambda r, v: rows(r, v).sum(), *operands) == ONE
    assert doubts(lambda r, v: torch.linalg.vector_norm(rows(r, v), dim=1), *operands) == [ONE, 0]
    assert doubts(lambda r, v: rows(r, v).amax(1), *operands) == [ONE, 0]
    assert doubts(lambda r, v: rows(r, v).flatten().cumsum(0), *operands) == [0, ONE, ONE, ONE]
    assert doubts(lambda r, v: rows(r, v).T.flatten().cumsum(0), *operands) == [0, 0, ONE, ONE]
    assert doubts(lambda r, v: r.argmax(-1).cumsum(0), *operands) == [ONE, ONE]
    assert doubts(lambda r, v: r.argmax(-1).sum(), *operands) == ONE
    assert doubts(lambda r, v: torch.cumsum(rows(r, v)[0, 1], 0), *operands) == ONE


def test_norms_of_other_orders() -> None:
    """The sum of sizes, and the largest or the smallest."""
    x = torch.tensor([[1.0, -3.0], [2.0, 0.5]])
    for order, right in ((1.0, [4.0, 2.5]), (math.inf, [3.0, 2.0]), (-math.inf, [1.0, 0.5])):
        value, known = walked(lambda x, order=order: torch.linalg.vector_norm(x, order, dim=1), (x, 0.125))
        assert value.tolist() == right
        assert all((0.25 if order == 1.0 else 0.125) <= each <= 0.250001 for each in known.radius.tolist())


@pytest.mark.parametrize(("value", "s", "t"), [(1e20, 1e20, 1e-30), (1e20, 1e-30, 1e20), (1e-30, 1e20, 1e20)])
def test_each_step_of_a_product_of_three_is_foretold_to_pass(value: float, s: float, t: float) -> None:
    """In which order they are multiplied is the kernel's."""
    zero, operands = torch.zeros(1), ((torch.tensor([s]), 0.0), (torch.tensor([t]), 0.0))
    assert doubts(lambda s, t: torch.addcmul(zero, s, t, value=value), *operands)[0] & BEYOND
    assert doubts(lambda s, t: torch.addcdiv(zero, s, 1.0 / t, value=value), *operands)[0] & BEYOND
    assert doubts(lambda s, t: torch.addcmul(zero, s, t, value=1e-3), (torch.tensor([1e19]), 0.0), (torch.tensor([1e19]), 0.0)) == [0]


def test_a_denominator_that_may_be_zero_leaves_nothing_known() -> None:
    """An interval that holds 0, or ends in it."""
    one, found = torch.ones(3), [int(Doubt.UNDERFLOW), int(Doubt.UNDERFLOW), 0]
    assert doubts(lambda t: torch.addcdiv(one, one, t), (torch.tensor([0.5, -0.25, 1.0]), 0.5)) == found
    _, known = walked(lambda t: torch.addcdiv(one, one, t), (torch.tensor([0.5, -0.25, 1.0]), 0.5))
    assert known.radius.isinf().tolist() == [True, True, False]


@pytest.mark.parametrize(("x", "y"), [(0.6, -0.6), (0.9, -0.2), (-0.2, 0.9)])
def test_a_difference_on_the_way_is_foretold_to_pass(x: float, y: float) -> None:
    """lerp takes y - x; addcmul adds a product to x."""
    ends = (torch.tensor([x * FP32]), 0.0), (torch.tensor([y * FP32]), 0.0)
    assert doubts(lambda x, y: torch.lerp(x, y, 0.5), *ends)[0] in (BEYOND, LOST)
    factors = (torch.tensor([2e19]), 0.0), (torch.tensor([1e19]), 0.0)
    assert doubts(lambda s, t: torch.addcmul(torch.tensor([2e38]), s, t), *factors) == [LOST]
    assert doubts(lambda s, t: torch.addcmul(torch.tensor([1e38]), s, t), *factors) == [0]
    assert doubts(lambda x, y: torch.lerp(x, y, 0.5), (torch.tensor([0.2 * FP32]), 0.0), (torch.tensor([0.3 * FP32]), 0.0)) == [0]
