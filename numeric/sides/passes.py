"""The measured sides: the module's own forward passes, read by hooks.

The left side is the block with its context. The right side is the same module, without the removed part of the context,
with another first weight (and what else a claim has changed) put in its place by ``torch.func.functional_call``, one patch a case under
``vmap``. Nothing of the block is written a second time.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from numeric.architecture import ContextualBlock
from numeric.architecture.wiring import INPUT, leaves
from numeric.formats import Mode, round_to, torch_dtype
from numeric.machine import ProbedMode
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


@contextmanager
def _each_a_row(block: ContextualBlock) -> Iterator[None]:
    """Under vmap a case's input of a dense layer is one row, with the stride that torch gives a row which it has just made of a vector.

    A library may choose its kernel by the stride of an axis with one entry, and that of a slice is another; no rule would know it.
    """
    with ExitStack() as hooks:
        for _, module in leaves(block.network):
            if isinstance(module, nn.Linear):
                hooks.enter_context(module.register_forward_pre_hook(lambda _, inputs: (inputs[0].squeeze(0).unsqueeze(0),)))
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

    def one(
        parameters: dict[str, Tensor], context: Tensor | None, x: Tensor, factors: dict[str, tuple[Tensor, Tensor]], known: Tensor | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        if known is not None:
            assert isinstance(block.contextual, _Handed)
            block.contextual.output = known.unsqueeze(0)
        with _listening(block, {name: partial(_adapted, some) for name, some in factors.items()}) as heard, _each_a_row(block):
            context = None if context is None else context.unsqueeze(0)
            output = functional_call(block, parameters, (context, x.unsqueeze(0)))
        return {name: value.squeeze(0) for name, value in heard.items()}, output.squeeze(0)

    # vmap has rules for the plain attention kernel only; the fused ones would run case by case. Both passes that must
    # find the same A(C∖Y,x), this one with and without the patch, use it.
    of_each_case = all(f"network.{name}.weight" in patch.parameters for name in block.first_layers)
    batchable = _batchable(block, kept, query, carried, weights_of_each_case=of_each_case)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), _storing(block, probed.mode), probed.layer.running(), batchable as handed:
        dims = (0 if patch.parameters else None, None if kept is None else 0, 0, 0 if patch.factors else None, None if handed is None else 0)
        heard, output = vmap(one, in_dims=dims)(patch.parameters, kept, query, patch.factors, handed)
    return Pass(heard.pop(INPUT), heard.pop(CARRIED), heard, output)


class _Handed(nn.Module):
    """Stands for a contextual layer that has run already, and hands on what it computed."""

    output: Tensor

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return self.output


@contextmanager
def _batchable(block: ContextualBlock, kept: Tensor | None, query: Tensor, carried: Tensor | None, *, weights_of_each_case: bool) -> Iterator[Tensor | None]:
    """Nothing if vmap runs the contextual layer case by case; else what the layer computes for the whole batch, handed on to each case while this lasts.

    PyTorch's recurrent layers are kernels for which vmap has no rule. A layer that returns one vector whatever the query is run once, and so would be all
    that is behind it and not patched itself: on one row, for which a library may choose another kernel than for the rows of all cases.
    carried: what the layer computed, if that is known; weights_of_each_case: whether each case has its own weights of every first layer, which runs case by
    case then. Yields (cases, d) or None.
    """
    if block.batches is None:
        block.batches = _has_batching_rules(block, kept, query)
    if block.batches and carried is None and (weights_of_each_case or kept is not None or _differs_from_case_to_case(block, query)):
        yield None
        return
    layer, block.contextual = block.contextual, _Handed()
    try:
        computed = layer(kept, query) if carried is None else carried
        yield computed.contiguous() if block.batches and carried is None else computed  # one vector, expanded: each case has its own row
    finally:
        block.contextual = layer


def _has_batching_rules(block: ContextualBlock, kept: Tensor | None, query: Tensor) -> bool:
    try:
        _few_cases(block, kept, query, 0)
    except RuntimeError as error:
        if "Batching rule not implemented" not in str(error):
            raise
        return False
    return True


def _differs_from_case_to_case(block: ContextualBlock, query: Tensor) -> bool:
    """Whether A(∅, x) depends on x at all: vmap refuses to return what does as one vector for all."""
    try:
        _few_cases(block, None, query, None)
    except ValueError as error:
        if "out_dim" not in str(error):
            raise
        return True
    return False


def _few_cases(block: ContextualBlock, kept: Tensor | None, query: Tensor, out_dims: int | None) -> None:
    """Run the contextual layer under vmap."""

    def one(context: Tensor | None, x: Tensor) -> Tensor:
        output = block.contextual(None if context is None else context.unsqueeze(0), x.unsqueeze(0))
        assert isinstance(output, Tensor)
        return output

    vmap(one, in_dims=(None if kept is None else 0, 0), out_dims=out_dims)(None if kept is None else kept[:2], query[:2])


def _adapted(factors: tuple[Tensor, Tensor], inputs: Tensor, output: Tensor) -> Tensor:
    """A first layer's output with a low-rank patch added to it, in the arithmetic of the patch.  inputs: (1, d); output: (1, m)."""
    v, a = factors
    # A column as the rule has it, strides and all: a library may choose its kernel by the stride of an axis with one entry.
    added = formulas.factored_update(v, a, inputs.to(v.dtype).squeeze(0).unsqueeze(-1))
    return (output.to(v.dtype).mT + added).mT.to(output.dtype)
