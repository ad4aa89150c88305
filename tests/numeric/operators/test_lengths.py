"""The number of tokens, and the other cases of a batch, reach a network by ways that no value shows: they are told from the patched pass, as what they are."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import refusals
from numeric.operators.refusals import Refusal, RefusedBlock
from tests.numeric.operators.leaks import stream
from tests.numeric.operators.small_blocks import NETWORK, D, Small, attended, mlp, rms, tokens, watched


def _indexed(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) * p.table[x.shape[1]]


def by_position(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The query keeps its position, whatever is left in front of it."""
    s, z = stream(tokens(context, query))
    return (s + mlp(module, z) * module.get_parameter("table")[positions[-1]])[:, -1]


def _ranged(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) / torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None]


def _ranged_in_front(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x / torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None])
    return s + mlp(p, z)


def _repeated(p: nn.Module, x: Tensor) -> Tensor:
    """At least once; four times with six tokens."""
    s, z = stream(x)
    h = F.linear(z, p.w, p.b)
    for _ in range(x.shape[1] // 6 + 1):
        h = torch.tanh(h)
    return s + F.linear(h, p.out, p.c)


def _repeated_twice(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + F.linear(torch.tanh(torch.tanh(F.linear(z, p.w, p.b))), p.out, p.c)


def _up_to_a_capacity(p: nn.Module, x: Tensor) -> Tensor:
    """Only the two cases with the largest values pass the network."""
    s = (x + attended(x))[:, -1]
    y = mlp(p, rms(s))
    rank = (-y.norm(dim=-1)).argsort().argsort()
    return (s + y * (rank < 2)[:, None])[:, None]


def _of_its_own(p: nn.Module, x: Tensor) -> Tensor:
    s = (x + attended(x))[:, -1]
    h = F.gelu(F.linear(rms(s), p.w, p.b))
    return (s + F.linear(h * (h.argsort().argsort() > 2), p.out, p.c))[:, None]


TABLE = {**NETWORK, "table": (60, D)}
Body = Callable[[nn.Module, Tensor], Tensor]


@pytest.mark.parametrize(
    ("body", "kind", "twin"),
    [
        (_ranged, refusals.LENGTH, _ranged_in_front),
        (_repeated, refusals.LENGTH, _repeated_twice),
        (_up_to_a_capacity, refusals.MIXES_CASES, _of_its_own),
    ],
    ids=["a range", "a loop", "a capacity"],
)
def test_it_is_refused_by_name_and_its_twin_is_admitted(body: Body, kind: Refusal, twin: Body) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(Small(body, **NETWORK))
    assert error.value.kind is kind, str(error.value)
    assert "\n" not in str(error.value)
    watched(Small(twin, **NETWORK))


def test_a_table_read_by_the_number_of_tokens_is_refused_and_by_the_position_it_is_not() -> None:
    with pytest.raises(RefusedBlock, match="equal behind another context of the same length, and off by") as error:
        watched(Small(_indexed, **TABLE))
    assert error.value.kind is refusals.LENGTH
    watched(Small(_indexed, **TABLE), call=by_position)
