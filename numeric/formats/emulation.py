"""Arithmetics that torch has on no CPU, computed on one: what a product does to its operands and its partial sums.

A function mode stands before every matrix product of whatever runs under it, a module's forward pass or a formula, and
computes the product from rounded operands, or block by block. Everything else is the machine's own.
"""

from collections.abc import Callable
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
            return self._sum(left.shape[-1], lambda part: self._block(func, left[..., part], right[..., part, :]))
        return func(*args, **kwargs)

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        total = self._sum(x.shape[-1], lambda part: self._block(lambda x, w: F.linear(x, w.mT), x[..., part], weight[..., part].mT))
        return total if bias is None else total + bias

    @staticmethod
    def _block(product: Callable[[Tensor, Tensor], Tensor], left: Tensor, right: Tensor) -> Tensor:
        return _one_after_the_other(left, right) if left.dtype == torch.float16 else product(left, right)

    def _sum(self, k: int, product: Callable[[slice], Tensor]) -> Tensor:
        total = product(slice(0, self.block))
        for start in range(self.block, k, self.block):
            total = total + product(slice(start, start + self.block))
        return total


def _one_after_the_other(left: Tensor, right: Tensor) -> Tensor:
    """left @ right of fp16, summed in fp32.  left: (..., n, k), or (k,); right: (..., k, m)."""
    if left.dim() == 1:
        return _one_after_the_other(left.unsqueeze(0), right).squeeze(0)
    left, right = left.float(), right.float()
    if left.dim() == 2:
        left = left.mT.contiguous().mT  # so that a column lies together; of a batch of matrices the copy would take longer than it saves
    total = left[..., :1] * right[..., :1, :]
    for term in range(1, left.shape[-1]):
        total += left[..., term : term + 1] * right[..., term : term + 1, :]
    return total.half()


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
