"""The measured sides: the module's own forward passes, read by hooks.

The left side is the block with its context. The right side is the same module, without the removed part of the context,
with another first weight (and last bias) put in its place by ``torch.func.functional_call``, one patch a case under
``vmap``. Nothing of the block is written a second time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from numeric.contextual_block import ContextualBlock, UnusableBlock


@dataclass(frozen=True, slots=True)
class Pass:
    """What one forward pass computed."""

    attended: Tensor
    """(cases, d): the contextual layer's output as the first dense layer received it."""
    layers: dict[str, Tensor]
    """(cases, width): the output of each leaf of the network, by name."""
    output: Tensor
    """(cases, d_out): the block's output."""


@contextmanager
def _listening(block: ContextualBlock) -> Iterator[dict[str, Tensor]]:
    """Record the first layer's input under "" and the output of each leaf of the network under its name."""
    heard: dict[str, Tensor] = {}
    handles = [block.first.register_forward_pre_hook(lambda _, inputs: heard.__setitem__("", inputs[0]))]
    for name, module in leaves(block.network):
        handles.append(module.register_forward_hook(lambda _, __, output, name=name: heard.__setitem__(name, output)))
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def leaves(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules of a network that hold no others, in the order of registration."""
    return [(name, module) for name, module in network.named_modules() if not list(module.children())]


def forward(block: ContextualBlock, context: Tensor | None, query: Tensor) -> Pass:
    """The block's forward pass.  context: (cases, n, d_in) or None; query: (cases, d_in)."""
    with torch.no_grad(), _listening(block) as heard:
        output = block(context, query)
    return Pass(heard.pop(""), dict(heard), output)


def patched_forward(block: ContextualBlock, kept: Tensor | None, query: Tensor, patch: dict[str, Tensor]) -> Pass:
    """The block's forward pass with its own parameters for each case.

    kept: C∖Y, (cases, n, d_in) or None; query: (cases, d_in); patch: by the parameter's name, (cases, *shape).
    """

    def one(parameters: dict[str, Tensor], context: Tensor | None, x: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        with _listening(block) as heard:
            context = None if context is None else context.unsqueeze(0)
            output = functional_call(block, parameters, (context, x.unsqueeze(0)))
        return heard.pop("").squeeze(0), {name: value.squeeze(0) for name, value in heard.items()}, output.squeeze(0)

    # vmap has rules for the plain attention kernel only; the fused ones would run case by case. Both passes that must
    # find the same A(C∖Y,x), this one with and without the patch, use it.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        attended, layers, output = vmap(one, in_dims=(0, None if kept is None else 0, 0))(patch, kept, query)
    return Pass(attended, layers, output)


def weight_name(block: ContextualBlock) -> str:
    """The first weight's name in the block."""
    return ".".join(part for part in ("network", block.first_layer, "weight") if part)


def last_bias_name(block: ContextualBlock) -> str:
    """The name of b′, the last layer's bias, in the block."""
    name, last = leaves(block.network)[-1]
    if not isinstance(last, nn.Linear) or last.bias is None:
        raise UnusableBlock(f'Definition A.1 ends in a dense layer with a bias b′; "{name}" of the network, a {type(last).__name__}, is none.')
    return f"network.{name}.bias"
