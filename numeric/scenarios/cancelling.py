"""Contexts found by optimisation, so that A(C∖Y,x) comes close to zero, or ΔA does.

Half of the context stays. In one case of two it is moved, by Adam on ‖A(C∖Y,x)‖², until the denominator of the update is small
although nothing that made it is; in the other Y is moved, by Adam on ‖ΔA‖², until the update itself is almost nothing.
How far each goes differs from case to case, so that a batch holds every stage. Where the layer cannot do it, it does what it can.
"""

import torch
from torch import Tensor

from numeric.cells import Scenario, Subject, drawn
from numeric.cells.scenario import refuses_blunt_formats
from numeric.formats import Format
from numeric.sides import Batch

STEPS = 40
RATE = 0.05
"""Adam's; tokens have entries near 1."""


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = (x.to(subject.model.block.first.weight.dtype) for x in drawn(subject, cases, generator))
    kept, removed = context.tensor_split([context.shape[1] // 2], dim=1)
    towards_zero = torch.arange(cases) % 2 == 0
    steps = torch.randint(1, STEPS + 1, (cases,), generator=generator)
    whole = _moved(subject, kept, removed, query, towards_zero, steps).double()
    split = kept.shape[1]
    return Batch(whole, whole[:, :split], query.double())


def _moved(subject: Subject, kept: Tensor, removed: Tensor, query: Tensor, towards_zero: Tensor, steps: Tensor) -> Tensor:
    """The whole context after its own number of steps for each case.  Returns (cases, n, width)."""
    block = subject.model.block
    read = block.contextual if block.parallel else block.read  # the network of a parallel block reads no context
    split = kept.shape[1]
    context = torch.cat([kept, removed], dim=1).clone().requires_grad_(True)
    optimiser = torch.optim.Adam([context], lr=RATE, fused=True)
    moves = torch.where(towards_zero.unsqueeze(-1), torch.arange(context.shape[1]) < split, torch.arange(context.shape[1]) >= split).unsqueeze(-1)
    stopped = context.detach().clone()
    with torch.enable_grad():
        for step in range(1, int(steps.max()) + 1):
            a = read(context[:, :split], query)
            aim = torch.where(towards_zero.unsqueeze(-1), a, read(context, query) - a)
            optimiser.zero_grad()
            aim.square().sum().backward()  # cases do not mix, so each follows its own gradient
            assert context.grad is not None
            context.grad *= moves
            optimiser.step()
            stopped = torch.where((steps >= step).reshape(-1, 1, 1), context.detach(), stopped)
    return torch.where(torch.isfinite(stopped).all(-1).all(-1).reshape(-1, 1, 1), stopped, torch.cat([kept, removed], dim=1))


SCENARIO = Scenario(
    "cancelling", "Contexts found by optimisation: A(C∖Y,x) or ΔA close to 0", "theorem-2.2", _draw, refuses=refuses_blunt_formats, usual=("fp32",), at_most=512
)
