"""Trained blocks and probed error models, once for all tests of this floor."""

import pytest

from numeric.architecture import asked_shapes
from numeric.blocks import all_blocks
from numeric.formats import MODES
from numeric.machine import ErrorModel, ProbedMode, probe, use_one_thread
from numeric.training import TrainedBlock, trained

use_one_thread()  # as every run does: more would change the order of some sums, and wait for each other on a busy machine


@pytest.fixture(scope="session")
def blocks() -> dict[str, TrainedBlock]:
    return {block.id: trained(block) for block in all_blocks()}


@pytest.fixture(scope="session")
def machine() -> dict[str, ProbedMode]:
    """Every mode that a CPU has, with the error models as probed at the shapes of the blocks."""
    shapes = asked_shapes(block.build(block.recipe) for block in all_blocks())
    return {mode.id: probe(mode, **shapes) for mode in MODES if "cpu" in mode.runs_on}


@pytest.fixture(scope="session")
def arithmetic(machine: dict[str, ProbedMode]) -> dict[str, ErrorModel]:
    """The error model of the layers of each mode."""
    return {name: probed.layer for name, probed in machine.items()}
