"""PyTorch's own samples of its operators, taken apart into the ATen overloads that they execute."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from numeric.formats.operator_mode import OperatorMode

LARGEST = 600
"""Entries of an operand at most: each is compared in ball arithmetic."""


class _Calls(OperatorMode):
    """Keeps every operator with its arguments as they were."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[OpOverload, tuple[Any, ...], dict[str, Any]]] = []

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.calls.append((operator, _copy(args), {name: _copy(value) for name, value in kwargs.items()}))
        return operator(*args, **kwargs)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):  # as it lies
        base = value.detach()
        return (
            base.clone() if base._base is None and base.is_contiguous() else torch.as_strided(_storage(base), base.shape, base.stride(), base.storage_offset())
        )
    return type(value)(_copy(each) for each in value) if isinstance(value, list | tuple) else value


def _storage(x: Tensor) -> Tensor:
    return x.as_strided((x.untyped_storage().nbytes() // x.element_size(),), (1,), 0).clone()


@cache
def entries() -> list[Any]:
    """``op_db``, imported where it is needed: its import forbids the whole process to set torch's flags, which is taken back."""
    from torch.testing._internal.common_methods_invocations import op_db

    torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True
    return list(op_db)


def samples(name: str, dtype: torch.dtype) -> Iterator[tuple[OpOverload, tuple[Any, ...], dict[str, Any]]]:
    """The overloads that the samples of an entry of ``op_db`` execute, with their arguments.  name: e.g. ``nn.functional.gelu``."""
    for info in entries():
        if info.name != name or not info.supports_dtype(dtype, "cpu"):
            continue
        for sample in info.sample_inputs("cpu", dtype, requires_grad=False):
            calls = _Calls()
            with torch.no_grad(), calls:
                info.op(sample.input, *sample.args, **sample.kwargs)
            yield from calls.calls
