"""What users usually get wrong in a contextual layer and in a network: one line each, with what was found and what to write instead."""

import os
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from numeric.architecture import UnusableBlock
from numeric.architecture.contextual_block import AS_WRITTEN

_TORCH = os.path.dirname(torch.__file__) + os.sep

TO_PYTHON = frozenset(
    {"item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__complex__", "__index__", "__contains__", "is_nonzero", "equal", "allclose"}
)
"""Names of torch's functions that return a number, or a list of numbers, that a tensor holds."""


def given_in_words(tokens: Tensor | None, query: Tensor) -> str:
    """What a contextual layer is called with, for the reader of why it failed."""
    if tokens is None:
        return f"without a context it is given None and a query {tuple(query.shape)}: let it attend to the query alone then"
    return f"it is given a context {tuple(tokens.shape)} and a query {tuple(query.shape)}, vectors of {query.dtype} and no token ids"


def wrong_result(output: object, query: Tensor, width: int, *, any_width: bool) -> tuple[str, str] | None:
    """What a contextual layer returned in place of A(C, x), and what to return; None if nothing is wrong with it.  width: d."""
    wanted = f"({len(query)}, {'d' if any_width else width})"
    if not isinstance(output, Tensor):
        return f"a {type(output).__name__}", _of_no_tensor(output, wanted)
    shape, alone = tuple(output.shape), f"return the query's vector alone, output[:, -1], {wanted}"
    if not output.is_floating_point():
        return f"{shape} of {output.dtype}", f"return A(C, x), numbers {wanted}"
    if output.dim() == 3 and shape[0] == len(query):
        return f"{shape}", f"that is a vector for each of {shape[1]} tokens: {alone}"
    if output.dim() == 3 and shape[1] == len(query):
        return f"{shape}", f"its tokens stand in front of the batch: contexts are (batch, n, d_in), as batch_first=True has them; {alone}"
    if output.dim() != 2 or shape[0] != len(query) or not (any_width or shape[1] == width):
        return f"{shape}", f"the first dense layer takes ({len(query)}, {width})"
    return None


def _of_no_tensor(output: object, wanted: str) -> str:
    if hasattr(output, "logits") or hasattr(output, "last_hidden_state"):
        return f"that is a whole model: give the part of one layer that stands in front of its network, which returns {wanted}, or {AS_WRITTEN}"
    example = ", such as output[0][:, -1]" if isinstance(output, tuple | list) else ""
    return f"return the query's vector alone, a tensor {wanted}{example}"


def refuse_batch_statistics(block: nn.Module) -> None:
    """Raise UnusableBlock for a batch normalisation that takes the statistics of the batch in eval mode, too: it has none of its own, or stays in training."""
    for name, module in block.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
            raise UnusableBlock(
                f'"{name}", a {type(module).__name__}, stays in training mode after eval() and takes the statistics of the batch, '
                "so that one case's result changes with the others: let eval() reach it."
            )
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise UnusableBlock(
                f'"{name}", a {type(module).__name__} without running statistics (track_running_stats=False), takes those of the batch in eval mode too, '
                "so that one case's result changes with the others: let it track them, or write nn.LayerNorm."
            )


class _NoDecisions(TorchFunctionMode):
    """Refuses a function that hands a number of a tensor to Python."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in TO_PYTHON:
            raise UnusableBlock(
                f"the network turns a tensor into a Python number ({name}, {_line_of_the_user()}), and what it computes may depend on that: write it with "
                f"torch.where, in modules that hand tensors on, or {AS_WRITTEN}."
            )
        return func(*args, **(kwargs or {}))


def _line_of_the_user() -> str:
    """``file.py:12`` of the innermost frame that is neither torch's nor this file's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_TORCH, __file__)):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def refuse_decisions(network: nn.Module, given: Tensor) -> None:
    """Raise UnusableBlock for a network that hands numbers to Python.  given: (batch, d)."""
    with torch.no_grad(), _NoDecisions():
        network(given.clone())
