"""How near the rigorous bound comes to the error, at the output of the first dense layer: scenario random, variant formula."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from numeric.architecture import ContextualBlock
from numeric.formats import modes_named, torch_dtype
from numeric.machine import ProbedMode, probe
from numeric.sides import Batch, Judged, judge, measure_sides
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import allowed, measured

NARROW_LAYER = {"fp64": 30.0, "fp32": 30.0, "bf16": 8.0, "fp16": 8.0}
"""Width 32 to 128: the median of ‖bound‖∞/‖error‖∞ is to be no larger."""

WIDE_LAYER = {"fp32": 300.0, "bf16": 12.0, "fp16": 12.0}
"""The same at width 768 to 3072."""

EXPECTED = 6.0
"""The same of the expected bound, at either width."""


@pytest.mark.parametrize("name", NARROW_LAYER)
@pytest.mark.parametrize("block_id", ["attention", "attention-skip"])
def test_at_width_32(block_id: str, name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    found = measured(blocks[block_id], machine[name], cases=1024)
    assert found.verdict is Verdict.HOLDS
    assert 1 <= np.median(found.judged.bound / found.judged.error) <= NARROW_LAYER[name]


class Handed(nn.Module):
    """A contextual layer that hands on z, as its context, or a, as its query."""

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return query if context is None else context[:, 0]


def joined(parts: list[Judged], name: str) -> NDArray[np.float64]:
    return np.concatenate([getattr(part, name) for part in parts])


@pytest.mark.soak
@pytest.mark.parametrize("name", WIDE_LAYER)
def test_at_width_768(name: str) -> None:
    """Random W/√d, b, z and a; the kernels are probed with the few cases that are measured, which is what fits in memory."""
    d, m, batch, batches = 768, 3072, 16, 2
    probed = probe(modes_named([name])[0], shapes=((m, d),), first=((m, d),), batch=batch)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(torch_dtype(probed.mode.activations))

    network = nn.Sequential(nn.Linear(d, m)).requires_grad_(False).to(torch_dtype(probed.mode.weights))
    network[0].weight.copy_(draw(m, d) / math.sqrt(d))
    network[0].bias.copy_(draw(m))
    block = ContextualBlock(Handed(), network, "0", input_width=d)
    judged = [judge(measure_sides(block, Batch(draw(batch, 1, d), None, draw(batch, d)), VARIANTS[0], probed)) for _ in range(batches)]
    error = joined(judged, "error")
    assert all(verdict == Verdict.HOLDS.value for part in judged for verdict in part.verdict)
    assert 1 <= np.median(joined(judged, "bound") / error) <= WIDE_LAYER[name]
    assert 1 <= np.median(joined(judged, "expected") / error) <= EXPECTED
    assert (joined(judged, "expected_ratio") > 1).sum() <= allowed(len(error))
