"""Derivatives between two values of a recorded pass, by executing its operators again with gradients.

The recorded operators are executed over a second memory of storages, through the recorded strides, so that views and in-place code come out as they
were; reverse differentiation of that gives Jᵀt exactly, for J the derivative of one operator's result by another's, by an operand, or by a parameter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.operators.double_precision import execute_in_double
from numeric.operators.executions import CallSite, as_in, storage_key, tensors_in
from numeric.operators.labels import DATA
from numeric.operators.recording import Read, Record, Recording


def _read(flat: Tensor, x: Tensor) -> Tensor:
    """A flat memory as a tensor reads its storage, also where it reads pairs of numbers as complex ones."""
    if flat.is_complex() and not x.is_complex():
        flat = torch.view_as_real(flat).reshape(-1)
    elif x.is_complex() and not flat.is_complex():
        flat = torch.view_as_complex(flat.reshape(-1, 2))
    return as_in(flat if flat.dtype == x.dtype else flat.view(x.dtype), x)


class _Again:
    """The operators of a trace, executed once more."""

    def __init__(self, trace: Recording, parameters: dict[int, Tensor]) -> None:
        self.trace = trace
        self.memory: dict[int, Tensor] = dict(parameters)

    def operand(self, x: Tensor) -> Tensor:
        """As the pass has made it so far; what came from outside as it was."""
        key = storage_key(x)
        return _read(self.memory[key] if key in self.memory else self.trace.outside[key], x)

    def overwritten(self, x: Tensor) -> Tensor:
        """To be written; what came from outside is copied first."""
        key = storage_key(x)
        if key not in self.memory:
            self.memory[key] = self.trace.outside[key].clone()
        return _read(self.memory[key], x)

    def execute(self, record: Record, shifts: dict[int, Tensor]) -> None:
        """One operator; shifts: what is added to its operands, by leaf."""
        step, written = record.step, record.step.written
        changes = {}
        for index, x in step.tensors:
            if any(x is each for each in written):
                mine = self.overwritten(x)
                changes[index] = mine.add_(shifts[index]) if index in shifts else mine
                continue
            made, key = storage_key(x) in self.memory, storage_key(x)
            mine = self.operand(x) if made or key in self.trace.outside else record.operand(index).value
            # What the pass made may be overwritten later, and a derivative needs it as it was.
            changes[index] = mine + shifts[index] if index in shifts else mine.clone() if made else mine
        results = tensors_in(execute_in_double(step.replaced(changes)))
        known = {storage_key(x) for _, x in step.tensors}
        for mine, theirs in zip(results, record.results, strict=True):
            if storage_key(theirs) not in known:
                flat = mine.new_zeros(theirs.untyped_storage().nbytes() // theirs.element_size())
                as_in(flat, theirs).copy_(mine)
                self.memory[storage_key(theirs)] = flat


@dataclass(frozen=True, slots=True)
class Sources:
    """What is derived by: results of operators (their first), operands, parameters."""

    results: tuple[CallSite, ...] = ()
    operands: tuple[Read, ...] = ()
    parameters: tuple[Tensor, ...] = ()


def transposed_derivative(trace: Recording, target: CallSite, cotangents: Sequence[Tensor], sources: Sources, *, moved: bool = False) -> list[list[Tensor]]:
    """Jᵀt for each cotangent t (in the shape of the target's first result), by each source: results, then operands, then parameters.

    A parameter is derived by as its whole storage. moved: at another point, where every source has been moved by amounts of its own; a Jᵀt that
    keeps its bits is that of an affine function. Raises RuntimeError where torch has no derivative of an operator between them.
    """
    generator = torch.Generator().manual_seed(1)

    def variable(shape: torch.Size) -> Tensor:
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64) if moved else torch.zeros(shape, dtype=torch.float64)
        return drawn.requires_grad_()

    by_parameter = {storage_key(x): variable(trace.outside[storage_key(x)].shape) for x in sources.parameters}
    by_result: dict[CallSite, Tensor] = {}
    by_operand: dict[Read, Tensor] = {}
    with torch.enable_grad():
        again = _Again(trace, {key: trace.outside[key] + x for key, x in by_parameter.items()})
        for record in trace.records:
            here = [read for read in sources.operands if read[0] == record.place]
            by_operand |= {read: variable(record.operand(read[1]).value.shape) for read in here}
            if not record.view:
                again.execute(record, {read[1]: by_operand[read] for read in here})
            if record.place in sources.results:
                by_result[record.place] = variable(record.results[0].shape)
                again.overwritten(record.results[0]).add_(by_result[record.place])
            if record.place == target:
                break
        else:
            raise AssertionError(f"{target} is not in the trace")
        reached = again.operand(record.results[0]).clone()
        variables = [*(by_result[place] for place in sources.results), *(by_operand[read] for read in sources.operands), *by_parameter.values()]
        found = []
        for cotangent in cotangents:
            gradients = torch.autograd.grad(reached, variables, cotangent, retain_graph=True, allow_unused=True)
            found.append([torch.zeros_like(x) if g is None else g for x, g in zip(variables, gradients, strict=True)])
    return found


def value_with(trace: Recording, x: Tensor, parameter: Tensor, flat: Tensor) -> Tensor:
    """What a tensor made of parameters alone would be, if a parameter's storage held something else."""
    again = _Again(trace, {storage_key(parameter): flat})
    for record in trace.records:
        if not record.view and (record.chooses_entries or not any(each.made & DATA for each in record.operands)):
            again.execute(record, {})
            if any(each is x for each in record.results) or any(storage_key(each) == storage_key(x) for each in record.results):
                break
    return again.operand(x)
