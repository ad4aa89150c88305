"""A batch of cases, a block and a seed, made ready to be measured: rounded to a mode's formats, on its device."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from numeric.architecture import ContextualBlock
from numeric.formats import Format, round_to, torch_dtype
from numeric.machine import BATCH, ProbedMode

LARGEST_PATCH = 2**28
"""Bytes that the patched weights of all cases of a batch may take in float64, in which they are bounded."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a scenario draws: embedded tokens, in fp64; the measurement rounds them to its format."""

    context: Tensor
    """C: (cases, N, width)."""
    kept: Tensor | None
    """C∖Y: (cases, n, width), or None for the empty context (Y = C)."""
    query: Tensor
    """x: (cases, width)."""

    def part(self, start: int, stop: int) -> "Batch":
        """Some of the cases, in memory of their own, as torch would have made them."""
        return Batch(*(None if x is None else x[start:stop].clone() for x in (self.context, self.kept, self.query)))  # type: ignore[arg-type]


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
    round_weights(block, probed.mode.weights)
    return block


def round_weights(module: nn.Module, storage: Format) -> None:
    """Round a module's weights to a format that torch does not compute in; its vectors, as biases are, stay as they are."""
    for weight in () if storage.native else module.parameters():
        if weight.dim() > 1:
            sizes = [1 if stride == 0 else size for size, stride in zip(weight.shape, weight.stride(), strict=True)]
            places = weight.detach().as_strided(sizes, weight.stride(), weight.storage_offset())
            places.copy_(round_to(places, storage))  # each place once, of a weight that is expanded


def batch_that_fits(block: ContextualBlock) -> int:
    """How many cases are computed at once, unless a run asks for another number: ``BATCH``, fewer where their patched weights would not fit."""
    entries = max(layer.weight.numel() for layer in block.first_linears)
    fits = max(1, LARGEST_PATCH // (8 * entries))
    return min(BATCH, 2 ** (fits.bit_length() - 1))


def seed_of(seed: int, *names: str) -> int:
    """A seed of its own for each name, from the run's."""
    digest = hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()
    return int.from_bytes(digest[:7], "big")
