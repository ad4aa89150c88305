"""A layer with a memory is an error of its cell, for the two sides are of two functions then; one that only looks like it is measured."""

import pytest
import torch
from torch import Tensor

from numeric.cells.measurement import ChangedMeanwhile
from numeric.user_blocks import transfers
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import Average, D, block, measured

LOOKED_AT = 10_000
"""More calls than it takes to look at a block and to measure a cell."""


class Counting(Average):
    """Computes otherwise from one of its calls in double precision on; or only those without a context, and of them it counts."""

    def __init__(self, changes_at: int, *, alone: bool = False) -> None:
        super().__init__()
        self.calls, self.changes_at, self.alone = 0, changes_at, alone

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        found = super().forward(context, query)
        if self.alone and context is not None:
            return found
        self.calls += query.dtype == torch.float64
        return found * (1 + 2.0**-30 * (self.calls > self.changes_at))


class Hoarding(Average):
    """Adds what large batches it has seen before, a little."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        found = super().forward(context, query)
        if query.dtype == torch.float64 and context is not None:
            found = found + 2.0**-20 * sum(self.seen)
            self.seen.append(found.detach())
        return found


@pytest.mark.parametrize("changes_at", [1, 2, 3, 4])
def test_a_count_of_calls_is_an_error_of_the_cell(changes_at: int) -> None:
    with pytest.raises(ChangedMeanwhile, match="the block has a memory"):
        measured("formula", block(Counting(changes_at)))


def test_a_memory_of_what_was_seen_is_an_error_of_the_cell() -> None:
    with pytest.raises(ChangedMeanwhile, match=r"another A\(C, x\) at the end of the cell in 512 of 512 cases"):
        measured("formula", block(Hoarding()))


@pytest.mark.parametrize("changes_at", [2, 3])
def test_a_count_of_calls_without_a_context_is_an_error_too(changes_at: int) -> None:
    """With a context it gives the same, so only what is asked again without one can show it."""
    with pytest.raises(ChangedMeanwhile, match=r"another A\(C∖Y, x\) at the end of the cell"):
        measured("formula", block(Counting(changes_at, alone=True)))


def test_a_count_that_changes_nothing_is_measured() -> None:
    """The control of both."""
    assert measured("formula", block(Counting(LOOKED_AT))).verdict is Verdict.HOLDS


def test_prompts_on_a_layer_with_a_memory_are_an_error_that_says_so() -> None:
    generator = torch.Generator().manual_seed(0)
    (row,) = transfers(block(Counting(2)), torch.randn(2, 3, D, generator=generator), torch.randn(2, D, generator=generator), formats=["fp64"])
    assert row.verdict is Verdict.ERROR
    assert "the same contexts gave another A(C, x) at the end of the cell" in row.reason
