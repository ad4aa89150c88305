"""A whole layer as its library wrote it, how it is called, and what must be found in it.

T_W(C, x) is ``call(module, C, x, positions)``: the output of the query x, which stands behind the context C. Of the module are written down,
from the architecture's formula alone: the parameters that are W, the one that takes up what the stream lacks without the context, and
where the code casts float64 to float32.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn

D, M, HEADS = 32, 48, 4
"""Width of the stream, width of the network, heads of the attention."""

Call = Callable[[nn.Module, Tensor | None, Tensor, Tensor], Tensor]
Hide = Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealBlock:
    """One block of the corpus.

    Where the network's value F(z; W) meets the stream, the output is s + F or a function of it alone. The stream lacks δ = s(C, x) − s(C∖Y, x)
    without Y. The absorber is the last parameter p with F(p + Δp) = F(p) + δ: a bias, also in front of a scale that is known without the context;
    a scale only where no bias stands behind the last norm; an output matrix where there is neither. It is None where s does not read the context.
    """

    name: str
    library: str
    """Whose code runs: transformers, torch, x-transformers, or own words."""
    build: Callable[[], nn.Module]
    """The module in float32, in eval mode, weights drawn from a seed; nothing at its default. ``.double()`` has the same weights."""
    call: Call
    """module, context (batch, n, d) or None, query (batch, d), positions (n + 1,) of the context's tokens and the query: the query's output (batch, d)."""
    first: tuple[str, ...]
    """The parameters that are W; several where several matrices read the same z."""
    absorber: str | None
    """The parameter that takes up δ."""
    also: str | None = None
    """The parameter that may take up δ as well, where two networks' values meet before they meet the stream."""
    why: str
    """The formula of the output, from which the absorber follows."""
    projection: str
    """The output matrix of the attention, or of what stands in its place. As W it needs no absorber: the stream that it is added to reads no context."""
    rows: range | None = None
    """The rows of the one parameter in ``first`` that are W, where its others are not."""
    positioned: bool = True
    """Whether the output depends on the positions."""
    reads_context: bool = True
    """Whether W's operand z depends on the context. In a parallel block it does not: ΔW = 0, and δ alone is patched."""
    casts: frozenset[str] = frozenset()
    """The submodules in which a float64 run casts to float32 and back."""
    fused: str | None = None
    """The one operator that is the whole layer, or its self-attention, where torch takes a fast path; gradients and function modes switch it off."""
    hide: Hide | None = None
    """module, context, query, positions, hidden (n,): the same output with the hidden tokens of the context masked out; None where no mask can say it."""

    @property
    def w(self) -> tuple[str, ...]:
        """The parameters that are W, rows of one as ``weight[48:144]``."""
        return self.first if self.rows is None else (f"{self.first[0]}[{self.rows.start}:{self.rows.stop}]",)

    def __str__(self) -> str:
        return self.name


def with_weights(module: nn.Module, name: str) -> nn.Module:
    """The module with every parameter drawn from a seed that is made of the name, in eval mode and without gradients.

    A matrix (…, m, d) has entries of N(0, 1/d), d its last dimension; a vector of N(1/2, 1/9): no bias is zero and no scale is one.
    """
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    for parameter in module.parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(drawn / parameter.shape[-1] ** 0.5 if parameter.dim() > 1 else drawn / 3 + 0.5)
    return module.eval().requires_grad_(False)


def tokens(context: Tensor | None, query: Tensor) -> Tensor:
    """(batch, n + 1, d): the context's tokens, then the query."""
    return query[:, None] if context is None else torch.cat([context, query[:, None]], 1)


def last_token(output: Any) -> Tensor:
    """What a layer hands on for the last token; some layers return more than their output."""
    return (output[0] if isinstance(output, tuple) else output)[:, -1]


def closed(hidden: Tensor, tokens: int, dtype: torch.dtype) -> Tensor:
    """A mask (n + 1, n + 1) that is added to attention's scores: −∞ in the columns of the hidden tokens of the context, and 0."""
    column = torch.zeros(tokens, dtype=dtype)
    column[:-1][hidden] = -torch.inf
    return column.expand(tokens, tokens)
