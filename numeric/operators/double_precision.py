"""A block in float64, wherever its code casts: norms, routers and softmax of many libraries compute in float32 whatever they are given.

Over the reals a cast is the identity. So a pass in float64 leaves casts to shorter formats out: their result, and what is created in a shorter
format, is float64. Which lines cast is recorded, for a pass in a format does cast there.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from numeric.operators.executions import Execution, as_in, flat_storage, storage_key
from numeric.operators.refusals import NO_COPY, RefusedBlock
from symbolic.vocabulary import with_its_name

SHORTER = frozenset({torch.float32, torch.bfloat16, torch.float16})


def kept_in_double(step: Execution) -> tuple[Execution, bool]:
    """The operator with float64 in place of shorter formats, and whether a cast of a float64 tensor was left out."""
    tensors = step.tensors
    double = any(x.dtype in (torch.float64, torch.complex128) for _, x in tensors)
    widened = {index: x.double() for index, x in tensors if double and x.dtype in SHORTER and not any(x is each for each in step.written)}
    step = step.replaced(widened)
    if step.kwargs.get("dtype") not in SHORTER:
        return step, False
    return Execution(step.place, step.operator, step.args, {**step.kwargs, "dtype": torch.float64}), double


def execute_in_double(step: Execution) -> Any:
    """The operator's result over float64."""
    again, _ = kept_in_double(step)
    return again.operator(*again.args, **again.kwargs)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; one that has two names stands under both."""
    return {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers(remove_duplicate=False))}


def parameter_of(module: nn.Module, name: str) -> Tensor:
    """A parameter by its name, also of a scripted module."""
    return dict(module.named_parameters(remove_duplicate=False))[name]


def _owners(module: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    for part in module.modules():
        for kind in (part._parameters, part._buffers):
            yield from ((part, name, x) for name, x in kind.items() if x is not None)


def in_double(module: nn.Module) -> nn.Module:
    """A copy of the module in float64.  Raises RefusedBlock for a module that cannot be copied."""
    return converted(module, torch.float64)


def converted(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy whose numbers are of a dtype, in which tensors share memory where they share it in the module: tied weights stay tied.

    Raises RefusedBlock for a module that cannot be copied.
    """
    try:
        made = copy.deepcopy(module)
    except Exception as error:
        raise RefusedBlock(NO_COPY, error=with_its_name(error)) from error
    flats: dict[tuple[int, torch.dtype], Tensor] = {}
    again: dict[int, Tensor] = {}
    for (_, _, original), (owner, name, x) in zip(list(_owners(module)), list(_owners(made)), strict=True):
        if not (x.is_floating_point() or x.is_complex()):
            continue
        if id(original) not in again:
            target = torch.promote_types(torch.complex32, dtype) if x.is_complex() else dtype
            flat = flats.setdefault((storage_key(original), original.dtype), flat_storage(original).to(target, copy=True))
            shared = as_in(flat, original)
            again[id(original)] = nn.Parameter(shared, requires_grad=False) if isinstance(x, nn.Parameter) else shared
        mine = again[id(original)]
        if isinstance(owner, torch.jit.ScriptModule):
            x.data = mine.data
        elif isinstance(mine, nn.Parameter):
            owner._parameters[name] = mine
        else:
            owner._buffers[name] = mine
    return made
