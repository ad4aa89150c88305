"""Stacks and generations: the replay is the stack's own, right patches reproduce it, wrong ones do not."""

import pytest
import torch
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from numeric.architecture import ContextualBlock
from numeric.blocks.stack import DEPTH, stacked
from numeric.experiments import patched_stack
from numeric.experiments.patched_stack import GENERATED, PROMPTS, STRAYED, generations, is_stack, replays
from numeric.training import TrainedBlock
from symbolic import formulas


@pytest.fixture(scope="module")
def trained_stack(blocks: dict[str, TrainedBlock]) -> TrainedBlock:
    (found,) = [each for each in blocks.values() if is_stack(each.model.block)]
    return found


def test_the_last_tokens_stream_is_reproduced(trained_stack: TrainedBlock) -> None:
    """And each planted patch is far away: a million limits at least."""
    for replay in replays(trained_stack):
        assert len(replay.relative_error) == DEPTH == 10
        assert max(replay.relative_error) <= STRAYED
        assert min(replay.planted.values()) > 1e6 * STRAYED
        assert len(replay.planted) == 3


def test_the_blocks_one_after_the_other_are_the_stack(trained_stack: TrainedBlock) -> None:
    """Run through its causal blocks, token by token in the last place, the stack is its module's own forward pass."""
    blocks, context, query = patched_stack._prepared(trained_stack)
    whole = patched_stack._streams(blocks, context)
    with torch.no_grad():
        found, expected = patched_stack._run(blocks, whole, query)[-1], trained_stack.model.block.double()(context, query)
    assert float(patched_stack.relative_difference(found, expected).max()) <= STRAYED
    assert float(patched_stack.relative_difference(found, expected.roll(1, 0)).min()) > 1e6 * STRAYED


def test_a_patched_block_is_its_own_forward_pass(trained_stack: TrainedBlock) -> None:
    """One prompt at a time, with the two formulas written out."""
    blocks, context, query = patched_stack._prepared(trained_stack)
    block = blocks[3]
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        v, rest = block.contextual(context, query), block.contextual(None, query)
        together = patched_stack.run_patched(block, None, query, patched_stack.patch(block, v, rest))
        for case in range(3):
            z, a = block.norm(v[case]), block.norm(rest[case])
            W = block.first.weight + torch.outer(block.first.weight @ (z - a), a) / a.square().sum()
            b_prime = block.get_parameter("network.2.bias") + v[case] - rest[case]
            alone = functional_call(block, {"network.0.weight": W, "network.2.bias": b_prime}, (None, query[case : case + 1]))
            assert float((together[case] - alone[0]).abs().max()) <= STRAYED
    assert float((together - block(None, query)).abs().amax(-1).min()) > 1e6 * STRAYED


@pytest.mark.parametrize("wrong", ["rank_one_update", "bias_update"])
def test_a_wrong_formula_is_seen(wrong: str, trained_stack: TrainedBlock, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(formulas, wrong)
    monkeypatch.setattr(formulas, wrong, lambda *arguments: right(*arguments) * (1 + 2.0**-20))
    assert all(replay.relative_error[-1] > STRAYED for replay in replays(trained_stack))
    assert generations(trained_stack).apart > STRAYED


def test_generations_are_replayed(trained_stack: TrainedBlock) -> None:
    found = generations(trained_stack)
    assert found.same == found.prompts == PROMPTS
    assert found.tokens == GENERATED
    assert found.apart <= STRAYED
    assert found.distinct > 4, "a generation of one token for ever would be easy to replay"
    assert found.planted_same < PROMPTS / 2


def test_only_a_stack_is_one(blocks: dict[str, TrainedBlock]) -> None:
    assert [name for name, each in blocks.items() if is_stack(each.model.block)] == ["pre-ln-stack"]
    assert all(isinstance(block, ContextualBlock) for block in stacked(blocks["pre-ln-stack"].model.block))


def test_causal_streams_do_not_see_what_comes_later(trained_stack: TrainedBlock) -> None:
    blocks, context, _ = patched_stack._prepared(trained_stack)
    with torch.no_grad():
        whole, start = patched_stack._streams(blocks, context), patched_stack._streams(blocks, context[:, :5])
    for all_of_them, first in zip(whole, start, strict=True):
        assert float((all_of_them[:, :5] - first).abs().max()) <= STRAYED
    assert float((whole[-1][:, 5] - whole[-1][:, 4]).abs().amax(-1).min()) > 1e6 * STRAYED
