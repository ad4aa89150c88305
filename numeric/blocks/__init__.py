"""The registry of blocks: one file a family, and the look-up by name."""

import pkgutil
from collections.abc import Sequence
from importlib import import_module

from numeric.architecture import Block
from symbolic.vocabulary import CallError, chosen

__all__ = ["all_blocks", "blocks_named"]


class UnknownBlock(CallError):
    """No block of that name."""


def all_blocks() -> list[Block]:
    """Every block of every file of this folder, in the order of the files' names."""
    files = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return [block for name in files for block in import_module(f"{__name__}.{name}").BLOCKS]


def blocks_named(names: Sequence[str] | None = None) -> list[Block]:
    """The blocks of these names, or all. Raises UnknownBlock."""
    return chosen({block.id: block for block in all_blocks()}, names, "block", UnknownBlock)
