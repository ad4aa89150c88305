"""A part Y of the context at random positions moves into the weights, and the rest stays: Theorem 2.2 as it is stated.

C∖Y means positions, not values (erratum 8). The number of removed tokens is drawn anew for each batch, every number from 1
to all of them alike; which ones, for each case.
"""

import torch

from numeric.block import Block
from numeric.formats import Format
from numeric.modes import Mode
from numeric.scenario import Cases, Scenario
from numeric.subject import Subject


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Cases:
    context, query = (x.double() for x in subject.model.tokens(cases, generator))
    tokens = context.shape[1]
    removed = int(torch.randint(1, tokens + 1, (), generator=generator))
    stay = torch.rand((cases, tokens), generator=generator).argsort(-1)[:, removed:].sort(-1).values
    kept = context.gather(1, stay.unsqueeze(-1).expand(-1, -1, context.shape[-1])) if removed < tokens else None
    return Cases(context, kept, query)


FINE_ENOUGH = ("fp64", "fp32", "fp32-ftz", "fp16")
"""Measured: in each of the other modes, on some block, half of the cases could not tell A(C,x) from A(C∖Y,x) in the update."""


def _refuses(block: Block, mode: Mode) -> str | None:
    return None if mode.id in FINE_ENOUGH else "a few tokens of fifty change A(C,x) by less than such a format resolves"


SCENARIO = Scenario("subset", "Y at random positions, from one token to all", "theorem-2.2", _draw, refuses=_refuses)
"""What stays keeps its order."""
