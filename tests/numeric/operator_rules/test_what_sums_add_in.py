"""In which format ATen's sums add, by operands of which another format would give another result; and that the row allows for each."""

import math
import random
from collections.abc import Iterator
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors
from numeric.operator_rules.models import models_of
from tests.numeric.operator_rules.swept import probed

SMALL = 2.0**-9
"""Half of what 1 + SMALL would have to differ by from 1 in bf16, and less: added one by one in bf16 they are lost."""


def one_and_many(count: int) -> Tensor:
    """1, and numbers that bf16 cannot add to it one by one."""
    x = torch.full((count,), SMALL, dtype=torch.bfloat16)
    x[0] = 1.0
    return x


def radius_of(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    """A sum and its radius."""
    knowledge = KnownTensors()
    knowledge.put(x, Bounded(torch.zeros((), dtype=torch.float64)))
    with BoundedWalk(models_of(probed("bf16")), knowledge):
        value = x.sum(dims)
    known = knowledge.of(value)
    assert isinstance(known, Bounded)
    assert known.doubts is None
    return value, known.radius.expand(value.shape)


def exact(x: Tensor) -> Fraction:
    """The sum of all entries."""
    return sum((Fraction(each) for each in x.double().flatten().tolist()), Fraction(0))


def test_a_run_of_bf16_is_added_in_fp32_and_rounded_once() -> None:
    """In bf16 the sum of 1 and 256 times 2⁻⁹ is 1; in fp32 it is 1.5."""
    x = one_and_many(257)
    one_by_one = x[0]
    for each in x[1:]:
        one_by_one = one_by_one + each
    value, radius = radius_of(x, [0])
    assert one_by_one.item() == 1.0
    assert Fraction(value.item()) == exact(x) == Fraction(3, 2)
    assert radius.item() < 0.01, "one rounding of 1.5 to bf16, and 256 to fp32"


def layouts(count: int) -> Iterator[tuple[Tensor, list[int], torch.dtype]]:
    """Operands of positive numbers that lie in all ways, and axes to sum."""
    draw = random.Random(1)
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        shape = [draw.choice([1, 2, 3, 5, 8, 16, 33]) for _ in range(draw.randint(1, 5))]
        while math.prod(shape) > 1000:
            shape[draw.randrange(len(shape))] = 1
        order, dtype = draw.sample(range(len(shape)), len(shape)), draw.choice([torch.bfloat16, torch.float16])
        wide = torch.rand([size + draw.choice([0, 0, 1, 3]) for size in shape], generator=generator).to(dtype)
        x = wide[tuple(slice(0, size) for size in shape)].permute(order)
        yield x, draw.sample(range(len(shape)), draw.randint(1, len(shape))), dtype


def excess(value: Tensor, right: Tensor, terms: int, dtype: torch.dtype) -> float:
    """The largest error over what one rounding to a 16-bit format and a sum of positive numbers in fp32, in any order, may come to."""
    unit = torch.finfo(dtype).eps / 2
    allowed = unit * 2.0 ** torch.floor(torch.log2(right)) + right * (terms * 2.0**-24 * (1.0 + unit))
    return float(((value.double() - right).abs() / allowed).max())


def rounded_once(count: int) -> float:
    """Hold sums and means of so many operands to one rounding; the excess of a sum that stores on the way, axis by axis."""
    stored = 0.0
    for x, dims, dtype in layouts(count):
        right = x.double().sum(dims)
        terms = x.numel() // right.numel()
        assert excess(x.sum(dims), right, terms, dtype) <= 1.0
        assert excess(x.mean(dims), right / terms, terms + 1, dtype) <= 1.0
        by_axis = x
        for axis in sorted(dims, reverse=True):
            by_axis = by_axis.sum(axis)
        stored = max(stored, excess(by_axis, right, terms, dtype))
    return stored


def test_sums_and_means_are_rounded_to_storage_once_in_every_layout() -> None:
    """Also along axes that do not lie evenly. A sum that stores on the way is the planted one: it would be seen."""
    assert rounded_once(60) > 1.0


@pytest.mark.soak
def test_so_they_are_in_thousands_of_layouts() -> None:
    """The same, 4,000 times."""
    assert rounded_once(4000) > 1.0


@pytest.mark.parametrize("count", [2, 33, 1000])
def test_one_axis_is_one_run_however_it_lies(count: int) -> None:
    """An axis that is strided, or stands outermost, is summed without storing; the radius holds one rounding to bf16."""
    wide = torch.zeros(count, 3, 2, dtype=torch.bfloat16)
    wide[:, :, 0] = one_and_many(count).reshape(-1, 1)
    value, radius = radius_of(wide[:, :, 0], [0])
    right = exact(one_and_many(count))
    assert all(abs(Fraction(each) - right) <= Fraction(allowed) for each, allowed in zip(value.tolist(), radius.tolist(), strict=True))
    assert radius.max().item() <= float(right) * 2.0**-7


def test_cumsum_of_bf16_keeps_its_partial_sum_in_fp32() -> None:
    """Its last entry is the sum."""
    x = one_and_many(257)
    assert Fraction(x.cumsum(0)[-1].item()) == exact(x)
