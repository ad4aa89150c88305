"""Patched passes: the module's own code, with parameters of its own for each case.

At the operator: the whole batch runs at once, and where an operator reads a patched parameter it is executed with one for each case, as ``bmm`` or
``baddbmm`` in place of ``mm`` or ``addmm``. Case by case: the module is called once for each, with that case's parameters in place; so run blocks whose
code chooses by values (experts), and those with an operator for which no batched form is known.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from numeric.operators.anatomy import Anatomy
from numeric.operators.cut import MatrixProduct
from numeric.operators.double_precision import execute_in_double, parameter_of, tensors_of
from numeric.operators.executions import ATEN, Execution, as_in, storage_key, tensors_in
from numeric.operators.labels import MATRIX_PRODUCTS, POINTWISE
from numeric.operators.layout import Layout
from numeric.operators.memory import StorageSet
from numeric.operators.recording import Cases, DoubleBlock
from numeric.operators.updates import Lifted
from numeric.operators.walk import PassEnded, Walk, operators_apart


class NoBatchedForm(PassEnded):
    """An operator reads a patched parameter, and is not known to run with one for each case."""

    def __init__(self, step: Execution) -> None:
        self.place = step.place
        super().__init__(f"{step.place} has no form with a parameter of its own for each case")


class InDouble(Walk):
    """Every operator in float64."""

    def execute(self, step: Execution) -> Any:
        """Without casts to shorter formats."""
        return execute_in_double(step)


class AtTheOperator(Walk):
    """One pass of the whole batch, with the parameters of each case."""

    def __init__(self, parameters: dict[str, Tensor], patch: Lifted, layout: Layout, cases: Cases, run: Callable[[Execution], Any] = execute_in_double) -> None:
        super().__init__()
        self.layout = layout
        self.cases = cases.number
        self.run = run
        self.own = {storage_key(parameters[name]): values for name, values in patch.values.items()}
        self.data = StorageSet(x for x in (cases.context, cases.query) if x is not None)
        self.alive: list[Tensor] = []

    def execute(self, step: Execution) -> Any:
        """Once for all cases, or with each case's parameters."""
        mine = {index: x for index, x in step.tensors if storage_key(x) in self.own}
        data = [index for index, x in step.tensors if index not in mine and x in self.data]
        result = self._with_own(step, mine, data) if mine and data else self.run(step)
        results = tensors_in(result)
        if mine and not data and not step.is_view(results):
            self._derived(step, mine, results)
        if any(x in self.data for _, x in step.tensors):
            self.data.add([*results, *step.written])
        return result

    def _each(self, x: Tensor) -> Tensor:
        """(cases, *shape): the values of each case, of a view of a patched parameter."""
        memory = self.own[storage_key(x)]
        return memory.as_strided((self.cases, *x.shape), (memory.stride(0), *x.stride()), memory.storage_offset() + x.storage_offset())

    def _derived(self, step: Execution, mine: dict[int, Tensor], results: list[Tensor]) -> None:
        """What is made of parameters alone (a cast, a copy, 1 + w) is made for each case, too."""
        if step.written:
            raise NoBatchedForm(step)
        for result in results:
            memory = torch.zeros((self.cases, result.untyped_storage().nbytes() // result.element_size()), dtype=result.dtype)
            self.own[storage_key(result)] = memory
            self.alive.append(result)
        for case in range(self.cases):
            made = tensors_in(self.run(step.replaced({index: self._each(x)[case] for index, x in mine.items()})))
            for theirs, ours in zip(results, made, strict=True):
                as_in(self.own[storage_key(theirs)][case], theirs).copy_(ours)

    def _with_own(self, step: Execution, mine: dict[int, Tensor], data: list[int]) -> Any:
        if step.operator in MATRIX_PRODUCTS:
            return self._product(step, mine, data)
        if torch.Tag.pointwise in step.operator.tags or step.operator in POINTWISE:
            return self._pointwise(step, mine, data)
        if step.operator is ATEN.native_layer_norm.default:
            return self._layer_norm(step, mine)
        raise NoBatchedForm(step)

    def _rows(self, step: Execution, x: Tensor) -> Tensor:
        if x.dim() < 2 or x.numel() // x.shape[-1] % self.cases:
            raise NoBatchedForm(step)
        return self.layout.rows(x, self.cases)

    def _product(self, step: Execution, mine: dict[int, Tensor], data: list[int]) -> Tensor:
        """(cases, rows, d) times (cases, d, m)."""
        left = MATRIX_PRODUCTS[step.operator]
        pair = (left, left + 1)
        rows_index = next((index for index in pair if index in data), None)
        if rows_index is None or (left and 0 in data):
            raise NoBatchedForm(step)
        product = MatrixProduct(step.place, 2 * left + 1 - rows_index, rows_index)
        leaves = step.leaves
        x = product.operand(leaves[rows_index])
        weight = self._weight(step, product, leaves[product.weight], product.weight in mine)
        scaled = {name: value for name, value in step.kwargs.items() if name in ("alpha", "beta")}
        rows = self._rows(step, x)
        if left and not product.weight_left:
            bias = self._each(leaves[0])[:, None] if 0 in mine else leaves[0]
            if bias.dim() > 3 or bias.shape[-1] not in (1, weight.shape[-1]):
                raise NoBatchedForm(step)
            made = self.run(Execution(step.place, ATEN.baddbmm.default, (bias, rows, weight), scaled))
        elif left:
            raise NoBatchedForm(step)
        else:
            made = self.run(Execution(step.place, ATEN.bmm.default, (rows, weight), {}))
        return product.result(self.layout.back(made, x.shape))

    def _weight(self, step: Execution, product: MatrixProduct, x: Tensor, own: bool) -> Tensor:
        """(cases, d, m)."""
        matrix = product.matrix(x)
        if len(matrix) != 1:
            raise NoBatchedForm(step)
        if not own:
            return matrix.expand(self.cases, -1, -1)
        each = self._each(x if x.dim() == 2 else x[0])
        return each.mT if product.weight_left else each

    def _pointwise(self, step: Execution, mine: dict[int, Tensor], data: list[int]) -> Tensor:
        """Data as (cases, rows, features), a parameter as (cases, 1, features)."""
        leaves = step.leaves
        shape = torch.broadcast_shapes(*(x.shape for _, x in step.tensors))
        changes = {}
        for index in data:
            if leaves[index].shape != shape:
                raise NoBatchedForm(step)
            changes[index] = self._rows(step, leaves[index])
        for index, x in mine.items():
            if x.numel() not in (1, shape[-1]) or (x.numel() > 1 and x.shape[-1] != shape[-1]):
                raise NoBatchedForm(step)
            changes[index] = self._each(x).reshape(self.cases, 1, -1)
        if any(x.numel() > 1 and x.dim() > 1 for index, x in step.tensors if index not in changes):
            raise NoBatchedForm(step)
        if not step.written:
            return self.layout.back(self.run(step.replaced(changes)), shape)
        (target,) = step.written
        copied = next(index for index, x in step.tensors if x is target)
        changes[copied] = changes[copied].clone()
        target.copy_(self.layout.back(self.run(step.replaced(changes)), shape))
        return target

    def _layer_norm(self, step: Execution, mine: dict[int, Tensor]) -> Any:
        """The normalised value, then each case's scale and bias."""
        x, shape, weight, bias, eps = step.args
        normalised, mean, deviation = self.run(Execution(step.place, step.operator, (x, shape, None, None, eps), {}))
        rows = self._rows(step, normalised)
        for operator, given in ((ATEN.mul.Tensor, weight), (ATEN.add.Tensor, bias)):
            if given is not None:
                own = self._each(given)[:, None] if any(given is each for each in mine.values()) else given
                rows = self.run(Execution(step.place, operator, (rows, own), {}))
        return self.layout.back(rows, x.shape), mean, deviation


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
    return block.run(cases, AtTheOperator(tensors_of(block.module), patch, anatomy.layout, cases))
