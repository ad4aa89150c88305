"""Trained blocks and probed error models, once for all tests of this floor."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from numeric.architecture import asked_shapes
from numeric.blocks import all_blocks
from numeric.formats import modes_named
from numeric.machine import ErrorModel, ProbedMode, probe, use_one_thread
from numeric.training import TrainedBlock, trained

use_one_thread()  # as every run does: more would change the order of some sums, and wait for each other on a busy machine


class ProbedWhenWanted(dict[str, ProbedMode]):
    """Modes by name, each asked about the first time that a test wants it."""

    def __missing__(self, name: str) -> ProbedMode:
        (mode,) = modes_named([name])
        self[name] = probe(mode, **asked_shapes(block.build(block.recipe) for block in all_blocks()))
        return self[name]


class LayersOf(dict[str, ErrorModel]):
    """The error models of their layers, without anybody to ask about a single call."""

    def __init__(self, machine: Mapping[str, ProbedMode]) -> None:
        super().__init__()
        self.machine = machine

    def __missing__(self, name: str) -> ErrorModel:
        self[name] = replace(self.machine[name].layer, service=None)
        return self[name]


@pytest.fixture(scope="session")
def blocks() -> dict[str, TrainedBlock]:
    return {block.id: trained(block) for block in all_blocks()}


@pytest.fixture(scope="session")
def machine() -> Mapping[str, ProbedMode]:
    """Every mode that a CPU has, with the error models as probed at the shapes of the blocks."""
    return ProbedWhenWanted()


@pytest.fixture(scope="session")
def arithmetic(machine: dict[str, ProbedMode]) -> dict[str, ErrorModel]:
    """The error model of the layers of each mode, as far as all calls share it."""
    return LayersOf(machine)
