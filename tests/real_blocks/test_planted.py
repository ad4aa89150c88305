"""The corpus' own checks notice a wrong row: one encoder layer with one thing wrong in each."""

import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.real_blocks import test_corpus, test_float64, test_patched_by_hand
from tests.real_blocks.real_block import RealBlock
from tests.real_blocks.torch_layers import BLOCKS, call, hide

RIGHT = BLOCKS[0]
Call = Callable[[nn.Module, Tensor | None, Tensor, Tensor], Tensor]
Check = Callable[[RealBlock], None]


def with_module(change: Callable[[nn.Module], object]) -> RealBlock:
    def build() -> nn.Module:
        module = RIGHT.build()
        change(module)
        return module

    return replace(RIGHT, build=build)


def with_call(change: Call) -> RealBlock:
    return replace(RIGHT, call=change)


def built(block: RealBlock) -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_corpus.test_it_is_built_without_a_download_and_has_nothing_at_its_default(block, patch)


def answered(block: RealBlock) -> None:
    test_corpus.test_it_answers_for_the_query_and_gives_the_same_bits_twice(block, torch.float64)


def patched(block: RealBlock) -> None:
    test_patched_by_hand.test_the_patched_block_without_the_context_is_the_block_with_it(block, ())


def masked(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
    return hide(module, context, query, positions, ~hidden)


def connect(_: nn.Module) -> None:
    with socket.socket() as opened:
        opened.connect(("127.0.0.1", 9))


def with_mean(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    output = call(module, context, query, positions)
    return output + output.mean(0)


def with_first_case(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    output = call(module, context, query, positions)
    return output + output[:1]


def without_a_token(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return call(module, context if context is None else context[:, 1:], query, positions)


def rounded(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return call(module, context, query, positions).float().to(query.dtype)


def through_a_buffer(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """Float64Kept has no call in which both dtypes stand together."""
    output = call(module, context, query, positions)
    return torch.zeros(output.shape, dtype=torch.float32).copy_(output).to(output.dtype)


def noisy(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return call(module, context, query, positions) + torch.rand(())


def all_tokens(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return module(query[:, None] if context is None else torch.cat([context, query[:, None]], 1))


def reads_positions(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return call(module, context, query, positions) + positions[-1]


PLANTED: dict[str, tuple[RealBlock, Check]] = {
    "a bias of zeros": (with_module(lambda module: module.linear2.bias.zero_()), built),
    "a scale of ones": (with_module(lambda module: module.norm1.weight.fill_(1)), built),
    "one weight for all": (with_module(lambda module: module.norm2.bias.fill_(0.5)), built),
    "other weights each time": (with_module(lambda module: module.linear1.weight.normal_()), built),
    "a module that trains": (with_module(nn.Module.train), built),
    "a download": (with_module(connect), built),
    "every token's output": (with_call(all_tokens), answered),
    "other bits each time": (with_call(noisy), answered),
    "a mean over the batch": (with_call(with_mean), test_corpus.test_it_depends_on_each_token_of_its_own_context_and_on_no_other_case),
    "the first case in all": (with_call(with_first_case), test_corpus.test_a_permuted_batch_permutes_the_outputs),
    "a token that is not read": (with_call(without_a_token), test_corpus.test_a_moved_token_moves_the_output_and_its_absence_does),
    "the wrong tokens masked": (replace(RIGHT, hide=masked), test_corpus.test_a_token_that_is_masked_out_is_a_token_that_is_taken_away),
    "positions where none are read": (replace(RIGHT, positioned=True), test_corpus.test_positions_are_read_where_the_row_says_so),
    "positions that the row does not name": (with_call(reads_positions), test_corpus.test_positions_are_read_where_the_row_says_so),
    "rows that are not there": (replace(RIGHT, rows=range(400, 500)), test_corpus.test_the_output_reads_w_and_the_absorber),
    "a cast that the row does not name": (with_call(rounded), test_float64.test_it_casts_where_its_row_says_and_nowhere_once_float64_is_kept),
    "a cast that is not there": (replace(RIGHT, casts=frozenset({"norm1"})), test_float64.test_it_casts_where_its_row_says_and_nowhere_once_float64_is_kept),
    "float32 on the way": (with_call(through_a_buffer), test_float64.test_a_change_that_float32_cannot_see_reaches_the_output),
    "a cast that cannot be kept": (
        replace(with_call(through_a_buffer), casts=frozenset({""})),
        test_float64.test_it_casts_where_its_row_says_and_nowhere_once_float64_is_kept,
    ),
    "a fast path that the row does not name": (replace(RIGHT, fused=None), test_float64.test_the_fast_path_is_taken_where_the_row_says_so),
    "a fast path that is not taken": (replace(BLOCKS[2], fused=RIGHT.fused), test_float64.test_the_fast_path_is_taken_where_the_row_says_so),
    "another absorber": (replace(RIGHT, absorber="linear1.bias"), patched),
    "no absorber": (replace(RIGHT, absorber=None), patched),
    "a W that reads something else": (replace(RIGHT, first=("self_attn.out_proj.weight",)), patched),
    "half of W": (replace(RIGHT, rows=range(24)), patched),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_wrong_row_is_noticed_and_the_right_one_is_not(name: str) -> None:
    wrong, check = PLANTED[name]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(wrong)
    check(BLOCKS[2] if name == "a fast path that is not taken" else RIGHT)
