"""The same tokens in an order that training never saw: sorted by their first entry, up or down; Y = C.

A layer that reads its tokens in order then sees a drift where it was trained on noise.
"""

import torch

from numeric.cells import Scenario, Subject, drawn
from numeric.formats import Format
from numeric.sides import Batch


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = drawn(subject, cases, generator)
    down = (torch.arange(cases) % 2).bool().unsqueeze(-1)
    first = torch.where(down, -context[..., 0], context[..., 0])
    return Batch(context.gather(1, first.argsort(dim=-1).unsqueeze(-1).expand_as(context)), None, query)


SCENARIO = Scenario("permuted", "Tokens in rising or falling order, Y = C", "corollary-2.3.1", _draw, usual=("fp32", "bf16"))
