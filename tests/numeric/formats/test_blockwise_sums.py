"""A product of 16-bit numbers in blocks is the same bits as number by number, however many blocks are summed side by side."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import vmap
from torch.nn import functional as F

from numeric.formats import emulation, format_named
from numeric.formats.emulation import BlockwiseSums

BLOCK = 8
SIZES = [1, 7, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 3, 80 * BLOCK + 1]


def to_bf16(x: float) -> float:
    """To nearest, a tie to the even one: half a unit, less one where the last bit that stays is 0, is added to the bits of fp32, and the rest cut off."""
    bits = int(np.float32(x).view(np.uint32))
    return float(np.uint32((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32))


ROUNDED: dict[torch.dtype, Callable[[float], float]] = {torch.float16: lambda x: float(np.float16(x)), torch.bfloat16: to_bf16}
"""A number of fp32 in a format of 16 bits."""


def number_by_number(row: Tensor, column: Tensor, block: int) -> float:
    """One result: each block's products one after the other in fp32, the blocks' sums in the format. By single numbers, rounded here."""
    total, rounded = None, ROUNDED[row.dtype]
    products = [np.float32(x) * np.float32(y) for x, y in zip(row.float().numpy(), column.float().numpy(), strict=True)]
    for start in range(0, len(products), block):
        held = products[start]
        for product in products[start + 1 : start + block]:
            held = np.float32(held + product)
        total = rounded(held) if total is None else rounded(np.float32(total) + np.float32(rounded(held)))
    assert total is not None
    return float(total)


def drawn(k: int, dtype: torch.dtype = torch.float16) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (3, k), columns (2, k) and a bias (3,)."""
    generator = torch.Generator().manual_seed(k)
    W, x, b = (torch.randn(shape, generator=generator).to(dtype) for shape in ((3, k), (2, k), (3,)))
    return W, x, b


def every_way(W: Tensor, x: Tensor) -> list[Tensor]:
    """The products of both columns with W, as (2, 3)."""
    with BlockwiseSums(BLOCK):
        return [
            W.expand(2, -1, -1).bmm(x.unsqueeze(-1)).squeeze(-1),
            (W @ x.mT).mT,
            F.linear(x, W),
            vmap(lambda row: F.linear(row.unsqueeze(0), W).squeeze(0))(x),
            vmap(lambda row: F.linear(row, W))(x),
            vmap(lambda weight, row: F.linear(row.unsqueeze(0), weight).squeeze(0))(W.expand(2, -1, -1), x),
            torch.cat([W[i : i + 1] @ x.mT for i in range(3)]).mT,
        ]


@pytest.mark.parametrize("limits", [(2**11, 2**17), (1, 1), (2**20, 2**20)], ids=["as it is", "one block at a time", "all at once"])
@pytest.mark.parametrize("k", SIZES)
@pytest.mark.parametrize("dtype", ROUNDED, ids=str)
def test_each_product_has_the_bits_of_single_numbers(dtype: torch.dtype, k: int, limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever kernels the processor has: some add bf16 in strands, and flush subnormal numbers."""
    monkeypatch.setattr(emulation, "FEW_RESULTS", limits[0])
    monkeypatch.setattr(emulation, "MANY_RESULTS", limits[1])
    W, x, b = drawn(k, dtype)
    expected = torch.tensor([[number_by_number(row, column, BLOCK) for row in W] for column in x], dtype=torch.float64)
    for results in every_way(W, x):
        assert torch.equal(results.double(), expected)
    with BlockwiseSums(BLOCK):
        assert torch.equal(F.linear(x, W, b), expected.to(dtype) + b)


def test_subnormal_products_are_not_flushed() -> None:
    """2⁻⁶³·2⁻⁶⁸ = 2⁻¹³¹, below the least normal number of bf16 and above its least number, 2⁻¹³³."""
    row = torch.full((1, BLOCK), 2.0**-63, dtype=torch.bfloat16)
    with BlockwiseSums(BLOCK):
        made = row @ torch.full((BLOCK, 1), 2.0**-68, dtype=torch.bfloat16)
    assert made.item() == BLOCK * 2.0**-131


def test_products_of_other_formats_are_the_machines_own() -> None:
    """A switch of a device is of one format: a router that is cast up under it computes as it always does."""
    W, x, b = drawn(5 * BLOCK)
    for dtype, own in ((torch.float32, "bf16"), (torch.bfloat16, "fp16"), (torch.float16, "bf16")):
        X, w, bias = (each.to(dtype) for each in (x, W, b))
        with BlockwiseSums(BLOCK, of=format_named(own)):
            made = [F.linear(X, w, bias), X @ w.mT]
        assert all(torch.equal(each, plain) for each, plain in zip(made, [F.linear(X, w, bias), X @ w.mT], strict=True))
    expected = torch.tensor([[number_by_number(row, column, BLOCK) for row in W] for column in x], dtype=torch.float64)
    with BlockwiseSums(BLOCK, of=format_named("fp16")):
        assert torch.equal(F.linear(x, W).double(), expected), "those of its own format are not"
    assert not torch.equal(F.linear(x, W).double(), expected)


def test_another_block_gives_other_bits() -> None:
    """The planted negative: what the test above compares is not the same for any order."""
    W, x, _ = drawn(SIZES[-1])
    expected = torch.tensor([[number_by_number(row, column, BLOCK + 1) for row in W] for column in x], dtype=torch.float64)
    assert not any(torch.equal(results.double(), expected) for results in every_way(W, x))
