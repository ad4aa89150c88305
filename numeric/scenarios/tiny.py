"""Entries down to the end of the format's range: context and query scaled by powers of two; Y = C.

A(C,x), A(x) and with them WΔA go to zero together, at last through the subnormal numbers; the bias W is added to does not.
"""

import torch

from numeric.cells import Scenario, Subject, drawn
from numeric.cells.scenario import NATIVE_FORMATS
from numeric.formats import Format
from numeric.sides import Batch

SEEN, UNSEEN = 12, 4
"""Scales from 1 down to where what the update changes is about to drown in the rounding of the bias; and from there to the smallest number."""


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = drawn(subject, cases, generator)
    drowned = float(min(-1, (6 - storage.significand_bits) // 3))  # linear attention is of the third degree in its tokens
    lowest = storage.min_exponent - storage.significand_bits + 1
    exponents = torch.cat([torch.linspace(0, drowned, SEEN, dtype=torch.float64), torch.linspace(drowned, lowest, UNSEEN + 1, dtype=torch.float64)[1:]]).round()
    scale = torch.exp2(exponents[torch.arange(cases) % len(exponents)]).unsqueeze(-1)
    return Batch(context * scale.unsqueeze(-1), None, query * scale)


SCENARIO = Scenario("tiny", "Entries down to the smallest number, Y = C", "corollary-2.3.1", _draw, usual=NATIVE_FORMATS)
