"""Prompts as in training, and the whole context moved into the weights (Y = C)."""

import torch

from numeric.cells import Scenario, Subject, drawn
from numeric.formats import Format
from numeric.sides import Batch


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = drawn(subject, cases, generator)
    return Batch(context, None, query)


SCENARIO = Scenario("random", "Prompts as in training, Y = C", "corollary-2.3.1", _draw)
