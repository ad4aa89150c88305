"""Entries up to the end of the format's range: context and query scaled by powers of two; Y = C. Where tokens are normalised, the context alone.

Far up, scores and states overflow, and A(C,x) is not finite: such a case has to be refused by name, never judged, and never
be wrong without a warning.
"""

import torch

from numeric.cells import Scenario, Subject, drawn
from numeric.cells.scenario import NATIVE_FORMATS
from numeric.formats import Format
from numeric.sides import Batch

LEVELS = 16
"""Scales, evenly spaced in the exponent from 1 up to where an entry passes the largest number."""


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = drawn(subject, cases, generator)
    exponents = torch.linspace(0, storage.max_exponent, LEVELS, dtype=torch.float64).round()
    scale = torch.exp2(exponents[torch.arange(cases) % LEVELS]).unsqueeze(-1)
    # Beside a query as large as that, attention to normalised tokens is nothing: there the context alone is large.
    return Batch(context * scale.unsqueeze(-1), None, query if subject.block.normalises else query * scale)


SCENARIO = Scenario("huge", "Entries up to the largest number, Y = C", "corollary-2.3.1", _draw, usual=NATIVE_FORMATS)
