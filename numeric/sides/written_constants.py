"""What the network reads that is neither the input's nor a parameter: the code's constants, buffers, random numbers, and what left torch and came back.

No operator shows what such a tensor is made of (numpy, a list, DLPack, memory between calls). It is exact where it is the same, bit for bit, in every pass of
which the sides are made, and has no bound where it is not; so is a Python number. float64 is watched likewise (``operators/hidden_ways.py``), but a branch that
asks for the format is not seen there.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from numeric.operator_rules import NoOperatorRule
from numeric.operators import Execution
from numeric.operators.executions import CallSite
from numeric.operators.memory import StorageSet

Constants = dict[tuple[CallSite, int], Any]
"""Tensors by place, counted from the end of the pass, and leaf; the Python numbers of an operator under leaf -1."""

_NUMBERS = -1


@dataclass(slots=True)
class ReadFromOutside:
    """Which tensors of a pass nobody followed, and what of them the network read."""

    followed: StorageSet
    """Parameters, and what operators made of nothing but followed tensors."""
    _outside: StorageSet = field(default_factory=StorageSet)
    """What was made of others, or drawn at random."""
    _read: list[tuple[CallSite, int, Any]] = field(default_factory=list)

    def reads(self, step: Execution, known: Callable[[Tensor], bool]) -> None:
        """An operator of the network is about to run.  known: whether a tensor is the input's or the network's."""
        self._read += [(step.place, index, x.clone()) for index, x in step.tensors if self._unfollowed(x) and not known(x)]
        if step.numbers:
            self._read.append((step.place, _NUMBERS, list(step.numbers)))

    def after(self, step: Execution, results: Iterable[Tensor], known: Callable[[Tensor], bool]) -> None:
        """An operator has run."""
        made = [*results, *step.written]
        if torch.Tag.nondeterministic_seeded in step.operator.tags or any(self._unfollowed(x) and not known(x) for _, x in step.tensors):
            self._outside.add(made)
        self.followed.add(made)

    def _unfollowed(self, x: Tensor) -> bool:
        return x in self._outside or x not in self.followed

    def from_the_end(self, met: Counter[tuple[str, str]]) -> Constants:
        """What was read.  met: how many operators came from each line."""
        return {(replace(place, count=place.count - met[place.operator, place.line]), index): value for place, index, value in self._read}


def refuse_another_constant(one: Constants, shorter: Constants, *, by_line: bool = False) -> None:
    """Raise NoOperatorRule if what a pass with no more tokens than another reads from outside is not the same there, bit for bit.

    by_line: what a line reads has to be read there by the other pass too, however often: of passes that choose by what they compute, how often is no matter.
    """
    there: dict[tuple[CallSite, int], list[Any]] = {}
    for at, value in one.items():
        there.setdefault(_place(at, by_line=by_line), []).append(value)
    for at, value in shorter.items():
        if any(_same(value, other) for other in there.get(_place(at, by_line=by_line), [])):
            continue
        if at[1] == _NUMBERS:
            raise NoOperatorRule(f"a Python number in {at[0]} that is another one in another pass, or there in some passes alone,")
        raise NoOperatorRule(
            f"what {at[0]} is given by a way that cannot be followed (numpy, a list, memory), and is another one in another pass, or there in some alone,"
        )


def _place(at: tuple[CallSite, int], *, by_line: bool) -> tuple[CallSite, int]:
    return (replace(at[0], count=0), at[1]) if by_line else at


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(_bits(one), _bits(other))
    return len(one) == len(other) and all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))


def _bits(x: Tensor) -> Tensor:
    return x.reshape(-1).contiguous().view(torch.uint8)
