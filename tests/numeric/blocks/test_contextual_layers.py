"""Every contextual layer is the one it is called after, and has the properties that scenarios rely on."""

import pytest
import torch
from torch import Tensor, nn

from numeric.blocks import all_blocks
from numeric.formats import MODES
from numeric.machine import ProbedMode
from numeric.scenarios.subset import SCENARIO as SUBSET
from numeric.sides.passes import Patch, forward, patched_forward
from numeric.training import TrainedBlock
from tests.numeric.blocks.plain_layers import PLAIN, attended
from tests.numeric.measuring import drawn

CASES = 4
CLOSE = 2.0**-36
"""Of the largest entry: far above what some thousand roundings of fp64 lose, far below what any wrong equation would change."""

BLOCKS = [block.id for block in all_blocks()]
ALSO_DAILY = {("gru", "bf16-autocast"), ("pre-ln-stack", "fp32"), ("mixture-of-experts", "bf16")}


def apart(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def test_every_block_has_a_plain_layer() -> None:
    assert set(PLAIN) == set(BLOCKS)


@pytest.mark.parametrize("block_id", BLOCKS)
def test_it_is_what_plain_loops_compute(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    block, cases = drawn(blocks[block_id], machine["fp64"], CASES, 3)
    assert isinstance(block.contextual, nn.Module)
    for context in (cases.context, cases.context[:, :3], None):
        found = block.contextual(context, cases.query)
        plain = [attended(block.contextual, block_id, None if context is None else context[case], cases.query[case]) for case in range(CASES)]
        expected = torch.tensor(plain, dtype=torch.float64)
        for case in range(CASES):
            assert apart(found[case], expected[case]) < CLOSE
        # The planted negative: another case is not that near.
        assert apart(found[0], expected[1]) > CLOSE


@pytest.mark.parametrize("block_id", BLOCKS)
def test_the_whole_context_counts(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """A layer that ignored its context, or all but the end of it, would make every claim about ΔA trivial."""
    block, cases = drawn(blocks[block_id], machine["fp64"], CASES, 3)
    found = block.contextual(cases.context, cases.query)
    for removed in (0, cases.context.shape[1] // 2, cases.context.shape[1] - 1):
        kept = torch.cat([cases.context[:, :removed], cases.context[:, removed + 1 :]], dim=1)
        assert bool(((block.contextual(kept, cases.query) - found).abs().amax(-1) > 0).all())


@pytest.mark.parametrize("block_id", BLOCKS)
def test_it_is_homogeneous_if_it_says_so(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    block, cases = drawn(blocks[block_id], machine["fp64"], CASES, 3)
    at_one, at_half = (block.contextual(None, cases.query * s) for s in (1.0, 0.5))
    assert (apart(2 * at_half, at_one) < CLOSE) == blocks[block_id].block.homogeneous


@pytest.mark.parametrize("block_id", BLOCKS)
def test_tokens_and_their_negatives_cancel_if_it_says_so(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    block, cases = drawn(blocks[block_id], machine["fp64"], CASES, 3)
    half = cases.context[:, :25]
    mirrored = torch.cat([half, -half], dim=1)
    small = cases.query * 2.0**-30
    left, whole = block.contextual(mirrored, small), block.contextual(cases.context, small)
    alone = block.contextual(None, small)
    cancels = bool((left.abs().amax(-1) < 2.0**-20 * whole.abs().amax(-1)).all()) and bool((alone.abs().amax(-1) < 2.0**-20 * whole.abs().amax(-1)).all())
    assert cancels == blocks[block_id].block.cancels


@pytest.mark.parametrize("block_id", BLOCKS)
@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
def test_the_patched_pass_finds_the_same_a(name: str, block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    block, cases = drawn(blocks[block_id], machine[name], CASES, 3)
    weight = block.first.weight.detach().expand(CASES, -1, -1)
    patches = [Patch({f"network.{block.first_layers[0]}.weight": factor * weight}) for factor in (1, 2)]
    one, other = (patched_forward(block, None, cases.query, patch, machine[name]) for patch in patches)
    assert torch.equal(one.attended, other.attended)
    assert not torch.equal(one.output, other.output)
    # Handed on, what the layer found gives the same pass; another vector gives another.
    again, elsewhere = (patched_forward(block, None, cases.query, patches[1], machine[name], carried=found) for found in (one.carried, 2 * one.carried))
    assert torch.equal(again.attended, other.attended)
    assert torch.equal(again.output, other.output)
    assert not torch.equal(elsewhere.output, other.output)
    assert isinstance(block.contextual, nn.Module)
    assert "Handed" not in type(block.contextual).__name__


def runs(mode_id: str, block_id: str) -> bool:
    """Whether PyTorch's recurrent layers can run in a mode: their weights and inputs are of one dtype, or cast."""
    return block_id not in ("rnn", "gru") or mode_id != "bf16-fp32-weights"


@pytest.mark.parametrize(
    ("block_id", "name"),
    [
        pytest.param(block_id, mode.id, marks=[] if block_id == "attention" or (block_id, mode.id) in ALSO_DAILY else pytest.mark.soak)
        for block_id in BLOCKS
        for mode in MODES
        if runs(mode.id, block_id)
    ],
)
def test_a_patched_pass_without_a_patch_is_the_blocks_own_bit_for_bit(
    name: str, block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]
) -> None:
    """In every mode each module's output has the bits that a pass without a walk gives it; another first weight moves the output."""
    block, cases = drawn(blocks[block_id], machine[name], CASES, 3)
    for kept in (None, cases.context[:, :3]):
        own, walked = forward(block, kept, cases.query, machine[name]), patched_forward(block, kept, cases.query, Patch(), machine[name])
        assert torch.equal(own.carried, walked.carried)
        assert all(torch.equal(output, walked.layers[module]) for module, output in own.layers.items())
        assert torch.equal(own.output, walked.output)
    weight = block.first.weight.detach()
    moved = patched_forward(block, kept, cases.query, Patch({f"network.{block.first_layers[0]}.weight": (2 * weight).expand(CASES, -1, -1)}), machine[name])
    assert torch.equal(own.carried, moved.carried)
    assert not torch.equal(own.output, moved.output)


def test_a_subset_keeps_the_order_and_takes_every_size(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    scenario, generator = SUBSET, torch.Generator().manual_seed(0)
    sizes = set()
    for _ in range(400):
        cases = scenario.draw(blocks["attention"], machine["fp64"].mode.range, 2, generator)
        n = cases.context.shape[1]
        stayed = 0 if cases.kept is None else cases.kept.shape[1]
        sizes.add(n - stayed)
        for case in range(2 if stayed else 0):
            # Each kept token is one of the context, at a later place than the one before it.
            places = [int((cases.context[case] == token).all(-1).nonzero().squeeze()) for token in cases.kept[case]]
            assert places == sorted(set(places))
    assert sizes == set(range(1, n + 1))
