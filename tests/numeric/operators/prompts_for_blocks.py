"""Prompts for small blocks, blocks that have no update on some of them, and what the patch gives by a loop over cases."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from numeric.operators.many_cases import PromptBatch
from tests.numeric.operators.small_blocks import D, M, Small, attended, gated, last, mlp, rms

LENGTH = 6


def prompts(number: int, removed: tuple[int, ...] = (0, 2, 5), *, seed: int = 3, length: int = LENGTH) -> PromptBatch:
    """Normal tokens."""
    drawn = torch.randn((number, length + 1, D), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return PromptBatch(drawn[:, :-1].clone(), drawn[:, -1].clone(), removed)


def some(batch: PromptBatch, *cases: int) -> PromptBatch:
    """Some of them."""
    return PromptBatch(batch.context[list(cases)], batch.query[list(cases)], batch.removed)


def _opened(x: Tensor) -> Tensor:
    """Zero where an entry of x is below -4, so that normal tokens leave it open."""
    return F.relu(x + 4)


def _dead_units(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + F.linear(F.relu(F.linear(rms(s), p.w)).add(1) * _opened(x[..., :1]), p.out)


def _scale_of_zero(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + p.g * (gated(p, rms(s)) * _opened(x))


def _bias_behind_a_gate(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + _opened(x) * mlp(p, rms(s))


def _matrix_behind_a_gate(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + _opened(x) * gated(p, rms(s))


def _several_dead(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    h = (F.silu(F.linear(rms(s), p.gate)) * F.linear(rms(s), p.up)) * _opened(x[..., :1])
    return s + (F.linear(h, p.down) + F.linear(_opened(x[..., :1]).expand(*x.shape[:-1], M), p.down))


NETWORK, GATED = {"w": (M, D), "b": (M,), "out": (D, M), "c": (D,)}, {"gate": (M, D), "up": (M, D), "down": (D, M)}
CLOSING: dict[str, tuple[Callable[[], nn.Module], tuple[str, ...]]] = {
    "an output matrix whose hidden units are all dead": (lambda: Small(_dead_units, w=(M, D), out=(D, M)), ("w",)),
    "a scale of a value with a zero entry": (lambda: Small(_scale_of_zero, **GATED, g=(D,)), ("gate", "up")),
    "a bias behind a gate that is closed": (lambda: Small(_bias_behind_a_gate, **NETWORK), ("w",)),
    "an output matrix behind a gate that is closed": (lambda: Small(_matrix_behind_a_gate, **GATED), ("gate", "up")),
    "several operators, all dead": (lambda: Small(_several_dead, **GATED), ("gate", "up")),
}
"""Blocks whose absorber takes nothing of a query whose first entry is below -4; and which parameters are W."""


def near_tokens_alone(p: nn.Module, x: Tensor) -> Tensor:
    """Attention to the last three tokens, and a matrix that is read twice."""
    s = x[:, -1:] + attended(x[:, -3:])[:, -1:]
    return s + (gated(p, rms(s)) + F.linear(x[:, -1:, :1].expand(-1, -1, M), p.down))


def by_a_loop(module: nn.Module, batch: PromptBatch, patch: Callable[[nn.Module, Tensor, Tensor], Mapping[str, Tensor]]) -> list[float]:
    """Each case alone: by how much the module on other parameters differs from the pass with the context, of the largest entry of its output.

    patch: from the module, the tokens with the context and those that are left, the parameters that take the others' places.
    """
    left = [token for token in range(batch.context.shape[1]) if token not in batch.removed]
    found = []
    for context, query in zip(batch.context, batch.query, strict=True):
        whole, kept = (torch.cat([context[rows], query[None]]) for rows in (slice(None), left))
        output = last(module, context[None], query[None], torch.empty(0))
        patched = functional_call(module, dict(patch(module, whole, kept)), (kept[None],))[:, -1]
        found.append(float((patched - output).abs().max() / output.abs().max()))
    return found
