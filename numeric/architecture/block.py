"""A row of the registry of blocks: how to build a block and how to train it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from numeric.architecture.contextual_block import ContextualBlock
from numeric.architecture.recipe import Recipe, fingerprint

TRAINED_BY = ("architecture/layers.py", "architecture/contextual_block.py", "architecture/junctions.py", "training/task.py", "training/train.py")
"""Files of ``numeric/`` on which every block's weights depend."""


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
