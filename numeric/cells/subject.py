"""What is measured: a block that is ready, and where its tokens come from."""

from typing import Protocol

import torch
from torch import Tensor

from numeric.architecture import Block, ContextualBlock
from numeric.sides.variant import Variant, variants_named


class Model(Protocol):
    """A block's module with a source of tokens."""

    @property
    def block(self) -> ContextualBlock:
        """The module."""

    def tokens(self, cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Context (cases, n, d_in) and query (cases, d_in), drawn anew, in the module's own dtype."""


class Subject(Protocol):
    """A trained block of the registry, or a user's own."""

    @property
    def block(self) -> Block:
        """Its row: a name, and what may be asked of it."""

    @property
    def model(self) -> Model:
        """What computes."""

    def variant(self, name: str) -> Variant:
        """The variant of that name. Raises UnknownVariant."""


class MeasuredAsIs:
    """A subject that has no variant of its own."""

    __slots__ = ()

    def variant(self, name: str) -> Variant:
        """The variant of that name. Raises UnknownVariant."""
        return variants_named([name])[0]
