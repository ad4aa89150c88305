"""The stream: what of before the cut meets the network's value behind it.

What is not made through W alone may join the network in one way: by sums in one chain, whose result S = F + Σ f_i ⊙ s_i is all that what follows
reads. The factors f_i are made of the query (a scaled residual, a gate). Then the block without Y lacks δ = Σ f_i ⊙ (s_i(C, x) - s_i(C∖Y, x)) in S,
and a parameter of the network may take it (claims ``pre-ln``, ``post-ln``, ``parallel``). Anything else is a leak: the context would reach the output
by a way on which no update of W and of that parameter replaces it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.operators.cut import Cut
from numeric.operators.derivatives import Sources, transposed_derivative
from numeric.operators.evidence import Evidence
from numeric.operators.executions import ATEN, CallSite, same_numbers, storage_key
from numeric.operators.labels import BEFORE, CHOOSING, Made
from numeric.operators.layout import Layout
from numeric.operators.memory import StorageSet
from numeric.operators.read_beside import read_beside
from numeric.operators.recording import OperandRead, Read, Record, Recording
from numeric.operators.refusals import (
    CASES_UNKNOWN,
    DISCRETE,
    NO_SUM,
    NOT_ONE_SUM,
    TWO_TOKENS,
    UNTRACKED,
    RefusedBlock,
)

SUMMANDS = {
    **dict.fromkeys((ATEN.add.Tensor, ATEN.add_.Tensor, ATEN.sub.Tensor, ATEN.sub_.Tensor, ATEN.rsub.Tensor), (0, 1)),
    **dict.fromkeys((ATEN.addmm.default, ATEN.baddbmm.default, ATEN.index_add.default, ATEN.index_add_.default), (0,)),
}
"""Operators that add, and which of their leaves are summands."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The summands of S that depend on the context, and the operator whose result S is."""

    summands: tuple[Read, ...]
    meeting: CallSite


def stream_of(evidence: Evidence, cuts: list[Cut], layout: Layout) -> Stream | None:
    """The stream that meets the network, or None if nothing that depends on the context does.  Raises RefusedBlock for a leak."""
    at_cut = {cut.place for cut in cuts}
    summands: list[Read] = []
    for record in evidence.base.records:
        if record.place in at_cut or record.view or not record.any(Made.NETWORK):
            continue
        for operand in record.operands:
            if not operand.made & Made.NETWORK and _joins(evidence, record, operand, layout):
                if operand.index not in SUMMANDS.get(record.step.operator, ()):
                    raise RefusedBlock(NO_SUM, record.place, [each.value for each in record.operands], hint=_by_out(record) or read_beside(evidence.base))
                _one_token(evidence, record, operand, layout)
                summands.append((record.place, operand.index))
    if not summands:
        return None
    stream = Stream(tuple(summands), summands[-1][0])
    factors(evidence.base, stream, layout)
    return stream


def _theirs(evidence: Evidence, record: Record, operand: OperandRead) -> list[Tensor]:
    """The same operand in passes with a context moved and exchanged, where it differs."""
    found = []
    for other in (evidence.exchanged, evidence.moved):
        same = other.find(record.place)
        theirs = same.operand(operand.index).value if same else operand.value
        if theirs.shape == operand.value.shape and not torch.equal(theirs, operand.value):
            found.append(theirs)
    return found


def _joins(evidence: Evidence, record: Record, operand: OperandRead, layout: Layout) -> bool:
    """Whether an operand of before the cut brings the context to the output here.  Raises RefusedBlock if it cannot be followed."""
    step = record.step
    if step.overwrites_only(dict(step.tensors)[operand.index]) or (step.operator in CHOOSING and operand.index == 0):
        return False
    if not operand.value.is_floating_point() and operand.made & Made.CONTEXT:
        raise RefusedBlock(DISCRETE, record.place, [operand.value], hint=read_beside(evidence.base))
    different = [*_theirs(evidence, record, operand), *_awake(evidence, record, operand, layout)]
    if different and operand.index not in SUMMANDS.get(step.operator, ()):
        different += _enlarged(evidence, operand, different, layout)
    if not any(evidence.matters({(record.place, operand.index): theirs}) for theirs in different):
        return False
    if not operand.made & BEFORE:
        if _chosen_by_the_network(evidence, dict(step.tensors)[operand.index]) or _another_parameter(evidence, record, operand):
            return False
        raise RefusedBlock(UNTRACKED, record.place, [operand.value])
    return True


def _chosen_by_the_network(evidence: Evidence, x: Tensor) -> bool:
    """Whether these are entries of a parameter that the network chose (experts' biases): with another context it chooses others, through W alone."""
    makers = [each for each in evidence.base.records if not each.view and any(storage_key(made) == storage_key(x) for made in each.results)]
    if not makers or not makers[-1].chooses_entries:
        return False
    by = [each.made for each in makers[-1].operands if each.index != 0]
    return bool(by) and all(made & Made.NETWORK and not made & BEFORE for made in by)


def _another_parameter(evidence: Evidence, record: Record, operand: OperandRead) -> bool:
    """Whether it is a parameter, and another one, or another part of one, wherever it differs: a loop over the experts that are hit reads those of its pass.

    Which ones these are hangs on how many rows the network gives to each. A parameter whose numbers another pass changed is none of them.
    """
    parameters = StorageSet(evidence.block.module.parameters())
    mine = dict(record.step.tensors)[operand.index]
    for other in (evidence.exchanged, evidence.moved):
        same = other.find(record.place)
        theirs = mine if same is None else dict(same.step.tensors)[operand.index]
        if mine not in parameters or theirs not in parameters:
            return False
        if _lies(theirs) == _lies(mine) and same is not None and not same_numbers(same.operand(operand.index).value, operand.value):
            return False
    return True


def _lies(x: Tensor) -> tuple[int, int]:
    """Where a view of a parameter begins."""
    return storage_key(x), int(x.storage_offset())


def _by_out(record: Record) -> str:
    return " (it is written with out=, which is not followed)" if record.step.operator._overloadname == "out" else ""


ENLARGED = 2.0**10
"""By which what is not summed is enlarged: a bound that the network keeps in these cases (a minimum, a clamp) is not kept then."""


def _enlarged(evidence: Evidence, operand: OperandRead, different: list[Tensor], layout: Layout) -> list[Tensor]:
    """The same operand with what the context moves in the query's row enlarged, of either sign."""
    x, cases = operand.value, evidence.base.cases.number
    if x.dim() < 2 or x.numel() // x.shape[-1] % cases or all(torch.equal(layout.query(each, cases), layout.query(x, cases)) for each in different):
        return []
    mine = layout.only_query(torch.ones_like(layout.query(x, cases)), x) != 0
    moved = mine & torch.stack([each != x for each in different]).any(0)
    return [torch.where(moved, size * x, x) for size in (ENLARGED, -ENLARGED)]


def _awake(evidence: Evidence, record: Record, operand: OperandRead, layout: Layout) -> Iterator[Tensor]:
    """The operand moved as the context moves it in other cases, if it may be made of the context and does not move in these, behind a gate that is closed."""
    x, cases = operand.value, evidence.base.cases.number
    if not operand.made & Made.CONTEXT or x.dim() < 2 or x.numel() // x.shape[-1] % cases:
        return
    row, made = layout.query(x, cases), layout.query(operand.labels.contiguous(), cases)
    if not bool((made & Made.CONTEXT).any()) or any(not torch.equal(layout.query(each, cases), row) for each in _theirs(evidence, record, operand)):
        return
    place = evidence.base.from_the_end(record.place)
    found = [each.operand(operand.index) for each in (other.find(place) for other in evidence.many()) if each is not None]
    if len(found) == 2 and not any(each.made & Made.NETWORK for each in found):
        one, other = (layout.query(each.value, len(evidence.many()[0].output)) for each in found)
        moves = (other - one)[(one != other).any(-1)]
        if len(moves):
            yield x + layout.only_query(moves[torch.arange(cases) % len(moves)], x)


def _one_token(evidence: Evidence, record: Record, operand: OperandRead, layout: Layout) -> None:
    """Raise RefusedBlock if rows of other tokens reach the output here, too."""
    cases, x = evidence.base.cases.number, operand.value
    if x.dim() < 2 or x.numel() // x.shape[-1] % cases:
        raise RefusedBlock(CASES_UNKNOWN, record.place, [x])
    for theirs in _theirs(evidence, record, operand):
        others = theirs + layout.only_query(layout.query(x - theirs, cases), x)
        exact = torch.where(layout.only_query(torch.ones_like(layout.query(x, cases)), x) != 0, x, others)
        if evidence.matters({(record.place, operand.index): exact}):
            raise RefusedBlock(TWO_TOKENS, record.place, [x], names="the stream", tokens="other tokens than the query")


def diagonal(trace: Recording, target: CallSite, sources: Sources, layout: Layout) -> list[Tensor] | None:
    """The factors f by which each source's query row enters the target's, f ⊙ x, each (cases, features); None if one does not so.

    J is diagonal if Jᵀt = f ⊙ t for f = Jᵀ1; with powers of two for t, both have the same bits. It is that of an affine function if it keeps its bits at
    another point. Other rows must not enter.
    """
    result = trace.at(target).results[0]
    cases = trace.cases.number
    if result.dim() < 2 or result.numel() // result.shape[-1] % cases:
        return None
    ones = torch.ones_like(layout.query(result, cases))
    powers = 2.0 ** torch.randint(-2, 3, ones.shape, generator=torch.Generator().manual_seed(2)).double()
    powers[..., ::2] *= -1
    targets = [layout.only_query(each, result) for each in (ones, powers)]
    try:
        by_ones, by_powers = transposed_derivative(trace, target, targets, sources)
        (elsewhere,) = transposed_derivative(trace, target, targets[:1], sources, moved=True)
    except RuntimeError:  # no derivative of an operator between them
        return None
    found = []
    for f, g, h in zip(by_ones, by_powers, elsewhere, strict=True):
        if f.shape[-1] != ones.shape[-1] or f.numel() // f.shape[-1] % cases:
            return None
        row = layout.query(f, cases)
        alone = torch.equal(layout.only_query(row, f).reshape(f.shape), f)
        if not alone or not torch.equal(layout.query(g, cases), row * powers) or not torch.equal(h, f):
            return None
        found.append(row)
    return found


def factors(trace: Recording, stream: Stream, layout: Layout) -> list[Tensor]:
    """The factor of each summand in S, (cases, d).  Raises RefusedBlock for one that does not enter by a factor."""
    found = []
    for place, index in stream.summands:
        here = trace.at(place)
        meeting = trace.at(stream.meeting).place
        factor = diagonal(trace, meeting, Sources(operands=((here.place, index),)), layout)
        if factor is None:
            raise RefusedBlock(NOT_ONE_SUM, here.place, [each.value for each in here.operands], other=meeting, hint=read_beside(trace))
        found += factor
    return found
