"""A GPU that is none: tensors in this machine's memory that say they are on ``cuda``, and refuse what a real GPU's tensors refuse.

``with PretendedGpu(): probe(mode, device="cuda")`` runs the project's code for a GPU where there is no GPU. It computes as the CPU does, so
it says nothing of a GPU's arithmetic; it notices a tensor that was left on the other device, a NumPy array of one on the GPU, and a
generator of the CPU that is asked for a number there.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA = torch.device("cuda", 0)

INDEXING = (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default, torch.ops.aten.index_put.default, torch.ops.aten._index_put_impl_.default)
"""Their indices, the second argument, may be on the CPU."""

MARK = "pretended_gpu"
"""The attribute of a tensor that is said to be there; torch keeps attributes with the tensor."""

PARAMETER = nn.Parameter.__new__

MOVING = (torch.ops.aten.copy_.default,)


class OtherDevice(RuntimeError):
    """What torch would not do on a real GPU."""


class PretendedGpu:
    """``with PretendedGpu(): ...``."""

    def __init__(self) -> None:
        self._modes = ExitStack()

    def __enter__(self) -> Self:
        self._modes.enter_context(mock.patch.object(nn.Parameter, "__new__", _parameter))
        operations = _Operations()
        self._modes.enter_context(operations)
        self._modes.enter_context(_Calls(operations))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._modes.close()


def is_there(x: Tensor) -> bool:
    """Whether a tensor is said to be on the GPU."""
    return MARK in _unwrapped(x).__dict__


def _put_there(x: Tensor) -> None:
    _unwrapped(x).__dict__[MARK] = True


def _take_away(x: Tensor) -> None:
    del _unwrapped(x).__dict__[MARK]


def _parameter(kind: type[nn.Parameter], data: Tensor | None = None, requires_grad: bool = True) -> nn.Parameter:
    """A parameter is where its data are; torch asks no mode about that."""
    made = PARAMETER(kind, data, requires_grad)
    if data is not None and is_there(data):
        _put_there(made)
    return made


def _unwrapped(x: Tensor) -> Tensor:
    """What ``vmap`` has put a layer around."""
    while torch._C._functorch.is_functorch_wrapped_tensor(x):
        x = torch._C._functorch.get_unwrapped(x)
    return x


class _Operations(TorchDispatchMode):
    """What torch computes: operands of two devices are refused, and a result is where they are."""

    def __init__(self) -> None:
        super().__init__()
        self.makes_there = False
        """Whether what torch makes from nothing, within a call, is on the GPU."""

    def __torch_dispatch__(self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        operands = [x for x in tree_leaves((args, dict(kwargs or {}))) if isinstance(x, Tensor)]
        there = [x for x in operands if is_there(x)]
        indices = [x for x in tree_leaves(args[1]) if isinstance(x, Tensor)] if func in INDEXING else []
        here = [x for x in operands if not is_there(x) and x.dim() > 0 and not any(x is index for index in indices)]
        if there and here and func not in MOVING:
            sizes = " and ".join(f"{where} {[tuple(x.shape) for x in some]}" for where, some in (("cuda:0", there), ("cpu", here)))
            raise OtherDevice(f"Expected all tensors to be on the same device, but found {sizes} in {func}")
        found = func(*args, **(kwargs or {}))
        if (there or (self.makes_there and not operands)) and func not in MOVING:
            for x in tree_leaves(found):
                if isinstance(x, Tensor):
                    _put_there(x)
        return found


class _Calls(TorchFunctionMode):
    """What is asked of torch: where a tensor is, and that it be elsewhere."""

    def __init__(self, operations: _Operations) -> None:
        super().__init__()
        self._operations = operations

    def __torch_function__(self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        if func == Tensor.device.__get__:
            return CUDA if is_there(args[0]) else func(*args)
        if func in (Tensor.data.__get__, Tensor.grad.__get__):
            return self._as(args[0], func(*args))
        if func == Tensor.data.__set__:
            func(*args)
            self._as(args[1], args[0])
            return None
        if func in (Tensor.numpy, Tensor.__array__) and is_there(args[0]):
            raise OtherDevice("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
        if func is F.layer_norm and is_there(args[0]) and kwargs["weight"] is not None and args[0].dtype != kwargs["weight"].dtype:
            raise OtherDevice(f"expected scalar type {args[0].dtype} but found {kwargs['weight'].dtype}")
        if func is Tensor.cpu:
            return self._moved(args[0], args[0], there=False)
        if func is Tensor.to:
            return self._to(args, kwargs)
        if torch.device(kwargs.get("device") or "cpu").type == "cuda":
            if kwargs.get("generator") is not None:
                raise OtherDevice("Expected a 'cuda' device type for generator but found 'cpu'")
            found = func(*args, **{**kwargs, "device": "cpu"})
            _put_there(found)
            return found
        if kwargs.get("generator") is not None and any(isinstance(x, Tensor) and is_there(x) for x in args):
            raise OtherDevice("Expected a 'cuda' device type for generator but found 'cpu'")
        self._operations.makes_there = func is F.scaled_dot_product_attention and is_there(args[0])  # it makes its causal mask itself
        try:
            return func(*args, **kwargs)
        finally:
            self._operations.makes_there = False

    def _as(self, x: Tensor, other: Tensor | None) -> Tensor | None:
        if other is not None and is_there(x):
            _put_there(other)
        return other

    def _to(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        x, there, rest = args[0], None, [args[0]]
        for word in args[1:]:
            if isinstance(word, str | torch.device):
                there = torch.device(word).type == "cuda"
            elif isinstance(word, Tensor):
                there = is_there(word)
                rest.append(word.dtype)
            elif isinstance(word, torch.dtype | bool):
                rest.append(word)
        device = kwargs.pop("device", None)
        if device is not None:
            there = torch.device(device).type == "cuda"
        rest = [word for word in rest if not isinstance(word, bool)]
        found = Tensor.to(*rest, **kwargs) if len(rest) > 1 or kwargs else x
        return found if there is None else self._moved(x, found, there=there)

    def _moved(self, x: Tensor, found: Tensor, *, there: bool) -> Tensor:
        if is_there(x) == there:
            return found
        copy = found.clone()
        if there:
            _put_there(copy)
        else:
            _take_away(copy)
        return copy
