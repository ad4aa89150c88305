"""A block that was rebuilt is taken in only if it computes what the whole one does.

Layers are drawn, written once in functional calls, and rebuilt rightly and wrongly.
"""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from numeric import ContextualBlock, Product
from numeric.architecture import UnusableBlock
from numeric.user_blocks import own_block
from numeric.user_blocks.whole_block import refuse_another_block
from tests.numeric.user_blocks.sample_blocks import Average, D, M, block, network

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit")  # torch itself scripts something when its compiler is loaded

ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], nn.Module]] = {
    "relu": (F.relu, nn.ReLU()),
    "gelu": (F.gelu, nn.GELU()),
    "gelu by tanh": (lambda x: F.gelu(x, approximate="tanh"), nn.GELU(approximate="tanh")),
    "silu": (F.silu, nn.SiLU()),
}
NORMS = ("none", "layer", "rms")
MISTAKES = ("first bias", "last bias", "activation", "scale", "residual", "first weight", "epsilon")


@dataclass(frozen=True)
class Spec:
    """The choices of one layer."""

    activation: str
    norm: str
    gated: bool
    parallel: bool
    short: bool
    """Whether its code casts the norm's input to float32, whatever it is given, as many libraries do."""

    @property
    def mistakes(self) -> list[str]:
        """Those that can be made of it."""
        normed = {"scale", "residual", "epsilon"}
        return [each for each in MISTAKES if self.norm != "none" or each not in normed]


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    norm = draw(st.sampled_from(NORMS))
    return Spec(draw(st.sampled_from(list(ACTIVATIONS))), norm, draw(st.booleans()), norm != "none" and draw(st.booleans()), draw(st.booleans()))


class Layer(nn.Module):
    """A layer as a library writes it, from bare parameters."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        rows = 2 * M if spec.gated else M
        for name, shape in (("mix", (D, D)), ("w", (rows, D)), ("b", (rows,)), ("out", (D, M)), ("c", (D,)), ("g", (D,))):
            self.register_parameter(name, nn.Parameter(torch.randn(shape)))

    def stream(self, context: Tensor | None, query: Tensor) -> Tensor:
        tokens = query.unsqueeze(1) if context is None else torch.cat([context, query.unsqueeze(1)], 1)
        return query + tokens.mean(1) @ self.mix.mT

    def normed(self, v: Tensor) -> Tensor:
        x = v.float() if self.spec.short else v
        if self.spec.norm == "rms":
            return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.g
        return F.layer_norm(x, (D,), self.g, None, 1e-5) if self.spec.norm == "layer" else x

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        v = self.stream(context, query)
        hidden = F.linear(self.normed(query if self.spec.parallel else v), self.w, self.b)
        act = ACTIVATIONS[self.spec.activation][0]
        hidden = act(hidden[:, :M]) * hidden[:, M:] if self.spec.gated else act(hidden)
        answer = torch.addmm(self.c, hidden, self.out.mT)
        return answer if self.spec.norm == "none" else v + answer


class Gated(nn.Module):
    def __init__(self, gate: nn.Module, up: nn.Module, act: nn.Module, down: nn.Module) -> None:
        super().__init__()
        self.gate, self.up, self.act, self.product, self.down = gate, up, act, Product(), down

    def forward(self, a: Tensor) -> Tensor:
        return self.down(self.product(self.act(self.gate(a)), self.up(a)))


def dense(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    made.weight.data = weight.detach().clone()
    if bias is not None:
        made.bias.data = bias.detach().clone()
    return made


def rebuilt(layer: Layer, mistake: str | None = None, whole: Callable[..., Tensor] | None = None) -> ContextualBlock:
    """The block of the layer's parts, with a mistake or none."""
    spec = layer.spec
    other = {"relu": "gelu", "gelu": "gelu by tanh", "gelu by tanh": "gelu", "silu": "gelu"}[spec.activation]
    act = ACTIVATIONS[other if mistake == "activation" else spec.activation][1]
    w, b = (layer.w.flip(0) if mistake == "first weight" else layer.w), (None if mistake == "first bias" else layer.b)
    down = dense(layer.out, None if mistake == "last bias" else layer.c)
    parts = [dense(w[rows], None if b is None else b[rows]) for rows in ([slice(0, M), slice(M, 2 * M)] if spec.gated else [slice(0, M)])]
    net = Gated(*parts, act, down) if spec.gated else nn.Sequential(*parts, act, down)
    options: dict[str, object] = {"whole": whole or layer}
    if spec.norm != "none" and mistake != "residual":
        norm: nn.Module = (nn.RMSNorm if spec.norm == "rms" else nn.LayerNorm)(D, eps=1e-6 if mistake == "epsilon" else 1e-5)
        norm.weight.data = torch.ones(D) if mistake == "scale" else layer.g.detach().clone()
        options |= {"norm": norm, "parallel": spec.parallel}
    return ContextualBlock(layer.stream, net, ["gate", "up"] if spec.gated else "0", input_width=D, **options)  # type: ignore[arg-type]


def drawn(spec: Spec, seed: int) -> tuple[Layer, Tensor, Tensor]:
    torch.manual_seed(seed)
    return Layer(spec), torch.randn(4, 3, D), torch.randn(4, D)


def compare(made: ContextualBlock, context: Tensor, query: Tensor) -> None:
    whole, made.whole = made.whole, None
    assert whole is not None
    with torch.no_grad():
        refuse_another_block(made, whole, (context, query), (context, query))


@settings(max_examples=4, deadline=None)
@given(spec=specs(), seed=st.integers(0, 2**16), closure=st.booleans(), data=st.data())
def test_a_right_block_is_the_whole_one_and_a_wrong_one_is_not(spec: Spec, seed: int, closure: bool, data: st.DataObject) -> None:
    """Written as a module, whose weights are cast, or as a function, whose operators are."""
    layer, context, query = drawn(spec, seed)
    whole = (lambda c, q: layer(c, q)) if closure else layer
    compare(rebuilt(layer, whole=whole), context, query)
    mistake = data.draw(st.sampled_from(spec.mistakes))
    with pytest.raises(UnusableBlock, match=r"the block is not the whole one: on (a context|every other|no context).* its output differs"):
        compare(rebuilt(layer, mistake, whole), context, query)


@pytest.mark.soak
@settings(max_examples=300, deadline=None)
@given(spec=specs(), seed=st.integers(0, 2**16), data=st.data())
def test_three_hundred_of_each(spec: Spec, seed: int, data: st.DataObject) -> None:
    layer, context, query = drawn(spec, seed)
    compare(rebuilt(layer), context, query)
    with pytest.raises(UnusableBlock, match="the block is not the whole one"):
        compare(rebuilt(layer, data.draw(st.sampled_from(spec.mistakes))), context, query)


def test_it_is_compared_when_a_block_is_taken_in() -> None:
    layer = drawn(Spec("gelu", "layer", gated=False, parallel=False, short=True), 0)[0].double()  # its stream is a function, which no format reaches
    with pytest.raises(UnusableBlock, match="the block is not the whole one"):
        own_block("mine", rebuilt(layer, "activation").double())
    made = rebuilt(layer).double()
    names = [name for name, _ in made.named_parameters()]
    assert names == ["network.0.weight", "network.0.bias", "network.2.weight", "network.2.bias", "norm.weight", "norm.bias"]
    assert own_block("mine", made).model.block.whole is None, "it is asked once"


def documented() -> dict[str, Any]:
    """What the example of the documentation defines."""
    text = (Path(__file__).parents[3] / "docs" / "own_blocks.md").read_text(encoding="utf-8")
    start = text.index('    class Layer(nn.Module):\n        """A layer as its library wrote it."""')
    names: dict[str, Any] = {"torch": torch, "nn": nn, "ContextualBlock": ContextualBlock}
    exec(textwrap.dedent(text[start : text.index("The contextual layer should be")]), names)
    return names


def test_the_documented_example_is_the_whole_layer() -> None:
    torch.manual_seed(0)
    own_block("mine", documented()["make_block"]())
    wrong = documented()["make_block"]()
    wrong.network[1] = nn.GELU(approximate="tanh")
    with pytest.raises(UnusableBlock, match="the block is not the whole one"):
        own_block("mine", wrong)


class Whole(nn.Module):
    """A block whole, with something more."""

    def __init__(self, more: Callable[[Tensor | None, Tensor, Tensor], object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.contextual, self.network, self.more = Average(), network(), more

    def forward(self, context: Tensor | None, query: Tensor) -> object:
        return self.more(context, query, self.network(self.contextual(context, query)))


def only_with_a_context(context: Tensor | None, query: Tensor, output: Tensor) -> Tensor:
    return output if context is not None else 2 * output


def by_length(context: Tensor | None, query: Tensor, output: Tensor) -> Tensor:
    """As where positions are counted from the wrong end."""
    return output if context is None or context.shape[1] > 30 else 2 * output


def of_one_token(context: Tensor | None, query: Tensor, output: Tensor) -> Tensor:
    return 2 * output if context is not None and context.shape[1] == 1 else output


def in_few_cases(context: Tensor | None, query: Tensor, output: Tensor) -> Tensor:
    """In one case of nine."""
    return output + 1e-6 * (query[:, :1] > 1.2)


REFUSED: dict[str, tuple[Callable[[Tensor | None, Tensor, Tensor], object], str]] = {
    "no context": (only_with_a_context, r"on no context \(None\) its output differs"),
    "a part of the context": (by_length, "on every other token of it its output differs"),
    "one token": (of_one_token, "on one token of it its output differs"),
    "few cases": (in_few_cases, "differs from whole"),
    "one entry": (lambda context, query, output: output + 1e-9 * (torch.arange(output.shape[1]) == 2), "differs from whole"),
    "all tokens": (lambda context, query, output: output.unsqueeze(1), r"returned \(8, 1, 4\); the output of the query alone is asked for, \(8, d_out\)"),
    "no tensor": (lambda context, query, output: (output, None), "returned tuple"),
    "another width": (lambda context, query, output: output[:, :2], "differs from whole"),
    "noise": (lambda context, query, output: output + torch.randn(()), r"whole\(context, query\) is not deterministic"),
    "broken": (lambda context, query, output: output @ output, r"whole\(context, query\) on a context fails in float64"),
    "nothing finite": (lambda context, query, output: output / 0, r"whole.* returned a NaN or an infinity"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_whole_block_must_not_do(what: str) -> None:
    more, said = REFUSED[what]
    whole = Whole(more)
    with pytest.raises(UnusableBlock, match=said):
        own_block("mine", ContextualBlock(whole.contextual, whole.network, "0", input_width=D, whole=whole))


def test_one_that_hides_its_context_in_roundoff_is_refused() -> None:
    """Sums of 10⁹ and its negative leave a relative 10⁻⁷; a context that does less than κu shows nothing."""

    class Blurred(Average):
        def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
            faint = 2.0**-60 * (0.0 if context is None else context.mean(1))
            return (query + faint + 1.0) - 1.0

    made = block(Blurred())
    made.whole = made
    context, query = torch.randn(4, 3, D), torch.randn(4, D)
    with pytest.raises(UnusableBlock, match="cannot be told from the block without its context"):
        compare(made, context, query)


def test_its_training_mode_is_left_and_its_weights_are() -> None:
    layer, *_ = drawn(Spec("relu", "rms", gated=True, parallel=False, short=False), 1)
    before = {name: each.clone() for name, each in layer.named_parameters()}
    layer.train()
    own_block("mine", rebuilt(layer))
    assert all(torch.equal(each, before[name]) and each.dtype == torch.float32 for name, each in layer.named_parameters())
