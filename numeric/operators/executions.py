"""One operator as it was executed: where, on what, with what result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

ATEN = torch.ops.aten


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where an operator stands in a pass."""

    operator: str
    """The overload, as ``aten.mm.default``."""
    line: str
    """``file.py:12`` of the code that called it, outside torch and outside this wing."""
    count: int
    """How many operators of that name came from that line before."""

    def __str__(self) -> str:
        return f"{self.operator} at {self.line}"


@dataclass(frozen=True, slots=True)
class Execution:
    """An operator with its arguments."""

    place: CallSite
    operator: OpOverload
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    leaves: list[Any] = field(init=False)
    """The arguments in order, lists taken apart."""
    tensors: list[tuple[int, Tensor]] = field(init=False)
    """The tensors among the leaves, each with its index."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "leaves", _leaves((*self.args, *self.kwargs.values())))
        object.__setattr__(self, "tensors", [(index, leaf) for index, leaf in enumerate(self.leaves) if isinstance(leaf, Tensor)])

    def replaced(self, changes: Mapping[int, Any]) -> "Execution":
        """The same operator with other leaves."""
        if not changes:
            return self
        leaves = iter([changes.get(index, leaf) for index, leaf in enumerate(self.leaves)])
        again = [_rebuilt(each, leaves) for each in (*self.args, *self.kwargs.values())]
        return Execution(self.place, self.operator, tuple(again[: len(self.args)]), dict(zip(self.kwargs, again[len(self.args) :], strict=True)))

    def arguments(self) -> Iterator[tuple[torch.Argument, Any]]:
        """Each argument that was given, with what the schema says of it."""
        schema = self.operator._schema.arguments
        yield from zip(schema, self.args, strict=False)
        yield from ((each, self.kwargs[each.name]) for each in schema if each.name in self.kwargs)

    def result(self) -> Any:
        """What the operator gives, executed as it is."""
        return self.operator(*self.args, **self.kwargs)

    @property
    def numbers(self) -> list[Any]:
        """The Python numbers that the operator computes with: scalars, and not sizes or indices."""
        return [given for each, given in self.arguments() if isinstance(given, int | float) and str(each.type) in _SCALARS]

    @property
    def deciding(self) -> list[int]:
        """The tensors, by leaf, of whose values Python is told: as a number, or as the shape of the result."""
        if torch.Tag.data_dependent_output in self.operator.tags:
            return [index for index, _ in self.tensors]
        if torch.Tag.dynamic_output_shape not in self.operator.tags:
            return []
        masks = [index for index, x in self.tensors if x.dtype in (torch.bool, torch.uint8)]
        return masks if self.operator in (ATEN.index.Tensor, ATEN.masked_select.default) else [index for index, _ in self.tensors]

    @property
    def written(self) -> list[Tensor]:
        """The arguments that the operator overwrites."""
        if not self.operator._schema.is_mutable:
            return []
        return [leaf for each, given in self.arguments() if each.alias_info and each.alias_info.is_write for leaf in tensors_in(given)]

    def overwrites_only(self, x: Tensor) -> bool:
        """Whether an argument is written without being read: ``out=``, or what is copied into or filled."""
        if not self.operator._schema.is_mutable:
            return False
        filled = self.operator in (ATEN.copy_.default, ATEN.fill_.Scalar, ATEN.fill_.Tensor, ATEN.zero_.default)
        filled = filled or torch.Tag.nondeterministic_seeded in self.operator.tags  # bernoulli_, normal_, ... draw what they write
        return any(each.alias_info and each.alias_info.is_write and given is x and (filled or each.kwarg_only) for each, given in self.arguments())

    def is_view(self, results: list[Tensor]) -> bool:
        """Whether the results are other looks at an operand's storage, which is not written."""
        given = {storage_key(x) for _, x in self.tensors}
        return bool(results) and not self.written and all(storage_key(each) in given for each in results)


_SCALARS = ("number", "Optional[number]", "float", "Optional[float]", "Tensor")
"""Types of arguments for which a Python number is a factor or a summand; sizes and indices are of others."""


def storage_key(x: Tensor) -> int:
    """The identity of a tensor's storage, as long as the storage lives."""
    return x.untyped_storage()._cdata


def _leaves(values: Sequence[Any]) -> list[Any]:
    """Arguments in order; of ATen's, only lists hold others."""
    found = []
    for each in values:
        if isinstance(each, list | tuple):
            found += _leaves(each)
        else:
            found.append(each)
    return found


def _rebuilt(value: Any, leaves: Iterator[Any]) -> Any:
    """An argument with other leaves."""
    return type(value)(_rebuilt(each, leaves) for each in value) if isinstance(value, list | tuple) else next(leaves)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors of a result, or of a list of arguments."""
    return [leaf for leaf in _leaves([value]) if isinstance(leaf, Tensor)]


def flat_storage(x: Tensor) -> Tensor:
    """Every entry of a tensor's storage, in one dimension; the same memory."""
    return x.detach().as_strided((x.untyped_storage().nbytes() // x.element_size(),), (1,), 0)


def as_in(flat: Tensor, x: Tensor) -> Tensor:
    """A flat memory, read as a tensor reads its storage."""
    return flat.as_strided(x.shape, x.stride(), flat.storage_offset() + x.storage_offset())


def same_numbers(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are of one shape and dtype, and hold the same numbers, NaN in the same places."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())
