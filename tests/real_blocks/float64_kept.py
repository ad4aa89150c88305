"""float64 that is float64: where code casts to float32 on its way, and a mode in which it does not.

Norms, softmax and routers of many libraries are computed in float32 whatever their input is, and cast back. A "float64" run of them rounds
differences of 4e-13 away, so it can show an equality that does not hold.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


def of_dtype(values: Any, dtype: torch.dtype) -> bool:
    """Whether a tensor, or one in a list of a list, is of the dtype."""
    if isinstance(values, Tensor):
        return values.dtype == dtype
    return isinstance(values, list | tuple) and any(of_dtype(each, dtype) for each in values)


class Float64Kept(TorchFunctionMode):
    """A call that has a float64 operand and asks for float32 gets float64."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        named = kwargs or {}
        if of_dtype((args, *named.values()), torch.float64):
            if func is Tensor.float:
                return args[0]
            args = tuple(torch.float64 if each is torch.float32 else each for each in args)
            named = {name: torch.float64 if each is torch.float32 else each for name, each in named.items()}
        return func(*args, **named)


class Casts(TorchDispatchMode):
    """Executes each operator, and notes the innermost module in which one makes float32 of float64."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.names = {id(each): name for name, each in module.named_modules()}
        self.inside = [""]
        self.found: set[str] = set()
        self.operators: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.operators.add(str(func))
        if of_dtype((args, *(kwargs or {}).values()), torch.float64) and of_dtype(made, torch.float32):
            self.found.add(self.inside[-1])
        return made


@contextmanager
def casts(module: nn.Module) -> Iterator[Casts]:
    """What a pass through the module casts to float32, by submodule ("" is the module itself), and the operators that it executes."""
    mode = Casts(module)

    def enter(each: nn.Module, _: Any) -> None:
        mode.inside.append(mode.names.get(id(each), mode.inside[-1]))  # what is called and is no submodule belongs to its caller

    def leave(*_: Any) -> None:
        mode.inside.pop()

    handles = register_module_forward_pre_hook(enter), register_module_forward_hook(leave)
    try:
        with mode:
            yield mode
    finally:
        for handle in handles:
            handle.remove()
