"""A block by name: how to build it and how to train it. The folder ``blocks/`` is the registry."""

import inspect
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch

from numeric.architecture.contextual_block import ContextualBlock
from numeric.architecture.recipe import Recipe, fingerprint
from symbolic.vocabulary.errors import CallError, chosen

TRAINED_BY = ("architecture/layers.py", "architecture/contextual_block.py", "architecture/junctions.py", "training/task.py", "training/train.py")
"""Files of this package on which every block's weights depend."""


class UnknownBlock(CallError):
    """No block of that name."""


@dataclass(frozen=True, slots=True)
class Block:
    """A row of the registry."""

    id: str
    title: str
    build: Callable[[Recipe], ContextualBlock]
    """Makes the untrained module."""
    recipe: Recipe
    homogeneous: bool = False
    """Whether A(sx) = s A(x) for s > 0 without a context, so that the query alone brings A(x) as near to zero as one likes."""
    cancels: bool = False
    """Whether tokens and their negatives cancel in A(C, x) as the query goes to zero: softmax attention without biases."""
    longest: int = 4096
    """Tokens of a long context: fewer for a layer that reads them one after the other, or keeps a state of each."""
    too_coarse_in: tuple[tuple[str | None, str], ...] = ()
    """(scenario, format), or (None, format) for every scenario: there the bound is about as wide as what the context does to this block, as measured."""
    claims: tuple[str, ...] = ()
    """Claims that apply to it for what its contextual layer is, beside those of every block of its form."""
    normalises: bool = False
    """Whether its tokens are normalised before they are attended to, and its query is not."""

    @property
    def fingerprint(self) -> str:
        """Hash of the recipe, of the sources that build and train the module, and of torch's version."""
        module = inspect.getmodule(self.build)
        assert module is not None
        trained_by = [(Path(__file__).parents[1] / name).read_text(encoding="utf-8") for name in TRAINED_BY]
        return fingerprint(self.id, self.recipe, [inspect.getsource(module), *trained_by], torch.__version__)


def all_blocks() -> list[Block]:
    """Every block of every file in ``blocks/``, in the order of the files' names."""
    package = import_module("numeric.blocks")
    found: list[Block] = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        found.extend(import_module(f"numeric.blocks.{info.name}").BLOCKS)
    return found


def blocks_named(names: Sequence[str] | None = None) -> list[Block]:
    """The blocks of these names, or all. Raises UnknownBlock."""
    return chosen({block.id: block for block in all_blocks()}, names, "block", UnknownBlock)
