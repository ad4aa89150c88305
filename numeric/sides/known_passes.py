"""A pass in which each case has parameters of its own and operators are bounded: what is known of an entry goes along wherever entries are laid out anew."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius
from numeric.machine import ProbedMode
from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors, NoOperatorRule
from numeric.operator_rules.models import models_of
from numeric.operators import Execution, Own, storage_key
from numeric.operators.layout import Layout
from numeric.operators.own_parameters import WithOwnParameters


class KnownPass(WithOwnParameters):
    """One pass of the whole batch under a mode."""

    def __init__(self, probed: ProbedMode, own: Iterable[Own], layout: Layout, cases: int, data: Iterable[Tensor | None]) -> None:
        self.knowledge = KnownTensors()
        running = nullcontext if probed.mode.casts else probed.mode.while_running(probed.device)  # a mode that casts stands around the whole pass
        self.bounded = BoundedWalk(models_of(probed), self.knowledge, running, one_case=cases == 1)
        super().__init__(own, layout, cases, data, run=self.bounded.execute)

    def put(self, x: Tensor, known: Bounded | WithRadius) -> None:
        """Write what is known of a tensor before the pass."""
        if isinstance(known, WithRadius):
            self.knowledge.put_matrix(x, known)
        else:
            self.knowledge.put(x, known)

    def _own(self, step: Execution, x: Tensor) -> Tensor | None:
        """Raises NoOperatorRule for a part of a parameter, which is read from a copy of which nothing is known."""
        values = super()._own(step, x)
        if values is not None and not self.knowledge.holds(values):
            raise NoOperatorRule(f"a part of a parameter of each case's own, read by {step.place},")
        return values

    def laid_out(self, x: Tensor, move: Callable[[Tensor], Tensor]) -> Tensor:
        """What is known of each entry goes along."""
        moved = move(x)
        if self.knowledge.holds(x) and storage_key(moved) != storage_key(x):
            self._take_along(moved, self.knowledge.of(x), move)
        return moved

    def overwritten(self, target: Tensor, values: Tensor) -> Tensor:
        """What is known of each entry goes along."""
        target.copy_(values)
        self._take_along(target, self.knowledge.of(values), lambda each: each)
        return target

    def stacked(self, made: Sequence[Tensor]) -> Tensor:
        """What is known of each entry goes along."""
        together, found = torch.stack(list(made)), [self.knowledge.of(each) for each in made]
        if any(isinstance(known, WithRadius) for known in found):
            raise NoOperatorRule("matrices of cases that are stacked")
        plain = [known if isinstance(known, Bounded) else Bounded(torch.zeros((), dtype=torch.float64)) for known in found]
        radii = torch.stack([known.radius.expand(x.shape) for x, known in zip(made, plain, strict=True)])
        none = torch.zeros((), dtype=torch.uint8)
        doubts = torch.stack([(none if known.doubts is None else known.doubts).expand(x.shape) for x, known in zip(made, plain, strict=True)])
        self.knowledge.put(together, Bounded(radii, doubts))
        return together

    def _take_along(self, x: Tensor, known: Bounded | WithRadius | None, move: Callable[[Tensor], Tensor]) -> None:
        if isinstance(known, WithRadius):
            raise NoOperatorRule("a matrix of each case that is copied")
        if known is not None:
            self.knowledge.put(x, Bounded(move(known.radius), None if known.doubts is None else move(known.doubts)))

    def kept(self, x: Tensor) -> Bounded | WithRadius | None:
        """What is known of a tensor now, in memory of its own; None if it is exact."""
        known = self.knowledge.of(x) if self.knowledge.holds(x) else None
        if isinstance(known, Bounded):
            return Bounded(known.radius.clone(), None if known.doubts is None else known.doubts.clone())
        return known
