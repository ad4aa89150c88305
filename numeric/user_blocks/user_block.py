"""A user's block, ready to be measured: its module, its source of tokens, and its own update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from numeric.architecture import Block, ContextualBlock, UnusableBlock
from numeric.sides import variants_named
from numeric.sides.variant import OWN
from numeric.user_blocks.user_code import contained, error_in_words

USUAL_TOKENS = 50
"""Tokens of a context, unless the user draws contexts: as many as in the paper's prompts."""

Update = Callable[..., object]
"""ΔW from W (m, d), ΔA (d, 1) and a (d, 1), by ``@``, ``+``, ``-``, ``/`` and ``.mT``."""
DrawContexts = Callable[[int, torch.Generator], object]
"""From how many, and a generator, a context (cases, n, d_in), or a pair of it and a query (cases, d_in)."""


class OwnModel(nn.Module):
    """A user's block with a source of tokens."""

    def __init__(self, block: ContextualBlock, contexts: DrawContexts | None) -> None:
        super().__init__()
        self.block = block
        self.contexts = contexts

    def tokens(self, cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Normal tokens, or what the user draws.  Raises UnusableBlock if that is of another shape, or not finite."""
        return drawn_tokens(self.contexts, cases, generator, self.block.input_width, self.block.first.weight.dtype)


def drawn_tokens(contexts: DrawContexts | None, cases: int, generator: torch.Generator, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Contexts (cases, n, width) and queries (cases, width): normal tokens, or what the user draws.  Raises UnusableBlock for another shape or a NaN."""
    if contexts is None:
        drawn = torch.randn((cases, USUAL_TOKENS + 1, width), generator=generator)
        return drawn[:, :-1].to(dtype), drawn[:, -1].to(dtype)
    try:
        with contained():
            made = contexts(cases, generator)
    except Exception as error:
        raise UnusableBlock(f"make_contexts({cases}, generator) fails: {error_in_words(error)}") from error
    context: Any
    query: Any
    context, query = made if isinstance(made, tuple) and len(made) == 2 else (made, torch.randn((cases, width), generator=generator))
    for name, x, wanted in (("context", context, (cases, None, width)), ("query", query, (cases, width))):
        words = "(" + ", ".join("n" if size is None else str(size) for size in wanted) + ")"
        if not isinstance(x, Tensor) or x.dim() != len(wanted) or any(size not in (None, given) for size, given in zip(wanted, x.shape, strict=True)):
            given = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise UnusableBlock(f"make_contexts({cases}, generator) gave a {name} of shape {given}; asked for is {words}.")
        if not bool(torch.isfinite(x).all()):
            raise UnusableBlock(f"make_contexts({cases}, generator) gave a {name} with a NaN or an infinity in it.")
    if context.shape[1] == 0:
        raise UnusableBlock("make_contexts gave contexts without a token; there is nothing to move into the weights.")
    return _as_given(context, dtype), _as_given(query, dtype)


def _as_given(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The user's tensor in a dtype, as it lies in memory, without its history."""
    return (x.clone() if x.is_inference() else x.detach()).to(dtype)


class CompiledCode(UserWarning):
    """Parts of a block were compiled, and run as they were written."""


@dataclass(frozen=True, slots=True)
class OwnBlock:
    """A user's block, ready to be measured."""

    block: Block
    model: OwnModel
    update: Update | None = None
    """The user's own ΔW, if there is one."""
    compiled: tuple[str, ...] = ()
    """The names of its parts that were compiled and run as they were written, "" for the block."""

    @property
    def compiled_in_words(self) -> str:
        """Those parts."""
        names = ", ".join(f'"{name}"' if name else "the whole block" for name in self.compiled)
        return f"of {names} the code as it was written is measured, and not the kernels that torch.compile makes"

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that are measured on it: its own first."""
        return (*((OWN,) if self.update else ()), *(variant.id for variant in variants_named()))
