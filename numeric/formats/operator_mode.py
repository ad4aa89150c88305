"""Standing before every ATen operator that runs: what a module computes, taken apart into what the machine executes.

A module is a way to write operators down; a TorchDispatchMode is handed each operator before it is executed, with real tensors. Modes can stand one
behind the other: what one executes is handed to the one that was there before it. Composite operators (``linear``, ``matmul``) arrive whole under
``inference_mode``, and from what another mode runs while it handles an operator; they are taken apart as they are elsewhere.
"""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from torch._compile import _disable_dynamo
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode


def _left_alone(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that torch.compile does not compile.

    Torch puts ``_disable_dynamo`` around every mode's ``__torch_dispatch__``, which loads its compiler at the first operator and takes a second. Where
    nothing has loaded it, it is not at work.
    """
    disabled = _disable_dynamo(method)

    @wraps(method)
    def dispatched(*args: Any, **kwargs: Any) -> Any:
        return (disabled if "torch._dynamo" in sys.modules else method)(*args, **kwargs)

    return dispatched


class OperatorMode(TorchDispatchMode):
    """Executes every operator; a mode that does more says in ``computed`` what."""

    def _dispatched(self, func: OpOverload, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return self.computed(func, tuple(args), kwargs)

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The results of one operator."""
        return operator(*args, **kwargs)


OperatorMode.__torch_dispatch__ = _left_alone(OperatorMode._dispatched)  # type: ignore[method-assign]  # after the class: torch would wrap it itself
