"""The query scaled by powers of two, so that ‖A(x)‖ runs down through the format's whole range, and A(x) = 0 itself.

Over the reals ‖ΔW‖ = ‖WΔA‖/‖A(x)‖ grows without limit. In a format the product ΔW·A(x) stays well conditioned until a
range limit is met; the last level is A(x) = 0, where no update exists unless WΔA = 0.
"""

import math

import torch
from torch import Tensor

from numeric.architecture import Block
from numeric.cells import Scenario, Subject
from numeric.formats import Format, Mode
from numeric.sides import Batch

LEVELS = 32
"""Distances from zero, evenly spaced in the exponent, from ‖A(x)‖ = 1 to below the smallest subnormal number; then zero."""


def at_norm(subject: Subject, context: Tensor, query: Tensor, exponents: Tensor) -> Batch:
    """The prompts with ‖A(x)‖ of about 2^exponent.  exponents: (cases,) float64; -inf asks for A(x) = 0. The layer is homogeneous in the query."""
    assert subject.block.homogeneous
    norm = subject.model.block.contextual(None, query).double().norm(dim=-1)
    scale = torch.exp2(exponents - norm.log2().round())
    # A subnormal power of two times an fp64 number is rounded once, here; the query is exact from here on.
    return Batch(context.double(), None, query.double() * scale.unsqueeze(-1))


def exponents_of(storage: Format, cases: int) -> Tensor:
    """The levels' exponents, case by case in turn.  Returns (cases,) float64."""
    lowest = math.log2(storage.smallest_subnormal) - 2
    levels = torch.cat([torch.linspace(0, lowest, LEVELS - 1, dtype=torch.float64).round(), torch.tensor([-math.inf], dtype=torch.float64)])
    return levels[torch.arange(cases) % LEVELS]


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    return at_norm(subject, *subject.model.tokens(cases, generator), exponents_of(storage, cases))


def _refuses(block: Block, mode: Mode) -> str | None:
    return None if block.homogeneous else "A(x) is not proportional to the query, which therefore does not bring it to a given size"


SCENARIO = Scenario("near_zero", "‖A(x)‖ from 1 down to 0, Y = C", "corollary-2.3.1", _draw, refuses=_refuses)
