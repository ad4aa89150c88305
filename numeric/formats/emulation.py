"""Arithmetics that torch has on no CPU, computed on one: what a product does to its operands and its partial sums.

A mode stands before every matrix product that is executed, by a module's forward pass, a formula or a patched pass, and
computes the product from rounded operands, or block by block. Everything else is the machine's own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from numeric.formats.format import Format
from numeric.formats.operator_mode import OperatorMode
from numeric.formats.storage import round_to, torch_dtype

_ATEN = torch.ops.aten

PRODUCTS: dict[OpOverload, int] = {
    **{getattr(_ATEN, name).default: 0 for name in ("mm", "bmm", "mv", "dot")},
    **{getattr(_ATEN, name).default: 1 for name in ("addmm", "baddbmm", "addmv")},
}
"""The operators that multiply matrices, with the place of their left factor; the right one follows, and what is added stands before them."""

ATTENTIONS = tuple(
    getattr(_ATEN, f"_scaled_dot_product_{name}").default for name in ("flash_attention_for_cpu", "flash_attention", "efficient_attention", "cudnn_attention")
)
"""Attention as one kernel: q, k and v come first."""


class RoundedOperands(OperatorMode):
    """Every operand of a product is first rounded to a format; sums and results are the machine's."""

    def __init__(self, operands: Format) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self.operands = operands

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Of a fused attention q, k and v are rounded."""
        left = PRODUCTS.get(operator)
        factors = range(3) if operator in ATTENTIONS else () if left is None else (left, left + 1)
        return operator(*(self._rounded(x) if place in factors else x for place, x in enumerate(args)), **kwargs)

    def _rounded(self, x: Any) -> Any:
        return round_to(x, self.operands) if isinstance(x, Tensor) and x.dtype == torch.float32 else x


class BlockwiseSums(OperatorMode):
    """A product is summed in blocks; each block's sum is rounded to the storage format, and they are added in it.

    It is what split-K kernels do under torch's ``allow_*_reduced_precision_reduction``, a switch for each format. A block of 16-bit numbers is summed in
    fp32, one product after the other, and rounded. A CPU's own kernels are no part of it: those for bf16 may add in strands and flush subnormal numbers,
    which hides the order of a whole sum from the probe; those for fp16 may run number by number, and take many times as long.
    """

    def __init__(self, block: int, *, of: Format | None = None) -> None:
        """of: the format whose products are summed so; all of them, if it is not given."""
        super().__init__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self.block = block
        self.dtype = None if of is None else torch_dtype(of)

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What is added to a product is added to its sum."""
        left = PRODUCTS.get(operator)
        if left is None or self.dtype not in (None, args[left].dtype):
            return operator(*args, **kwargs)
        x, y = args[left], args[left + 1]
        total = self._product(x, y)
        if left == 0:
            return total
        alpha, beta = (kwargs.get(name, 1) for name in ("alpha", "beta"))
        return (total if alpha == 1 else alpha * total) + (args[0] if beta == 1 else beta * args[0])

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        if left.dtype in SHORT:
            return _product_of_short(left, right, self.block)
        total: Tensor | None = None
        for start in range(0, left.shape[-1], self.block):
            part = slice(start, start + self.block)
            of_block = left[..., part] @ (right[part] if right.dim() == 1 else right[..., part, :])
            total = of_block if total is None else total + of_block
        assert total is not None
        return total


FEW_RESULTS, MANY_RESULTS = 2**11, 2**17
"""As many blocks are summed side by side as make so many numbers, or four that make no more than so many: fewer operations, whose results stay in the
processor's cache."""


SHORT = (torch.float16, torch.bfloat16)
"""Formats whose products have no more bits than fp32."""


def _product_of_short(left: Tensor, right: Tensor, block: int) -> Tensor:
    """left @ right of 16 bits, each block summed in fp32.  left: (..., n, k), or (k,); right: (..., k, m), or (k,)."""
    if left.dim() == 1:
        return _product_of_short(left.unsqueeze(0), right, block).squeeze(0)
    if right.dim() == 1:
        return _product_of_short(left, right.unsqueeze(-1), block).squeeze(-1)
    k, cases = left.shape[-1], max(prod(left.shape[:-2]), prod(right.shape[:-2]))
    results = max(1, cases * left.shape[-2] * right.shape[-1])
    blocks, total = max(1, min(max(4, FEW_RESULTS // results), MANY_RESULTS // results)), None
    starts = [*range(0, k - k % block, blocks * block), *([k - k % block] if k % block else [])]  # what is no whole block stands alone
    for start, end in pairwise([*starts, k]):
        sums = _one_after_the_other(left[..., start:end], right[..., start:end, :], min(block, end - start)).to(left.dtype)
        for place in range(sums.shape[-3]):
            total = sums[..., place, :, :] if total is None else total + sums[..., place, :, :]
    assert total is not None
    return total


def _one_after_the_other(left: Tensor, right: Tensor, block: int) -> Tensor:
    """The sum of each block in fp32.  left: (..., n, blocks * block); right: (..., blocks * block, m). Returns (..., blocks, n, m)."""
    # The first axis is the term's place in its block, so that what is multiplied and added at once lies together.
    lefts = left.unflatten(-1, (-1, block)).movedim(-1, 0).mT.float().contiguous().unsqueeze(-1)
    rights = right.unflatten(-2, (-1, block)).movedim(-2, 0).float().contiguous().unsqueeze(-2)
    total = lefts[0] * rights[0]
    for term in range(1, block):
        total += lefts[term] * rights[term]
    return total


class WideProducts(OperatorMode):
    """A product of two formats: computed in the wider one, its result rounded to the other."""

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What is added to a product is added before its result is rounded."""
        left = PRODUCTS.get(operator)
        if left is None or args[left].dtype == args[left + 1].dtype:
            return operator(*args, **kwargs)
        wide, narrow = sorted({args[left].dtype, args[left + 1].dtype}, key=lambda dtype: -dtype.itemsize)
        return operator(*(x.to(wide) if place <= left + 1 else x for place, x in enumerate(args)), **kwargs).to(narrow)


class OneNormFormat(TorchFunctionMode):
    """A LayerNorm's input and weights are brought to one dtype first, for CUDA has no kernel for two, as the CPU has: to the weights', and back."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        weight = kwargs.get("weight")
        if func is not F.layer_norm or weight is None or args[0].dtype == weight.dtype or args[0].device.type != "cuda":
            return func(*args, **kwargs)
        x, *rest = args
        return func(x.to(weight.dtype), *rest, **kwargs).to(x.dtype)


@contextmanager
def wide_weights() -> Iterator[None]:
    """Layers whose weights are of a wider format than their input: computed in theirs, rounded to the input's."""
    with WideProducts(), OneNormFormat():  # type: ignore[no-untyped-call]  # torch does not annotate it
        yield
