"""What each entry of each tensor of a pass is made of.

Five labels, kept for every entry next to its storage: W, another parameter, the context, the query, and the network (what an operator made of
W and of data). Behind the cut a value carries the network's label alone: what the context does to it, it does through W. A value that carries
the context's label there came by another way.

Labels are upper bounds: an operator without a rule below gives all its results the union of its operands' labels. So labels propose, and
differences between passes decide. The exception are integers and truth values, which no small difference shows.
"""

from collections.abc import Mapping, Sequence
from enum import IntFlag

import numpy as np
import torch
from torch import Tensor, nn

from numeric.operators.executions import ATEN, CallSite, Execution, tensors_in
from numeric.operators.memory import Memory, ReadAsAnotherType
from numeric.operators.refusals import REINTERPRETED, RefusedBlock


class Made(IntFlag):
    """What a value is made of."""

    NOTHING = 0
    FIRST = 1
    """W."""
    PARAMETER = 2
    CONTEXT = 4
    QUERY = 8
    NETWORK = 16
    """An operator's result that read W and data, or what was made of it."""


DATA = Made.CONTEXT | Made.QUERY | Made.NETWORK
BEFORE = Made.CONTEXT | Made.QUERY
WEIGHTS = Made.FIRST | Made.PARAMETER

MATRIX_PRODUCTS = {ATEN.mm.default: 0, ATEN.addmm.default: 1, ATEN.bmm.default: 0, ATEN.baddbmm.default: 1}
"""Matrix products, with the place of their left factor."""

MOVING = frozenset(
    getattr(getattr(ATEN, name), overload)
    for name, overload in (
        *((name, "default") for name in ("cat", "stack", "repeat", "flip", "roll", "index_select", "gather", "slice_scatter", "select_scatter")),
        ("index", "Tensor"),
    )
)
"""Operators that only move entries; their labels move with them. What an index is made of joins them, but for the network: a choice between
things of before the cut stays of before the cut."""

CHOOSING = (ATEN.index.Tensor, ATEN.gather.default, ATEN.index_select.default, ATEN.embedding.default)
"""Operators that choose among what their first operand holds; what is chosen by the network is still of before the cut, or a parameter's entries."""

POINTWISE = frozenset({ATEN._to_copy.default, ATEN.copy_.default, ATEN.lift_fresh.default, ATEN.fill_.Tensor, ATEN.lift_fresh_copy.default})
"""Operators that work entry by entry, and are not tagged so."""


class Labels:
    """The labels of one pass."""

    def __init__(self, parameters: Mapping[str, Tensor], first: Sequence[Tensor], context: Tensor | None, query: Tensor) -> None:
        self.names = list(parameters)
        self.shapes = {name: x.shape for name, x in parameters.items()}
        self._flags = Memory(torch.uint8)
        self._sources = Memory(torch.int32)
        # What lies in a larger one comes from the smaller: views of a buffer that is held, too.
        numbered = sorted(enumerate(parameters.values(), start=1), key=lambda each: (isinstance(each[1], nn.Parameter), -each[1].numel()))
        for number, parameter in numbered:
            self._flags.put(parameter, int(Made.PARAMETER))
            self._sources.put(parameter, number)
        for part in first:
            self._flags.put(part, int(WEIGHTS))
        for given, flag in ((context, Made.CONTEXT), (query, Made.QUERY)):
            if given is not None:
                self._flags.put(given, int(flag))

    def of(self, x: Tensor, place: CallSite | None = None) -> Tensor:
        """Each entry's labels, as numbers.  Raises RefusedBlock where bits of the network's values are read as another type."""
        try:
            return self._flags.of(x)
        except ReadAsAnotherType as error:
            every = _union(self._flags.whole(x))
            if every & Made.NETWORK:
                raise RefusedBlock(REINTERPRETED, place, [x]) from error
            return torch.full((), every, dtype=torch.uint8).expand(x.shape)

    def made(self, x: Tensor, place: CallSite | None = None) -> Made:
        """The labels of all entries together."""
        return Made(_union(self.of(x, place)))

    def source(self, x: Tensor) -> str | None:
        """The parameter that a value made of parameters alone comes from; None if it is several, or none."""
        try:
            found = self._sources.of(x).numpy()
        except ReadAsAnotherType:
            return None
        number = int(found.max(initial=0))
        return self.names[number - 1] if number > 0 and int(found.min()) == number else None

    def after(self, step: Execution, results: Sequence[Tensor]) -> None:
        """Label what an operator returned or overwrote."""
        targets = [*results, *(x for x in step.written if not any(x is each for each in results))]
        if not targets or step.is_view(list(results)):
            return
        read = [(index, x, self.of(x, step.place)) for index, x in step.tensors if not step.overwrites_only(x)]
        labels = [_settled(each) for each in self._labels(step, read, targets)]
        sources = {self.source(x) for _, x, flags in read if _union(flags) & WEIGHTS}
        (source,) = sources if len(sources) == 1 else (None,)
        for target, label in zip(targets, labels, strict=True):
            try:
                self._flags.put(target, label)
            except ReadAsAnotherType:
                self._flags.put_everywhere(target, _union(self._flags.whole(target)) | _union(label))
            self._sources.put_everywhere(target, 0 if source is None or _union(label) & int(DATA) else self.names.index(source) + 1)

    def _labels(self, step: Execution, read: list[tuple[int, Tensor, Tensor]], targets: list[Tensor]) -> list[Tensor]:
        if step.operator in MATRIX_PRODUCTS:
            left = MATRIX_PRODUCTS[step.operator]
            made = _product(read[left][2], read[left + 1][2])
            return [made | read[0][2].expand(made.shape) if left else made]
        if step.operator in MOVING:
            entries = {
                index: flags for index, x, flags in read if index == 0 or x.is_floating_point() or step.operator in (ATEN.cat.default, ATEN.stack.default)
            }
            again = step.replaced(entries)
            chosen = _union_of([flags for index, _, flags in read if index not in entries]) & ~Made.NETWORK
            return [each | chosen for each in tensors_in(again.operator(*again.args, **again.kwargs))]
        if torch.Tag.pointwise in step.operator.tags or step.operator in POINTWISE:
            return [_together([flags for _, _, flags in read], target.shape) for target in targets]
        return [torch.full(target.shape, _union_of([flags for _, _, flags in read]), dtype=torch.uint8) for target in targets]


def _union(flags: Tensor) -> int:
    """All labels that occur."""
    return int(np.bitwise_or.reduce(flags.numpy(), axis=None))


def _union_of(flags: list[Tensor]) -> int:
    return _union(torch.tensor([_union(each) for each in flags], dtype=torch.uint8))


def _together(flags: list[Tensor], shape: torch.Size) -> Tensor:
    """The union of labels, entry by entry where the shapes allow it."""
    made = torch.zeros(shape, dtype=torch.uint8)
    for each in flags:
        fits = each.dim() <= len(shape) and all(size in (1, wanted) for size, wanted in zip(reversed(each.shape), reversed(shape), strict=False))
        made = made | (each if fits else _union(each))
    return made


def _rows(flags: Tensor) -> Tensor:
    """The union over the last dimension: (..., k, n) to (..., k)."""
    return torch.from_numpy(np.asarray(np.bitwise_or.reduce(flags.numpy(), axis=-1)))


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Labels of a product: entry (i, j) is made of row i and column j, and of the network alone where one is W and the other data."""
    rows, columns = _rows(left)[..., :, None], _rows(right.mT)[..., None, :]
    cut = (rows & Made.FIRST != 0) & (columns & int(DATA) != 0) | (columns & Made.FIRST != 0) & (rows & int(DATA) != 0)
    return torch.where(cut, int(Made.NETWORK), rows | columns).to(torch.uint8)


def _settled(flags: Tensor) -> Tensor:
    """A value made of data does not carry the parameters' labels, and one made of data and of W in any way is the network's."""
    data = flags & int(DATA) != 0
    network = torch.where(data & (flags & Made.FIRST != 0), int(Made.NETWORK), 0)
    return torch.where(data, (flags & int(DATA)) | network, flags).to(torch.uint8)
