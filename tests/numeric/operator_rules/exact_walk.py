"""A program run three ways at once: by the machine, with its radii, and in ball arithmetic, operator by operator.

What is exact of a tensor stands beside its storage, as its radius does, in an array of balls that is read through the tensor's strides.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from flint import arb, ctx
from torch import Tensor

from numeric.machine import ProbedMode
from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors
from numeric.operator_rules.models import models_of
from numeric.operators.executions import Execution, as_in, flat_storage, storage_key, tensors_in
from tests.numeric.operator_rules.against_exact import Reference, Tally, judge_entries

BITS = 200


@contextmanager
def working() -> Iterator[None]:
    before, ctx.prec = ctx.prec, BITS
    try:
        yield
    finally:
        ctx.prec = before


class ThreeWays(BoundedWalk):
    """Executes, bounds, and computes exactly.  references: by the overload that writes nothing."""

    def __init__(self, probed: ProbedMode, references: Mapping[str, Reference]) -> None:
        super().__init__(models_of(probed), KnownTensors(), probed.mode.while_running(probed.device))
        self.references = references
        self.exact: dict[int, np.ndarray] = {}
        self.alive: list[Tensor] = []
        self.overloads: set[str] = set()

    def given(self, x: Tensor) -> None:
        """A tensor that the program is given, exactly."""
        self.knowledge.put(x, Bounded(torch.zeros((), dtype=torch.float64)))
        self.known_exactly(x)

    def known_exactly(self, x: Tensor) -> np.ndarray:
        """The exact entries of a tensor's storage: those that it holds, if nothing is known of it."""
        key = storage_key(x)
        if key not in self.exact:
            self.alive.append(x)
            numbers = flat_storage(x)
            held = np.empty(len(numbers), dtype=object)
            held[:] = [arb(number) for number in numbers.double().tolist()] if x.is_floating_point() else numbers.tolist()
            self.exact[key] = held
        return self.exact[key]

    def of(self, x: Tensor) -> np.ndarray:
        """The exact entries of a tensor."""
        held = self.known_exactly(x)
        return held[as_in(torch.arange(len(held)), x).numpy()]

    def put(self, x: Tensor, values: Any) -> None:
        held = self.exact.setdefault(storage_key(x), np.full(x.untyped_storage().nbytes() // x.element_size(), arb(0), dtype=object))
        self.alive.append(x)
        held[as_in(torch.arange(len(held)), x).numpy()] = values

    def execute(self, step: Execution) -> Any:
        if not any(self.knowledge.holds(x) for _, x in step.tensors):
            return super().execute(step)
        name = str(step.operator)
        plain = name.replace("_.", ".") if step.operator._schema.is_mutable else name
        arguments = [self._exact(value) for value in step.args], {key: self._exact(value) for key, value in step.kwargs.items()}
        written = step.written
        result = super().execute(step)
        results = tensors_in(result)
        if step.is_view(results):
            return result
        self.overloads.add(plain)
        with working():
            made = self.references[plain](*arguments[0], **arguments[1])
        made = list(made) if isinstance(made, tuple | list) else [made]
        for target, values in zip(written or results, made, strict=True):
            if values is not None:
                self.put(target, values)
        return result

    def _exact(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.of(value)
        return type(value)(self._exact(each) for each in value) if isinstance(value, list | tuple) else value

    def judge(self, what: str, x: Tensor, tally: Tally) -> None:
        """Each entry of a tensor against its exact one."""
        tally.samples += 1
        with working():
            judge_entries(what, x, self.of(x), self.knowledge, tally)


Program = Callable[[Tensor], Tensor]


def run_three_ways(  # a program, what it is given, and where the outcome is counted
    program: Program, x: Tensor, probed: ProbedMode, references: Mapping[str, Reference], tally: Tally, what: str
) -> set[str]:
    """Run a program, and judge its result; which overloads were met is returned."""
    walk = ThreeWays(probed, references)
    walk.given(x)
    with torch.no_grad(), walk:
        result = program(x)
    walk.judge(what, result, tally)
    assert math.isfinite(tally.worst)
    return walk.overloads
