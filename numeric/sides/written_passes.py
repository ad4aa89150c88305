"""Passes of a block as it is written, in a format, bounded operator by operator; and what was read at the places that its anatomy names.

Exact are the numbers that the cut reads, what meets the network from beside it, and every parameter that is not patched: a claim holds for any of them. From
the cut on each operator has its row (``operator_rules``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from numeric.architecture.as_written import BlockCall
from numeric.arithmetics import WithRadius, outward
from numeric.formats import Format, round_to
from numeric.machine import ProbedMode
from numeric.operator_rules import Bounded, NoOperatorRule, joint_doubts
from numeric.operators import MATRIX_PRODUCTS, Cases, Execution, Own, flat_storage, parameter_of, storage_key, tensors_in
from numeric.operators.anatomy import Anatomy
from numeric.operators.executions import ATEN, CallSite, same_numbers
from numeric.operators.memory import StorageSet
from numeric.operators.own_parameters import NoBatchedForm
from numeric.operators.recording import Read
from numeric.operators.updates import Factor
from numeric.operators.walk import operators_apart
from numeric.sides.known_passes import KnownPass
from numeric.sides.noted_rows import Noted, noted, turned
from numeric.sides.own_code import own_code
from numeric.sides.written_constants import Constants, ReadFromOutside

ADDING = tuple(str(operator) for operator, left in MATRIX_PRODUCTS.items() if left)
"""Matrix products that add something, their first operand."""


@dataclass(frozen=True, slots=True)
class Step:
    """An operator at a line that is watched."""

    operator: str
    reads: frozenset[int]
    """The storages that it read."""
    operands: dict[int, tuple[Tensor, Bounded | WithRadius | None]]
    result: tuple[Tensor, Bounded | WithRadius | None]


@dataclass(slots=True)
class FormatPass:
    """A pass, with what was noted on its way."""

    cases: int
    output: Noted
    steps: dict[str, list[Step]] = field(repr=False)
    anatomy: Anatomy = field(repr=False)
    weights: tuple[int, ...] = ()
    """The storage of each cut's parameter."""
    joining: dict[Read, tuple[Tensor, CallSite]] = field(default_factory=dict, repr=False)
    """What joins the network from beside it, by its place from the end: the operand as it was, and its place from the beginning."""
    constants: Constants = field(default_factory=dict, repr=False)
    """What the network reads that is neither of the input nor a parameter."""

    def what_joins(self, read: Read) -> Tensor:
        """What joins the network there.  Raises NoOperatorRule if this pass has nothing there."""
        if read not in self.joining:
            raise NoOperatorRule(f"what joins the network at {read[0]} in some passes alone,")
        return self.joining[read][0]

    def moved_from(self, reference: Callable[[Read], Tensor]) -> dict[Read, Bounded]:
        """By how much what joins the network differs from what it is in another pass, by its place from the beginning, where it does at all.

        Where the other pass has more tokens the query's rows are compared: no other token's row reaches the output behind the cut. Another kernel rounds
        otherwise, of order u; what is computed otherwise differs by order 1. Raises NoOperatorRule beyond √u, half of the digits: it reads the context.
        """
        found: dict[Read, Bounded] = {}
        for read, (x, place) in self.joining.items():
            there, query = reference(read), self.anatomy.layout.query
            whole = x.shape == there.shape
            ours, theirs = (x, there) if whole else (query(each, self.cases) for each in (x, there))
            if ours.shape != theirs.shape:
                raise NoOperatorRule(f"what joins the network at {place}, and has another shape in another pass,")
            if not same_numbers(ours, theirs):
                if not x.is_floating_point():
                    raise NoOperatorRule(f"what chooses inside the network at {place}, and is made of the input otherwise in another pass,")
                apart = outward((ours.double() - theirs.double()).abs(), 2)
                if bool((apart > (torch.finfo(x.dtype).eps / 2) ** 0.5 * theirs.double().abs().max()).any()):
                    raise NoOperatorRule(f"what joins the network at {place}, and is another one in another pass by more than roundoff,")
                found[place, read[1]] = Bounded(apart if whole else self.anatomy.layout.only_query(apart, x.double()))
        return found

    def operand(self, place: CallSite, index: int) -> Noted:
        """What an operator read for the query.  place: counted from the end of the pass."""
        return self._query(*self._at(place).operands[index])

    def whole_operand(self, place: CallSite, index: int) -> Tensor:
        """What an operator read, all of it."""
        return self._at(place).operands[index][0]

    def _at(self, place: CallSite) -> Step:
        """Raises NoOperatorRule where float64 came by a place, and this pass does not."""
        same = [step for step in self.steps[place.line] if step.operator == place.operator]
        if len(same) < -place.count:
            raise NoOperatorRule(f"{place}, which runs in float64 and not in this format,")
        return same[place.count]

    def at_cut(self, number: int) -> tuple[Noted, Noted]:
        """What the cut of that number read and returned for the query."""
        cut, step = self.anatomy.cuts[number], self._at_cut(number)
        left = next(left for operator, left in MATRIX_PRODUCTS.items() if str(operator) == step.operator)
        rows = 2 * left + 1 - (left if cut.product.weight_left else left + 1)
        value, known = step.operands[rows]
        returned, bound = step.result
        if cut.product.weight_left:
            value, known, returned, bound = value.mT, turned(known), returned.mT, turned(bound)
        return self._query(value, known), self._query(returned, bound).columns(cut.columns)

    def added_at_cut(self, number: int) -> Tensor | None:
        """What the cut of that number adds to its product, one for all cases: (m,); None if nothing."""
        step, cut = self._at_cut(number), self.anatomy.cuts[number]
        if step.operator not in ADDING:
            return None
        added = step.operands[0][0]
        return added[cut.columns] if added.numel() == len(cut.columns) else added

    @property
    def adds_at_cut(self) -> tuple[bool, ...]:
        """Whether each cut adds something to its product."""
        return tuple(self._at_cut(number).operator in ADDING for number in range(len(self.anatomy.cuts)))

    def _at_cut(self, number: int) -> Step:
        cut, weight = self.anatomy.cuts[number], self.weights[number]
        found = [each for each in self.steps[cut.place.line] if weight in each.reads]
        if len(found) < -cut.nth:  # counted from the last one
            raise NoOperatorRule(f"{cut.place}, which reads no {cut.names[0]} in this format,")
        return found[cut.nth]

    def _query(self, value: Tensor, known: Bounded | WithRadius | None) -> Noted:
        return noted(value, known, self.anatomy, self.cases)


class Bounding(KnownPass):
    """A pass with parameters of its own for each case, whose operators are bounded from the cut on."""

    def __init__(self, block: "BlockInFormat", own: Iterable[Own], cases: Cases, moved: Mapping[Read, Bounded]) -> None:
        super().__init__(block.probed, own, block.anatomy.layout, cases.number, (cases.context, cases.query))
        self.block = block
        self.cuts_read = block.weights
        self.weights = dict(zip(block.weights, block.weights, strict=True))
        self.patched = block.patched
        self.casts: list[Tensor] = []
        self.lines = block.watched_lines
        self.steps: dict[str, list[Step]] = {line: [] for line in self.lines}
        self.moved = moved
        self.joining: list[tuple[CallSite, int, Tensor]] = []
        self.refused: NoOperatorRule | None = None
        self.outside = ReadFromOutside(StorageSet(block.module.parameters()))
        self.of_patched = StorageSet(x for x in block.module.parameters() if storage_key(x) in self.patched)
        """Parameters that some pass patches, and what is made of them: the numbers that they meet are read in every pass, so that all passes note them."""

    def _shown(self, x: Tensor) -> bool:
        """Whether operators show what a tensor is made of: the input, the network, or a parameter of each case's own."""
        return x in self.data or self.knowledge.holds(x) or storage_key(x) in self.own

    def execute(self, step: Execution) -> Any:
        """Execute, and note what is read and returned at the lines that are watched.  Raises NoOperatorRule."""
        try:
            return self._outside_autocast(step)
        except NoOperatorRule as error:
            self.refused = error  # the user's code may catch it, and go on with what it would not have come to
            raise

    def _outside_autocast(self, step: Execution) -> Any:
        device = self.block.probed.device
        if not torch.is_autocast_enabled(device):
            return self._executed(step)
        with torch.autocast(device, enabled=False):  # what is cast is cast already, and the machine is asked about an operator as it stands
            return self._executed(step)

    def _executed(self, step: Execution) -> Any:
        """Raises NoOperatorRule where what is known of the operands gets lost."""
        if step.operator is ATEN._to_copy.default and storage_key(step.tensors[0][1]) in self.patched:
            return self._cast(step)
        network = any(self.knowledge.holds(x) or storage_key(x) in self.own for _, x in step.tensors)
        at_cut = self._reads_weights(step)
        if network or at_cut or any(x in self.of_patched for _, x in step.tensors):
            self.outside.reads(step, self._shown)
        if network and not at_cut:
            for index, x in step.tensors:
                if x in self.data and not self.knowledge.holds(x):
                    self.joining.append((step.place, index, x.clone()))
                    if (step.place, index) in self.moved:
                        self.knowledge.put(x, self.moved[step.place, index])
        result = self._noted(step)
        self.outside.after(step, tensors_in(result), self._shown)
        if any(x in self.of_patched for _, x in step.tensors) and not any(x in self.data for _, x in step.tensors):
            self.of_patched.add([*tensors_in(result), *step.written])
        if (
            network
            and not step.is_view(tensors_in(result))
            and any(x.is_floating_point() and not self.knowledge.holds(x) and storage_key(x) not in self.own for x in tensors_in(result))
        ):
            raise NoOperatorRule(f"what is known of the operands of {step.place} gets lost")
        return result

    def _cast(self, step: Execution) -> Any:
        """A cast of a parameter that is patched, and as exact as it is stored: both sides count what the cast loses."""
        self.bounded.begins(step)
        result = super().execute(step)
        self.casts.append(result)  # as long as the pass runs no other tensor has its storage
        if (weight := self.weights.get(storage_key(step.tensors[0][1]))) is not None:
            self.weights[storage_key(result)] = weight
        return result

    def _reads_weights(self, step: Execution) -> bool:
        """Whether what the operator reads beside the network is what W multiplies."""
        return any(storage_key(x) in self.weights for _, x in step.tensors)

    def _some(self, step: Execution, reads: frozenset[int]) -> Tensor | None:
        """Which entries of what a cut returns are the network's; None for all.  reads: the storages that it read."""
        return self.block.some_columns(reads)

    def _noted(self, step: Execution) -> Any:
        if step.place.line not in self.lines:
            return super().execute(step)
        reads = frozenset(self.weights.get(storage_key(x), storage_key(x)) for _, x in step.tensors)
        if not reads.isdisjoint(self.weights) and self.block.probed.mode.inputs is not None:
            step = self._stored(step, self.block.probed.mode.inputs)
        operands = {index: (x.clone(), self.kept(x)) for index, x in step.tensors if storage_key(x) not in self.weights}
        if not reads.isdisjoint(self.weights) and step.operator in MATRIX_PRODUCTS:
            self.bounded.begins(step, self._some(step, reads))
        result = super().execute(step)
        results = tensors_in(result)
        if results and not step.is_view(results):
            self.steps[step.place.line].append(Step(str(step.operator), reads, operands, (results[0].clone(), self.kept(results[0]))))
        return result

    def _stored(self, step: Execution, inputs: Format) -> Execution:
        """A cut that reads what is stored in a format: the product rounds it to that, so the result has the same bits, and of z it is this that is exact."""
        left = MATRIX_PRODUCTS.get(step.operator)
        changes = {
            index: round_to(x, inputs)
            for index, x in step.tensors
            if left is not None and index >= left and x in self.data and storage_key(x) not in self.weights and not self.knowledge.holds(x)
        }
        self.data.add(changes.values())
        return step.replaced(changes)


Moved = Mapping[Read, Bounded]
"""How far some operands are from what they should be."""


@dataclass(frozen=True, slots=True)
class BlockInFormat:
    """A watched block whose numbers are of a mode's format."""

    module: nn.Module
    call: BlockCall
    anatomy: Anatomy
    probed: ProbedMode
    factors: tuple[Factor, ...] = ()
    """By which what absorbs δ is multiplied before it meets the stream: numbers, and where parameters are read."""
    case_by_case: bool = False
    """Whether each case runs alone, in all passes: what it executes hangs on what it computes (``written_choices.py``)."""
    entries: int | None = None
    """How many entries the first layer of such a case has."""

    def under(self, probed: ProbedMode) -> "BlockInFormat":
        """The same block, its mode under other refinements."""
        return replace(self, probed=probed)

    @property
    def weights(self) -> tuple[int, ...]:
        """The storage of each cut's parameter."""
        return tuple(storage_key(parameter_of(self.module, cut.names[0])) for cut in self.anatomy.cuts)

    @property
    def patched(self) -> frozenset[int]:
        """The storages of all parameters that a patch changes."""
        absorber = self.anatomy.absorber
        return frozenset(self.weights if absorber is None else (*self.weights, storage_key(parameter_of(self.module, absorber.name))))

    @property
    def first_weight(self) -> Tensor:
        """W of all cuts, one above the other: (m, d); where cases choose other ones, of the first, which all read."""
        return torch.cat([self.matrix(number).mT for number in range(1 if self.case_by_case else len(self.anatomy.cuts))])

    @property
    def first_entries(self) -> int:
        """How many entries the first layer has."""
        return len(self.first_weight) if self.entries is None else self.entries

    def matrix(self, number: int) -> Tensor:
        """What the cut of that number multiplies by: (d, m)."""
        name = self.anatomy.cuts[number].names[0]
        entries = next(each.entries for each in self.anatomy.weights if each.name == name)
        return flat_storage(parameter_of(self.module, name))[entries[0]]

    def some_columns(self, reads: frozenset[int]) -> Tensor | None:
        """Which columns of what a cut returns are the network's, (m,) or (m, 1) bool; None for all.  reads: the storages that it read."""
        cut = next(cut for cut, weight in zip(self.anatomy.cuts, self.weights, strict=True) if weight in reads)
        if bool(cut.columns.all()):
            return None
        return cut.columns.unsqueeze(-1) if cut.product.weight_left else cut.columns

    @property
    def watched_lines(self) -> frozenset[str]:
        """The lines at which something is noted."""
        anatomy = self.anatomy
        places = [cut.place for cut in anatomy.cuts]
        if anatomy.stream is not None:
            places += [place for place, _ in anatomy.stream.summands]
        if anatomy.absorber is not None:
            places.append(anatomy.absorber.place)
        places += [factor.by[0] for factor in self.factors if not isinstance(factor.by, float)]
        return frozenset(place.line for place in places)

    def run(self, cases: Cases, own: Sequence[Own] = (), known: Sequence[tuple[Tensor, Bounded | WithRadius]] = (), moved: Moved | None = None) -> FormatPass:
        """One pass.  Raises NoOperatorRule; OwnCodeFails if nothing is patched.

        own: the parameters that each case has for itself; known: what is known of their values; moved: of what joins the network from beside it, how far it
        is from what both sides are made of.
        """
        walk = Bounding(self, own, cases, moved or {})
        for x, what in known:
            walk.put(x, what)
        return passed(self, walk, cases, patched=bool(own))


def passed(block: BlockInFormat, walk: Bounding, cases: Cases, *, patched: bool) -> FormatPass:
    """A pass under a walk.  Raises NoOperatorRule."""
    mode = block.probed.mode
    mine = nullcontext() if patched else own_code(mode.id, lambda: walk.bounded.failed)  # a patched call is made here, and may fail for that
    try:
        with mine, operators_apart(), mode.while_running(block.probed.device)() if mode.casts else nullcontext(), walk:
            output = block.call(block.module, cases.context, cases.query, cases.positions)
    except NoBatchedForm as error:
        raise NoOperatorRule(f"{error.place} with a parameter of each case's own") from error
    if walk.refused is not None:
        raise walk.refused
    if not walk.knowledge.holds(output):
        raise NoOperatorRule("the output is made without the operators that read W")
    bound = walk.knowledge.of(output)
    assert isinstance(bound, Bounded)
    doubts = joint_doubts([bound.doubts, walk.bounded.told], output.shape)
    made = Noted(output.clone(), bound.radius.expand(output.shape).clone(), None if doubts is None else doubts.clone())
    joining: dict[Read, tuple[Tensor, CallSite]] = {}
    for place, index, x in walk.joining:
        joining[replace(place, count=place.count - walk.met[place.operator, place.line]), index] = x, place
    return FormatPass(cases.number, made, walk.steps, block.anatomy, walk.cuts_read, joining, walk.outside.from_the_end(walk.met))
