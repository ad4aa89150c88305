"""Contexts of a few tokens over and over, of which Y takes some copies and leaves others.

C∖Y means positions, not values: as sets, the context would lose every copy or none (erratum 8).
"""

import torch

from numeric.architecture import Block
from numeric.cells import Scenario, Subject, drawn
from numeric.cells.scenario import part_removed
from numeric.formats import Format, Mode
from numeric.sides import Batch

DISTINCT = 4
"""Different tokens in a context, at most."""

SHARP_ENOUGH = ("fp64", "fp32", "fp32-ftz")
"""Measured: in fp16, on some block, half of the cases could not tell A(C,x) from A(C∖Y,x) in the update: what is removed is there again."""


def _refuses(block: Block, mode: Mode) -> str | None:
    return None if mode.id in SHARP_ENOUGH else "copies of what is removed stay, so A(C,x) changes by less than such a format resolves"


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = drawn(subject, cases, generator)
    _, tokens, width = context.shape
    which = torch.randint(0, min(DISTINCT, tokens), (cases, tokens, 1), generator=generator)
    return part_removed(context.gather(1, which.expand(-1, -1, width)), query, generator)


SCENARIO = Scenario(
    "repeated", "Four tokens over and over, some copies removed", "theorem-2.2", _draw, refuses=_refuses, usual=("fp64", "fp32"), independent=False
)
