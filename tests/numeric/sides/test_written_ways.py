"""Small blocks in ways in which people write them, whose patched parameters are read through views, broadcast, negated or scaled: each within its radii.

And the planted negative beside each: without the radius of what was patched, or of what was laid out anew, some of them lie outside.
"""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric import ContextualBlock
from numeric.operator_rules import Bounded, NoOperatorRule
from numeric.operators.block import WatchedBlock
from numeric.sides import judge
from numeric.sides import written_sides as sides
from numeric.sides.written_passes import Bounding
from tests.numeric.sides.test_written_sides import TOKENS, check_watched, in_format

D, M = 8, 12
ALL, PART = tuple(range(TOKENS)), (0, 3)
Network = Callable[["Block", Tensor, Tensor], Tensor]


class Block(nn.Module):
    """Attention without parameters, then a network; the network is given the stream and itself."""

    def __init__(self, network: Network, scale: float = 1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.w1, self.b1 = (nn.Parameter(0.4 * torch.randn(shape, generator=generator)) for shape in ((M, D), (M,)))
        self.w2, self.b2 = nn.Parameter(0.3 * torch.randn((D, M), generator=generator)), nn.Parameter(scale * torch.randn((D,), generator=generator))
        self.gamma = nn.Parameter(1 + 0.2 * torch.randn((D,), generator=generator))
        self.tiny = nn.Parameter(1e-5 * (1 + torch.rand((D,), generator=generator)))
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self, x + torch.softmax(x @ x.mT, -1) @ x, x)


def last(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return module(query[:, None] if context is None else torch.cat([context, query[:, None]], 1))[:, -1]  # type: ignore[no-any-return]


def hidden(p: Block, s: Tensor) -> Tensor:
    return torch.tanh(F.linear(s, p.w1, p.b1))


def turned(network: Callable[[Tensor], Tensor], s: Tensor) -> Tensor:
    """A network of (tokens, cases, features)."""
    return network(s.transpose(0, 1).contiguous()).transpose(0, 1)


WAYS: dict[str, tuple[Network, float]] = {
    "einsum": (lambda p, s, x: s + F.linear(torch.tanh(torch.einsum("bnd,hd->bnh", s, p.w1) + p.b1), p.w2, p.b2), 1.0),
    "a large bias, through a view": (lambda p, s, x: s + (hidden(p, s) @ p.w2.T + p.b2[None]), 100.0),
    "a large bias that is multiplied": (lambda p, s, x: s + (hidden(p, s) @ p.w2.T + (p.b2 * 1.0)[None]), 100.0),
    "a difference": (lambda p, s, x: s - F.linear(hidden(p, s), p.w2, p.b2), 1.0),
    "a network that is divided": (lambda p, s, x: s + F.linear(hidden(p, s), p.w2, p.b2) / 3, 1.0),
    "alpha": (lambda p, s, x: torch.add(s, F.linear(hidden(p, s), p.w2, p.b2), alpha=2), 1.0),
    "a scale of each entry": (lambda p, s, x: s + p.gamma * F.linear(hidden(p, s), p.w2, p.b2), 1.0),
    "tokens first": (lambda p, s, x: turned(lambda v: v + F.linear(hidden(p, v), p.w2, p.b2), s), 1.0),
    "tokens first, in place": (lambda p, s, x: turned(lambda v: v + (hidden(p, v) @ p.w2.T).add_(p.b2), s), 1.0),
    "a matrix alone": (lambda p, s, x: s + hidden(p, s) @ p.w2.T, 1.0),
    "a tenth": (lambda p, s, x: s + 0.1 * F.linear(hidden(p, s), p.w2, p.b2), 1.0),
    "a parameter of one entry": (lambda p, s, x: s + p.gamma[:1] * F.linear(hidden(p, s), p.w2, p.b2), 1.0),
    "a tiny scale behind a bias": (lambda p, s, x: s + p.tiny * F.linear(hidden(p, s), p.w2, p.b2), 1.0),
    "the last norm's scale, of three axes": (lambda p, s, x: s + p.gamma[None, None] * F.layer_norm(hidden(p, s) @ p.w2.T, (D,)), 1.0),
    "the last norm's scale": (lambda p, s, x: s + p.gamma * F.layer_norm(hidden(p, s) @ p.w2.T, (D,)), 1.0),
}


def block(way: str) -> WatchedBlock:
    network, scale = WAYS[way]
    return WatchedBlock.of(ContextualBlock.of(Block(network, scale).eval(), last, "w1", width=D))


def check_ways(ways: Sequence[str], removals: Sequence[tuple[int, ...]]) -> None:
    for way in ways:
        for removed in removals:
            check_watched(block(way), "bf16", removed)


@pytest.mark.parametrize("way", [*list(WAYS)[:1], *(pytest.param(way, marks=pytest.mark.soak) for way in list(WAYS)[1:])])
def test_a_way_to_write_it_lies_within_its_radii(way: str) -> None:
    for name in ("fp32", "bf16"):
        for removed in (ALL, PART):
            assert "VIOLATED" not in judge(check_watched(block(way), name, removed)).verdict


def test_a_norm_that_hides_what_it_multiplies_has_no_bound() -> None:
    """LayerNorm's own scale multiplies the normalised value, which its operator keeps to itself."""
    module = Block(lambda p, s, x: s + F.layer_norm(hidden(p, s) @ p.w2.T, (D,), p.gamma), 1.0).eval()
    with pytest.raises(NoOperatorRule, match=r"inside aten\.native_layer_norm"):
        in_format(WatchedBlock.of(ContextualBlock.of(module, last, "w1", width=D)), "fp32")


def test_w_that_is_read_through_a_cast_has_no_bound() -> None:
    module = Block(lambda p, s, x: s + F.linear(torch.tanh(F.linear(s, p.w1.clone(), p.b1)), p.w2, p.b2), 1.0).eval()
    with pytest.raises(NoOperatorRule, match="through a copy or a cast"):
        in_format(WatchedBlock.of(ContextualBlock.of(module, last, "w1", width=D)), "fp32")


@pytest.mark.parametrize("way", [*list(WAYS)[:2], *(pytest.param(way, marks=pytest.mark.soak) for way in list(WAYS)[7:])])
def test_without_the_radius_of_the_patch_it_lies_outside(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = sides.BlockInFormat.run

    def planted(self: sides.BlockInFormat, cases: object, own: object = (), known: tuple = (), moved: object = None) -> object:  # type: ignore[type-arg]
        return run(self, cases, own, [(x, Bounded(torch.zeros((), dtype=torch.float64))) for x, _ in known], moved)  # type: ignore[arg-type]

    monkeypatch.setattr(sides.BlockInFormat, "run", planted)
    with pytest.raises(AssertionError):
        check_ways([way], (ALL, PART))


def test_what_is_laid_out_anew_takes_its_radius_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is known gets lost on the way, which is seen."""
    monkeypatch.setattr(Bounding, "laid_out", lambda self, x, move: move(x))
    with pytest.raises((AssertionError, NoOperatorRule)):
        check_ways(["tokens first", "tokens first, in place"], (PART,))
