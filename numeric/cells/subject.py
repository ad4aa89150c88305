"""What is measured: a block that is ready, where its tokens come from, and the update that it brings."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from numeric.architecture import Block, ContextualBlock
from numeric.sides import Variant, variants_named
from numeric.sides.variant import OWN, UnknownVariant


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


@runtime_checkable
class MayUpdate(Protocol):
    """A subject that may bring an update."""

    @property
    def update(self) -> Callable[..., Any] | None:
        """ΔW from W (m, d), ΔA (d, 1) and a (d, 1)."""


def variant_of(subject: Subject, name: str) -> Variant:
    """The variant of that name, the subject's own update among them. Raises UnknownVariant."""
    if name != OWN or not isinstance(subject, MayUpdate):
        return variants_named([name])[0]
    if subject.update is None:
        raise UnknownVariant('there is no variant "own": the file has no function update(W, delta, a).')
    return Variant(OWN, "the user's own update", subject.update)
