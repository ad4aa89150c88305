"""Compiled and scripted modules: what they were made of, and which there are.

``torch.compile(module)`` wraps a module, whose parts then have longer names; ``module.compile()`` and a compiled function only change how they run. What
either computes is what was written, up to rounding; it is run as it was written (``plain_switches``). A scripted module
(``torch.jit``) has lost its own code.
"""

import torch
from torch import nn


def as_written(module: nn.Module) -> nn.Module:
    """The module that a compiled one was made of."""
    while isinstance(original := getattr(module, "_orig_mod", None), nn.Module):
        module = original
    return module


def written_throughout(module: nn.Module) -> nn.Module:
    """The same of every module in it; the modules that hold compiled ones hold what these were made of, and none is compiled itself."""
    module = as_written(module)
    for part in list(module.modules()):
        if part._compiled_call_impl is not None:
            part._compiled_call_impl = None
        for name, child in part._modules.items():
            if child is not None and as_written(child) is not child:
                part._modules[name] = written_throughout(child)
    return module


def plain_name(name: str) -> str:
    """A module's dotted name without the names that ``torch.compile`` puts in."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def compiled_parts(module: nn.Module) -> list[str]:
    """The names of the compiled modules in a module, "" for itself."""
    return [
        plain_name(name)
        for name, part in module.named_modules()
        if as_written(part) is not part or part._compiled_call_impl is not None or hasattr(part.forward, "_torchdynamo_orig_callable")
    ]


def is_scripted(module: object) -> bool:
    """Whether torch.jit made it, by script or by trace."""
    return isinstance(module, torch.jit.ScriptModule)
