"""A batch of cases, a block and a seed, made ready to be measured: rounded to a mode's formats, on its device."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from numeric.architecture import ContextualBlock
from numeric.formats import round_to, torch_dtype
from numeric.machine import ProbedMode


@dataclass(frozen=True, slots=True)
class Batch:
    """What a scenario draws: embedded tokens, in fp64; the measurement rounds them to its format."""

    context: Tensor
    """C: (cases, N, width)."""
    kept: Tensor | None
    """C∖Y: (cases, n, width), or None for the empty context (Y = C)."""
    query: Tensor
    """x: (cases, width)."""


Attend = Callable[[ContextualBlock, Batch, ProbedMode], Tensor]
"""A(C∖Y,x) of each case by some way of computing: (cases, width)."""


def in_format(block: ContextualBlock, cases: Batch, probed: ProbedMode) -> Batch:
    """The cases rounded to the mode's activations, on its device."""

    def cast(x: Tensor) -> Tensor:
        return x.to(probed.device, torch_dtype(probed.mode.activations))

    return Batch(cast(cases.context), None if cases.kept is None else cast(cases.kept), cast(cases.query))


def block_in_format(block: ContextualBlock, probed: ProbedMode) -> ContextualBlock:
    """The block with its weights rounded to the mode's format, on the device; biases stay in the format of the tensors."""
    block = copy.deepcopy(block).to(probed.device, torch_dtype(probed.mode.weights))
    if not probed.mode.weights.native:
        for weight in block.parameters():
            if weight.dim() > 1:
                weight.copy_(round_to(weight, probed.mode.weights))
    return block


def seed_of(seed: int, *names: str) -> int:
    """A seed of its own for each name, from the run's."""
    digest = hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()
    return int.from_bytes(digest[:7], "big")
