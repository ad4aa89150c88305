"""Arithmetics that torch has on no CPU, computed on one: what a product does to its operands and its partial sums.

A function mode stands before every matrix product of whatever runs under it, a module's forward pass or a formula, and
computes the product from rounded operands, or block by block. Everything else is the machine's own.
"""

from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from numeric.formats.format import Format
from numeric.formats.storage import round_to

PRODUCTS = {"linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "scaled_dot_product_attention"}
"""Names of torch's functions that multiply matrices."""


class RoundedOperands(TorchFunctionMode):
    """Every operand of a product is first rounded to a format; sums and results are the machine's."""

    def __init__(self, operands: Format) -> None:
        super().__init__()
        self.operands = operands

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") not in PRODUCTS:
            return func(*args, **kwargs)
        factors = 3 if func is F.scaled_dot_product_attention else 2
        return func(*(self._rounded(x) if i < factors else x for i, x in enumerate(args)), **kwargs)

    def _rounded(self, x: Any) -> Any:
        return round_to(x, self.operands) if isinstance(x, Tensor) and x.dtype == torch.float32 else x


class CastOperands(TorchFunctionMode):
    """Every operand of a product, a bias too, is cast to a dtype, and so the result is of it: what torch.autocast does to a dense layer.

    It stands for torch.autocast under vmap, where a dense layer is split into a product and a sum, and autocast sees the two apart: the
    bias then stays in fp32, and so does the result.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") not in PRODUCTS:
            return _in_one_dtype(func, args, kwargs)
        return func(*(x.to(self.dtype) if isinstance(x, Tensor) and x.is_floating_point() else x for x in args), **kwargs)


class BlockwiseSums(TorchFunctionMode):
    """A product is summed in blocks; each block's sum is rounded to the storage format, and they are added in it.

    It is what split-K kernels do under torch's ``allow_*_reduced_precision_reduction``. A block of fp16 is summed in fp32, in which its products are
    exact, one after the other, and rounded: torch's own fp16 products run number by number on a CPU, and take many times as long.
    """

    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "linear":
            return self._linear(*args, **kwargs)
        if name in PRODUCTS and name != "scaled_dot_product_attention" and args[0].dim() > 1:
            left, right = args
            return self._product(func, left, right)
        return func(*args, **kwargs)

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        total = self._product(lambda x, w: F.linear(x, w.mT), x, weight.mT)
        return total if bias is None else total + bias

    def _product(self, product: Callable[[Tensor, Tensor], Tensor], left: Tensor, right: Tensor) -> Tensor:
        if left.dtype == torch.float16:
            return _product_of_halves(left, right, self.block)
        total = product(left[..., : self.block], right[..., : self.block, :])
        for start in range(self.block, left.shape[-1], self.block):
            part = slice(start, start + self.block)
            total = total + product(left[..., part], right[..., part, :])
        return total


FEW_RESULTS, MANY_RESULTS = 2**11, 2**17
"""As many blocks are summed side by side as make so many numbers, or four that make no more than so many: fewer operations, whose results stay in the
processor's cache. Under vmap the results of one case are seen, and there may be hundreds."""


def _product_of_halves(left: Tensor, right: Tensor, block: int) -> Tensor:
    """left @ right of fp16, each block summed in fp32.  left: (..., n, k), or (k,); right: (..., k, m)."""
    if left.dim() == 1:
        return _product_of_halves(left.unsqueeze(0), right, block).squeeze(0)
    k, cases = left.shape[-1], max(prod(left.shape[:-2]), prod(right.shape[:-2]))
    results = max(1, cases * left.shape[-2] * right.shape[-1])
    blocks, total = max(1, min(max(4, FEW_RESULTS // results), MANY_RESULTS // results)), None
    starts = [*range(0, k - k % block, blocks * block), *([k - k % block] if k % block else [])]  # what is no whole block stands alone
    for start, end in pairwise([*starts, k]):
        sums = _one_after_the_other(left[..., start:end], right[..., start:end, :], min(block, end - start)).half()
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


class WideWeights(TorchFunctionMode):
    """A dense layer whose weights are of a wider format than its input: computed in theirs, rounded to the input's."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "linear" and args[0].dtype != args[1].dtype:
            x, *rest = args
            return func(x.to(rest[0].dtype), *rest, **kwargs).to(x.dtype)
        return _in_one_dtype(func, args, kwargs)


def _in_one_dtype(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The call; a LayerNorm's input and weights brought to one dtype first, for CUDA has no kernel for two, as the CPU has: to the weights', and back."""
    weight = kwargs.get("weight")
    if func is not F.layer_norm or weight is None or args[0].dtype == weight.dtype or args[0].device.type != "cuda":
        return func(*args, **kwargs)
    x, *rest = args
    return func(x.to(weight.dtype), *rest, **kwargs).to(x.dtype)
