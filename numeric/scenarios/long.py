"""Contexts of up to 4,096 tokens, far longer than in training; Y = C.

What grows is the number of summands of an average, or of steps of a recurrence.
"""

import torch
from torch import Tensor

from numeric.cells import Scenario, Subject, drawn
from numeric.formats import Format
from numeric.sides import Batch

OF_ONE_CONTEXT = 64
"""Cases that share a context, each with a query of its own: drawing a context for each would take longer than measuring."""


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    _, query = drawn(subject, cases, generator)
    parts: list[Tensor] = []
    while sum(part.shape[1] for part in parts) < subject.block.longest:
        parts.append(drawn(subject, -(-cases // OF_ONE_CONTEXT), generator)[0])
    context = torch.cat(parts, dim=1)[:, : subject.block.longest]
    return Batch(context.repeat_interleave(OF_ONE_CONTEXT, dim=0)[:cases], None, query)


SCENARIO = Scenario("long", "Contexts of up to 4,096 tokens, Y = C", "corollary-2.3.1", _draw, usual=("fp32",), at_most=512, independent=False)
