"""The measured sides are the module's own: hooks read what it computed, and a patch of the whole batch is a patch case by case."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from numeric.architecture import ContextualBlock, UnusableBlock, output_layers
from numeric.architecture.wiring import leaves, wiring
from numeric.machine import ProbedMode
from numeric.sides.passes import Patch, forward, patched_forward
from numeric.training import TrainedBlock
from tests.numeric.measuring import drawn

CASES = 6


@pytest.mark.parametrize("block_id", ["attention", "attention-skip"])
@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
def test_the_hooks_read_the_modules_own_pass(name: str, block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    block, cases = drawn(blocks[block_id], machine[name], CASES, 3)
    seen = forward(block, cases.context, cases.query, machine[name])
    with torch.no_grad():
        assert torch.equal(seen.output, block(cases.context, cases.query))
        assert torch.equal(seen.attended, block.contextual(cases.context, cases.query))
        assert torch.equal(seen.layers["0"], block.first(seen.attended))
    assert list(seen.layers) == [name for name, _ in leaves(block.network)]
    assert not block.first._forward_hooks
    assert not block.first._forward_pre_hooks


@pytest.mark.parametrize("block_id", ["attention", "attention-skip"])
def test_a_patch_of_the_whole_batch_is_a_patch_case_by_case(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    block, cases = drawn(blocks[block_id], machine["fp64"], CASES, 3)
    noise = torch.randn((CASES, *block.first.weight.shape), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    patch = {"network.0.weight": block.first.weight + noise}
    if block.skip:
        patch["network.2.bias"] = block.get_parameter("network.2.bias") + noise[:, 0, :]
    together = patched_forward(block, None, cases.query, Patch(patch), machine["fp64"])
    for case in range(CASES):
        alone = functional_call(block, {key: value[case] for key, value in patch.items()}, (None, cases.query[case : case + 1]))
        # Kernels may sum in another order: products of 128 terms of size at most 10 differ by far less than this.
        assert bool(((together.output[case] - alone[0]).abs() <= 1000 * 2.0**-53 * (1 + alone.abs().max())).all())
    unpatched = block(None, cases.query)
    assert bool(((together.output - unpatched).abs().amax(-1) > 1e-3).all()), "a patch that changes nothing would pass the test above"


def test_a_first_layer_that_is_none_is_refused() -> None:
    network = nn.Sequential(nn.ReLU(), nn.Linear(2, 2))
    with pytest.raises(UnusableBlock, match=r"and no nn\.Linear"):
        ContextualBlock(lambda context, query: query, network, "0", input_width=2)


def test_a_skip_without_a_last_bias_is_refused() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    block = ContextualBlock(lambda context, query: query, network, "0", input_width=2, skip=True)
    with pytest.raises(UnusableBlock, match="bias b′"):
        output_layers(block, wiring(block))


@pytest.mark.parametrize("block_id", ["attention", "attention-skip"])
def test_the_block_is_the_one_of_the_paper(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """T = M_W(A), M_W(z) = W′ max(0, Wz + b) + b′ (Definition 2.1); with the skip connection x + A + M_W(A) (Definition A.1)."""
    block, cases = drawn(blocks[block_id], machine["fp64"], CASES, 3)
    W, b, last, last_bias = (p.detach() for p in block.network.parameters())
    found = forward(block, cases.context, cases.query, machine["fp64"])
    for case in range(CASES):
        z = found.attended[case]
        expected = last @ torch.clamp(W @ z + b, min=0) + last_bias
        if block.skip:
            assert bool((cases.query[case].abs().max() > 0.01) & (z.abs().max() > 0.01)), "an x or A that is zero would not be missed"
            expected = cases.query[case] + z + expected
        assert bool(((found.output[case] - expected).abs() <= 1000 * 2.0**-53 * (1 + expected.abs().max())).all())
