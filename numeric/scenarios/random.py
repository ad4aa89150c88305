"""Prompts as in training, and the whole context moved into the weights (Y = C)."""

import torch

from numeric.formats import Format
from numeric.scenario import Cases, Scenario
from numeric.subject import Subject


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Cases:
    context, query = subject.model.tokens(cases, generator)
    return Cases(context.double(), None, query.double())


SCENARIO = Scenario("random", "Prompts as in training, Y = C", "corollary-2.3.1", _draw)
