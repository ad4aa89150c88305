"""Compiled parts run as they were written, no compiler starts, and they are named; scripted ones are refused where their modules have to be watched."""

from collections.abc import Callable, Sequence
from typing import Optional

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.architecture import UnusableBlock
from numeric.machine.environment_questions import plain_switches
from numeric.user_blocks import own_block
from numeric.user_blocks.user_block import CompiledCode
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import Average, D, block, measured, network

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit")  # scripting is deprecated, and there is scripted code


def starts(graph: object, operands: Sequence[Tensor]) -> Callable[..., Tensor]:
    """A compiler that must not start."""
    raise AssertionError("a compiler starts")


def compiled(part: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return torch.compile(part, backend=starts)


def in_place(module: nn.Module) -> nn.Module:
    module.compile(backend=starts)
    return module


def as_it_is(part: nn.Module) -> nn.Module:
    return part


def plain(change: Callable[..., Callable[..., Tensor]] = as_it_is) -> ContextualBlock:
    """A block of parts that are compiled, or whatever, before they are given."""
    torch.manual_seed(0)
    return ContextualBlock(change(Average()), change(network()), "0", input_width=D, norm=change(nn.LayerNorm(D)))  # type: ignore[arg-type]


def with_part(name: str, change: Callable[[nn.Module], object]) -> ContextualBlock:
    made = plain()
    setattr(made, name, change(getattr(made, name)))
    return made


def inside() -> ContextualBlock:
    made = plain()
    made.network[2] = compiled(made.network[2])
    in_place(made.network[0])
    made.contextual.map = compiled(made.contextual.map)
    return made


def by_its_compiled_name() -> ContextualBlock:
    torch.manual_seed(0)
    layers = network()
    layers[0] = compiled(layers[0])
    return ContextualBlock(Average(), compiled(layers), "_orig_mod.0._orig_mod", input_width=D, norm=nn.LayerNorm(D))


class DecoratedAverage(Average):
    @compiled
    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(context, query)


MADE: dict[str, tuple[Callable[[], object], list[str]]] = {
    "network": (lambda: with_part("network", compiled), ["network"]),
    "network, in place": (lambda: with_part("network", in_place), ["network"]),
    "contextual layer": (lambda: with_part("contextual", compiled), ["contextual"]),
    "contextual layer, in place": (lambda: with_part("contextual", in_place), ["contextual"]),
    "norm": (lambda: with_part("norm", compiled), ["norm"]),
    "block": (lambda: compiled(plain()), [""]),
    "block, in place": (lambda: in_place(plain()), [""]),
    "inside": (inside, ["contextual.map", "network.0", "network.2"]),
    "given so": (lambda: plain(compiled), ["contextual", "network", "norm"]),
    "by its compiled name": (by_its_compiled_name, ["network", "network.0"]),
    "decorated": (lambda: with_part("contextual", lambda plain: DecoratedAverage()), ["contextual"]),
    "function": (lambda: block(compiled(lambda context, query: query if context is None else query + context.mean(1))), ["contextual"]),
}


@pytest.mark.parametrize("what", MADE)
def test_what_is_compiled_is_taken_in_as_it_was_written(what: str) -> None:
    make, names = MADE[what]
    with pytest.warns(CompiledCode, match="the code as it was written is measured"):
        found = own_block("mine", make())
    assert sorted(found.compiled) == names
    assert own_block("mine", plain()).compiled == ()
    module = found.model.block
    with plain_switches():  # as it is measured
        assert module(torch.zeros(2, 3, D), torch.zeros(2, D)).shape == (2, D)


def test_it_would_start_otherwise() -> None:
    """The planted negative: the compiler above does start where nothing holds it back."""
    with pytest.raises(Exception, match="a compiler starts"):
        compiled(lambda x: x + 1)(torch.zeros(1))


@pytest.mark.soak
def test_its_numbers_are_those_of_the_code_as_it_was_written() -> None:
    with pytest.warns(CompiledCode, match='mine: of "contextual", "network", "norm" the code as it was written is measured'):
        ours = measured("formula", plain(compiled))
    theirs = measured("formula", plain())
    assert (ours.judged.error == theirs.judged.error).all()
    assert ours.counts == theirs.counts


class Scriptable(nn.Module):
    """A contextual layer that TorchScript can read."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(D, D)

    def forward(self, query: Tensor) -> Tensor:
        return self.map(query)


class Scripted(nn.Module):
    """A contextual layer, all of it for TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(D, D)

    def forward(self, context: Optional[Tensor], query: Tensor) -> Tensor:  # noqa: UP045  # TorchScript reads no X | None
        asked = query.unsqueeze(1)
        return self.map(asked.mean(1)) if context is None else self.map(torch.cat([context, asked], 1).mean(1))


class Half(Average):
    """A contextual layer of which a part is scripted."""

    def __init__(self) -> None:
        super().__init__()
        self.scripted = torch.jit.script(Scriptable())

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(context, self.scripted(query))


def part_of_the_network() -> ContextualBlock:
    layers = network()
    layers[1] = torch.jit.script(nn.ReLU())
    return block(net=layers)


SCRIPTED: dict[str, tuple[Callable[[], object], str]] = {
    "network": (lambda: block(net=torch.jit.script(network())), "the network is scripted"),
    "network, later": (lambda: with_part("network", torch.jit.script), "the network is scripted"),
    "traced network": (lambda: block(net=torch.jit.trace(network(), torch.zeros(2, D))), "the network is scripted"),
    "part of the network": (part_of_the_network, r'the network is scripted \(torch.jit\) \("1" of it\)'),
    "norm": (lambda: with_part("norm", torch.jit.script), "the norm is scripted"),
}


@pytest.mark.parametrize("what", SCRIPTED)
def test_what_is_scripted_cannot_be_watched(what: str) -> None:
    make, said = SCRIPTED[what]
    with pytest.raises(UnusableBlock, match=rf"{said}.*give it as it was before, or give the block as it is written"):
        own_block("mine", make())


def test_in_the_contextual_layer_it_is_only_run() -> None:
    own_block("mine", block(Half()))
    assert measured("formula", block(torch.jit.script(Scripted()))).verdict is Verdict.HOLDS
