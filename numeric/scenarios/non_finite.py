"""A NaN or an infinity in one entry of one token, in every other case; Y = C.

Such a case has to be refused as ``NonFiniteInput`` wherever it reaches A(C,x), and its neighbours in the batch have to be
judged as if it were not there.
"""

import math

import torch

from numeric.cells import Scenario, Subject, drawn
from numeric.cells.scenario import NATIVE_FORMATS
from numeric.formats import Format
from numeric.sides import Batch

PLANTED = (math.nan, math.inf, -math.inf)


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = drawn(subject, cases, generator)
    spoiled = torch.arange(1, cases, 2)
    token, entry = (torch.randint(0, size, (len(spoiled),), generator=generator) for size in context.shape[1:])
    context[spoiled, token, entry] = torch.tensor(PLANTED, dtype=context.dtype)[torch.arange(len(spoiled)) % len(PLANTED)]
    return Batch(context, None, query)


SCENARIO = Scenario("non_finite", "A NaN or an infinity in one token of every other case, Y = C", "corollary-2.3.1", _draw, usual=NATIVE_FORMATS)
