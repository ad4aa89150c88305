"""The walk that bounds what runs: each operator is executed once, in its own format, and its row says how far each entry may be from the exact one.

What is known of a tensor stands beside its storage (``operators/memory.py``). The walk starts at the tensors that it is told of; an operator that reads
none of them, nor anything made of them, computes what is exact on both sides and has no row.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius
from numeric.operator_rules.call import Bounded, Models, NoOperatorRule, OperatorCall, UndecidedShape
from numeric.operator_rules.doubts import Doubt, of_hazards
from numeric.operator_rules.table import operator_row
from numeric.operators import Execution, Memory, storage_key, tensors_in
from numeric.operators.executions import CallSite
from numeric.operators.memory import ReadAsAnotherType
from numeric.operators.walk import Walk


class KnownTensors:
    """What is known of the tensors of a pass."""

    def __init__(self) -> None:
        self._radii = Memory(torch.float64)
        self._doubts = Memory(torch.uint8)
        self._some = Memory(torch.bool)
        self._matrices: dict[int, tuple[Tensor, WithRadius]] = {}

    def holds(self, x: Tensor) -> bool:
        """Whether something is known of the tensor: of its storage or, where a part of that is exact, of its entries."""
        if self._some.knows(x):
            return bool(self._some.of(x).any())
        return self._radii.knows(x) or storage_key(x) in self._matrices

    def of(self, x: Tensor) -> Bounded | WithRadius | None:
        """What is known of a tensor; None if it is exact.  Raises NoOperatorRule."""
        if (matrix := self._matrices.get(storage_key(x))) is not None:
            return _as_it_lies(x, *matrix)
        if not self._radii.knows(x):
            return None
        try:
            return Bounded(self._radii.of(x), self._doubts.of(x) if self._doubts.knows(x) else None)
        except ReadAsAnotherType as error:
            raise NoOperatorRule(str(error)) from error

    def put(self, x: Tensor, known: Bounded) -> None:
        """Write what is known of a tensor."""
        self._radii.put(x, known.radius.expand(x.shape))
        if known.doubts is not None:
            self._doubts.put(x, known.doubts.expand(x.shape))
        elif self._doubts.knows(x):
            self._doubts.put(x, 0)

    def put_some(self, x: Tensor, known: Bounded, some: Tensor) -> None:
        """Write what is known of some entries, and that the others are exact, which nobody made of the tensors that the walk began with.  some: bool."""
        some = some.expand(x.shape)
        doubts = None if known.doubts is None else torch.where(some, known.doubts, 0)
        self.put(x, Bounded(torch.where(some, known.radius, 0.0), doubts))
        self._some.put(x, some)

    def put_matrix(self, x: Tensor, known: WithRadius) -> None:
        """Keep a matrix a case with its radius in factors, which products alone read.  x: (cases, p, q), held as long as this is."""
        self._matrices[storage_key(x)] = x, known


def _as_it_lies(x: Tensor, whole: Tensor, known: WithRadius) -> Bounded | WithRadius:
    """What is known of a view of a matrix a case: in factors of the matrix and its transpose, entry by entry of any other."""
    lies = (x.shape, x.stride(), x.storage_offset())
    if lies == (whole.shape, whole.stride(), whole.storage_offset()):
        return known
    if lies == (whole.mT.shape, whole.mT.stride(), whole.storage_offset()):
        return known.mT
    if 0 in whole.stride():
        raise NoOperatorRule("a part of a matrix that cases share")
    doubts = of_hazards(known.hazards)
    return Bounded(_seen(x, whole, known.entry_radius), None if doubts is None else _seen(x, whole, doubts.reshape(-1, 1, 1)))


def _seen(x: Tensor, whole: Tensor, what: Tensor) -> Tensor:
    """What stands beside the entries of a tensor, as a view of the same storage sees it; zeros where it holds nothing of the tensor."""
    flat = torch.zeros(whole.untyped_storage().nbytes() // whole.element_size(), dtype=what.dtype, device=what.device)
    flat.as_strided(whole.shape, whole.stride(), whole.storage_offset()).copy_(what.expand(whole.shape))
    return flat.as_strided(x.shape, x.stride(), x.storage_offset())


class BoundedWalk(Walk):
    """Bounds every operator that reads something that is known.

    running: what is switched on while an operator of the block runs, and off while its row does: radii are computed by a float64 that keeps subnormal numbers.
    one_case: whether a doubt may be of the whole pass, ``told``, since there is one case in it.
    """

    def __init__(
        self, models: Models, knowledge: KnownTensors, running: Callable[[], AbstractContextManager[object]] = nullcontext, *, one_case: bool = False
    ) -> None:
        super().__init__()
        self.one_case = one_case
        self.models = models
        self.knowledge = knowledge
        self.running = running
        self._beginning: tuple[CallSite, Tensor | None] | None = None
        self.told: Tensor | None = None
        """The doubts of what Python was told, as a number or as how many entries there are: all that is made in the pass has them. uint8, one number."""
        self.failed: Exception | None = None
        """What the last operator raised that failed by itself."""

    def begins(self, step: Execution, some: Tensor | None = None) -> None:
        """The operator of that place is bounded, though all that it reads is exact: the first one.  some: which entries of its result are the network's."""
        self._beginning = step.place, some

    def _run(self, step: Execution) -> Any:
        with self.running():
            try:
                return step.result()
            except Exception as error:
                self.failed = error
                raise

    def execute(self, step: Execution) -> Any:
        """Execute an operator and apply its row.  Raises NoOperatorRule."""
        begins, some = self._beginning is not None and self._beginning[0] == step.place, self._beginning and self._beginning[1]
        if not begins and not any(self.knowledge.holds(x) for _, x in step.tensors):
            return self._run(step)
        self._beginning = None
        before = self._kept(step)
        result = self._run(step)
        results = tensors_in(result)
        if step.is_view(results):
            return result
        if not results and not step.written:
            self._hands_over(before)
            return result
        targets = [*results, *(x for x in step.written if not any(x is each for each in results))]
        given = {each.name: value for each, value in before.arguments()}
        for each in step.operator._schema.arguments:
            if each.name not in given and each.has_default_value():
                given[each.name] = each.default_value
        call = OperatorCall(step, given, targets, self.knowledge.of, self.models)
        try:
            found = operator_row(step.operator)(call)
        except UndecidedShape as error:
            if not self.one_case:
                raise NoOperatorRule(f"{error} (line {step.place.line})") from error
            self._tell(Doubt.UNDECIDED)
            found = [Bounded(torch.zeros(each.shape, dtype=torch.float64)) for each in targets]
        except NoOperatorRule as error:
            raise NoOperatorRule(f"{error} (line {step.place.line})") from error
        for target, known in zip(targets, found, strict=True):
            if some is None:
                self.knowledge.put(target, known)
            else:
                self.knowledge.put_some(target, known, some)
        return result

    def _hands_over(self, step: Execution) -> None:
        """A number, or an answer, that leaves torch: exact, or undecided where it is in doubt.  Raises NoOperatorRule where it has a radius."""
        for _, x in step.tensors:
            known = self.knowledge.of(x) if self.knowledge.holds(x) else None
            if isinstance(known, WithRadius) or (known is not None and bool((known.radius > 0).any())):
                raise NoOperatorRule(f"{step.operator}, which hands a value of the network to Python (line {step.place.line})")
            if known is not None and known.doubts is not None and bool((known.doubts != 0).any()):
                self._tell(Doubt.UNDECIDED)

    def _tell(self, doubt: Doubt) -> None:
        self.told = torch.full((), int(doubt), dtype=torch.uint8)

    def _kept(self, step: Execution) -> Execution:
        """The step with copies of what it is about to overwrite."""
        copies: dict[int, Tensor] = {}
        written = {storage_key(x) for x in step.written}
        for index, x in step.tensors:
            if storage_key(x) in written and not step.overwrites_only(x):
                copies[index] = x.clone()
                if self.knowledge.holds(x):
                    known = self.knowledge.of(x)
                    assert isinstance(known, Bounded)
                    self.knowledge.put(copies[index], Bounded(known.radius.clone(), None if known.doubts is None else known.doubts.clone()))
        return step.replaced(copies)
