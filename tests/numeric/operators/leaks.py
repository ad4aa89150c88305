"""Blocks with a leak or a trap, each in one line that is marked, and each with a twin that is right."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import refusals
from numeric.operators.refusals import Refusal
from tests.numeric.operators.small_blocks import GATED, NETWORK, D, M, Small, attended, last, mlp, rms, tokens

Body = Callable[[nn.Module, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Leak:
    """A block that is to be refused: why, and which operator is named; the line is the one that ends in ``# leak: <name>``."""

    name: str
    build: Callable[[], nn.Module]
    kind: Refusal
    operator: str
    twin: Callable[[], nn.Module]
    first: tuple[str, ...] = ("w",)
    call: Callable[..., Tensor] = last
    twin_call: Callable[..., Tensor] = last

    def __str__(self) -> str:
        return self.name


def of(body: Body, **shapes: tuple[int, ...]) -> Callable[[], nn.Module]:
    """Builds a block of parameters of these shapes."""
    return lambda: Small(body, **shapes)


def stream(x: Tensor) -> tuple[Tensor, Tensor]:
    """s and N(s)."""
    s = x + attended(x)
    return s, rms(s)


def _added_inside(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.gelu(F.linear(z, p.w, p.b)) + F.linear(z, p.other)  # leak: z is added inside the network
    return s + F.linear(h, p.out, p.c)


def _query_added_inside(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + F.linear(F.gelu(F.linear(z, p.w, p.b)) + F.linear(x, p.other), p.out, p.c)


def _multiplied(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) * torch.sigmoid(z)  # leak: z is multiplied onto the output


def _query_multiplied(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) * torch.sigmoid(x)


def _second_reading(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    made = F.silu(F.linear(z, p.gate)) * F.linear(z, p.up)  # leak: the normalised stream is read twice
    return s + F.linear(made, p.down)


def _one_reading(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + F.linear(F.silu(F.linear(z, p.gate)) * F.linear(x, p.up), p.down)


def _tied_behind(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + F.gelu(F.linear(z, p.w)) @ p.down + p.c  # leak: W is tied to another layer


class TiedBehind(Small):
    def __init__(self, *, tied: bool) -> None:
        super().__init__(_tied_behind, w=(M, D), down=(M, D), c=(D,))
        if tied:
            self.down = nn.Parameter(self.w.data, requires_grad=False)


def _tied_in_front(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(F.linear(x, p.q))
    return s + F.linear(F.gelu(F.linear(rms(s), p.w)), p.out, p.c)  # leak: W is tied to the attention


class TiedInFront(Small):
    """One buffer, of which both are parts: the same, or disjoint ones."""

    def __init__(self, *, tied: bool) -> None:
        super().__init__(_tied_in_front, buffer=(2 * D, D), out=(D, D), c=(D,))
        whole = self.buffer.data
        del self.buffer
        self.w = nn.Parameter(whole[:D], requires_grad=False)
        self.q = nn.Parameter(whole[:D] if tied else whole[D:], requires_grad=False)


def _behind_the_sum(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return (s + mlp(p, z)) * torch.sigmoid(x.mean(1, keepdim=True))  # leak: the context stands behind the sum


def _query_behind_the_sum(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return (s + mlp(p, z)) * torch.sigmoid(x)


def _item(p: nn.Module, x: Tensor) -> Tensor:
    scale = x.mean().item()
    s, z = stream(x)
    return (s + mlp(p, z)) * scale  # leak: .item()


def _item_of_a_parameter(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return (s + mlp(p, z)) * p.g.mean().item()


def _numpy(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) + torch.from_numpy(x.mean(1, keepdim=True).numpy())  # leak: numpy


def _numpy_constant(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) + torch.from_numpy(torch.full((1, 1, D), 0.5, dtype=x.dtype).numpy())


def _branch(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.gelu(F.linear(z, p.w, p.b))
    if float(x.max()) > 1.0:  # leak: a branch on a number of the context
        h = 2 * h
    return s + F.linear(h, p.out, p.c)


def _branch_in_front(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(0.5 * x if float(p.c.max()) > 0.0 else x)
    return s + mlp(p, z)


def two_last(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return module(tokens(context, query))[:, -2:].mean(1)


def _two_tokens(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + F.linear(F.gelu(F.linear(z, p.w, p.b)), p.out, p.c)  # leak: two tokens


def _other_type(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.linear(z, p.w, p.b)
    h = (h.view(torch.int64) & ~0).view(torch.float64) if h.dtype == torch.float64 else h  # leak: view.dtype
    return s + F.linear(h, p.out, p.c)


def _other_type_in_front(p: nn.Module, x: Tensor) -> Tensor:
    x = torch.view_as_real(torch.view_as_complex(x.contiguous().view(*x.shape[:-1], 2, 2)) * 1j).flatten(-2)
    s, z = stream(x)
    return s + mlp(p, z)


@torch.library.custom_op("operators_under_test::doubled", mutates_args=())
def doubled(x: Tensor) -> Tensor:
    """An operator whose inside is unknown."""
    return 2 * x


def _custom(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = doubled(F.linear(z, p.w, p.b))  # leak: a custom operator behind the cut
    return s + F.linear(h, p.out, p.c)


def _custom_in_front(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(doubled(x))
    return s + mlp(p, z)


LEAKS = (
    Leak(
        "z is added inside the network",
        of(_added_inside, **NETWORK, other=(M, D)),
        refusals.NOT_ONE_SUM,
        "add.Tensor",
        of(_query_added_inside, **NETWORK, other=(M, D)),
    ),
    Leak("z is multiplied onto the output", of(_multiplied, **NETWORK), refusals.NO_SUM, "mul.Tensor", of(_query_multiplied, **NETWORK)),
    Leak(
        "the normalised stream is read twice",
        of(_second_reading, **GATED),
        refusals.NO_SUM,
        "mul.Tensor",
        of(_one_reading, **GATED),
        ("gate",),
    ),
    Leak("W is tied to another layer", lambda: TiedBehind(tied=True), refusals.SECOND_CUT, "mm", lambda: TiedBehind(tied=False)),
    Leak("W is tied to the attention", lambda: TiedInFront(tied=True), refusals.SECOND_CUT, "mm", lambda: TiedInFront(tied=False)),
    Leak(
        "the context stands behind the sum",
        of(_behind_the_sum, **NETWORK),
        refusals.NO_SUM,
        "mul.Tensor",
        of(_query_behind_the_sum, **NETWORK),
    ),
    Leak(".item()", of(_item, **NETWORK), refusals.MOVING_NUMBER, "mul.Tensor", of(_item_of_a_parameter, **NETWORK, g=(D,))),
    Leak("numpy", of(_numpy, **NETWORK), refusals.UNTRACKED, "add.Tensor", of(_numpy_constant, **NETWORK)),
    Leak(
        "a branch on a number of the context",
        of(_branch, **NETWORK),
        refusals.NUMBER,
        "_local_scalar_dense",
        of(_branch_in_front, **NETWORK),
    ),
    Leak("two tokens", of(_two_tokens, **NETWORK), refusals.TWO_TOKENS, "addmm", of(_two_tokens, **NETWORK), call=two_last),
    Leak(
        "view.dtype",
        of(_other_type, w=(M, D), b=(M,), out=(D, M), c=(D,)),
        refusals.REINTERPRETED,
        "view.dtype",
        of(_other_type_in_front, **NETWORK),
    ),
    Leak("a custom operator behind the cut", of(_custom, **NETWORK), refusals.OPAQUE_BEHIND, "doubled", of(_custom_in_front, **NETWORK)),
)
