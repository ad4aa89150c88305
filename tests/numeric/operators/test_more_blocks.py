"""Blocks of other shapes and habits: batch norm, loops over tokens, one token alone, a weight in parts, an absorber that is given."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from numeric import ContextualBlock
from numeric.operators import refusals
from numeric.operators.block import WatchedBlock
from numeric.operators.refusals import RefusedBlock
from tests.numeric.operators.small_blocks import NETWORK, D, M, Small, attended, last, mlp, rms, watched


class BatchNorm(nn.Module):
    """A norm by what was seen in training."""

    def __init__(self, *, behind: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.inner, self.outer, self.behind = nn.BatchNorm1d(D), nn.Linear(D, M), nn.Linear(M, D), behind
        self.norm.running_mean.normal_()  # type: ignore[union-attr]
        self.norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        s = x + attended(x)
        z = rms(s) if self.behind else self.norm(s.mT).mT
        y = self.outer(F.gelu(self.inner(z)))
        return s + (self.norm(y.mT).mT if self.behind else y)


@pytest.mark.parametrize("behind", [False, True])
def test_a_batch_norm_at_rest_is_admitted_and_in_training_refused_by_name(behind: bool) -> None:
    """In training it makes one case's values of all cases; its count of batches, which changes nothing, is no reason."""
    assert watched(BatchNorm(behind=behind).eval(), ("inner.weight",)).anatomy.absorber is not None
    with pytest.raises(RefusedBlock, match="batch_norm") as error:
        watched(BatchNorm(behind=behind).train(), ("inner.weight",))
    assert error.value.kind is refusals.MIXES_CASES
    assert error.value.place is not None
    assert error.value.place.line.startswith("test_more_blocks.py:")


def _token_by_token(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return torch.stack([s[:, t] + mlp(p, rms(s[:, t])) for t in range(s.shape[1])], 1)


def _last_token_alone(p: nn.Module, x: Tensor) -> Tensor:
    s = (x + attended(x))[:, -1]
    return (s + mlp(p, rms(s)))[:, None]


def _in_two_parts(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    z = rms(s)
    return s + F.linear(F.relu(F.linear(z, p.w[:3])) * F.linear(z, p.w[3:]), p.three, p.c)


def _twice_the_same(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    z = rms(s)
    return s + F.linear(torch.sigmoid(F.linear(z, p.w)) * F.linear(z, p.w), p.out, p.c)


def _checkpointed(p: nn.Module, x: Tensor) -> Tensor:
    return checkpoint(lambda y: _last_token_alone(p, y), x, use_reentrant=False)


def _mapped(p: nn.Module, x: Tensor) -> Tensor:
    return torch.func.vmap(lambda case: _last_token_alone(p, case[None])[0])(x)


@pytest.mark.parametrize(
    "body", [_token_by_token, _last_token_alone, _in_two_parts, _twice_the_same, _checkpointed, _mapped], ids=lambda body: body.__name__.strip("_")
)
def test_a_habit_of_writing_is_admitted(body: Callable[..., Tensor]) -> None:
    block = watched(Small(body, **NETWORK, three=(D, 3)))
    assert block.anatomy.absorber is not None
    assert (block.anatomy.absorber.name, block.check.way) == ("c", "at the operator")
    assert sorted(entry for each in block.anatomy.weights for entry in each.entries.flatten().tolist()) == list(range(M * D))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_a_module_of_any_format_is_watched_in_float64(kind: torch.dtype) -> None:
    block = watched(Small(_last_token_alone, **NETWORK).to(kind))
    assert block.described.module.w.dtype == kind
    assert block.double.module.w.dtype == torch.float64


def test_a_module_made_in_inference_mode_is_watched() -> None:
    with torch.inference_mode():
        module = Small(_last_token_alone, **NETWORK)
    assert watched(module).anatomy.absorber is not None


def _scaled(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + p.g * mlp(p, rms(s))


def test_the_absorber_may_be_given() -> None:
    found = {name: watched(Small(_scaled, **NETWORK, g=(D,)), absorb=name).anatomy.absorber for name in ("c", "g", "out")}
    assert [each and each.kind for each in found.values()] == ["bias", "scale", "matrix"]
    with pytest.raises(RefusedBlock, match=r"no parameter of the network takes what the stream lacks without the context \(b was given\)"):
        watched(Small(_scaled, **NETWORK, g=(D,)), absorb="b")


def test_the_width_of_a_token_is_found_among_ws() -> None:
    """(d, m) and (m, d): the first of both with which the block can be called."""
    for shape in ((M, D), (D, M)):
        body = _last_token_alone if shape == (M, D) else lambda p, x: x + attended(x) + F.gelu(rms(x + attended(x)) @ p.w) @ p.back
        module = Small(body, **{**NETWORK, "w": shape}, back=(M, D))
        assert WatchedBlock.of(ContextualBlock.of(module, last, ["w"])).width == D


class PostNorm(nn.Module):
    """Attention and a network, each with its skip inside its norm: called with a context and a query, as blocks of one token are written."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention, self.norm1 = nn.MultiheadAttention(D, 2, batch_first=True), nn.LayerNorm(D)
        self.up, self.down, self.norm2 = nn.Linear(D, M), nn.Linear(M, D), nn.LayerNorm(D)
        self.requires_grad_(False).eval()

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        seen = query[:, None] if context is None else torch.cat([context, query[:, None]], 1)
        a = self.norm1(query + self.attention(seen[:, -1:], seen, seen, need_weights=False)[0][:, 0])
        made: Tensor = self.norm2(a + self.down(F.relu(self.up(a))))
        return made


def test_a_post_norm_with_its_skip_inside_holds_in_this_form() -> None:
    """A short form with an undeclared skip is refused; watched, the last bias takes what the stream lacks, and the norm reads the sum alone."""
    block = WatchedBlock.of(ContextualBlock.of(PostNorm(), lambda module, context, query, positions: module(context, query), ["up.weight"]))
    assert block.anatomy.absorber is not None
    assert (block.anatomy.absorber.name, block.anatomy.reads_context) == ("down.bias", True)
    assert block.check.off <= block.check.allowed


class Counting(nn.Module):
    """Another block from one of its passes on."""

    def __init__(self, changes_at: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(D, M), nn.Linear(M, D)
        self.passes, self.changes_at = 0, changes_at
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        s = x + attended(x)
        y = self.outer(F.gelu(self.inner(rms(s)))) * (1.0 + 2.0**-20 * (self.passes >= self.changes_at))
        return s + y


def test_a_block_with_a_memory_is_refused_and_one_that_counts_for_nothing_is_not() -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(Counting(2), ("inner.weight",))
    assert error.value.kind is refusals.HAS_MEMORY
    assert watched(Counting(10**9), ("inner.weight",)).anatomy.absorber is not None
