"""What a scenario is: a family of (context, removed part Y, query), and the claim that a cell of it tests."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.architecture import Block, ContextualBlock, output_layers
from numeric.architecture.wiring import wiring
from numeric.cells.subject import Subject
from numeric.formats import Format, Mode
from numeric.sides import Batch
from numeric.sides.batch import Attend


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row of the registry."""

    id: str
    title: str
    claim: str
    """The claim that it tests on a block whose output is the network's, with one first layer."""
    draw: Callable[[Subject, Format, int, torch.Generator], Batch]
    """Draws that many cases for a subject and a format."""
    attend: Attend | None = None
    """How the â is computed from which the update is made, where it is not the patched pass's own way."""
    one_claim: bool = False
    """Whether it tests that claim on every block; otherwise the block's own, where it has one."""
    refuses: Callable[[Block, Mode], str | None] = lambda block, mode: None
    """Why it makes no sense on a block in a mode; None if it does."""
    usual: tuple[str, ...] | None = None
    """The modes in which a profile measures it that has not hours, by the first variant alone; None for all of everything."""
    at_most: int | None = None
    """Cases in a cell, where drawing them takes long."""
    independent: bool = True
    """Whether each case is drawn by itself; where cases have a draw in common, their spread is not that of another seed's."""


NATIVE_FORMATS = ("fp64", "fp32", "bf16", "fp16")


def drawn(subject: Subject, cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The subject's own tokens in fp64: context (cases, n, width) and query (cases, width)."""
    context, query = subject.model.tokens(cases, generator)
    return context.double(), query.double()


def part_removed(context: Tensor, query: Tensor, generator: torch.Generator) -> Batch:
    """Y at random positions: how many, from one token to all, drawn once for the batch; which ones, for each case. What stays keeps its order."""
    cases, tokens, width = context.shape
    removed = int(torch.randint(1, tokens + 1, (), generator=generator))
    stay = torch.rand((cases, tokens), generator=generator).argsort(-1)[:, removed:].sort(-1).values
    return Batch(context, context.gather(1, stay.unsqueeze(-1).expand(-1, -1, width)) if removed < tokens else None, query)


PART_RESOLVED = ("fp64", "fp32", "fp32-ftz", "fp16")
"""Measured: in each of the other modes, on some block, half of the cases could not tell A(C,x) from A(C∖Y,x) in the update."""


def refuses_blunt_formats(block: Block, mode: Mode) -> str | None:
    """Why a part of the context is not removed in a mode; None if it is."""
    return None if mode.id in PART_RESOLVED else "a few tokens of fifty change A(C,x) by less than such a format resolves"


def claim_of(scenario: Scenario, block: ContextualBlock) -> str:
    """The claim that a cell tests."""
    return scenario.claim if scenario.one_claim else own_claim(block) or scenario.claim


def own_claim(block: ContextualBlock) -> str | None:
    """The claim about blocks of that form; None for the paper's plain one."""
    if block.skip:
        return "theorem-a.2"
    if block.norm is None:
        return "gated" if len(block.first_layers) > 1 else None
    if block.parallel:
        return "parallel"
    layers = output_layers(block, wiring(block))
    if layers.gates is not None:
        return "mixture-of-experts"
    return "pre-ln" if layers.bias is not None else "bias-free-output"
