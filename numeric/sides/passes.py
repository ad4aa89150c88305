"""The measured sides: the module's own forward passes, read by hooks.

The left side is the block with its context. The right side is the same module on the whole batch, without the removed part of the context; where an
operator reads the first weight (or what else a claim has changed), it is given one for each case (``operators/own_parameters.py``). Nothing of the block is
written a second time, and what is not patched runs by the same kernels in both.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock, UnusableBlock
from numeric.architecture.wiring import INPUT, leaves
from numeric.formats import Mode, round_to, torch_dtype
from numeric.machine import ProbedMode
from numeric.operators.own_parameters import NoBatchedForm, own_rows
from symbolic import formulas

Adapter = Callable[[Tensor, Tensor], Tensor]
"""What stands for a first layer's output, from its input and its output."""

Numbers = TypeVar("Numbers")

CARRIED = "the contextual layer"
"""The name of its output among what is heard; no module has it."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one forward pass computed."""

    attended: Tensor
    """(cases, d): what the first dense layer received, the contextual layer's output or, in a block with a norm, what that made of it."""
    carried: Tensor
    """(cases, d): the contextual layer's output."""
    layers: dict[str, Tensor]
    """(cases, width): the output of each leaf of the network, by name."""
    output: Tensor
    """(cases, d_out): the block's output."""

    def first(self, block: ContextualBlock) -> Tensor:
        """(cases, m): the output of the first dense layer; of several, one after the other."""
        return torch.cat([self.layers[name] for name in block.first_layers], dim=-1)

    def part(self, cases: int) -> "Pass":
        """What it computed for the first cases."""
        layers = {name: output[:cases] for name, output in self.layers.items()}
        return Pass(self.attended[:cases], self.carried[:cases], layers, self.output[:cases])


@dataclass(frozen=True, slots=True)
class Patch(Generic[Numbers]):
    """What a patched pass puts into the block, case by case: tensors, or tensors with their radii."""

    parameters: dict[str, Numbers] = field(default_factory=dict)
    """By the parameter's name in the block: (cases, *shape)."""
    factors: dict[str, tuple[Numbers, Numbers]] = field(default_factory=dict)
    """By the first layer's name, v (cases, m, 1) and a (cases, d, 1) of a patch v (aᵀx/‖a‖²) that is added to what it computes from x."""


@contextmanager
def _listening(block: ContextualBlock, adapters: Mapping[str, Adapter]) -> Iterator[dict[str, Tensor]]:
    """Record the contextual layer's output, the network's input, and the output of each leaf of the network under its name.

    adapters: by the name of a first layer.
    """
    heard: dict[str, Tensor] = {}
    assert isinstance(block.contextual, nn.Module)
    with ExitStack() as hooks:
        hooks.enter_context(block.contextual.register_forward_hook(lambda _, __, output: heard.__setitem__(CARRIED, output)))
        hooks.enter_context(block.network.register_forward_pre_hook(lambda _, inputs: heard.__setitem__(INPUT, inputs[0])))
        for name, adapter in adapters.items():
            layer = block.network.get_submodule(name)
            hooks.enter_context(layer.register_forward_hook(lambda _, inputs, output, adapter=adapter: adapter(inputs[0], output)))
        for name, module in leaves(block.network):
            hooks.enter_context(module.register_forward_hook(lambda _, __, output, name=name: heard.__setitem__(name, output)))
        yield heard


@contextmanager
def _storing(block: ContextualBlock, mode: Mode) -> Iterator[None]:
    """What the contextual layer and the norm return is stored in the mode's activations, whatever a layer with parameters of its own made of it.

    What the network reads is rounded to the mode's inputs.
    """

    def stored(_: nn.Module, __: object, output: Tensor) -> Tensor:
        return output.to(torch_dtype(mode.activations))

    def read(_: nn.Module, __: object, output: Tensor) -> Tensor:
        output = output.to(torch_dtype(mode.activations))
        return output if mode.inputs is None else round_to(output, mode.inputs)

    assert isinstance(block.contextual, nn.Module)
    of_norm = nullcontext() if block.norm is None else block.norm.register_forward_hook(read)
    with block.contextual.register_forward_hook(read if block.norm is None else stored), of_norm:
        yield


def attend(block: ContextualBlock, context: Tensor | None, query: Tensor, probed: ProbedMode) -> Tensor:
    """A(context, query) alone, of a block without a norm.  context: (cases, n, d_in) or None; query: (cases, d_in). Returns (cases, d)."""
    assert block.norm is None
    with torch.no_grad(), _storing(block, probed.mode), probed.mode.while_running(probed.device)():
        attended = block.contextual(context, query)
    assert isinstance(attended, Tensor)
    return attended


def forward(block: ContextualBlock, context: Tensor | None, query: Tensor, probed: ProbedMode) -> Pass:
    """The block's forward pass.  context: (cases, n, d_in) or None; query: (cases, d_in)."""
    with torch.no_grad(), _storing(block, probed.mode), _listening(block, {}) as heard, probed.mode.while_running(probed.device)():
        output = block(context, query)
    return Pass(heard.pop(INPUT), heard.pop(CARRIED), dict(heard), output)


def patched_forward(
    block: ContextualBlock, kept: Tensor | None, query: Tensor, patch: Patch[Tensor], probed: ProbedMode, carried: Tensor | None = None
) -> Pass:
    """The block's forward pass with its own parameters for each case.

    kept: C∖Y, (cases, n, d_in) or None; query: (cases, d_in).
    carried: (cases, d), what another patched pass found A(C∖Y,x) to be; the contextual layer is not run again then.
    """

    walk = own_rows(block, patch.parameters, (query, kept, carried))
    adapters = {name: partial(_adapted, factors) for name, factors in patch.factors.items()}
    # What the network is given is data, even if the contextual layer made it outside of torch.
    given = block.network.register_forward_pre_hook(lambda _, inputs: walk.data.add(inputs))
    with given, _storing(block, probed.mode), _handing_on(block, carried), _listening(block, adapters) as heard, torch.no_grad(), probed.layer.running(), walk:
        try:
            output = block(kept, query)
        except NoBatchedForm as error:
            raise UnusableBlock(f"{error}; a patched layer is to be read by a matrix product.") from error
    return Pass(heard.pop(INPUT), heard.pop(CARRIED), dict(heard), output)


class _Handed(nn.Module):
    """Stands for a contextual layer that has run already, and hands on what it computed."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return self.output


@contextmanager
def _handing_on(block: ContextualBlock, carried: Tensor | None) -> Iterator[None]:
    """While this lasts the contextual layer is not run, if what it computes is known.  carried: (cases, d) or None."""
    if carried is None:
        yield
        return
    layer, block.contextual = block.contextual, _Handed(carried)
    try:
        yield
    finally:
        block.contextual = layer


def _adapted(factors: tuple[Tensor, Tensor], inputs: Tensor, output: Tensor) -> Tensor:
    """A first layer's output with a low-rank patch added to it, in the arithmetic of the patch.  inputs: (cases, d); output: (cases, m)."""
    v, a = factors
    added = formulas.factored_update(v, a, inputs.to(v.dtype).unsqueeze(-1))
    return (output.to(v.dtype).unsqueeze(-1) + added).squeeze(-1).to(output.dtype)
