"""A pass of a whole batch with parameters of its own for each case: the module's own code, and another operand where an operator reads a parameter.

    one token a case      x Wᵀ + b   (``mm``, ``addmm``)      →   x_c W_cᵀ + b, as ``bmm`` or ``baddbmm`` of rows (cases, 1, d)
    its bias alone        x Wᵀ + b   (``addmm``)              →   x Wᵀ + B, with a row of B for each case
    entry by entry        x ⊙ w, x + w, a LayerNorm's         →   the same, with (cases, 1, features) for w

Whatever reads no such parameter is executed as it is, on the whole batch: the same call as in a pass without a patch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload

from numeric.operators.cut import MatrixProduct
from numeric.operators.executions import ATEN, Execution, as_in, flat_storage, storage_key, tensors_in
from numeric.operators.labels import MATRIX_PRODUCTS, POINTWISE
from numeric.operators.layout import Layout
from numeric.operators.memory import StorageSet
from numeric.operators.walk import PassEnded, Walk

A_ROW_A_CASE = Layout(cases_first=True, token=-1)
"""Operands of one token a case."""

ONE_TOKEN = {True: ATEN.baddbmm.default, False: ATEN.bmm.default}
"""A product with a matrix for each case, by whether something is added to it."""


class NoBatchedForm(PassEnded):
    """An operator reads a patched parameter, and is not known to run with one for each case."""

    def __init__(self, step: Execution) -> None:
        self.place = step.place
        super().__init__(f"{step.place} has no form with a parameter of its own for each case")


@dataclass(slots=True)
class Own:
    """A parameter, and what stands for it in each case."""

    parameter: Tensor
    values: Tensor
    """(cases, *shape)."""
    memory: Tensor | None = field(default=None, init=False)
    """(cases, entries of the parameter's storage), made when it is read in a way of its own."""

    def read(self, x: Tensor) -> Tensor:
        """(cases, *shape) of a view of the parameter: the values as they lie, where it is the parameter or its transpose."""
        if (whole := self._whole(x)) is not None:
            return whole
        if self._lies_within(x):  # another view of the very values
            start = self.values.storage_offset() + x.storage_offset() - self.parameter.storage_offset()
            return self.values.as_strided((len(self.values), *x.shape), (self.values.stride(0), *x.stride()), start)
        if self.memory is None:
            self.memory = flat_storage(self.parameter).expand(len(self.values), -1).clone()
            self._in_memory(self.parameter).copy_(self.values)
        return self._in_memory(x)

    def _lies_within(self, x: Tensor) -> bool:
        """Whether the values lie as the parameter does, in one piece, and a view reads nothing of its storage but the parameter."""
        p = self.parameter
        first, last = p.storage_offset(), p.storage_offset() + p.numel()
        reach = x.storage_offset() + 1 + sum(stride * (size - 1) for stride, size in zip(x.stride(), x.shape, strict=True))
        return p.is_contiguous() and self.values.stride()[1:] == p.stride() and first <= x.storage_offset() and reach <= last

    def _whole(self, x: Tensor) -> Tensor | None:
        """The values, where a view is the parameter, or its transpose."""
        p, lies = self.parameter, (x.shape, x.stride(), x.storage_offset())
        if lies == (p.shape, p.stride(), p.storage_offset()):
            return self.values
        if p.dim() >= 2 and lies == (p.mT.shape, p.mT.stride(), p.storage_offset()):
            return self.values.mT
        return None

    def _in_memory(self, x: Tensor) -> Tensor:
        assert self.memory is not None
        return self.memory.as_strided((len(self.values), *x.shape), (self.memory.stride(0), *x.stride()), x.storage_offset())

    def holds(self, x: Tensor) -> bool:
        """Whether a view of its storage reads some of its entries."""
        if self._whole(x) is not None:
            return True
        numbers = torch.arange(len(flat_storage(self.parameter)))
        return bool(torch.isin(as_in(numbers, x), as_in(numbers, self.parameter)).any())


class WithOwnParameters(Walk):
    """One pass of the whole batch.  own: the parameters; data: what the pass is given; run: how an operator is executed, if not as it is."""

    def __init__(  # what is patched, how its operands lie, and how operators run
        self, own: Iterable[Own], layout: Layout, cases: int, data: Iterable[Tensor | None], run: Callable[[Execution], Any] | None = None
    ) -> None:
        super().__init__()
        self.layout = layout
        self.cases = cases
        self.run = run or Execution.result
        self.as_it_is = run is None
        self.own: dict[int, list[Own]] = {}
        for each in own:
            self.own.setdefault(storage_key(each.parameter), []).append(each)
        self.data = StorageSet(x for x in data if x is not None)

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """As it is, without a look at its line, if it reads nothing of a patched storage."""
        if not self.as_it_is:
            return super().computed(operator, args, kwargs)
        given = tensors_in((*args, *kwargs.values()))
        if operator._schema.is_mutable or any(storage_key(x) in self.own for x in given):
            return super().computed(operator, args, kwargs)
        result = operator(*args, **kwargs)
        if any(x in self.data for x in given):
            self.data.add(tensors_in(result))
        return result

    def execute(self, step: Execution) -> Any:
        """Once for all cases, or with each case's parameters."""
        mine = {index: own for index, x in step.tensors if (own := self._own(step, x)) is not None}
        data = [index for index, x in step.tensors if index not in mine and x in self.data]
        result = self._with_own(step, mine, data) if mine and data else self.run(step)
        results = tensors_in(result)
        if mine and not data and not step.is_view(results):
            self._derived(step, mine, results)
        if any(x in self.data for _, x in step.tensors):
            self.data.add([*results, *step.written])
        return result

    def _own(self, step: Execution, x: Tensor) -> Tensor | None:
        """(cases, *shape): the values of each case, of a view of a patched parameter."""
        held = [each for each in self.own.get(storage_key(x), ()) if each.holds(x)]
        if len(held) > 1 or any(each.parameter.dtype != x.dtype for each in held):
            raise NoBatchedForm(step)
        return held[0].read(x) if held else None

    def _derived(self, step: Execution, mine: dict[int, Tensor], results: list[Tensor]) -> None:
        """What is made of parameters alone (a cast, a copy, 1 + w) is made for each case, too."""
        if step.written:
            raise NoBatchedForm(step)
        if _entry_by_entry(step) and len(step.tensors) == 1:
            made = [tensors_in(self.run(step.replaced(mine)))]
            together = made[0]
        else:
            made = [tensors_in(self.run(step.replaced({index: x[case] for index, x in mine.items()}))) for case in range(self.cases)]
            together = [self.stacked(each) for each in zip(*made, strict=True)]
        for result, values in zip(results, together, strict=True):
            self.own.setdefault(storage_key(result), []).append(Own(result, values))

    def stacked(self, made: Sequence[Tensor]) -> Tensor:
        """What was made for each case, as one tensor."""
        return torch.stack(list(made))

    def _with_own(self, step: Execution, mine: dict[int, Tensor], data: list[int]) -> Any:
        if step.operator in MATRIX_PRODUCTS:
            return self._product(step, mine, data)
        if _entry_by_entry(step):
            return self._pointwise(step, mine, data)
        if step.operator is ATEN.native_layer_norm.default:
            return self._layer_norm(step, mine)
        raise NoBatchedForm(step)

    def laid_out(self, x: Tensor, move: Callable[[Tensor], Tensor]) -> Tensor:
        """A tensor whose entries stand in another order, or in a copy; a walk that knows something of each entry takes that along."""
        return move(x)

    def _rows(self, step: Execution, x: Tensor) -> Tensor:
        if x.dim() < 2 or x.numel() // x.shape[-1] % self.cases:
            raise NoBatchedForm(step)
        return self.laid_out(x, lambda each: self.layout.rows(each, self.cases))

    def _back(self, rows: Tensor, shape: torch.Size) -> Tensor:
        return self.laid_out(rows, lambda each: self.layout.back(each, shape))

    def _product(self, step: Execution, mine: dict[int, Tensor], data: list[int]) -> Tensor:
        """(cases, rows, d) times (cases, d, m)."""
        left = MATRIX_PRODUCTS[step.operator]
        pair = (left, left + 1)
        rows_index = next((index for index in pair if index in data), None)
        if rows_index is None or (left and 0 in data):
            raise NoBatchedForm(step)
        product = MatrixProduct(step.place, 2 * left + 1 - rows_index, rows_index)
        if left and product.weight_left:
            raise NoBatchedForm(step)
        leaves = step.leaves
        x = product.operand(leaves[rows_index])
        rows = self._rows(step, x)
        if product.weight not in mine and step.operator is ATEN.addmm.default:
            return self._own_bias(step, mine[0], x.shape)
        factors = rows, self._weight(step, product, leaves[product.weight], mine.get(product.weight))
        added: tuple[Tensor, ...] = ()
        if left:
            bias = mine[0][:, None] if 0 in mine else leaves[0]
            if bias.dim() > 3 or bias.shape[-1] not in (1, factors[1].shape[-1]):
                raise NoBatchedForm(step)
            added = (bias,)
        scaled = {name: value for name, value in step.kwargs.items() if name in ("alpha", "beta")}
        made = self.run(Execution(step.place, ONE_TOKEN[bool(left)], (*added, *factors), scaled))
        return product.result(self._back(made, x.shape))

    def _own_bias(self, step: Execution, bias: Tensor, shape: torch.Size) -> Any:
        """A product with one matrix for all cases: each row is given its case's bias.  bias: (cases, m); shape: of what the matrix multiplies."""
        if bias.dim() != 2 or bias.shape[-1] != step.leaves[2].shape[-1]:
            raise NoBatchedForm(step)
        rows = self._back(bias[:, None].expand(-1, shape.numel() // shape[-1] // self.cases, -1), shape)
        return self.run(step.replaced({0: rows}))

    def _weight(self, step: Execution, product: MatrixProduct, x: Tensor, own: Tensor | None) -> Tensor:
        """(cases, d, m)."""
        matrix = product.matrix(x)
        if len(matrix) != 1:
            raise NoBatchedForm(step)
        if own is None:
            return matrix.expand(self.cases, -1, -1)
        each = own if x.dim() == 2 else own[:, 0]
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
        for index, own in mine.items():
            x = leaves[index]
            if x.numel() not in (1, shape[-1]) or (x.numel() > 1 and x.shape[-1] != shape[-1]):
                raise NoBatchedForm(step)
            changes[index] = self.laid_out(own, lambda each: each.reshape(self.cases, 1, -1))
        if any(x.numel() > 1 and x.dim() > 1 for index, x in step.tensors if index not in changes):
            raise NoBatchedForm(step)
        if not step.written:
            return self._back(self.run(step.replaced(changes)), shape)
        (target,) = step.written
        copied = next(index for index, x in step.tensors if x is target)
        changes[copied] = self.laid_out(changes[copied], torch.clone)
        return self.overwritten(target, self._back(self.run(step.replaced(changes)), shape))

    def overwritten(self, target: Tensor, values: Tensor) -> Tensor:
        """A tensor that an operator works on in place, with its new entries."""
        return target.copy_(values)

    def _layer_norm(self, step: Execution, mine: dict[int, Tensor]) -> Any:
        """The normalised value, then each case's scale and bias."""
        x, shape, _, _, eps = step.args
        normalised, mean, deviation = self.run(Execution(step.place, step.operator, (x, shape, None, None, eps), {}))
        rows = self._rows(step, normalised)
        places = {index: leaf for index, leaf in enumerate(step.leaves) if leaf is step.args[2] or leaf is step.args[3]}
        for operator, given in ((ATEN.mul.Tensor, step.args[2]), (ATEN.add.Tensor, step.args[3])):
            if given is not None:
                own = next((mine[index][:, None] for index, leaf in places.items() if leaf is given and index in mine), given)
                rows = self.run(Execution(step.place, operator, (rows, own), {}))
        return self._back(rows, x.shape), mean, deviation


def own_rows(module: nn.Module, parameters: Mapping[str, Tensor], data: Iterable[Tensor | None]) -> WithOwnParameters:
    """A pass in which each case has one row, and parameters of its own.  parameters: (cases, *shape), by name; data: what the pass is given."""
    given = [x for x in data if x is not None]
    named = dict(module.named_parameters(remove_duplicate=False))
    return WithOwnParameters((Own(named[name], values) for name, values in parameters.items()), A_ROW_A_CASE, len(given[0]), given)


def _entry_by_entry(step: Execution) -> bool:
    return torch.Tag.pointwise in step.operator.tags or step.operator in POINTWISE
