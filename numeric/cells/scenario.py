"""A scenario by name: a family of (context, removed part Y, query). The folder ``scenarios/`` is the registry."""

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import Tensor

from numeric.architecture import Block, ContextualBlock, output_layers
from numeric.architecture.wiring import wiring
from numeric.cells.subject import Subject
from numeric.formats import Format, Mode
from numeric.machine import ProbedMode
from symbolic.vocabulary.errors import CallError, chosen


class UnknownScenario(CallError):
    """No scenario of that name."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a scenario draws: embedded tokens, in fp64; the measurement rounds them to its format."""

    context: Tensor
    """C: (cases, N, width)."""
    kept: Tensor | None
    """C∖Y: (cases, n, width), or None for the empty context (Y = C)."""
    query: Tensor
    """x: (cases, width)."""


Attend = Callable[[ContextualBlock, Batch, ProbedMode], Tensor]
"""A(C∖Y,x) of each case by some way of computing: (cases, width)."""


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


def all_scenarios() -> list[Scenario]:
    """The scenario of every file in ``scenarios/``, in the order of the files' names."""
    package = import_module("numeric.scenarios")
    return [import_module(f"numeric.scenarios.{info.name}").SCENARIO for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name)]


def scenarios_named(names: Sequence[str] | None = None) -> list[Scenario]:
    """The scenarios of these names, or all. Raises UnknownScenario."""
    return chosen({scenario.id: scenario for scenario in all_scenarios()}, names, "scenario", UnknownScenario)


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
