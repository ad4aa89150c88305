"""The kernels that are asked are the calls that a patched pass makes: in every mode they give its bits."""

import pytest
import torch
from torch import Tensor

from numeric.architecture import ContextualBlock
from numeric.formats import MODES, in_storage
from numeric.machine import ProbedMode
from numeric.machine.kernels import BARE, DENSE, PATCHED_BIAS, PATCHED_WEIGHT, kernels
from numeric.sides.passes import Pass, Patch, patched_forward
from numeric.training import TrainedBlock
from tests.numeric.measuring import drawn

CASES = 5


def noisy(block: ContextualBlock, name: str, probed: ProbedMode, seed: int) -> Tensor:
    """A parameter with something of its own for each case added, stored as the mode stores it."""
    x = block.get_parameter(name).detach()
    noise = torch.randn((CASES, *x.shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    made = (x.double() + noise).to(x.dtype)
    return in_storage(made, probed.mode.weights) if x.dim() > 1 else made


def run(kernel: str, probed: ProbedMode, weight: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    with torch.no_grad(), probed.layer.running():
        return kernels()[kernel].run(weight if weight.dim() == 3 else weight.unsqueeze(0), x.unsqueeze(-1), bias).squeeze(-1)


@pytest.mark.parametrize("name", [mode.id for mode in MODES])
def test_a_patched_layer_runs_the_kernel_that_is_asked(name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """W a case's own in the first layer; b alone in the second; nothing in a third pass. Another case's weight is another product."""
    probed = machine[name]
    block, cases = drawn(blocks["attention-skip"], probed, CASES, 3)
    own = {key: noisy(block, key, probed, seed) for seed, key in enumerate(("network.0.weight", "network.2.bias"))}
    patched, plain = (patched_forward(block, None, cases.query, Patch(some), probed) for some in (own, {}))
    first, last = block.network.get_submodule("0"), block.network.get_submodule("2")
    weight = own["network.0.weight"]
    assert torch.equal(patched.layers["0"], run(PATCHED_WEIGHT, probed, weight, patched.attended, first.bias))
    assert not torch.equal(patched.layers["0"], run(PATCHED_WEIGHT, probed, weight.roll(1, 0), patched.attended, first.bias))
    assert torch.equal(patched.layers["2"], run(PATCHED_BIAS, probed, last.weight, patched.layers["1"], own["network.2.bias"]))
    for found, before, layer in ((plain, plain.attended, "0"), (plain, plain.layers["1"], "2")):
        module = block.network.get_submodule(layer)
        assert torch.equal(found.layers[layer], run(DENSE, probed, module.weight, before, module.bias))


@pytest.mark.parametrize("name", [mode.id for mode in MODES if mode.inputs is None])
def test_a_layer_without_a_bias_runs_the_kernel_that_is_asked(name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    probed = machine[name]
    block, cases = drawn(blocks["pre-ln-gated"], probed, CASES, 3)
    weight = noisy(block, "network.gate.weight", probed, 0)
    found: Pass = patched_forward(block, None, cases.query, Patch({"network.gate.weight": weight}), probed)
    assert torch.equal(found.layers["gate"], run(BARE[PATCHED_WEIGHT], probed, weight, found.attended, None))
    assert torch.equal(found.layers["up"], run(BARE[DENSE], probed, block.get_parameter("network.up.weight"), found.attended, None))
