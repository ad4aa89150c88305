"""A layer that mixes the cases of its batch is refused, whichever row shows it; one that only rounds otherwise elsewhere is not.

The order in which a kernel adds depends on how its operands lie in memory and where a case stands, so plain attention of an odd width is the control.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.architecture import UnusableBlock
from numeric.user_blocks import own_block
from tests.numeric.user_blocks.sample_blocks import Average, D, block


class Attention(nn.Module):
    def __init__(self, width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=bias) for _ in range(4))

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        tokens = query[:, None] if context is None else torch.cat([context, query[:, None]], 1)
        weights = torch.softmax(self.q(query)[:, None] @ self.k(tokens).mT, -1)
        return self.o((weights @ self.v(tokens))[:, 0])


class Recurrent(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.GRU(width, width, batch_first=True)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        tokens = query[:, None] if context is None else torch.cat([context, query[:, None]], 1)
        return self.inner(tokens)[0][:, -1]


def of_width(width: int, layer: Callable[[int], nn.Module], seed: int = 0, dtype: torch.dtype = torch.float32) -> ContextualBlock:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
    return ContextualBlock(layer(width), network, "0", input_width=width).to(dtype)


@pytest.mark.parametrize("width", [1, 3, 5, 7, 11, 13, 33])
@pytest.mark.parametrize("layer", [Attention, Recurrent])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_layer_of_any_width_is_taken_in(width: int, layer: Callable[[int], nn.Module], dtype: torch.dtype) -> None:
    for seed in range(3):
        own_block("mine", of_width(width, layer, seed, dtype))


@pytest.mark.parametrize("width", [4, 5, 7, 11, 33])
@pytest.mark.parametrize("bias", [True, False])
def test_attention_without_biases_is_homogeneous_at_any_width(width: int, bias: bool) -> None:
    """Alone with itself a query attends to itself, so A(x) is linear in it; the scenario near_zero asks for that."""
    assert own_block("mine", of_width(width, lambda d: Attention(d, bias=bias))).block.homogeneous is not bias


def views(cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    drawn = torch.randn((cases, 6, 7), generator=generator)
    return drawn[:, 1:], drawn[:, 0]


def columns(cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.randn((7, 5, cases), generator=generator).permute(2, 1, 0), torch.randn((7, cases), generator=generator).mT


@pytest.mark.parametrize("contexts", [views, columns])
def test_tokens_that_lie_in_memory_in_another_way_are_taken(contexts: Callable[..., object]) -> None:
    own_block("mine", of_width(7, Attention), contexts=contexts)


class Adding(Average):
    """The mean, and what a function makes of the whole batch of queries."""

    def __init__(self, extra: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.extra = extra

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(context, query) + self.extra(query)


def served(capacity: int) -> Callable[[Tensor], Tensor]:
    """An expert that serves the first cases alone."""
    return lambda query: query * (torch.arange(len(query)) < capacity)[:, None]


def routed(query: Tensor) -> Tensor:
    """Two experts, each of which serves 3/8 of the batch: its first comers."""
    second = query[:, 0] > 0
    turn = torch.where(second, second.cumsum(0), (~second).cumsum(0))
    return query * (turn <= 3 * len(query) / 8)[:, None]


MIXING: dict[str, Callable[[Tensor], Tensor]] = {
    "a cumulative sum": lambda query: query.cumsum(0) - query,
    "the same, backwards": lambda query: query.flip(0).cumsum(0).flip(0) - query,
    "a neighbour": lambda query: query.roll(1, 0),
    "the last row alone": lambda query: torch.cat([query[:-1], query[-1:] + query[:1]]),
    "a middle row alone, and little": lambda query: query + 2.0**-12 * (torch.arange(len(query)) == 5)[:, None] * query[:1],
    "a capacity of one": served(1),
    "a capacity of six": served(6),
    "a capacity that only a large batch exceeds": served(100),
    "experts with a capacity": routed,
    "its own place": lambda query: query + torch.arange(len(query))[:, None],
}


@pytest.mark.parametrize("what", MIXING)
def test_a_layer_that_mixes_cases_is_refused(what: str) -> None:
    with pytest.raises(UnusableBlock, match="mixes cases"):
        own_block("mine", block(Adding(MIXING[what])))


def test_what_is_added_case_by_case_is_taken_in() -> None:
    """The control of the layers above."""
    own_block("mine", block(Adding(lambda query: query.square())))


def test_a_cache_by_shape_is_refused() -> None:
    """The first context of a shape is handed to all later ones."""

    class Cached(Average):
        def __init__(self) -> None:
            super().__init__()
            self.cache: dict[torch.Size, Tensor] = {}

        def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
            return super().forward(None if context is None else self.cache.setdefault(context.shape, context), query)

    with pytest.raises(UnusableBlock, match=r"mixes cases|not deterministic"):
        own_block("mine", block(Cached()))


class Placed(nn.Module):
    """A norm whose output depends on the place in the batch."""

    def forward(self, v: Tensor) -> Tensor:
        return v * (1 + torch.arange(len(v))[:, None])


def test_a_norm_that_depends_on_the_place_is_refused() -> None:
    with pytest.raises(UnusableBlock, match="mixes cases"):
        own_block("mine", block(norm=Placed()))
    own_block("mine", block(norm=nn.LayerNorm(D)))


class RareDropout(Average):
    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return torch.nn.functional.dropout(super().forward(context, query), self.probability, training=True)


def test_chance_that_eight_cases_do_not_show_is_no_mixing() -> None:
    """Of 8 cases of 4 entries none is dropped in 99 of 100 draws; of 512 at least one in two of three."""
    layer = RareDropout()
    layer.probability = 2.0**-11
    torch.manual_seed(5)
    with pytest.raises(UnusableBlock, match="the contextual layer is not deterministic"):
        own_block("mine", block(layer))
    layer.probability = 0.0
    own_block("mine", block(layer))
