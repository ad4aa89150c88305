"""Untrained blocks, for what an experiment does with any weights: the identities hold for them all."""

from dataclasses import replace

from numeric.blocks import blocks_named
from numeric.training import TrainedBlock
from numeric.training.train import untrained


def untrained_block(name: str, **recipe: int) -> TrainedBlock:
    """A row of the registry as it is before training, with some of its recipe another."""
    (row,) = blocks_named([name])
    row = replace(row, recipe=replace(row.recipe, **recipe))  # type: ignore[arg-type]
    return TrainedBlock(row, untrained(row).requires_grad_(False), 0.0, 0.0, (), 0.0, False, {})
