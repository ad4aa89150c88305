"""How a network's modules hang together, seen in one forward pass: which reads what which returned.

A bound is carried from module to module, so what the modules compute has to be what the network computes. That is so if every
module without children is called once, reads the very tensors that others before it returned or the network was given, and the
network returns the very tensor that its last one returned. A skip that nobody declared, a module that is used twice or a number
that is added on the way breaks it.

Modules that hand on what they are given (``hands_on``) compute nothing and are no calls: who reads what one returned reads what it was given.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric.architecture.contextual_block import AS_WRITTEN, ContextualBlock
from numeric.architecture.unusable import UnusableBlock

INPUT = ""
"""The name of what the network is given."""

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
"""They return what they are given, but for training mode."""


@dataclass(frozen=True, slots=True)
class Call:
    """One module of the network at work."""

    name: str
    reads: tuple[str, ...]
    """The modules whose results it is given, ``INPUT`` for the network's own input."""


class _Made:
    """A tensor on its way, and whether it is still what it was."""

    def __init__(self, tensor: Tensor, by: str) -> None:
        self.tensor, self.by = tensor, by
        self._version, self._copy = tensor._version, tensor.clone()

    @property
    def changed(self) -> bool:
        # A version does not count what is done to .data, and a copy not what happens to change nothing here.
        return self.tensor._version != self._version or not torch.equal(torch.nan_to_num(self.tensor), torch.nan_to_num(self._copy))


def _counted(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of one that was made in inference mode: what happens in place to such a one is not counted."""
    with torch.inference_mode(False):
        return tensor.clone() if tensor.is_inference() else tensor


def leaves(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules of a network that hold no others, in the order of registration."""
    return [(name, module) for name, module in network.named_modules() if not list(module.children())]


def hands_on(module: nn.Module) -> bool:
    """Whether a module without children returns what it is given: by its exact type, as a subclass may compute something else."""
    if "forward" in vars(module):
        return False
    return type(module) in (nn.Identity, nn.Sequential) or (type(module) in DROPOUTS and not module.training)


def wiring(block: ContextualBlock, given: Tensor | None = None) -> tuple[Call, ...]:
    """The calls of the block's network in their order. Raises UnusableBlock where it cannot be followed.

    given: (batch, d), what the network is given while it is watched; without it, some numbers between -1 and 1.
    """
    first = block.first.weight
    with torch.no_grad():
        if given is None:
            given = torch.linspace(-1.0, 1.0, 2 * first.shape[1], dtype=torch.float64).reshape(2, -1).to(first.device, first.dtype)
        return _followed(block.network, given)


def _followed(network: nn.Module, given: Tensor) -> tuple[Call, ...]:
    """given: (batch, d)."""
    calls: list[Call] = []
    handing_on = {name for name, module in leaves(network) if hands_on(module)}
    given = _counted(given)
    made: list[_Made] = [_Made(given, INPUT)]  # holds the tensors, so that no two of them are one

    def heard(name: str, inputs: tuple[object, ...], named: dict[str, object], output: object) -> Tensor:
        before = f"what {calls[-1].name!r} returned" if calls else "what the contextual layer returned"
        reads = [next((each.by for each in reversed(made) if each.tensor is x), None) for x in inputs]
        if named or not inputs:
            raise UnusableBlock(f'"{name}" of the network is given its input by name; what it reads can be seen of plain arguments alone.')
        if None in reads or not isinstance(output, Tensor):
            raise UnusableBlock(
                f'"{name}" of the network does not receive {before}, nor what another module returned. Only modules that hand tensors on to each other can '
                "be followed: something stands between them, or one is used twice, or there is a skip connection in the network that was not declared "
                f"(ContextualBlock's skip is Definition A.1's). Write it so, or {AS_WRITTEN}."
            )
        readable = tuple(who for who in reads if who is not None)
        if name in handing_on:
            name = readable[0]
        else:
            calls.append(Call(name, readable))
        output = _counted(output)
        made.append(_Made(output, name))
        return output

    handles = [
        module.register_forward_hook(lambda _, inputs, named, output, name=name: heard(name, inputs, named, output), with_kwargs=True)
        for name, module in leaves(network)
    ]
    try:
        output = network(given)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(output, Tensor):
        raise UnusableBlock(f"the network returned {type(output).__name__}; let it return the tensor of its last module alone, (batch, d_out).")
    for each in made:
        if each.changed:
            what = f'what "{each.by}" of the network returned' if each.by else "what the contextual layer returned"
            raise UnusableBlock(f"{what} is changed in place afterwards (inplace=True, or an operator like +=), so that it is not what is read.")
    if not calls:
        raise UnusableBlock("no module of the network was called.")
    if calls[-1].name != next((each.by for each in reversed(made) if each.tensor is output), None):
        raise UnusableBlock(
            f'the network does not return what its last module, "{calls[-1].name}", returned: something is added after it, or a skip was not declared; '
            f"write it so, or {AS_WRITTEN}."
        )
    names = [call.name for call in calls]
    uncalled = [name for name, _ in leaves(network) if name not in names and name not in handing_on]
    if uncalled or len(set(names)) < len(names):
        raise UnusableBlock(f"the network's modules are not called once each: {', '.join(names)}. Give each call a module of its own, or {AS_WRITTEN}.")
    return tuple(calls)
