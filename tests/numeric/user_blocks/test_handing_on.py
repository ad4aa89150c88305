"""Dropout and Identity, wherever they stand in a network, change nothing of how it is judged."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric import ContextualBlock, LargestOnly, Product, WeightedSum
from numeric.architecture import UnusableBlock, output_layers
from numeric.architecture.wiring import DROPOUTS, wiring
from numeric.user_blocks import own_block
from tests.numeric.user_blocks.sample_blocks import D, M, block, measured

KINDS: list[Callable[[], nn.Module]] = [nn.Identity, nn.Sequential, *DROPOUTS]

Between = Callable[[str], nn.Module]
"""What stands at a place of the network, by the place's name."""


def nothing(place: str) -> nn.Module:
    return nn.Sequential()


class Gated(nn.Module):
    """A gated network with a place in front of each module and at its end."""

    def __init__(self, between: Between, bias: bool) -> None:
        super().__init__()
        self.gate, self.act, self.up = nn.Linear(D, M, bias=bias), nn.SiLU(), nn.Linear(D, M, bias=bias)
        self.product, self.down = Product(), nn.Linear(M, D, bias=bias)
        self.between = nn.ModuleDict({place: between(place) for place in ("front", "gate", "act", "up", "product", "end")})

    def forward(self, a: Tensor) -> Tensor:
        at = self.between
        a = at["front"](a)
        return at["end"](self.down(at["product"](self.product(at["act"](self.act(at["gate"](self.gate(a)))), at["up"](self.up(a))))))


class Experts(nn.Module):
    """The better of two experts; places in front of the sum and behind it, one module at two of them."""

    def __init__(self, between: Between, bias: bool) -> None:
        super().__init__()
        self.router, self.gates, self.best = nn.Linear(D, 2), nn.Softmax(dim=1), LargestOnly(1)
        self.first, self.second = (nn.Sequential(nn.Linear(D, M), nn.ReLU(), nn.Linear(M, D, bias=bias)) for _ in range(2))
        self.sum = WeightedSum()
        self.between = nn.ModuleDict({place: between(place) for place in ("front", "gates", "experts", "end")})

    def forward(self, a: Tensor) -> Tensor:
        at = self.between
        a = at["front"](a)
        gates = at["gates"](self.best(self.gates(self.router(a))))
        return at["end"](self.sum(gates, at["experts"](self.first(a)), at["experts"](self.second(a))))


def plain(between: Between, bias: bool) -> nn.Module:
    layers = [("first", nn.Linear(D, M)), ("act", nn.GELU()), ("last", nn.Linear(M, D, bias=bias))]
    parts = [part for name, layer in layers for part in ((f"at_{name}", between(name)), (name, layer))]
    return nn.Sequential(OrderedDict([*parts, ("at_end", between("end"))]))


NETWORKS: dict[str, tuple[Callable[[Between, bool], nn.Module], list[str]]] = {
    "plain": (plain, ["first"]),
    "gated": (Gated, ["gate", "up"]),
    "experts": (Experts, ["router", "first.0", "second.0"]),
}
FORMS: dict[str, Callable[[], dict[str, object]]] = {
    "alone": dict,
    "stream": lambda: {"norm": nn.LayerNorm(D)},
    "parallel": lambda: {"norm": nn.LayerNorm(D), "parallel": True},
}


def made(network: str, form: str, between: Between, *, bias: bool) -> ContextualBlock:
    build, first = NETWORKS[network]
    torch.manual_seed(1)
    return block(net=build(between, bias), first=first, **FORMS[form]())


@st.composite
def betweens(draw: st.DrawFn) -> Between:
    """At each place none, one or several modules that hand on, alone or nested."""

    def between(place: str) -> nn.Module:
        modules = [kind() for kind in draw(st.lists(st.sampled_from(KINDS), max_size=3), label=place)]
        return modules[0] if len(modules) == 1 else nn.Sequential(*modules)

    return between


@pytest.mark.filterwarnings("ignore:dropout[23]d. Received a 2-D input")
@settings(max_examples=10, deadline=None)
@given(between=betweens(), network=st.sampled_from(list(NETWORKS)), form=st.sampled_from(list(FORMS)), bias=st.booleans())
def test_the_same_modules_are_followed_and_patched(between: Between, network: str, form: str, bias: bool) -> None:
    without, with_them = (made(network, form, each, bias=bias).eval() for each in (nothing, between))
    calls = wiring(with_them)
    assert calls == wiring(without)
    if form != "alone":
        assert output_layers(with_them, calls) == output_layers(without, calls)
    own_block("mine", with_them)


@pytest.mark.soak
def test_the_same_numbers_are_measured() -> None:
    """Also in front of the sum and behind it, where the experts' matrices take what the stream lacks."""
    ours, theirs = (measured("formula", made("experts", "stream", each, bias=False)) for each in (lambda place: nn.Dropout(0.5), nothing))
    assert ours.counts == theirs.counts
    assert ours.verdict.value == "HOLDS"
    assert (ours.judged.error == theirs.judged.error).all()
    assert (ours.judged.output_ratio == theirs.judged.output_ratio).all()


class Doubling(nn.Identity):
    """An Identity by name."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Dropping(nn.Dropout):
    """Stays in training mode, whatever it is told."""

    def train(self, mode: bool = True) -> nn.Module:
        return super().train(True)


def replaced() -> nn.Module:
    module = nn.Identity()
    module.forward = lambda x: 2 * x  # type: ignore[method-assign, assignment]
    return module


def in_training() -> nn.Module:
    module = nn.Dropout()
    module.train = lambda mode=True: module  # type: ignore[method-assign]
    return module


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Doubling, "a subclass of Identity"),
        (Dropping, "a subclass of Dropout"),
        (replaced, "its forward was replaced"),
        (in_training, "stays in training mode"),
    ],
)
def test_what_only_looks_like_them_is_refused(kind: Callable[[], nn.Module], said: str) -> None:
    """The planted negatives, behind the last layer, in front of the first one and inside."""
    for place in ("first", "last", "end"):
        with pytest.raises(UnusableBlock, match=said if place != "first" else f"{said}|stands between"):
            own_block("mine", made("plain", "stream", lambda at, place=place: kind() if at == place else nothing(at), bias=True))
