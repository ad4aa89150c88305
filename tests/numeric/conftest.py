"""Trained blocks, once for all tests of this floor."""

import pytest

from numeric.block import all_blocks
from numeric.formats import FORMATS
from numeric.numerics import Numerics
from numeric.probe import probe
from numeric.training import TrainedBlock, trained

SHAPES = ((3, 128), (32, 128), (128, 32))


@pytest.fixture(scope="session")
def blocks() -> dict[str, TrainedBlock]:
    return {block.id: trained(block) for block in all_blocks()}


@pytest.fixture(scope="session")
def machine() -> dict[str, Numerics]:
    """The error model of each format, as probed at the shapes of the blocks."""
    return {row.name: probe(row, shapes=SHAPES)[0] for row in FORMATS}
