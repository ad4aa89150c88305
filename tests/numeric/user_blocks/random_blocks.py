"""Blocks of random widths whose weights and activations lie in memory in every way that a user's do, and batches of every size."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.formats import MODES, Mode

LARGEST = 2**27
"""Bytes of a batch's patched weights in float64: more cases are not drawn for a wide block."""

WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "row by row": lambda W: W,
    "column by column": lambda W: W.t().contiguous().t(),
    "a slice": lambda W: torch.cat([W[:, :1], W], dim=1)[:, 1:],
    "off a cache line": lambda W: torch.cat([W.flatten()[:1], W.flatten()])[1:].view_as(W),
    "every second row": lambda W: W.repeat_interleave(2, dim=0)[::2],
}
"""How W lies."""

HANDED_ON: dict[str, Callable[[Tensor], Tensor]] = {
    "fresh": lambda h: h,
    "a slice": lambda h: torch.cat([h[:, :1], h], dim=1)[:, 1:],
    "transposed": lambda h: h.t().contiguous().t(),
    "off a cache line": lambda h: torch.cat([h.flatten()[:1], h.flatten()])[1:].view_as(h),
    "every second column": lambda h: h.repeat_interleave(2, dim=1)[:, ::2],
    "expanded": lambda h: h[:, :1].expand(-1, h.shape[1]),
}
"""How what the contextual layer hands on lies."""


class Pooled(nn.Module):
    """A map of the tokens' mean, handed on so."""

    def __init__(self, width: int, d: int, hand_on: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.map, self.hand_on = nn.Linear(width, d), hand_on

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        asked = query.unsqueeze(1)
        tokens = asked if context is None else torch.cat([context, asked], dim=1)
        return self.hand_on(self.map(tokens.mean(dim=1)))


@dataclass(frozen=True)
class Drawn:
    """A block, and how it is measured."""

    width: int
    d: int
    m: int
    weight: str
    handed_on: str
    bias: bool
    act: str
    batch: int
    threads: int
    modes: tuple[Mode, ...]
    seed: int

    def block(self) -> ContextualBlock:
        torch.manual_seed(self.seed)
        first, act = nn.Linear(self.d, self.m, bias=self.bias), {"relu": nn.ReLU, "gelu": nn.GELU, "none": nn.Identity}[self.act]()
        first.weight = nn.Parameter(WEIGHTS[self.weight](first.weight.detach()))
        network = nn.Sequential(first, act, nn.Linear(self.m, 3))
        return ContextualBlock(Pooled(self.width, self.d, HANDED_ON[self.handed_on]), network, "0", input_width=self.width)

    def __str__(self) -> str:
        how = f"W {self.weight}, A(C,x) {self.handed_on}, {self.act}{'' if self.bias else ', no bias'}"
        return f"{self.width} → {self.d} → {self.m}, {how}, {self.batch} at once, {self.threads} threads"


@st.composite
def drawn_blocks(draw: st.DrawFn, widest: int = 300, modes: int = 4) -> Drawn:
    widths = st.one_of(st.integers(1, 17), st.integers(1, widest))
    d, m = draw(widths), draw(widths)
    fits = max(1, LARGEST // (8 * d * m))
    return Drawn(
        width=draw(st.integers(1, 40)),
        d=d,
        m=m,
        weight=draw(st.sampled_from(sorted(WEIGHTS))),
        handed_on=draw(st.sampled_from(sorted(HANDED_ON))),
        bias=draw(st.booleans()),
        act=draw(st.sampled_from(["relu", "gelu", "none"])),
        batch=min(draw(st.one_of(st.integers(1, 9), st.integers(1, 600))), fits),
        threads=draw(st.sampled_from([1, 2])),
        modes=tuple(draw(st.lists(st.sampled_from([mode for mode in MODES if "cpu" in mode.runs_on]), min_size=modes, max_size=modes, unique=True))),
        seed=draw(st.integers(0, 2**20)),
    )
