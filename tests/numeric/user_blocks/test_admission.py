"""What the claims could not apply to is refused with the reason."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.architecture import UnusableBlock
from numeric.user_blocks import own_block
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import Average, D, M, SwiGlu, block, measured, network, reaching_for_its_direction


class Moving(nn.Module):
    """Which of its modules run depends on the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D)

    def forward(self, v: Tensor) -> Tensor:
        hidden = self.first(v)
        return self.last(self.act(hidden)) if len(v) > 2 else self.act(self.last(hidden))


def tied_output() -> ContextualBlock:
    layers = nn.Sequential(nn.Linear(D, D), nn.GELU(), nn.Linear(D, D, bias=False), nn.ReLU(), nn.Linear(D, D, bias=False))
    layers[2].weight = layers[4].weight
    return block(net=layers, norm=nn.LayerNorm(D))


def norm_with_the_output_matrix() -> ContextualBlock:
    layers = nn.Sequential(nn.Linear(D, M), nn.GELU(), nn.Linear(M, D, bias=False))
    norm = nn.Identity()
    norm.hidden = [layers[2]]
    norm.forward = lambda v: v + layers[2].weight.sum()
    return block(net=layers, norm=norm)


class Reshuffling(nn.Module):
    def forward(self, v: Tensor) -> Tensor:
        return v - v.mean(dim=0)


class Centred(nn.Module):
    """Changes what it was given in place; the tensor is the same, its numbers are not."""

    def __init__(self, *, data: bool = False) -> None:
        super().__init__()
        self.layers, self.data = network(), data

    def forward(self, v: Tensor) -> Tensor:
        changed = v.data if self.data else v
        changed -= changed.mean(dim=-1, keepdim=True)
        return self.layers(v)


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Linear(D, D), nn.ReLU()

    def forward(self, v: Tensor) -> Tensor:
        return self.act(input=self.first(v))


def hooked_block() -> ContextualBlock:
    made = block()
    made.register_forward_hook(lambda module, inputs, output: output + 1)
    return made


class SkipInside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = network()

    def forward(self, v: Tensor) -> Tensor:
        return v + self.layers(v)


class Rescaled(SkipInside):
    def forward(self, v: Tensor) -> Tensor:
        return self.layers(2.0 * v)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Linear(D, D), nn.ReLU()

    def forward(self, v: Tensor) -> Tensor:
        return self.act(self.first(self.act(self.first(v))))


def tied() -> nn.Module:
    layers = nn.Sequential(nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D))
    layers[2].weight = layers[0].weight
    return layers


class Noisy(Average):
    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(context, query) + torch.randn(D)


class Deaf(Average):
    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(None, query)


class Mixing(Average):
    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        found = super().forward(context, query)
        return found + found.mean(dim=0) * torch.arange(len(found)).unsqueeze(-1).flip(0)


class Normalised(Average):
    """Mixes cases in a way that does not depend on their order: as per-tensor quantisation does."""

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        found = super().forward(context, query)
        return found / found.abs().max()


def reaching_for_the_weight() -> ContextualBlock:
    """Tied behind the parameters' back: the layer is a function that uses W."""
    layers = network()
    return block(lambda context, query: layers[0](query if context is None else context.mean(dim=1))[..., :D], layers)


def holding_the_layer() -> ContextualBlock:
    layers = network()
    tied_to = Average()
    tied_to.hidden = [layers[0]]  # a list, which torch does not look into
    plain = tied_to.forward
    tied_to.forward = lambda context, query: plain(context, query) + tied_to.hidden[0](query)[..., :D]
    return block(tied_to, layers)


class NeedsContext(Average):
    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        assert context is not None, "give me a context"
        return super().forward(context, query)


class OwnForward(ContextualBlock):
    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(context, query) + query


class Gated(nn.Linear):
    pass


def with_nan() -> ContextualBlock:
    made = block()
    with torch.no_grad():
        made.first.weight[0, 0] = float("nan")
    return made


def hooked() -> ContextualBlock:
    made = block()
    made.first.register_forward_hook(lambda module, inputs, output: output + 1)
    return made


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no block": (lambda: nn.Linear(D, M), "returned a Linear, not a numeric.ContextualBlock"),
    "a forward of its own": (lambda: OwnForward(Average(), network(), "0", input_width=D), "has a forward of its own"),
    "a first layer that is none": (
        lambda: block(first="1"),
        'first_layer "1" is a ReLU and no nn.Linear of the network: name one of its dense layers, "0", "2"',
    ),
    "a first layer that is not there": (lambda: block(first="fc1"), '"fc1" is no module of the network; its dense layers .nn.Linear. are "0", "2"'),
    "a first layer of another class": (lambda: block(net=nn.Sequential(Gated(D, M), nn.ReLU(), nn.Linear(M, D))), '"0" is a Gated'),
    "a weight that is no number": (with_nan, "a NaN or an infinity"),
    "tied weights": (lambda: block(net=tied()), '"network.2.weight" is tied'),
    "a wrong width": (lambda: block(Average(D + 1)), r"returned \(8, 5\) on a context; the first dense layer takes \(8, 4\)"),
    "noise": (lambda: block(Noisy()), "not deterministic"),
    "a context that is ignored": (lambda: block(Deaf()), "ignores its context"),
    "mixed cases": (lambda: block(Mixing()), "mixes cases"),
    "cases mixed by their largest entry": (lambda: block(Normalised()), "mixes cases"),
    "a layer that uses W": (reaching_for_the_weight, "computes with the first layer's weight"),
    "a layer that hides the first one": (holding_the_layer, "computes with the first layer's weight"),
    "a width that is none": (lambda: ContextualBlock(Average(), network(), "0", input_width=4.0), "input_width is 4.0"),
    "a network that is its first layer": (lambda: block(net=nn.Linear(D, M), first=""), "wrap it in nn.Sequential"),
    "no values": (lambda: block().to("meta"), "on the meta device"),
    "no empty context": (lambda: block(NeedsContext()), r"fails on no context \(None\): AssertionError: give me a context"),
    "a layer in front": (lambda: block(net=network(nn.LayerNorm(D)), first="1"), r'"0" \(LayerNorm\) stands between'),
    "a skip inside": (lambda: block(net=SkipInside(), first="layers.0"), "a skip was not declared"),
    "a factor in front": (lambda: block(net=Rescaled(), first="layers.0"), '"layers.0" of the network does not receive what the contextual layer returned'),
    "a module used twice": (lambda: block(net=Twice(), first="first"), '"act" of the network|used twice|once each'),
    "an unknown module": (lambda: block(net=nn.Sequential(nn.Linear(D, M), nn.Tanh(), nn.Linear(M, D))), 'no rounding rule for "Tanh"'),
    "a hook": (hooked, '"0" of the network has a forward hook'),
    "a gated network of which one layer is named": (lambda: block(net=SwiGlu(), first="gate"), '"up" reads the network.s input like "gate"'),
    "a product that is no module": (lambda: block(net=SwiGlu(meeting=False), first=["gate", "up"]), '"product" of the network does not receive'),
    "a first layer that reads another": (lambda: block(first=["0", "2"]), '"2" does not read the network.s input but what "1" returned'),
    "a network that changes": (lambda: block(net=Moving(), first="first"), "which of them run depends on the numbers"),
    "a norm of another width": (lambda: block(norm=nn.Linear(D, D + 1)), r"the network is given \(8, 5\); its first dense layer takes \(8, 4\)"),
    "a norm that fails": (lambda: block(norm=nn.LayerNorm(D + 1)), "the norm fails on what the contextual layer returned"),
    "what it is given, changed in place": (lambda: block(net=Centred(), first="layers.0"), "is changed in place afterwards"),
    "the same behind torch's back": (lambda: block(net=Centred(data=True), first="layers.0"), "is changed in place afterwards"),
    "an activation in place": (
        lambda: block(net=nn.Sequential(nn.Linear(D, M), nn.ReLU(inplace=True), nn.Linear(M, D))),
        '"0" of the network returned is changed',
    ),
    "inputs by name": (lambda: block(net=ByName(), first="first"), '"act" of the network is given its input by name'),
    "a layer that uses the direction of W": (reaching_for_its_direction, "computes with the first layer's weight"),
    "a hook on the block": (hooked_block, "the block has a forward hook"),
    "one layer that is first and last": (lambda: block(net=nn.Sequential(nn.Linear(D, D)), norm=nn.LayerNorm(D)), '"0" is a first dense layer, and the last'),
    "an output matrix that is tied": (tied_output, "is tied to another weight"),
    "a norm that uses the output matrix": (norm_with_the_output_matrix, 'computes with "network.2.weight"'),
    "a norm that mixes cases": (lambda: block(norm=Reshuffling()), "mixes cases"),
    "a stream that nothing takes": (lambda: block(net=nn.Sequential(nn.Linear(D, D), nn.ReLU()), norm=nn.LayerNorm(D)), "nothing takes what the stream lacks"),
    "a stream of another width": (lambda: block(net=nn.Sequential(nn.Linear(D, M)), norm=nn.LayerNorm(D)), "which have 4 and 6 entries"),
    "a skip that does not fit": (lambda: block(net=nn.Sequential(nn.Linear(D, M)), skip=True), "have 4, 4 and 6 entries"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_claims_do_not_apply_to_is_refused(what: str) -> None:
    make, said = REFUSED[what]
    with pytest.raises(UnusableBlock, match=said):
        own_block("mine", make())


def test_a_norm_that_is_a_function_is_refused() -> None:
    with pytest.raises(UnusableBlock, match=r"give it as an nn\.Module"):
        block(norm=lambda v: v)


def test_a_use_of_w_that_was_overlooked_is_violated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The patched pass then finds another A(C∖Y,x), and nothing forgives it."""
    monkeypatch.setattr("numeric.user_blocks.admission._refuse_use_of", lambda *arguments: None)
    found = measured("formula", reaching_for_its_direction())
    assert found.verdict is Verdict.VIOLATED
    assert found.counts[Verdict.VIOLATED] == 128


def test_looking_at_a_block_leaves_its_weights_alone() -> None:
    made = block()
    before = {name: weight.clone() for name, weight in made.named_parameters()}
    own_block("mine", made)
    assert all(torch.equal(weight, before[name]) for name, weight in made.named_parameters())


def _breaks(cases: int, generator: torch.Generator) -> Tensor:
    raise OSError("no data")


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (lambda W, delta, a: torch.linalg.solve(W, delta), "does not run over .*linalg_solve"),
        (lambda W, delta, a: (W @ delta) @ a.mT / a.square().sum(), "does not run over .* no attribute 'square'"),
        (lambda W, delta, a: W @ delta, r"gave \(6, 1\); ΔW is \(6, 4\)"),
    ],
)
def test_an_update_that_cannot_be_bounded_is_refused(update: Callable[..., object], said: str) -> None:
    with pytest.raises(UnusableBlock, match=said):
        own_block("mine", block(), update=update)


@pytest.mark.parametrize(
    ("contexts", "said"),
    [
        (lambda cases, generator: torch.zeros(cases, D), r"a context of shape \(8, 4\); asked for is \(8, n, 4\)"),
        (lambda cases, generator: (torch.zeros(cases, 3, D), torch.zeros(cases, D + 1)), r"a query of shape \(8, 5\)"),
        (lambda cases, generator: torch.full((cases, 3, D), float("inf")), "a NaN or an infinity"),
        (lambda cases, generator: torch.zeros(cases, 0, D), "without a token"),
        (_breaks, r"make_contexts\(8, generator\) fails: OSError: no data"),
        (lambda: torch.zeros(8, 3, D), r"make_contexts\(8, generator\) fails: TypeError"),
    ],
)
def test_contexts_of_another_shape_are_refused(contexts: Callable[..., object], said: str) -> None:
    with pytest.raises(UnusableBlock, match=said):
        own_block("mine", block(), contexts=contexts)
