"""The measured sides: the module's own forward passes, read by hooks.

The left side is the block with its context. The right side is the same module, without the removed part of the context,
with another first weight (and last bias) put in its place by ``torch.func.functional_call``, one patch a case under
``vmap``. Nothing of the block is written a second time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from numeric.contextual_block import ContextualBlock, UnusableBlock
from numeric.modes import Mode
from numeric.probe import Probed
from numeric.tensors import round_to, torch_dtype
from symbolic import formulas

Adapter = Callable[[Tensor, Tensor], Tensor]
"""What stands for the first layer's output, from its input and its output."""


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
def _listening(block: ContextualBlock, adapter: Adapter | None) -> Iterator[dict[str, Tensor]]:
    """Record the first layer's input under "" and the output of each leaf of the network under its name."""
    heard: dict[str, Tensor] = {}
    handles = [block.first.register_forward_pre_hook(lambda _, inputs: heard.__setitem__("", inputs[0]))]
    if adapter is not None:
        handles.append(block.first.register_forward_hook(lambda _, inputs, output: adapter(inputs[0], output)))
    for name, module in leaves(block.network):
        handles.append(module.register_forward_hook(lambda _, __, output, name=name: heard.__setitem__(name, output)))
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _storing(block: ContextualBlock, mode: Mode) -> Iterator[None]:
    """The contextual layer's output is stored in the mode's activations, whatever a layer with parameters of its own made of them."""

    def stored(_: nn.Module, __: object, output: Tensor) -> Tensor:
        output = output.to(torch_dtype(mode.activations))
        return output if mode.inputs is None else round_to(output, mode.inputs)

    assert isinstance(block.contextual, nn.Module)
    handle = block.contextual.register_forward_hook(stored)
    try:
        yield
    finally:
        handle.remove()


def leaves(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules of a network that hold no others, in the order of registration."""
    return [(name, module) for name, module in network.named_modules() if not list(module.children())]


def attend(block: ContextualBlock, context: Tensor | None, query: Tensor, probed: Probed) -> Tensor:
    """A(context, query) alone.  context: (cases, n, d_in) or None; query: (cases, d_in). Returns (cases, d)."""
    with torch.no_grad(), _storing(block, probed.mode), probed.mode.layer_context(probed.device)():
        found = block.contextual(context, query)
    assert isinstance(found, Tensor)
    return found


def forward(block: ContextualBlock, context: Tensor | None, query: Tensor, probed: Probed) -> Pass:
    """The block's forward pass.  context: (cases, n, d_in) or None; query: (cases, d_in)."""
    with torch.no_grad(), _storing(block, probed.mode), _listening(block, None) as heard, probed.mode.layer_context(probed.device)():
        output = block(context, query)
    return Pass(heard.pop(""), dict(heard), output)


def patched_forward(
    block: ContextualBlock, kept: Tensor | None, query: Tensor, patch: dict[str, Tensor], probed: Probed, adapter: tuple[Tensor, Tensor] | None = None
) -> Pass:
    """The block's forward pass with its own parameters for each case.

    kept: C∖Y, (cases, n, d_in) or None; query: (cases, d_in); patch: by the parameter's name, (cases, *shape).
    adapter: v (cases, m, 1) and a (cases, d, 1), for a patch that is added to what the first layer computes, v (aᵀx/‖a‖²).
    """

    def one(
        parameters: dict[str, Tensor], context: Tensor | None, x: Tensor, factors: tuple[Tensor, Tensor] | None, found: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        if found is not None:
            assert isinstance(block.contextual, _Handed)
            block.contextual.found = found.unsqueeze(0)
        with _listening(block, None if factors is None else partial(_adapted, factors)) as heard:
            context = None if context is None else context.unsqueeze(0)
            output = functional_call(block, parameters, (context, x.unsqueeze(0)))
        return heard.pop("").squeeze(0), {name: value.squeeze(0) for name, value in heard.items()}, output.squeeze(0)

    # vmap has rules for the plain attention kernel only; the fused ones would run case by case. Both passes that must
    # find the same A(C∖Y,x), this one with and without the patch, use it.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), _storing(block, probed.mode), probed.layer.running(), _batchable(block, kept, query) as handed:
        dims = (0, None if kept is None else 0, 0, None if adapter is None else 0, None if handed is None else 0)
        attended, layers, output = vmap(one, in_dims=dims)(patch, kept, query, adapter, handed)
    return Pass(attended, layers, output)


class _Handed(nn.Module):
    """Stands for a contextual layer that has run already, and hands on what it computed."""

    found: Tensor

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return self.found


@contextmanager
def _batchable(block: ContextualBlock, kept: Tensor | None, query: Tensor) -> Iterator[Tensor | None]:
    """Nothing if vmap can run the contextual layer; else what the layer computes for the whole batch, handed on to each case while this lasts.

    PyTorch's recurrent layers are kernels for which vmap has no rule. Yields (cases, d) or None.
    """
    if block.batches is None:
        block.batches = _has_batching_rules(block, kept, query)
    if block.batches:
        yield None
        return
    layer, block.contextual = block.contextual, _Handed()
    try:
        yield layer(kept, query)
    finally:
        block.contextual = layer


def _has_batching_rules(block: ContextualBlock, kept: Tensor | None, query: Tensor) -> bool:
    def one(context: Tensor | None, x: Tensor) -> Tensor:
        found = block.contextual(None if context is None else context.unsqueeze(0), x.unsqueeze(0))
        assert isinstance(found, Tensor)
        return found

    try:
        vmap(one, in_dims=(None if kept is None else 0, 0))(None if kept is None else kept[:2], query[:2])
    except RuntimeError as error:
        if "Batching rule not implemented" not in str(error):
            raise
        return False
    return True


def _adapted(factors: tuple[Tensor, Tensor], inputs: Tensor, output: Tensor) -> Tensor:
    """The first layer's output with a low-rank patch added to it, in the arithmetic of the patch.  inputs: (1, d); output: (1, m)."""
    v, a = factors
    added = formulas.factored_update(v, a, inputs.to(v.dtype).mT)
    return (output.to(v.dtype).mT + added).mT.to(output.dtype)


def weight_name(block: ContextualBlock) -> str:
    """The first weight's name in the block."""
    return ".".join(part for part in ("network", block.first_layer, "weight") if part)


def last_bias_name(block: ContextualBlock) -> str:
    """The name of b′, the last layer's bias, in the block."""
    name, last = leaves(block.network)[-1]
    if not isinstance(last, nn.Linear) or last.bias is None:
        raise UnusableBlock(f'Definition A.1 ends in a dense layer with a bias b′; "{name}" of the network, a {type(last).__name__}, is none.')
    return f"network.{name}.bias"
