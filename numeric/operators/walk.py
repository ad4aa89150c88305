"""The walk over what a module executes: every ATen operator, once, with the line of the code that called it.

What the machine executes are operators, and a mode (``formats/operator_mode.py``) sees all of them, on real tensors, in any module, function or hook.
Each operator is executed exactly once.

Not seen: a number or an array that has left torch (``.item()``, numpy). Seen as one operator: fused fast paths, which are switched off, and
operators whose inside is not ATen (``opaque``).
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload

from numeric.formats import emulation, operator_mode
from numeric.formats.operator_mode import OperatorMode
from numeric.operators.executions import CallSite, Execution

_TORCH, _HERE = os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.abspath(__file__)) + os.sep
_OURS = tuple(str(module.__file__) for module in (operator_mode, emulation))
"""Files of the wing below that stand between a module and what is executed."""

OPAQUE = frozenset(
    {
        "aten._transformer_encoder_layer_fwd.default",
        "aten._native_multi_head_attention.default",
        "aten.mkldnn_rnn_layer.default",
        "aten._thnn_fused_lstm_cell.default",
        "aten._thnn_fused_gru_cell.default",
        "aten._cudnn_rnn.default",
        "aten.miopen_rnn.default",
    }
)
"""Operators of ATen that are whole layers."""


def opaque(operator: OpOverload) -> bool:
    """Whether what an operator does inside is unknown: a fused layer, or one of another library (custom, quantised)."""
    return operator.namespace not in ("aten", "prims") or str(operator) in OPAQUE


def calling_line() -> str:
    """``file.py:12`` of the innermost frame that is neither torch's nor this wing's."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_TORCH, _HERE, *_OURS, "<")):
            return f"{os.path.basename(name)}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return "?"


class PassEnded(Exception):
    """A walk ends a pass, for a reason of its own."""


class Walk(OperatorMode):
    """Executes every operator once, after numbering it by its place."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self.met: Counter[tuple[str, str]] = Counter()

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The results of one operator, which is numbered by its place first."""
        where = str(operator), calling_line()
        place = CallSite(*where, self.met[where])
        self.met[where] += 1
        return self.execute(Execution(place, operator, args, kwargs))

    def execute(self, step: Execution) -> Any:
        """Execute one operator; a walk that does more says here what."""
        return step.result()


@contextmanager
def operators_apart() -> Iterator[None]:
    """Run code operator by operator: without gradients, compiled code as it was written, PyTorch's fused layers taken apart."""
    fused = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(torch.jit.optimized_execution(False))  # type: ignore[attr-defined]  # it is documented
        stack.callback(torch.backends.mha.set_fastpath_enabled, fused)
        torch.backends.mha.set_fastpath_enabled(False)
        yield


def switched_off(module: nn.Module) -> list[str]:
    """What of a module does not run here as it usually does, in words."""
    parts = list(module.modules())
    found = []
    if any(isinstance(each, nn.TransformerEncoderLayer | nn.MultiheadAttention) for each in parts) and torch.backends.mha.get_fastpath_enabled():
        found.append("PyTorch's fused fast path of attention and encoder layers is switched off")
    if any(hasattr(each, "_orig_mod") or each._compiled_call_impl is not None for each in parts):
        found.append("compiled code runs as it was written, operator by operator")
    if any(isinstance(each, torch.jit.ScriptModule) for each in parts):
        found.append("scripted code runs unfused, operator by operator, and its lines are those of its caller")
    hooked = [f'"{name}"' if name else "the module" for name, each in module.named_modules() if each._forward_hooks or each._forward_pre_hooks]
    if hooked:
        found.append(f"the forward hooks of {', '.join(hooked)} run, and what they do is judged with the rest")
    return found
