"""Conversions at the ends of the range, and what one of them loses, by the formula."""

import pytest
import torch

from numeric.operator_rules.doubts import Doubt
from tests.numeric.operator_rules.test_doubts_move_on import doubts, walked

BEYOND, LOST = int(Doubt.OVERFLOW), int(Doubt.OVERFLOW | Doubt.NOT_FINITE)


def test_an_overflow_is_foretold_and_an_infinity_that_was_given_is_one() -> None:
    """From fp32 to fp16, whose largest number is 65504."""
    x = torch.tensor([1e6, -1e6, 6e4, -6e4, 65504.0, 65510.0, float("inf")])
    assert doubts(lambda x: x.half(), (x, 0.0)) == [LOST, LOST, 0, 0, BEYOND, BEYOND, 0]
    assert doubts(lambda x: x.double(), (x, 0.0)) == [0] * 7
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
