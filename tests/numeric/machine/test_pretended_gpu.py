"""The project's code for a GPU, run where there is none: no tensor is left on the other device.

What a GPU computes is another matter; tests marked ``gpu`` ask a real one.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from numeric.architecture import asked_shapes
from numeric.arithmetics import value_and_radius
from numeric.arithmetics.envelope import Envelope
from numeric.blocks import all_blocks
from numeric.cells import Cell, measure_cell
from numeric.cells.exclusions import unsupported_reason
from numeric.experiments.implicit_dynamics import implicit_dynamics
from numeric.experiments.near_zero_sweep import Attended, sweep
from numeric.experiments.paper_figures import training_with_bounds
from numeric.formats import MODES, modes_named
from numeric.machine import BATCH, ProbedMode, probe
from numeric.search import worst_context
from numeric.sides import Variant, block_in_format
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic.vocabulary import Verdict
from tests.numeric.machine.pretended_gpu import OtherDevice, PretendedGpu, is_there
from tests.numeric.measuring import FORMULA, a_cell

ONLY_THERE = ("tf32", "bf16-autocast")
"""Modes that torch itself switches on, on a real GPU."""

UNLIKE = ("griffin", "gru", "mixture-of-experts", "parallel", "pre-ln-stack", "selective-ssm")
"""Blocks of which each has modules that no other has."""

RUN = [mode.id for mode in MODES if "cuda" in mode.runs_on and mode.id not in ONLY_THERE and not mode.id.endswith("-reduced")]


@pytest.fixture
def gpu() -> Iterator[PretendedGpu]:
    with PretendedGpu() as pretended:
        yield pretended


def probed(trained: TrainedBlock, mode: str) -> ProbedMode:
    return probe(modes_named([mode])[0], **asked_shapes([trained.model.block]), device="cuda")


def cell(trained: TrainedBlock, mode: str, scenario: str = "random", variant: Variant = VARIANTS[0]) -> Cell:
    return a_cell(trained, probed(trained, mode), variant, scenario, 64)


@pytest.mark.usefixtures("gpu")
def test_it_refuses_what_a_gpu_refuses() -> None:
    there, here = torch.ones(3, device="cuda"), torch.ones(3)
    assert there.device.type == "cuda"
    assert is_there(here.to("cuda"))
    assert is_there(there + 1.0)
    assert is_there((there * torch.tensor(2.0))[1:])
    assert not is_there(there.cpu())
    assert (there.cpu() + here).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(OtherDevice, match="same device"):
        there + here
    with pytest.raises(OtherDevice, match="same device"):
        torch.func.vmap(lambda x: x @ here)(there.expand(2, 3))
    with pytest.raises(OtherDevice, match="numpy"):
        there.numpy()
    with pytest.raises(OtherDevice, match="numpy"):
        np.asarray(there)
    with pytest.raises(OtherDevice, match="generator"):
        there.normal_(generator=torch.Generator())
    with pytest.raises(OtherDevice, match="generator"):
        torch.randn(3, generator=torch.Generator(), device="cuda")


@pytest.mark.usefixtures("gpu")
def test_modules_go_there_with_their_parameters() -> None:
    layer = torch.nn.GRU(2, 3).to("cuda", torch.float64)
    assert all(is_there(parameter) for parameter in layer.parameters())
    output, _ = layer(torch.ones((1, 1, 2), dtype=torch.float64, device="cuda"))
    assert is_there(output)
    with pytest.raises(OtherDevice, match="same device"):
        layer(torch.ones((1, 1, 2), dtype=torch.float64))


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("block", [pytest.param(row.id, marks=[] if row.id in UNLIKE else pytest.mark.soak) for row in all_blocks()])
def test_every_block_is_measured(block: str, blocks: dict[str, TrainedBlock]) -> None:
    assert unsupported_reason(blocks[block].model.block, modes_named(["fp32"])[0]) is None
    assert measure_cell(cell(blocks[block], "fp32"), 0).verdict is Verdict.HOLDS


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("block", "mode", "scenario", "variant"),
    [
        *(("attention", mode, "random", FORMULA) for mode in RUN),
        *((block, "bf16-fp32-weights", "random", FORMULA) for block in ("parallel", "pre-ln", "pre-ln-gated")),  # norms take weights of another dtype
        *(("attention-skip", "fp32", scenario, FORMULA) for scenario in ("recompute", "non_finite")),
        *(("attention-skip", "fp32", "near_zero", variant) for variant in VARIANTS[1:]),
    ],
)
def test_modes_scenarios_and_variants_are_measured(block: str, mode: str, scenario: str, variant: Variant, blocks: dict[str, TrainedBlock]) -> None:
    assert measure_cell(cell(blocks[block], mode, scenario, variant), 0).verdict is Verdict.HOLDS


@pytest.mark.usefixtures("gpu")
def test_sweeps_and_experiments_are_made(blocks: dict[str, TrainedBlock], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worst_context, "ASCENT_STEPS", BATCH // worst_context.STARTS)
    trained = blocks["attention"]
    machine = probed(trained, "bf16")
    swept = sweep(Attended(trained, block_in_format(trained.model.block, machine), machine, 0), VARIANTS[0])
    assert swept.levels[-1].refused == 1
    assert implicit_dynamics(trained, probed(trained, "fp32")).tokens > 0
    assert worst_context.ascend(cell(trained, "bf16"), 0).isfinite().all()
    late = dataclasses.replace(trained, checkpoints={0: trained.checkpoints[0]})
    (found,) = training_with_bounds(late, VARIANTS[0], probed(trained, "fp32"))
    assert found.difference <= found.bound


def test_a_radius_left_on_the_other_device_is_noticed(gpu: PretendedGpu, blocks: dict[str, TrainedBlock], monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect: the zeros of an envelope without parts, which had no device."""
    dense = Envelope.dense
    monkeypatch.setattr(Envelope, "dense", lambda self, p, q, *, on="cpu": dense(self, p, q))
    with pytest.raises(OtherDevice, match="same device"):
        measure_cell(cell(blocks["attention"], "fp32"), 0)
    assert value_and_radius.Envelope is Envelope
