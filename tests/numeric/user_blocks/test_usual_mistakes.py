"""Usual mistakes are refused in one line, with what was found and what to write; beside each what is right."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from numeric.architecture import UnusableBlock
from numeric.user_blocks import own_block
from numeric.user_blocks.usual_mistakes import TO_PYTHON
from tests.numeric.user_blocks.sample_blocks import Average, D, M, block


@dataclass
class ModelOutput:
    """As whole models return them."""

    logits: Tensor


class Returning(Average):
    """A contextual layer that makes something of all its tokens, (batch, n + 1, d)."""

    def __init__(self, made: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.made = made

    def forward(self, context: Tensor | None, query: Tensor) -> object:  # type: ignore[override]
        asked = query.unsqueeze(1)
        return self.made(self.map(asked if context is None else torch.cat([context, asked], 1)).cumsum(1))


class OfIds(Average):
    def __init__(self) -> None:
        super().__init__()
        self.embedded = nn.Embedding(10, D)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(None if context is None else self.embedded(context), query)


RETURNED: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "all tokens": (lambda x: x, r"\(8, 51, 4\) on a context; that is a vector for each of 51 tokens: return the query's vector alone, output\[:, -1\], \(8, "),
    "one token": (lambda x: x[:, -1:], r"\(8, 1, 4\) on a context; that is a vector for each of 1 tokens"),
    "tokens in front": (lambda x: x.transpose(0, 1), r"\(51, 8, 4\) on a context; its tokens stand in front of the batch: .* as batch_first=True has them"),
    "as attention returns": (lambda x: (x, None), r"a tuple on a context; return the query's vector alone, a tensor \(8, [4d]\), such as output\[0\]\[:, -1\]"),
    "a whole model": (ModelOutput, "a ModelOutput on a context; that is a whole model: give the part of one layer .*ContextualBlock.of"),
    "nothing": (lambda x: None, "a NoneType on a context; return the query's vector alone"),
    "integers": (lambda x: x[:, -1].round().long(), r"\(8, 4\) of torch.int64 on a context; return A"),
    "one case": (lambda x: x[0, -1], r"\(4,\) on a context; the first dense layer takes \(8, 4\)"),
}


@pytest.mark.parametrize("norm", [None, nn.LayerNorm(D)])
@pytest.mark.parametrize("what", RETURNED)
def test_what_a_contextual_layer_must_not_return(what: str, norm: nn.Module | None) -> None:
    """With a norm behind it, too."""
    made, said = RETURNED[what]
    with pytest.raises(UnusableBlock, match=said) as refused:
        own_block("mine", block(Returning(made), norm=norm))
    assert "\n" not in str(refused.value)


def test_the_querys_vector_alone_is_right() -> None:
    own_block("mine", block(Returning(lambda x: x[:, -1]), norm=nn.LayerNorm(D)))


def test_tokens_are_vectors() -> None:
    with pytest.raises(UnusableBlock, match=r"fails on a context: RuntimeError.*it is given a context \(8, 50, 4\) and a query \(8, 4\).*no token ids"):
        own_block("mine", block(OfIds()))


def test_a_missing_case_of_no_context_is_named() -> None:
    with pytest.raises(UnusableBlock, match=r"fails on no context \(None\): AttributeError.*given None and a query \(8, 4\): let it attend to the query alone"):
        own_block("mine", block(lambda context, query: query + context.mean(1)))
    own_block("mine", block(lambda context, query: query if context is None else query + context.mean(1)))


def test_a_whole_model_is_no_block() -> None:
    with pytest.raises(UnusableBlock, match=r"returned a Sequential, not a numeric.ContextualBlock: give one layer of it.*ContextualBlock.of"):
        own_block("mine", nn.Sequential(nn.Linear(D, M)))
    with pytest.raises(UnusableBlock, match=r"returned a tuple, not a numeric.ContextualBlock: return ContextualBlock"):
        own_block("mine", (nn.Linear(D, M), nn.Linear(M, D)))


class Network(nn.Module):
    """A network that does something with its hidden layer beside."""

    def __init__(self, beside: Callable[[Tensor], object], returned: Callable[[Tensor], object] = lambda x: x) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(D, M), nn.ReLU(), nn.Linear(M, D)
        self.beside, self.returned = beside, returned

    def forward(self, a: Tensor) -> object:
        hidden = self.first(a)
        self.beside(hidden)
        return self.returned(self.last(self.act(hidden)))


def _only_positive(x: Tensor) -> None:
    if x.sum() > 0:
        assert x.dim() == 2


TO_NUMBERS: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "item": (lambda x: x[0, 0].item(), "item"),
    "list": (lambda x: x.tolist(), "tolist"),
    "array": (lambda x: x.numpy(), "numpy"),
    "branch": (_only_positive, "__bool__"),
    "float": (lambda x: float(x[0, 0]), "__float__"),
    "int": (lambda x: int(x[0, 0]), "__int__"),
    "index": (lambda x: range(8)[x.argmax() % 2], "__index__"),
    "contained": (lambda x: 0.5 in x, "__contains__"),
    "equal": (lambda x: torch.equal(x, x), "equal"),
}


@pytest.mark.parametrize("what", TO_NUMBERS)
def test_a_network_hands_no_numbers_to_python(what: str) -> None:
    """Whatever it does with them: here nothing."""
    beside, name = TO_NUMBERS[what]
    assert name in TO_PYTHON
    with pytest.raises(UnusableBlock, match=rf"turns a tensor into a Python number \({name}, {Path(__file__).name}:\d+\).*ContextualBlock.of"):
        own_block("mine", block(net=Network(beside), first="first"))


def test_shapes_and_choices_of_tensors_are_right() -> None:
    own_block("mine", block(net=Network(lambda x: (len(x), x.shape, torch.where(x > 0, x, 0.0))), first="first"))


@pytest.mark.parametrize(("returned", "said"), [(lambda x: (x, None), "tuple"), (ModelOutput, "ModelOutput"), (lambda x: {"x": x}, "dict")])
def test_a_network_returns_a_tensor(returned: Callable[[Tensor], object], said: str) -> None:
    with pytest.raises(UnusableBlock, match=f"the network returned {said}; let it return the tensor of its last module alone"):
        own_block("mine", block(net=Network(lambda x: None, returned), first="first"))
