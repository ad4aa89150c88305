"""An update that grows without end is refused while it is small, over tensors too; one that takes some room is not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from numeric.architecture import UnusableBlock
from numeric.sides.variant import OWN
from numeric.user_blocks import own_block
from numeric.user_blocks.block_as_written import ALL, measure_scenario
from numeric.user_blocks.update_size import MOST_UPDATE_ENTRIES, WithinReason
from tests.numeric.user_blocks.sample_blocks import D, M, block
from tests.numeric.user_blocks.test_block_as_written import formula, own

TIMES = 26
W, DELTA = torch.ones(M, D), torch.ones(2, D, 1)


def joined(delta: Tensor) -> Tensor:
    for _ in range(TIMES):
        delta = torch.cat([delta, delta], dim=-1)
    return delta.sum(-1, keepdim=True)


def caught(delta: Tensor) -> Tensor:
    try:
        return joined(delta)
    except Exception:
        return delta


GROWING = {"joined again and again": joined, "the refusal caught": caught}


@pytest.mark.parametrize("grows", GROWING.values(), ids=GROWING)
def test_a_term_that_is_doubled_again_and_again_is_refused_by_the_operator(grows: Callable[[Tensor], Tensor]) -> None:
    """Of a block as it is written, and of a rebuilt one, whose update is another for tensors."""

    def update(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
        return formula(W, grows(delta) if isinstance(delta, Tensor) else delta, a)

    said = r"update\(W, delta, a\) makes a tensor of [\d,]+ entries by cat, and [\d,]+ are the most for its W"
    with pytest.raises(UnusableBlock, match=said):
        measure_scenario(own(update=update), ALL, OWN, 1, seed=0)
    with pytest.raises(UnusableBlock, match=said):
        own_block("mine", block(), update=update)


def test_as_many_operators_as_would_take_for_ever_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numeric.user_blocks.update_size.MOST_OPERATORS", 10)
    with WithinReason(W, DELTA):
        sum([DELTA] * 10, start=DELTA)
    with pytest.raises(UnusableBlock, match="runs more than 10 operators"), WithinReason(W, DELTA):
        sum([DELTA] * 11, start=DELTA)


def test_what_is_the_most_is_allowed() -> None:
    most = MOST_UPDATE_ENTRIES * 2 * max(M, D) ** 2
    with WithinReason(W, DELTA) as reason:
        torch.zeros(most)
        torch.ones(1).expand(2 * most)  # takes no room
    reason.ask()
    with pytest.raises(UnusableBlock, match=f"{most + 1:,} entries by zeros"), WithinReason(W, DELTA):
        torch.zeros(most + 1)
