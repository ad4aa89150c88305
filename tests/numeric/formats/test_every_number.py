"""Activations at every number of a format, not at drawn ones: a kernel may err most on a few numbers that no draw is likely to hit.

All finite numbers of the 16-bit formats; of fp32, with ``-m soak``, all of magnitude 2^-4 to 8, outside of which the gates are
almost constant. The exact results are fp64's: erfc and the logistic function lose no digit where 1 + erf and 1 + tanh do.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from numeric.arithmetics import exact, hazards
from numeric.formats import format_named, torch_dtype
from numeric.machine import ErrorModel
from numeric.rules import library_errors, rule_for
from numeric.rules.library_errors import ELEMENTARY_ERRORS
from numeric.rules.library_probe import plain_numerics

WIDTH = 16
REFERENCE = 2.0**-40
"""The reference's own relative error is below it: the argument t of a gate errs by at most 8·2^-53, which weighs 2t² ≤ 2^11 before the gate underflows."""

SCALE, CUBE = math.sqrt(2.0 / math.pi), 0.044715
EXACT: dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]] = {
    "gelu": (nn.GELU(), lambda x: 0.5 * x * torch.special.erfc(-x / math.sqrt(2.0))),
    "gelu-tanh": (nn.GELU(approximate="tanh"), lambda x: x * torch.sigmoid(2.0 * SCALE * (x + CUBE * x**3))),
    "silu": (nn.SiLU(), lambda x: x * torch.sigmoid(x)),
}


def outside(name: str, numbers: Tensor, numerics: ErrorModel) -> Tensor:
    """The numbers at which the kernel errs by more than its radius.  numbers: (n,), n a multiple of WIDTH."""
    module, truth = EXACT[name]
    x = numbers.reshape(-1, WIDTH, 1)
    found = hazards(len(x))
    rule = rule_for(module)
    assert rule is not None
    value = module(x.squeeze(-1)).unsqueeze(-1)
    radius = rule(module, exact(x, numerics, found), value).radius.dense(WIDTH, 1)
    right = truth(x.double())
    wrong = ~((value.double() - right).abs() <= radius + REFERENCE * right.abs())
    refused = found.underflow | found.overflowed(torch.isfinite(value).all(-1).all(-1))
    return x[wrong & ~refused.reshape(-1, 1, 1)]


def finite_numbers(name: str) -> Tensor:
    """All of a 16-bit format, zero in the place of those that are not finite."""
    numbers = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(torch_dtype(format_named(name)))
    return torch.where(torch.isfinite(numbers), numbers, torch.zeros_like(numbers))


def stretches() -> Iterator[Tensor]:
    """All fp32 numbers of magnitude 2^-4 to 8, in parts."""
    first, last = (int(torch.tensor(x).view(torch.int32)) for x in (2.0**-4, 8.0))
    for start in range(first, last, 2**21):
        numbers = torch.arange(start, start + 2**21, dtype=torch.int32).view(torch.float32)
        yield from (numbers, -numbers)


@pytest.mark.parametrize("name", ["bf16", "fp16"])
@pytest.mark.parametrize("activation", EXACT)
def test_no_number_of_a_short_format_lies_outside(activation: str, name: str) -> None:
    assert outside(activation, finite_numbers(name), plain_numerics(format_named(name), "cpu")).tolist() == []


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("activation", EXACT)
def test_no_number_of_fp32_lies_outside(activation: str) -> None:
    numerics = plain_numerics(format_named("fp32"), "cpu")
    for numbers in stretches():
        assert outside(activation, numbers, numerics).tolist()[:3] == []


def near_the_worst() -> Tensor:
    """The fp32 numbers about -2.9732, at which a kernel of oneDNN errs most."""
    middle = int(torch.tensor(2.973224639892578).view(torch.int32))
    return -torch.arange(middle - 2**15, middle + 2**15, dtype=torch.int32).view(torch.float32)


def test_the_worst_numbers_of_fp32_lie_inside() -> None:
    assert outside("gelu", near_the_worst(), plain_numerics(format_named("fp32"), "cpu")).tolist() == []


def test_a_table_that_promises_too_much_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 5 ulps in the row, which no draw of ten thousand refutes, some of these numbers lie outside."""
    promised = tuple(replace(row, ulps=5.0) if (row.function, row.device) == ("erf of gelu", "cpu") else row for row in ELEMENTARY_ERRORS)
    monkeypatch.setattr(library_errors, "ELEMENTARY_ERRORS", promised)
    assert len(outside("gelu", near_the_worst(), plain_numerics(format_named("fp32"), "cpu"))) > 0
