"""The description of a block as it is written: any module, how it is called, and which of its parameters are W.

T_W(C, x) = call(module, C, x, positions). Nothing is rebuilt: both sides of a claim run the module itself, and what it does is found by watching it
(``numeric.operators``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from numeric.architecture.unusable import UnusableBlock

BlockCall = Callable[[nn.Module, Tensor | None, Tensor, Tensor], Tensor]
"""module, context (batch, n, d) or None, query (batch, d), positions (n + 1,) of the tokens that remain: the query's output (batch, d_out)."""


@dataclass(frozen=True, slots=True)
class BlockAsWritten:
    """What a user says of a block; ``ContextualBlock.of`` makes it."""

    module: nn.Module
    """As its library wrote it."""
    call: BlockCall
    first: tuple[str, ...]
    """The parameters that are W, by name; rows of one as ``weight[96:192]``."""
    absorb: str | None = None
    """The parameter that takes what the stream lacks, if it is not to be the one that is found."""
    width: int | None = None
    """Of a token, if it is not W's."""


def described(module: nn.Module, call: BlockCall, first: str | Sequence[str], absorb: str | None, width: int | None) -> BlockAsWritten:
    """The description.  Raises UnusableBlock for what is none at first sight."""
    if not isinstance(module, nn.Module):
        raise UnusableBlock(f"the module is a {type(module).__name__}; give an nn.Module, whose parameters W is one of.")
    if not callable(call):
        raise UnusableBlock(f"call is a {type(call).__name__}; it is a function call(module, context, query, positions) that returns the query's output.")
    names = (first,) if isinstance(first, str) else tuple(first) if isinstance(first, Sequence) else ()
    if not names or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        raise UnusableBlock("first is the name of the parameter that is W, or a list of names that are all different; rows of one are weight[96:192].")
    if width is not None and (not isinstance(width, int) or isinstance(width, bool) or width < 1):
        raise UnusableBlock(f"width is {width!r}; it is the number of entries of a token.")
    return BlockAsWritten(module, call, names, absorb, width)
