"""Passes of a block in float64 that are recorded, or replayed with one value exchanged.

A recording keeps a copy of every operand as it was when it was met: code that works in place changes it later. A replay is the module's own pass
again, in which an operator is given another operand, or its result is changed: whether the output moves says whether that value matters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from numeric.architecture.as_written import BlockCall
from numeric.operators.double_precision import execute_in_double, kept_in_double, tensors_of
from numeric.operators.executions import CallSite, Execution, flat_storage, storage_key, tensors_in
from numeric.operators.labels import CHOOSING, DATA, Labels, Made
from numeric.operators.refusals import A_VECTOR, BRANCH, CALL_FAILS, NO_TENSOR, RefusedBlock
from numeric.operators.walk import PassEnded, Walk, operators_apart
from symbolic.vocabulary import with_its_name

Read = tuple[CallSite, int]
"""An operand: an operator's place, and the index among its leaves."""


@dataclass(frozen=True, slots=True)
class Cases:
    """What a pass is given."""

    context: Tensor | None
    query: Tensor
    positions: Tensor

    @property
    def number(self) -> int:
        """How many cases."""
        return len(self.query)

    def without(self, removed: Sequence[int]) -> "Cases":
        """The same without some of the context's tokens; those that remain keep their positions."""
        assert self.context is not None
        kept = [token for token in range(self.context.shape[1]) if token not in removed]
        return Cases(self.context[:, kept] if kept else None, self.query, self.positions[[*kept, self.context.shape[1]]])

    def one(self, case: int) -> "Cases":
        """One case, as a batch of its own."""
        return self.some(torch.arange(case, case + 1))

    def some(self, which: Tensor) -> "Cases":
        """Some of the cases, as a batch of their own.  which: (number,), their places, or (cases,) bool."""
        return Cases(None if self.context is None else self.context[which], self.query[which], self.positions)

    def beside(self, others: "Cases") -> "Cases":
        """These cases, and others of the same length behind them."""
        assert self.context is not None
        assert others.context is not None
        return Cases(torch.cat([self.context, others.context]), torch.cat([self.query, others.query]), self.positions)


@dataclass(frozen=True, slots=True)
class OperandRead:
    """A tensor that an operator read."""

    index: int
    """Among the operator's leaves."""
    value: Tensor
    """As it was then; of a parameter the parameter itself."""
    labels: Tensor
    """Of each entry (``Made``)."""
    made: Made
    """Of all entries."""
    source: str | None
    """The parameter that it comes from, if it is made of one alone."""

    def holds_the_same(self, x: Tensor) -> bool:
        """Whether these are the numbers of another tensor, some of its rows (those that an expert is given), or its transpose."""
        rows, known = (each.reshape(-1, each.shape[-1]) for each in (self.value, x))
        if rows.shape[-1] == known.shape[-1] and {tuple(each) for each in rows.tolist()} <= {tuple(each) for each in known.tolist()}:
            return True
        return self.value.mT.shape == x.shape and torch.equal(self.value.mT, x)


@dataclass(frozen=True, slots=True)
class Record:
    """An operator, what it read and what it returned."""

    step: Execution
    operands: list[OperandRead]
    results: list[Tensor]
    """The tensors that it returned; views of a storage that may have been changed since."""
    labels: list[Made]
    """Of the results."""
    view: bool

    @property
    def place(self) -> CallSite:
        """Where the operator stands."""
        return self.step.place

    def operand(self, index: int) -> OperandRead:
        """The operand of a leaf's index."""
        return next(each for each in self.operands if each.index == index)

    @property
    def chooses_entries(self) -> bool:
        """Whether it only chooses among the entries of its first operand, which is made of parameters alone (experts' matrices)."""
        return self.step.operator in CHOOSING and not any(each.made & DATA for each in self.operands if each.index == 0)

    def any(self, made: Made) -> bool:
        """Whether an operand carries one of the labels."""
        return any(each.made & made for each in self.operands)


@dataclass(slots=True)
class Recording:
    """A recorded pass."""

    cases: Cases
    labels: Labels
    records: list[Record] = field(default_factory=list)
    outside: dict[int, Tensor] = field(default_factory=dict)
    """By storage, what was in it when it was first met, of those that no operator of the pass made."""
    casts: list[str] = field(default_factory=list)
    """Lines that cast float64 to a shorter format."""
    output: Tensor = field(default_factory=lambda: torch.empty(0))

    def find(self, place: CallSite) -> Record | None:
        """The operator of a place, whose count may be negative: then it is from the end of the pass, -1 the last."""
        if place.count < 0:
            place = replace(place, count=place.count + self._met(place))
        return next((each for each in self.records if each.place == place), None)

    def at(self, place: CallSite) -> Record:
        """The operator of a place.  Raises RefusedBlock if this pass does not have it, though the one in which it was found does."""
        found = self.find(place)
        if found is None:
            raise RefusedBlock(BRANCH, place)
        return found

    def from_the_end(self, place: CallSite) -> CallSite:
        """The same place, counted from the end of the pass, which finds the query's operator also where the context's tokens add some in front."""
        return replace(place, count=place.count - self._met(place))

    def _met(self, place: CallSite) -> int:
        return sum(each.place.operator == place.operator and each.place.line == place.line for each in self.records)

    @property
    def places(self) -> list[CallSite]:
        """Where every operator stands, in order."""
        return [each.place for each in self.records]


class Recorder(Walk):
    """Records every operator."""

    def __init__(self, trace: Recording, constant: Sequence[Tensor]) -> None:
        super().__init__()
        self.trace = trace
        self.constant = {storage_key(x) for x in constant}
        self.made: set[int] = set()

    def execute(self, step: Execution) -> Any:
        """Copy what is read, execute, label the results."""
        labels = self.trace.labels
        operands, tensors = [], step.tensors
        for index, x in tensors:
            key, made = storage_key(x), labels.of(x, step.place)
            if key not in self.made and key not in self.trace.outside:
                self.trace.outside[key] = flat_storage(x) if key in self.constant else flat_storage(x).clone()
            value = x if key in self.constant else x.clone()
            operands.append(OperandRead(index, value, made.clone(), labels.made(x, step.place), labels.source(x)))
        executed, cast = kept_in_double(step)
        result = executed.operator(*executed.args, **executed.kwargs)
        results = tensors_in(result)
        labels.after(step, results)
        if cast:
            self.trace.casts.append(step.place.line)
        self.made |= {storage_key(each) for each in results} - set(self.trace.outside)
        # As they are now: code may give a tensor another shape in place, later.
        known = step.replaced({index: x.detach() for index, x in tensors})
        of_results = [labels.made(each, step.place) for each in results]
        self.trace.records.append(Record(known, operands, [each.detach() for each in results], of_results, step.is_view(results)))
        return result


class Exchanging(Walk):
    """The pass again, with operands exchanged (``replaced``) and results changed (``added``)."""

    def __init__(self, replaced: Mapping[Read, Tensor], added: Mapping[CallSite, Tensor]) -> None:
        super().__init__()
        self.replaced = replaced
        self.added = added

    def execute(self, step: Execution) -> Any:
        """Execute with what was exchanged; a tensor that the operator overwrites is exchanged where it lies."""
        changes = {index: value for (place, index), value in self.replaced.items() if place == step.place}
        for index, x in step.tensors:
            if index in changes and any(x is each for each in step.written):
                x.copy_(changes.pop(index))
        result = execute_in_double(step.replaced(changes))
        if step.place not in self.added:
            return result
        (target, *others) = tensors_in(result)
        if any(target is each for each in step.written):
            return target.add_(self.added[step.place])
        return target + self.added[step.place] if not others else (target + self.added[step.place], *others)


@dataclass(frozen=True, slots=True)
class DoubleBlock:
    """A block in float64: the copied module, how it is called, and which entries of which parameters are W."""

    module: nn.Module
    call: BlockCall
    first: dict[str, Tensor]
    """The parts that are W, by the names that they were given by: views of the parameters."""

    def run(self, cases: Cases, walk: Walk) -> Tensor:
        """The query's output, (batch, d_out).  Raises RefusedBlock if the call fails or returns anything else."""
        width = cases.query.shape[-1]
        try:
            with operators_apart(), walk:
                output = self.call(self.module, cases.context, cases.query, cases.positions)
        except (RefusedBlock, PassEnded):
            raise
        except Exception as error:
            context = "no context" if cases.context is None else f"a context of shape {tuple(cases.context.shape)}"
            when = f"with {context} and a query of shape {tuple(cases.query.shape)}"
            raise RefusedBlock(CALL_FAILS, when=when, error=" ".join(with_its_name(error).split()), width=width, hint=self._vectors()) from error
        if not isinstance(output, Tensor) or not output.is_floating_point() or output.dim() != 2 or len(output) != cases.number:
            given = f"{output.dtype} of shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise RefusedBlock(NO_TENSOR, given=given)
        return output

    def _vectors(self) -> str:
        """Why a width of W need not be that of a token: what was named is a vector."""
        named = [name for name, part in self.first.items() if part.dim() < 2]
        return f" ({' and '.join(named)} in first: {A_VECTOR}, and W is a matrix)" if named else ""

    def record(self, cases: Cases) -> Recording:
        """A recorded pass."""
        parameters = tensors_of(self.module)
        cases = Cases(None if cases.context is None else cases.context.clone(), cases.query.clone(), cases.positions)
        trace = Recording(cases, Labels(parameters, list(self.first.values()), cases.context, cases.query))
        trace.output = self.run(cases, Recorder(trace, [x for x in parameters.values() if isinstance(x, nn.Parameter)])).clone()
        return trace

    def replay(self, cases: Cases, replaced: Mapping[Read, Tensor] | None = None, added: Mapping[CallSite, Tensor] | None = None) -> Tensor:
        """The output with some values exchanged."""
        cases = Cases(None if cases.context is None else cases.context.clone(), cases.query.clone(), cases.positions)
        return self.run(cases, Exchanging(replaced or {}, added or {}))
