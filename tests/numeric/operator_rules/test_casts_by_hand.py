"""Conversions at the ends of the range, and what one of them loses, by the formula."""

import pytest
import torch

from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors
from numeric.operator_rules.doubts import Doubt
from numeric.operator_rules.models import models_of
from tests.numeric.operator_rules.swept import probed
from tests.numeric.operator_rules.test_doubts_move_on import ROUTED, doubts, walked

BEYOND, LOST = int(Doubt.OVERFLOW), int(Doubt.OVERFLOW | Doubt.NOT_FINITE)


def test_an_overflow_is_foretold_and_an_infinity_that_was_given_is_one() -> None:
    """From fp32 to fp16, whose largest number is 65504."""
    x = torch.tensor([1e6, -1e6, 6e4, -6e4, 65504.0, 65510.0, float("inf")])
    assert doubts(lambda x: x.half(), (x, 0.0)) == [LOST, LOST, 0, 0, BEYOND, BEYOND, 0]
    assert doubts(lambda x: x.double(), (x, 0.0)) == [0] * 7
    assert doubts(lambda x: x.to(torch.int8), (torch.tensor([-128.75, -129.25, 127.75, 128.25, 5.0]), 0.0)) == [0, BEYOND, 0, BEYOND, 0], "cut off first"
    assert doubts(lambda x: x.int(), (torch.tensor([3e9, 1.0, -3e9]), 0.0)) == [BEYOND, 0, BEYOND]


@pytest.mark.parametrize(
    ("start", "end", "stated"),
    [
        (torch.float32, torch.bfloat16, 2.0**-8 + 2.0**-134),  # one rounding of 1.5
        (torch.float64, torch.bfloat16, 2.0**-8 + 1.5 * 2.0 * 2.0**-24 + 2.0**-134 + 2.0**-150),  # by way of fp32
        (torch.float64, torch.float32, 2.0**-24 + 2.0**-150),
        (torch.float32, torch.float64, 0.0),
        (torch.bfloat16, torch.float32, 0.0),
        (torch.float16, torch.bfloat16, 2.0**-8 + 1.5 * 2.0 * 2.0**-24 + 2.0**-134 + 2.0**-150),
    ],
)
def test_what_a_conversion_loses(start: torch.dtype, end: torch.dtype, stated: float) -> None:
    """On top of a radius of 1/4, which is inherited."""
    _, known = walked(lambda x: x.to(end), (torch.tensor([1.5], dtype=start), 0.25))
    assert 0.25 + stated <= known.radius.item() <= (0.25 + stated) * (1.0 + 2.0**-45)


def test_what_is_lost_at_the_lower_end() -> None:
    """From fp64 to bf16 by way of fp32: half of the smallest number of each. Where fp32 flushes, all of a number that is subnormal in it."""
    tiny = torch.tensor([2.0**-133], dtype=torch.float64)
    _, known = walked(lambda x: x.to(torch.bfloat16), (tiny, 0.0))
    stated = 2.0**-141 + 2.0 * 2.0**-24 * 2.0**-133 + 2.0**-134 + 2.0**-150
    assert stated <= known.radius.item() <= stated * (1.0 + 2.0**-45)
    for size, lost in ((0.75, 0.75 * 2.0**-126), (1.5, 0.0)):
        x, knowledge = torch.tensor([size * 2.0**-126], dtype=torch.float64), KnownTensors()
        knowledge.put(x, Bounded(torch.zeros((), dtype=torch.float64)))
        with BoundedWalk(models_of(probed("fp32-ftz")), knowledge, probed("fp32-ftz").mode.while_running("cpu")):
            value = x.to(torch.float32)
        found, stated = knowledge.of(value), lost + 2.0**-150
        assert isinstance(found, Bounded)
        assert stated <= found.radius.item() <= stated + 2.0**-148


def test_whole_numbers_are_numbers_of_a_format_with_as_many_bits() -> None:
    """Eight bits in bf16, 32 in fp64; of 64 in fp32 one more than 2²⁴ is rounded."""
    for x, end, held in (
        (torch.tensor([127], dtype=torch.int8), torch.bfloat16, True),
        (torch.tensor([2**31 - 1], dtype=torch.int32), torch.float64, True),
        (torch.tensor([2**24 + 1]), torch.float32, False),
        (torch.tensor([True]), torch.float16, True),
    ):
        value, known = walked(lambda x, end=end: x.to(end), (x, 0.0))
        assert (known.radius.item() == 0.0) is held
        assert abs(int(value.item()) - int(x.item())) <= known.radius.item()


def test_a_number_becomes_whole_where_its_lower_end_does_not() -> None:
    """2.005 ± 0.01 may be 1 or 2; and what is in doubt stays so in another format."""
    x = torch.tensor([2.005, -1.995, 2.5, -2.005])
    undecided = int(Doubt.UNDECIDED)
    assert doubts(lambda x: x.long(), (x, 0.01)) == [undecided, undecided, 0, undecided]
    assert doubts(lambda x: x.bool(), (torch.tensor([0.005, -0.005, 0.02]), 0.01)) == [undecided, undecided, 0]
    assert doubts(lambda r, v: v[0][r.argmax(-1)].half(), *ROUTED) == [undecided, 0]
