"""A trained block in a mode: its cell, what is measured in it, and cases that are drawn for it."""

import math
from dataclasses import replace

import torch

from numeric.architecture import ContextualBlock
from numeric.arithmetics import WithRadius
from numeric.arithmetics.uniform_errors import FAILURE_PROBABILITY
from numeric.cells import Cell, Measurement, measure_cell
from numeric.machine import ProbedMode
from numeric.scenarios import scenarios_named
from numeric.sides import Batch, Variant, block_in_format, in_format
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock

FORMULA = VARIANTS[0]
CASES = 320
SURE = 2.0**-20
"""Probability with which a correct bound may fail one check of how often it is exceeded."""


def a_cell(trained: TrainedBlock, probed: ProbedMode, variant: Variant = FORMULA, scenario: str = "random", cases: int = CASES) -> Cell:
    return Cell(trained, block_in_format(trained.model.block, probed), probed, variant, scenarios_named([scenario])[0], cases)


def measured(trained: TrainedBlock, probed: ProbedMode, variant: Variant = FORMULA, scenario: str = "random", cases: int = CASES) -> Measurement:
    """That cell, with seed 0."""
    return measure_cell(a_cell(trained, probed, variant, scenario, cases), 0)


def drawn(trained: TrainedBlock, probed: ProbedMode, cases: int, seed: int, scenario: str = "random") -> tuple[ContextualBlock, Batch]:
    """The block in the mode, and cases of a scenario in its format."""
    block = block_in_format(trained.model.block, probed)
    batch = scenarios_named([scenario])[0].draw(trained, probed.mode.range, cases, torch.Generator().manual_seed(seed))
    return block, in_format(block, batch, probed)


def with_bias_apart(weight: WithRadius, apart: bool) -> WithRadius:
    """A dense layer's weight on a machine whose layers do round Wx before they add the bias, or do not."""
    return replace(weight, numerics=replace(weight.numerics, service=None, rounds_before_bias=apart))


def allowed(cases: int, probability: float = FAILURE_PROBABILITY) -> int:
    """The least k that a binomial count exceeds with probability at most SURE."""
    below = 0.0
    for k in range(cases + 1):
        below += math.comb(cases, k) * probability**k * (1 - probability) ** (cases - k)
        if 1 - below <= SURE:
            return k
    return cases
