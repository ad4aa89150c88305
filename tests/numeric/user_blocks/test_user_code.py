"""What is no ``Exception`` leaves the user's code as one, and never takes the program or a test with it."""

import sys
from collections.abc import Callable
from typing import NoReturn

import pytest
import torch
from torch import Tensor

from numeric.architecture import UnusableBlock
from numeric.user_blocks import contained, error_in_words, own_block, transfers
from numeric.user_blocks.user_code import LeftUserCode
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import Average, D, block


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def leave(*_: object) -> NoReturn:
        raise error

    return leave


LEAVING: dict[str, Callable[..., object]] = {
    "SystemExit: 0": lambda *_: sys.exit(0),
    "SystemExit, which": lambda *_: sys.exit(),
    "Skipped: no data": lambda *_: pytest.skip("no data"),
    "GeneratorExit, which": raising(GeneratorExit()),
    "Failed: not today": lambda *_: pytest.fail("not today"),
}


class Leaving(Average):
    """Ends the program from one of its calls on."""

    def __init__(self, leave: Callable[..., object], after: int = 0) -> None:
        super().__init__()
        self.leave, self.calls = leave, after

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        self.calls -= 1
        if self.calls < 0:
            self.leave()
        return super().forward(context, query)


@pytest.mark.parametrize("words", LEAVING)
def test_what_is_no_exception_is_one_outside(words: str) -> None:
    with pytest.raises(LeftUserCode, match=words) as left, contained():
        LEAVING[words]()
    assert "would have ended the program" in error_in_words(left.value)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), StopIteration()])
def test_an_interrupt_and_an_exception_stay_what_they_are(error: BaseException) -> None:
    with pytest.raises(type(error)), contained():
        raise error


@pytest.mark.parametrize("words", LEAVING)
def test_a_block_whose_code_ends_the_program_is_refused(words: str) -> None:
    leave = LEAVING[words]
    with pytest.raises(UnusableBlock, match=f"the contextual layer fails on a context: {words}"):
        own_block("mine", block(Leaving(leave)))
    with pytest.raises(UnusableBlock, match=rf"make_contexts\(8, generator\) fails: {words}"):
        own_block("mine", block(), contexts=lambda cases, generator: leave())
    with pytest.raises(UnusableBlock, match=f"does not run over operands.*{words}"):
        own_block("mine", block(), update=lambda W, delta, a: leave())


def test_code_that_ends_where_nobody_expects_it_is_refused() -> None:
    class Closed(Average):
        def train(self, mode: bool = True) -> "Closed":
            sys.exit(0)

    with pytest.raises(UnusableBlock, match="ends while the block is looked at: SystemExit: 0"):
        own_block("mine", block(Closed()))


def test_an_interrupt_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        own_block("mine", block(Leaving(raising(KeyboardInterrupt()))))


@pytest.mark.parametrize("words", ["SystemExit: 0", "Skipped: no data"])
def test_prompts_that_end_the_program_while_they_are_measured_are_an_error(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And hold without that: the control is that the same prompts are measured."""
    monkeypatch.setattr("numeric.user_blocks.prompts.measure_cell", lambda cell, seed: LEAVING[words]())
    generator = torch.Generator().manual_seed(0)
    (row,) = transfers(block(), torch.randn(2, 3, D, generator=generator), torch.randn(2, D, generator=generator), formats=["fp64"])
    assert row.verdict is Verdict.ERROR
    assert words in row.reason
    monkeypatch.undo()
    (row,) = transfers(block(), torch.randn(2, 3, D, generator=generator), torch.randn(2, D, generator=generator), formats=["fp64"])
    assert row.verdict is Verdict.HOLDS


def test_a_message_that_cannot_be_read_is_reported_as_that() -> None:
    class Mute(ValueError):
        def __str__(self) -> str:
            raise RuntimeError

    assert error_in_words(Mute()) == "Mute: (its message cannot be read: RuntimeError)"
