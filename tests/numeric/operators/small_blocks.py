"""Small blocks as people write them, each with the absorber that its formula names.

s is the stream after a softmax attention without parameters, F the network; the output is that of the last token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric import ContextualBlock
from numeric.operators.block import WatchedBlock

D, M = 4, 6


def tokens(context: Tensor | None, query: Tensor) -> Tensor:
    """(batch, n + 1, d)."""
    return query[:, None] if context is None else torch.cat([context, query[:, None]], 1)


def last(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return module(tokens(context, query))[:, -1]


def attended(x: Tensor) -> Tensor:
    """Softmax attention of every token to every other.  x: (..., n, d)."""
    return torch.softmax(x @ x.mT, -1) @ x


def rms(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


class Small(nn.Module):
    """Parameters by name and shape, and a forward method; values from the same seed in the order of the names."""

    def __init__(self, forward: Callable[..., Tensor], **shapes: Sequence[int]) -> None:
        super().__init__()
        self.body = forward
        generator = torch.Generator().manual_seed(11)
        for name, shape in shapes.items():
            drawn = torch.randn(tuple(shape), generator=generator)
            self.register_parameter(name, nn.Parameter(drawn / D**0.5 if len(shape) > 1 else 0.5 + drawn / 3, requires_grad=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self, x)


NETWORK = {"w": (M, D), "b": (M,), "out": (D, M), "c": (D,)}
GATED = {"gate": (M, D), "up": (M, D), "down": (D, M)}


def mlp(p: nn.Module, z: Tensor) -> Tensor:
    """The network of ``NETWORK``."""
    return F.linear(F.gelu(F.linear(z, p.w, p.b)), p.out, p.c)


def gated(p: nn.Module, z: Tensor) -> Tensor:
    """That of ``GATED``."""
    return F.linear(F.silu(F.linear(z, p.gate)) * F.linear(z, p.up), p.down)


def watched(module: nn.Module, first: Sequence[str] = ("w",), call: Callable[..., Tensor] = last, **more: object) -> WatchedBlock:
    return WatchedBlock.of(ContextualBlock.of(module, call, first, width=D, **more))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Right:
    """A block that is to be admitted."""

    name: str
    build: Callable[[], nn.Module]
    absorber: str | None
    kind: str | None
    first: tuple[str, ...] = ("w",)
    call: Callable[..., Tensor] = last
    reads_context: bool = True
    at_the_operator: bool = True

    def __str__(self) -> str:
        return self.name


def _pre(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + mlp(p, F.layer_norm(s, (D,)))


def _gated(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + gated(p, rms(s))


def _functional(p: nn.Module, x: Tensor) -> Tensor:
    x = x + attended(x)
    gate, up = torch.chunk(F.rms_norm(x, (D,)) @ p.w, 2, dim=-1)
    gate = gate + 0.0
    F.silu(gate, inplace=True).mul_(up)
    return x + gate @ p.out


def _post(p: nn.Module, x: Tensor) -> Tensor:
    s = F.layer_norm(x + attended(x), (D,), p.g, p.h)
    return F.layer_norm(s + mlp(p, s), (D,), p.h, p.g)


def _sandwich(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + rms(gated(p, rms(s))) * (1 + p.g)


def _sandwich_with_bias(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + F.layer_norm(gated(p, rms(s)), (D,), p.g, p.h)


def _layer_scale(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + p.g * mlp(p, rms(s))


def _layer_scale_without_bias(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + p.g * gated(p, rms(s))


def _parallel(p: nn.Module, x: Tensor) -> Tensor:
    n = F.layer_norm(x, (D,))
    return x + attended(n) + mlp(p, n)


def _conv1d(p: nn.Module, x: Tensor) -> Tensor:
    x = x + attended(x)
    h = torch.addmm(p.b, rms(x).view(-1, D), p.w).view(*x.shape[:-1], M)
    return x + torch.addmm(p.c, torch.tanh(h).view(-1, M), p.out).view(x.shape)


def _shared(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    z = rms(s)
    return s + (gated(p, z) + torch.sigmoid(F.linear(z, p.r)) * F.linear(F.relu(F.linear(z, p.w)), p.out))


def _in_place(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    y = mlp(p, rms(s))
    y *= 0.5
    y += s
    return y


def _stream_in_place(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    s += mlp(p, rms(s))
    return s


def _subtracted(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s - mlp(p, rms(s))


def _two_sums(p: nn.Module, x: Tensor) -> Tensor:
    a = attended(x)
    return 0.5 * (mlp(p, rms(x + a)) + a) + x + 0.25 * a


def _query_gate(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + torch.sigmoid(x) * mlp(p, rms(s))


def _outer_skip(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    z = rms(s)
    return s + (gated(p, z) + 0.1 * z)


def _copied(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + F.linear(F.gelu(F.linear(rms(s), p.w.t().contiguous().t().clone(), p.b)), p.out, p.c)


def _left(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    h = F.gelu(torch.matmul(p.w, rms(s).mT).mT)
    return s + h @ p.out.mT + p.c


def _einsum(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + torch.einsum("btm,dm->btd", torch.tanh(torch.einsum("btd,md->btm", rms(s), p.w) + p.b), p.out)


def _twice(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + (gated(p, rms(s)) + F.linear(x[..., :1].expand(*x.shape[:-1], M), p.down))


def _bare(p: nn.Module, x: Tensor) -> Tensor:
    return mlp(p, attended(x))


def _attention_output(p: nn.Module, x: Tensor) -> Tensor:
    s = x + F.linear(attended(x), p.w)
    return s + gated(p, rms(s))


def _rows(p: nn.Module, x: Tensor) -> Tensor:
    q, ff = F.linear(rms(x), p.proj).split((D, M), dim=-1)
    return x + attended(q) + F.gelu(ff) @ p.out.mT


def _experts(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    z = rms(s).reshape(-1, D)
    best, chosen = torch.softmax(z @ p.r.mT, -1).topk(2, -1)
    made = torch.zeros_like(z)
    for expert in range(3):
        row, rank = torch.where(chosen == expert)
        if len(row):
            made.index_add_(0, row, best[row, rank, None] * (F.relu(z[row] @ p.w[expert].mT) @ p.out[expert].mT))
    return s + made.view(s.shape)


class ModuleExperts(nn.Module):
    """Each expert a module of its own, some of which no case may choose."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.router = nn.Linear(D, 4, bias=False)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(D, M), nn.Tanh(), nn.Linear(M, D)) for _ in range(4))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        s = x + attended(x)
        z = rms(s).reshape(-1, D)
        best, chosen = torch.softmax(self.router(z), -1).topk(2, -1)
        made = torch.zeros_like(z)
        for number, expert in enumerate(self.experts):
            row, rank = torch.where(chosen == number)
            if len(row):
                made.index_add_(0, row, expert(z[row]) * best[row, rank, None])
        return s + made.view(s.shape)


def tokens_first(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The sequence as the first dimension."""
    return module(tokens(context, query).transpose(0, 1).contiguous())[-1]


def _tokens_first(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x.transpose(0, 1)).transpose(0, 1)
    return s + mlp(p, rms(s))


def query_in_front(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The query first, as a class token."""
    return module(query[:, None] if context is None else torch.cat([query[:, None], context], 1))[:, 0]


def prefill_and_decode(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The context goes through the whole block, once; the query alone attends to it."""
    seen = tokens(context, query)
    if context is not None:
        module(context)
    s = query[:, None] + torch.softmax(query[:, None] @ seen.mT, -1) @ seen
    return (s + mlp(module, rms(s)))[:, 0]


@cache
def admitted(name: str) -> WatchedBlock:
    """A block of ``RIGHT``, watched once for all tests."""
    (right,) = (each for each in RIGHT if each.name == name)
    return watched(right.build(), right.first, right.call)


WIDE = {**NETWORK, "g": (D,), "h": (D,)}
RIGHT = (
    Right("pre-LN", lambda: Small(_pre, **NETWORK), "c", "bias"),
    Right("gated", lambda: Small(_gated, **GATED), "down", "matrix", ("gate", "up")),
    Right("functional calls, in place, fused", lambda: Small(_functional, w=(D, 2 * M), out=(M, D)), "out", "matrix"),
    Right("post-LN", lambda: Small(_post, **WIDE), "c", "bias"),
    Right("sandwich norms, 1 + g", lambda: Small(_sandwich, **GATED, g=(D,)), "g", "scale", ("gate", "up")),
    Right("sandwich norms with a bias", lambda: Small(_sandwich_with_bias, **GATED, g=(D,), h=(D,)), "h", "bias", ("gate", "up")),
    Right("LayerScale over a bias", lambda: Small(_layer_scale, **WIDE), "c", "bias"),
    Right("LayerScale over a matrix", lambda: Small(_layer_scale_without_bias, **GATED, g=(D,)), "g", "scale", ("gate", "up")),
    Right("parallel", lambda: Small(_parallel, **NETWORK), "c", "bias", reads_context=False),
    Right("GPT-2's Conv1D", lambda: Small(_conv1d, w=(D, M), b=(M,), out=(M, D), c=(D,)), "c", "bias"),
    Right("a shared expert", lambda: Small(_shared, **GATED, r=(1, D), w=(M, D), out=(D, M)), "out", "matrix", ("gate", "up", "r", "w")),
    Right("in place on the network's value", lambda: Small(_in_place, **NETWORK), "c", "bias"),
    Right("in place on the stream", lambda: Small(_stream_in_place, **NETWORK), "c", "bias"),
    Right("subtracted", lambda: Small(_subtracted, **NETWORK), "c", "bias"),
    Right("two sums, scaled", lambda: Small(_two_sums, **NETWORK), "c", "bias"),
    Right("gated by the query", lambda: Small(_query_gate, **NETWORK), "c", "bias"),
    Right("an outer skip", lambda: Small(_outer_skip, **GATED), "down", "matrix", ("gate", "up")),
    Right("W as a copy", lambda: Small(_copied, **NETWORK), "c", "bias"),
    Right("W on the left", lambda: Small(_left, **NETWORK), "out", "matrix"),
    Right("einsum", lambda: Small(_einsum, **NETWORK), "out", "matrix"),
    Right("a matrix read twice, in one sum", lambda: Small(_twice, **GATED), "down", "several", ("gate", "up"), at_the_operator=False),
    Right("no stream", lambda: Small(_bare, **NETWORK), None, None),
    Right("W in the attention's output", lambda: Small(_attention_output, **GATED, w=(D, D)), None, None),
    Right("rows of one parameter", lambda: Small(_rows, proj=(D + M, D), out=(D, M)), "out", "matrix", (f"proj[{D}:]",), reads_context=False),
    Right("experts", lambda: Small(_experts, r=(3, D), w=(3, M, D), out=(3, D, M)), "out", "several", ("r", "w"), at_the_operator=False),
    Right("tokens first", lambda: Small(_tokens_first, **NETWORK), "c", "bias", call=tokens_first),
    Right("the query in front", lambda: Small(_pre, **NETWORK), "c", "bias", call=query_in_front),
    Right("prefill and one step", lambda: Small(_pre, **NETWORK), "c", "bias", call=prefill_and_decode),
    Right(
        "experts as modules",
        ModuleExperts,
        "experts.3.2.bias",
        "several",
        ("router.weight", *(f"experts.{number}.0.weight" for number in range(4))),
        at_the_operator=False,
    ),
)
