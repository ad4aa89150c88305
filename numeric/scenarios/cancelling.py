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

STEPS, STAGE = 40, 10
RATE = 0.05
"""Adam's; tokens have entries near 1."""


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = (x.to(subject.model.block.first.weight.dtype) for x in drawn(subject, cases, generator))
    towards_zero = torch.arange(cases) % 2 == 0
    steps = torch.randint(1, STEPS + 1, (cases,), generator=generator)
    split, whole = context.shape[1] // 2, context.clone()
    for last in range(STAGE, STEPS + 1, STAGE):  # those that go about as far together, so that few are moved on in vain
        for zero in (True, False):
            some = ((towards_zero == zero) & (steps > last - STAGE) & (steps <= last)).nonzero().squeeze(-1)
            if len(some):
                whole[some] = _moved(subject, context[some], split, query[some], steps[some], towards_zero=zero)
    return Batch(whole.double(), whole[:, :split].double(), query.double())


def _moved(subject: Subject, whole: Tensor, split: int, query: Tensor, steps: Tensor, *, towards_zero: bool) -> Tensor:
    """The whole context after its own number of steps for each case: the kept part moved so that A(C∖Y,x) → 0, or Y so that ΔA → 0.

    whole: (cases, n, width), of which the first ``split`` tokens are kept. Returns (cases, n, width).
    """
    block = subject.model.block
    read = block.contextual if block.parallel else block.read  # the network of a parallel block reads no context
    kept, removed = whole[:, :split].clone(), whole[:, split:].clone()
    moves = (kept if towards_zero else removed).requires_grad_(True)
    optimiser = torch.optim.Adam([moves], lr=RATE, fused=True)
    stopped = moves.detach().clone()
    with torch.enable_grad():
        a = None if towards_zero else read(kept, query).detach()  # it does not move when Y does
        for step in range(1, int(steps.max()) + 1):
            aim = read(kept, query) if a is None else read(torch.cat([kept, removed], dim=1), query) - a
            if not aim.requires_grad:  # nothing of it moves: the layer does not read what is left of the context
                return whole
            optimiser.zero_grad()
            aim.square().sum().backward()  # cases do not mix, so each follows its own gradient
            optimiser.step()
            stopped = torch.where((steps >= step).reshape(-1, 1, 1), moves.detach(), stopped)
    moved = torch.cat([stopped, whole[:, split:]] if towards_zero else [whole[:, :split], stopped], dim=1)
    return torch.where(torch.isfinite(moved).all(-1).all(-1).reshape(-1, 1, 1), moved, whole)


SCENARIO = Scenario(
    "cancelling", "Contexts found by optimisation: A(C∖Y,x) or ΔA close to 0", "theorem-2.2", _draw, refuses=refuses_blunt_formats, usual=("fp32",), at_most=512
)
