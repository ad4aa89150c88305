"""Activations at every number of a format, not at drawn ones: a kernel may err most on a few numbers that no draw is likely to hit.

All finite numbers of the 16-bit formats; of fp32, with ``-m soak``, all of magnitude 2^-6 to 8, outside of which the gates are
almost constant; and in each layout by which a library chooses its kernel. The exact results are fp64's: erfc and the logistic function
lose no digit where 1 + erf and 1 + tanh do.
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
from numeric.rules.layouts import LAYOUTS, PLAIN, laid_out
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


KERNELS = (PLAIN, "column by column", "with every other entry left out")
"""Layouts in which, of fp32 and GELU, three kernels run: oneDNN's, ATen's vector code, and scalar code."""
HOLDING_ALL = tuple(words for words, place in LAYOUTS.items() if 0 not in place(WIDTH, WIDTH)[0])
"""Layouts in which nothing was expanded."""


def outside(name: str, numbers: Tensor, numerics: ErrorModel, layout: str = PLAIN) -> Tensor:
    """The numbers at which the kernel errs by more than its radius.  numbers: (n,), n a multiple of WIDTH."""
    module, truth = EXACT[name]
    x = laid_out(numbers.reshape(-1, WIDTH), LAYOUTS[layout], "cpu").unsqueeze(-1)
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
    """All fp32 numbers of magnitude 2^-6 to 8, in parts."""
    first, last = (int(torch.tensor(x).view(torch.int32)) for x in (2.0**-6, 8.0))
    for start in range(first, last, 2**21):
        numbers = torch.arange(start, start + 2**21, dtype=torch.int32).view(torch.float32)
        yield from (numbers, -numbers)


@pytest.mark.parametrize("name", ["bf16", "fp16"])
@pytest.mark.parametrize("activation", EXACT)
def test_no_number_of_a_short_format_lies_outside(activation: str, name: str) -> None:
    numbers, numerics = finite_numbers(name), plain_numerics(format_named(name), "cpu")
    assert {layout: outside(activation, numbers, numerics, layout).tolist() for layout in HOLDING_ALL} == {layout: [] for layout in HOLDING_ALL}


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("layout", KERNELS)
@pytest.mark.parametrize("activation", EXACT)
def test_no_number_of_fp32_lies_outside(activation: str, layout: str) -> None:
    numerics = plain_numerics(format_named("fp32"), "cpu")
    for numbers in stretches():
        assert outside(activation, numbers, numerics, layout).tolist()[:3] == []


def around(x: float) -> Tensor:
    """2^16 fp32 numbers."""
    middle = int(torch.tensor(abs(x)).view(torch.int32))
    return math.copysign(1.0, x) * torch.arange(middle - 2**15, middle + 2**15, dtype=torch.int32).view(torch.float32)


WORST = {"oneDNN's": around(-2.973224639892578), "ATen's": around(0.04238395392894745)}
"""Where these kernels err most, of all numbers that the long run asks about."""


def promising(ulps: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another table."""
    promised = tuple(replace(row, ulps=ulps) if (row.function, row.device) == ("erf of gelu", "cpu") else row for row in ELEMENTARY_ERRORS)
    monkeypatch.setattr(library_errors, "ELEMENTARY_ERRORS", promised)


@pytest.mark.parametrize("layout", KERNELS)
@pytest.mark.parametrize("kernel", WORST)
def test_the_worst_numbers_of_fp32_lie_inside(kernel: str, layout: str) -> None:
    assert outside("gelu", WORST[kernel], plain_numerics(format_named("fp32"), "cpu"), layout).tolist() == []


def test_a_table_that_promises_too_much_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 5 ulps in the row, which no draw of ten thousand refutes, some of these numbers lie outside."""
    promising(5.0, monkeypatch)
    assert len(outside("gelu", WORST["oneDNN's"], plain_numerics(format_named("fp32"), "cpu"))) > 0


def test_a_table_for_operands_as_torch_makes_them_is_not_one_for_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the vector code errs most, contiguous operands would need no more than 2 ulps; the same numbers column by column lie outside then."""
    promising(2.0, monkeypatch)
    numerics = plain_numerics(format_named("fp32"), "cpu")
    assert outside("gelu", WORST["ATen's"], numerics).tolist() == []
    assert len(outside("gelu", WORST["ATen's"], numerics, "column by column")) > 0
