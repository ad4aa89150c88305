"""Patched passes: the module's own code, with parameters of its own for each case.

At the operator: the whole batch runs at once, and where an operator reads a patched parameter it is executed with one for each case, as ``bmm`` or
``baddbmm`` in place of ``mm`` or ``addmm``. Case by case: the module is called once for each, with that case's parameters in place; so run blocks whose
code chooses by values (experts), and those with an operator for which no batched form is known.
"""

from typing import Any

import torch
from torch import Tensor, nn

from numeric.operators.anatomy import Anatomy
from numeric.operators.double_precision import execute_in_double, parameter_of, tensors_of
from numeric.operators.executions import Execution, as_in, flat_storage
from numeric.operators.own_parameters import Own, WithOwnParameters
from numeric.operators.recording import Cases, DoubleBlock
from numeric.operators.updates import Lifted
from numeric.operators.walk import Walk, operators_apart


class InDouble(Walk):
    """Every operator in float64."""

    def execute(self, step: Execution) -> Any:
        """Without casts to shorter formats."""
        return execute_in_double(step)


class _Called(nn.Module):
    """A block as one module, whose parameters can be exchanged."""

    def __init__(self, block: DoubleBlock) -> None:
        super().__init__()
        self.module = block.module
        self.call = block.call

    def forward(self, cases: Cases) -> Tensor:
        return self.call(self.module, cases.context, cases.query, cases.positions)


def case_by_case(block: DoubleBlock, patch: Lifted, cases: Cases) -> Tensor:
    """The patched pass of each case alone: (cases, d_out)."""
    outputs = []
    parameters = {name: parameter_of(block.module, name) for name in patch.values}
    for case in range(cases.number):
        own = {f"module.{name}": as_in(values[case].clone(), parameters[name]) for name, values in patch.values.items()}
        with operators_apart(), InDouble():
            outputs.append(torch.func.functional_call(_Called(block), own, (cases.one(case),)))
    return torch.cat(outputs)


def at_the_operator(block: DoubleBlock, anatomy: Anatomy, patch: Lifted, cases: Cases) -> Tensor:
    """The patched pass of the whole batch: (cases, d_out).  Raises NoBatchedForm."""
    parameters = tensors_of(block.module)
    own = [Own(flat_storage(parameters[name]), values) for name, values in patch.values.items()]
    return block.run(cases, WithOwnParameters(own, anatomy.layout, cases.number, (cases.context, cases.query), execute_in_double))
