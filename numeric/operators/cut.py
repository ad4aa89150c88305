"""The cut: the operators that read W and something of the input, and the token whose value reaches the output behind them.

Whatever is computed before the cut is the contextual layer, and needs no rule. Behind it is the network M_W. One rank-one update serves all
operators of the cut if they read one z; so z, at the query's row, must be the same in all of them, and no other token's row may reach the
output.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.operators.evidence import MOVE, SCREENED, Evidence, nudged
from numeric.operators.executions import CallSite, storage_key
from numeric.operators.labels import DATA, MATRIX_PRODUCTS, Made
from numeric.operators.layout import Layout, orders
from numeric.operators.recording import Record, Recording
from numeric.operators.refusals import (
    A_VECTOR,
    BEHIND_THE_CUT,
    BRANCH,
    CASES_UNKNOWN,
    MIXES_CASES,
    NO_CUT,
    NO_PRODUCT,
    NUMBER_OF_W,
    OTHER_OPERAND,
    PART_OF_A_ROW,
    SECOND_CUT,
    TWO_TOKENS,
    UNAFFECTED,
    RefusedBlock,
)


@dataclass(frozen=True, slots=True)
class MatrixProduct:
    """A matrix product, read as rows z times a matrix (d, m)."""

    place: CallSite
    weight: int
    """The index of the leaf that is the matrix."""
    rows: int
    """The index of the leaf that holds the rows."""

    @property
    def weight_left(self) -> bool:
        """Whether the matrix stands on the left, so that the product is the transposed one."""
        return self.weight < self.rows

    def matrix(self, x: Tensor) -> Tensor:
        """(groups, d, m): one group, unless each expert has a matrix of its own."""
        x = x.mT if self.weight_left else x
        x = x if x.dim() == 3 else x[None]
        return x[:1] if x.stride(0) == 0 else x

    def operand(self, x: Tensor) -> Tensor:
        """What the matrix multiplies: (…, d)."""
        return x.mT if self.weight_left else x

    def result(self, x: Tensor) -> Tensor:
        """(…, m)."""
        return x.mT if self.weight_left else x


@dataclass(frozen=True, slots=True)
class Cut:
    """An operator of the cut."""

    product: MatrixProduct
    names: tuple[str, ...]
    """Of the parameters that it reads as W."""
    columns: Tensor
    """(m,): which columns of the matrix are W."""
    nth: int = -1
    """Which of the line's products with that parameter it is, from the end of the pass."""

    @property
    def place(self) -> CallSite:
        """Where the operator stands."""
        return self.product.place


def _name(record: Record, weight: int) -> str:
    return record.operand(weight).source or "W"


def _as_product(record: Record, weight: int) -> MatrixProduct:
    left = MATRIX_PRODUCTS[record.step.operator]
    return MatrixProduct(record.place, weight, left if weight == left + 1 else left + 1)


def reads_of_first(evidence: Evidence) -> tuple[list[Cut], list[Cut]]:
    """The cuts whose results reach the output, and those whose results do not (other tokens, a prefill).  Raises RefusedBlock."""
    live: list[Cut] = []
    dead: list[Cut] = []
    for record in evidence.base.records:
        step = record.step
        of_first = [each for each in record.operands if each.made & Made.FIRST and not each.made & DATA]
        if of_first and torch.Tag.data_dependent_output in step.operator.tags:
            raise RefusedBlock(NUMBER_OF_W, record.place, [of_first[0].value])
        data = [each for each in record.operands if each.made & DATA]
        if record.view or record.chooses_entries or not of_first or not data:
            continue
        read = of_first[-1]
        left = MATRIX_PRODUCTS.get(step.operator)
        if left is None or read.index not in (left, left + 1):
            if evidence.matters({(record.place, read.index): nudged(read.value)}):
                name = _name(record, read.index)
                hint = f", {A_VECTOR}" if len(evidence.base.labels.shapes.get(name, (0, 0))) == 1 else ""
                raise RefusedBlock(NO_PRODUCT, record.place, [each.value for each in record.operands], names=name, hint=hint)
            continue
        cut = _cut(record, read.index)
        if not any(evidence.matters(added={record.place: noise}) for noise in _noises(cut, record)):
            dead.append(cut)
        elif record.operand(cut.product.rows).made & Made.NETWORK:
            tied = _tied(evidence)
            before = [*live, *dead]
            if not tied and before and not {*cut.names} & {name for each in before for name in each.names}:
                raise RefusedBlock(BEHIND_THE_CUT, record.place, [read.value], names=" and ".join(cut.names), cut=before[0].place)
            raise RefusedBlock(
                SECOND_CUT, record.place, [read.value], names=" and ".join(cut.names), cut=live[0].place if live else dead[0].place if dead else "?", tied=tied
            )
        else:
            live.append(cut)
    return live, dead


def _tied(evidence: Evidence) -> str:
    labels, first = evidence.base.labels, evidence.block.first
    parameters = dict(evidence.block.module.named_parameters(remove_duplicate=False))
    others = [name for name, x in parameters.items() if name not in first and name.split("[")[0] not in {n.split("[")[0] for n in first}]
    shared = [name for name in others if labels.made(parameters[name]) & Made.FIRST]
    return f" (tied to {', '.join(shared)})" if shared else ""


def _cut(record: Record, weight: int) -> Cut:
    product = _as_product(record, weight)
    read = record.operand(weight)
    is_first = product.matrix(read.labels) & Made.FIRST != 0
    columns = is_first.any(dim=(0, 1))
    if bool((is_first != columns).any()):
        raise RefusedBlock(PART_OF_A_ROW, record.place, [read.value], names=_name(record, weight))
    return Cut(product, (_name(record, weight),), columns)


def _noises(cut: Cut, record: Record) -> list[Tensor]:
    """Moves of what the cut makes of W, everywhere: a small one, and one of its own size, which shows what only chooses (a router, whose gates are dropped)."""
    result = record.results[0]
    columns = cut.columns[:, None] if cut.product.weight_left else cut.columns
    small = (nudged(torch.ones_like(result)) - 1) * columns
    return [small, small * result.abs().max() / MOVE]


def whole_cut(evidence: Evidence) -> tuple[list[Cut], Layout, list[str]]:
    """The operators of the cut, where in their operands the query stands, and notes.  Raises RefusedBlock."""
    cuts, dead = reads_of_first(evidence)
    names = " and ".join(evidence.block.first)
    if not cuts:
        raise RefusedBlock(NO_CUT, names=names)
    layout = _layout(evidence, cuts[0])
    z = _rows_read(evidence.base, cuts[0], layout)
    for cut in cuts[1:]:
        if not _same_operand(evidence.base, cut, layout, z, _read(evidence.base, cuts[0])):
            operands = [_read(evidence.base, cut), _read(evidence.base, cuts[0])]
            raise RefusedBlock(OTHER_OPERAND, cut.place, operands, names=" and ".join(cut.names), cut=cuts[0].place)
    notes = (f"{', '.join(cut.names)} is read at {cut.place.line} for what does not reach the query's output" for cut in dead)
    return cuts, layout, list(dict.fromkeys(notes))  # a loop over experts reads W at one line again and again


def _read(trace: Recording, cut: Cut) -> Tensor:
    return cut.product.operand(trace.at(cut.place).operand(cut.product.rows).value)


def _rows_read(trace: Recording, cut: Cut, layout: Layout) -> Tensor:
    return layout.query(_read(trace, cut), trace.cases.number)


def _same_operand(trace: Recording, cut: Cut, layout: Layout, z: Tensor, whole: Tensor) -> bool:
    """Whether a cut reads z: the same rows, or rows that were chosen among those of the first operator (experts)."""
    found = _read(trace, cut)
    if found.shape[-1] != z.shape[-1]:
        return False
    rows, known = found.reshape(-1, z.shape[-1]), whole.reshape(-1, z.shape[-1])
    if len(rows) == len(known) and torch.equal(layout.query(found, len(z)), z):
        return True
    return len(rows) != len(known) and {tuple(row) for row in rows.tolist()} <= {tuple(row) for row in known.tolist()}


def _layout(evidence: Evidence, cut: Cut) -> Layout:
    """The order of the cut's rows, and the one token whose row reaches the output."""
    trace, cases = evidence.base, evidence.base.cases.number
    if not torch.equal(evidence.one_moved.output[1:], trace.output[1:]):
        raise RefusedBlock(MIXES_CASES, _mixing(evidence))
    ours, theirs = _read(trace, cut), _read(evidence.one_moved, cut)
    moved = (ours != theirs).reshape(-1, ours.shape[-1]).any(-1)
    if not bool(moved.any()):
        raise RefusedBlock(UNAFFECTED, cut.place, [ours], of=SCREENED)
    order = orders(moved, cases)
    if not order:
        raise RefusedBlock(CASES_UNKNOWN, cut.place, [ours])
    tokens = len(moved) // cases
    live: list[int] = []
    for noise in map(cut.product.result, _noises(cut, trace.at(cut.place))):
        heres = [Layout(order[0], token) for token in range(tokens)]
        added = [cut.product.result(here.only_query(here.query(noise, cases), noise)) for here in heres]
        live = live or [token for token in range(tokens) if evidence.matters(added={cut.place: added[token]})]
    if len(live) != 1:
        raise RefusedBlock(TWO_TOKENS, cut.place, [ours], names=" and ".join(cut.names), tokens=f"{len(live)} tokens")
    return Layout(order[0], 0 if live[0] == 0 and tokens > 1 else live[0] - tokens)


def _mixing(evidence: Evidence) -> CallSite | None:
    """The operator behind which other cases move with the first one, where their rows can be told apart."""
    makers: dict[int, CallSite] = {}
    cases = evidence.base.cases.number
    for ours, theirs in zip(evidence.base.records, evidence.one_moved.records, strict=True):
        for a, b in zip(ours.operands, theirs.operands, strict=True):
            moved = a.value != b.value
            rows = moved.reshape(-1, moved.shape[-1]).any(-1) if moved.dim() > 1 else moved.reshape(-1)
            maker = makers.get(storage_key(dict(ours.step.tensors)[a.index]))
            if maker and bool(moved.any()) and not orders(rows, cases):
                return maker
        if not ours.view:
            makers |= {storage_key(x): ours.place for x in (*ours.results, *ours.step.written)}
    return None


def products_of_line(trace: Recording, cut: Cut) -> list[tuple[Record, MatrixProduct]]:
    """The products with the cut's parameter on the cut's line; other shapes may make another overload of the same line."""
    found = []
    for record in trace.records:
        if record.place.line == cut.place.line and record.step.operator in MATRIX_PRODUCTS:
            weights = [each for each in record.operands if each.made & Made.FIRST and each.source == cut.names[0]]
            products = [(record, _as_product(record, each.index)) for each in weights[-1:]]
            # What is read may be made of nothing, where no token of the context is left; but not of parameters.
            found += [each for each in products if not record.operand(each[1].rows).made & Made.PARAMETER]
    return found


def read_by_w(trace: Recording, cut: Cut, layout: Layout) -> Tensor:
    """What the cut's W multiplies for the query: (cases, d).  Raises RefusedBlock if the pass does not read W there."""
    products = products_of_line(trace, cut)
    if len(products) < -cut.nth:
        raise RefusedBlock(BRANCH, cut.place)
    record, product = products[cut.nth]
    return layout.query(product.operand(record.operand(product.rows).value), trace.cases.number)


def reads_context(evidence: Evidence, cuts: Sequence[Cut], layout: Layout) -> bool:
    """Whether z depends on the context; it does not in a parallel block."""
    return bool(what_w_reads_moves(evidence.base, evidence.exchanged, cuts[0], layout).any())


def some_row_moves(one: Recording, other: Recording, place: CallSite) -> Tensor:
    """In which cases rows of what an operator reads differ between two passes, in whichever order they stand: (cases,) bool."""
    found = [next(x for x in trace.at(place).operands if x.made & DATA).value for trace in (one, other)]
    moved = (found[0] != found[1]).reshape(-1, found[0].shape[-1]).any(-1)
    number = one.cases.number
    return moved.view(number, -1).any(-1) & moved.view(-1, number).any(0) if len(moved) % number == 0 else torch.zeros(number, dtype=torch.bool)


def what_w_reads_moves(one: Recording, other: Recording, cut: Cut, layout: Layout) -> Tensor:
    """In which cases z differs between two passes: (cases,) bool.  The cut is found by its line, whatever the number of cases."""
    return (read_by_w(one, cut, layout) != read_by_w(other, cut, layout)).any(-1)
