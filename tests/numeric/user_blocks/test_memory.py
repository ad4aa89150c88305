"""A layer with a memory is an error of its cell, for the two sides are of two functions then; one that only looks like it is measured."""

import pytest
import torch
from torch import Tensor

from numeric.architecture import UnusableBlock
from numeric.cells.measurement import ChangedMeanwhile
from numeric.sides.variant import OWN, in_place_refused
from numeric.user_blocks import own_block, transfers
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


@pytest.mark.parametrize("changes_at", [1, 2])
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


class CachedByShape(Average):
    """Returns what it computed first for a batch of that shape; or, as its twin, of those tokens."""

    def __init__(self, *, by_tokens: bool = False) -> None:
        super().__init__()
        self.by_tokens, self.seen = by_tokens, dict[object, Tensor]()

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        tokens = [x for x in (context, query) if x is not None]
        key = tuple((x.shape, tuple(x.flatten().tolist()) if self.by_tokens else None) for x in tokens)
        return self.seen.setdefault(key, super().forward(context, query))


def test_a_cache_by_shape_is_refused_as_that() -> None:
    with pytest.raises(UnusableBlock, match=r"depends on earlier calls: on a context it returned for other tokens.* as a cache by shape does"):
        own_block("mine", block(CachedByShape()))


def test_a_cache_by_the_tokens_themselves_is_taken_in() -> None:
    """The right twin."""
    own_block("mine", block(CachedByShape(by_tokens=True)))


def in_place(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    """Eq. (1), in which ‖a‖² is divided out of a's own place."""
    total = a.mT @ a
    if isinstance(a, Tensor):
        a /= total
        return (W @ delta) @ a.mT
    return (W @ delta) @ a.mT / total


def in_place_in_half_precision(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    """The same in other formats than that in which it is looked at."""
    total = a.mT @ a
    if isinstance(a, Tensor) and a.dtype != torch.float64:
        a /= total
        return (W @ delta) @ a.mT
    return (W @ delta) @ a.mT / total


def out_of_place(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    """The right twin."""
    return (W @ delta) @ (a / (a.mT @ a)).mT


def test_an_update_that_writes_into_its_operands_is_refused_as_that() -> None:
    with pytest.raises(UnusableBlock, match=r"update\(W, delta, a\) changes its operands in place: a\. Let it return"):
        own_block("mine", block(), update=in_place)


def test_one_that_does_so_in_one_format_is_refused_too() -> None:
    with pytest.raises(UnusableBlock, match=r"update\(W, delta, a\) changes its operands in place: a\. Let it return"):
        own_block("mine", block(), update=in_place_in_half_precision)


def test_an_update_that_leaves_its_operands_is_measured() -> None:
    assert measured(OWN, block(), update=out_of_place).verdict is Verdict.HOLDS


@pytest.mark.parametrize(("value", "now"), [(float("nan"), 0.0), (float("inf"), 3.4028234663852886e38), (float("-inf"), -1.0), (1.0, 2.0), (0.0, float("nan"))])
def test_any_change_of_an_operand_in_place_is_seen(value: float, now: float) -> None:
    """A NaN that becomes 0 too, and an infinity the largest number: what ``nan_to_num`` would make of them."""

    def changes(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
        a[0, 0] = now
        return W

    a = torch.tensor([[value], [float("nan")]])
    with pytest.raises(UnusableBlock, match="changes its operands in place: a"):
        in_place_refused(changes)(torch.ones(2, 2), torch.ones(2, 1), a.clone())
    assert torch.equal(in_place_refused(lambda W, delta, a: W + 1)(torch.ones(2, 2), a, a), torch.full((2, 2), 2.0)), "a NaN that stays is no change"
