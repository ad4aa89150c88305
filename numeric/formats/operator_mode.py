"""Standing before every ATen operator that runs: what a module computes, taken apart into what the machine executes.

A module is a way to write operators down; a TorchDispatchMode is handed each operator before it is executed, with real tensors. Modes can stand one
behind the other: what one executes is handed to the one that was there before it. Under ``inference_mode`` composite operators (``linear``,
``matmul``) arrive whole, and are taken apart as they are outside of it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode


class OperatorMode(TorchDispatchMode):
    """Executes every operator; a mode that does more says in ``computed`` what."""

    def __torch_dispatch__(self, func: OpOverload, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
        """Called by torch for each operator."""
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled() and torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return self.computed(func, tuple(args), kwargs)

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The results of one operator."""
        return operator(*args, **kwargs)
