"""The same block run in the ways that PyTorch code is run: what is found is the same, and what does not run here as usual is said."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import refusals
from numeric.operators.block import WatchedBlock
from numeric.operators.refusals import RefusedBlock
from tests.numeric.operators.small_blocks import D, M, attended, last, rms, tokens, watched

W = ("inner.weight",)


class Layered(nn.Module):
    """A block of modules, as libraries write it."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.inner, self.outer, self.dropout = nn.Linear(D, M), nn.Linear(M, D), nn.Dropout(dropout)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        s = x + attended(x)
        return s + self.outer(self.dropout(F.gelu(self.inner(rms(s)))))


@cache
def as_usual() -> WatchedBlock:
    return watched(Layered(), W)


def found(block: WatchedBlock) -> tuple[object, ...]:
    anatomy = block.anatomy
    assert anatomy.absorber is not None
    return anatomy.absorber.name, anatomy.absorber.kind, anatomy.layout, [each.name for each in anatomy.weights], block.check.way


def with_hooks() -> nn.Module:
    module = Layered()
    module.inner.register_forward_pre_hook(lambda _, given: (given[0] * 1.5,))
    module.outer.register_forward_hook(lambda _, given, made: made * 0.5)
    return module


def compiled() -> nn.Module:
    with torchs_own_warnings():
        module: nn.Module = torch.compile(Layered())  # type: ignore[assignment]
    return module


def compiled_in_place() -> nn.Module:
    module = Layered()
    with torchs_own_warnings():
        module.compile()
    return module


@contextmanager
def torchs_own_warnings() -> Iterator[None]:
    """torch's compiler uses torch.jit, which torch has deprecated, when it is imported."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit.script", category=DeprecationWarning)
        yield


def in_autocast(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return last(module, context, query, positions)


def in_inference_mode(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    with torch.inference_mode():
        return last(module, context, query, positions)


def with_gradients(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    with torch.enable_grad():
        return last(module, context, query, positions)


@pytest.mark.parametrize(
    ("build", "call", "note"),
    [
        (Layered, in_autocast, None),
        (Layered, in_inference_mode, None),
        (lambda: Layered().requires_grad_(True), with_gradients, None),
        (lambda: Layered(0.5), last, None),
        (with_hooks, last, 'forward hooks of "inner", "outer"'),
        pytest.param(compiled, last, "compiled", marks=pytest.mark.soak),
        pytest.param(compiled_in_place, last, "compiled", marks=pytest.mark.soak),
    ],
    ids=["autocast", "inference mode", "gradients", "dropout at rest", "hooks", "compiled", "compiled in place"],
)
def test_a_block_is_the_same_however_it_runs(build: Callable[[], nn.Module], call: Callable[..., Tensor], note: str | None) -> None:
    block = watched(build(), W, call)
    assert found(block) == found(as_usual())
    assert len(block.notes) == (note is not None)
    assert all(str(note) in each for each in block.notes)


def test_a_scripted_block_runs_operator_by_operator() -> None:
    """Its lines are those of the caller, which the note says; its parameters are exchanged at the operator."""
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        scripted = torch.jit.trace(Layered(), torch.randn(2, 3, D), check_trace=False)
    block = watched(scripted, W)
    assert found(block)[:2] == ("outer.bias", "bias")
    assert "scripted" in block.notes[0]


def test_a_fused_fast_path_is_switched_off_and_put_back() -> None:
    layer = nn.TransformerEncoderLayer(D, 2, M, dropout=0.0, batch_first=True).eval().requires_grad_(False)
    enabled = torch.backends.mha.get_fastpath_enabled()
    block = watched(layer, ("linear1.weight",))
    assert any("fast path" in each for each in block.notes)
    assert torch.backends.mha.get_fastpath_enabled() is enabled
    assert block.anatomy.absorber is not None
    assert block.anatomy.absorber.name == "linear2.bias"


class Routed(nn.Module):
    """Casts to float32 inside, as norms of transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.layered = Layered()

    def forward(self, x: Tensor) -> Tensor:
        s = x + attended(x)
        z = rms(s.float()).to(x.dtype)
        return s + self.layered.outer(F.gelu(self.layered.inner(z)))


def test_casts_inside_are_kept_in_float64_and_said() -> None:
    """With the cast to float32 the patched pass is off by 2⁻²⁴, far more than is allowed: it is left out."""
    block = watched(Routed(), ("layered.inner.weight",))
    assert [line.split(":")[0] for line in block.anatomy.casts] == ["test_ways_of_running.py"]
    assert block.check.off <= block.check.allowed < 2.0**-24


def wrong_layout(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    made: Tensor = module(tokens(context, query))
    return made


def no_none_case(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor) -> Tensor:
    made: Tensor = module(torch.cat([context, query[:, None]], 1))[:, -1]
    return made


def without_context(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    made: Tensor = module(query[:, None])[:, -1]
    return made


def no_tensor(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> object:
    return (last(module, context, query, positions),)


class Words(nn.Module):
    """A whole model, which takes numbers of words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.inner = nn.Embedding(7, D), nn.Linear(D, D)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.inner(self.embedding(x))
        return made


@pytest.mark.parametrize(
    ("module", "first", "call", "kind", "said"),
    [
        (Layered(), ("inner.wieght",), last, refusals.UNKNOWN_PARAMETER, 'no parameter "inner.wieght"; its parameters are inner.weight, inner.bias'),
        (Layered(), ("outer.bias",), last, refusals.NO_PRODUCT, "outer.bias, a vector, as a bias or a norm's scale is, and is no matrix product"),
        (Layered(), W, wrong_layout, refusals.NO_TENSOR, "torch.float64 of shape (3, 5, 4)"),
        (Layered(), W, no_tensor, refusals.NO_TENSOR, "a tuple"),
        (Layered(), W, no_none_case, refusals.CALL_FAILS, "with no context and a query of shape (3, 4)"),
        (Layered(), W, without_context, refusals.NO_CONTEXT, "the context does not reach the output"),
        (Words(), W, last, refusals.CALL_FAILS, "context (batch, n, 4) or None, query (batch, 4)"),
        (Layered(0.5).train(), W, last, refusals.NOT_REPEATABLE, "aten.bernoulli_.float at test_ways_of_running.py"),
        (nn.utils.parametrizations.weight_norm(Layered().inner), ("parametrizations.weight.original1",), last, refusals.NO_CONTEXT, "the context"),
    ],
    ids=["misspelt", "a bias", "all tokens", "a tuple", "no None case", "no context", "a whole model", "dropout", "one layer"],
)
def test_a_wrong_call_is_told_in_one_line(  # a case's parts are five
    module: nn.Module, first: tuple[str, ...], call: Callable[..., Tensor], kind: refusals.Refusal, said: str
) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(module, first, call)
    assert error.value.kind is kind, str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")


def test_a_weight_norm_is_refused_and_what_is_read_is_admitted() -> None:
    module = Layered().requires_grad_(True)
    nn.utils.parametrizations.weight_norm(module.inner)
    with pytest.raises(RefusedBlock, match=r"weight.original0 and \S+original1 as something other than the entries of one parameter") as error:
        watched(module, ("inner.parametrizations.weight.original1",))
    assert error.value.place is not None
    assert error.value.place.line.startswith("test_ways_of_running.py:")
    nn.utils.parametrize.remove_parametrizations(module.inner, "weight", leave_parametrized=True)
    watched(module, W)
