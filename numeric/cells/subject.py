"""What is measured: a block that is ready, where its tokens come from, and the update that it brings."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from numeric.architecture import Block, ContextualBlock
from numeric.operators import WatchedBlock
from numeric.operators.many_cases import PromptBatch
from numeric.sides import Variant, variants_named
from numeric.sides.variant import OWN, UnknownVariant, in_place_refused


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
class WrittenSubject(Protocol):
    """A user's block as it is written."""

    @property
    def block(self) -> Block:
        """Its row: a name."""

    @property
    def watched(self) -> WatchedBlock:
        """What was found in it."""

    def prompts(self, scenario: str, cases: int, generator: torch.Generator) -> PromptBatch:
        """Cases in float64, all of which lack the same tokens."""


def variant_of(subject: Subject | WrittenSubject, name: str) -> Variant:
    """The variant of that name, the subject's own update among them. Raises UnknownVariant."""
    if name != OWN or not hasattr(subject, "update"):
        return variants_named([name])[0]
    if subject.update is None:
        raise UnknownVariant('there is no variant "own": the file has no function update(W, delta, a).')
    return Variant(OWN, "the user's own update", in_place_refused(subject.update))
