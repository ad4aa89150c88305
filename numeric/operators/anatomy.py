"""The anatomy of a block: where its cut is, what meets the network, which parameter takes what the stream lacks.

Found by watching the block, in float64 on a few small cases; nothing is known of its modules but the names of the parameters that are W.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from numeric.operators.absorber import Absorber, absorber_of
from numeric.operators.cut import Cut, MatrixProduct, products_of_line, reads_context, some_row_moves, what_w_reads_moves, whole_cut
from numeric.operators.evidence import Evidence, awake_passes, chooses, compared_passes
from numeric.operators.executions import CallSite
from numeric.operators.hidden_ways import no_hidden_way
from numeric.operators.labels import Made
from numeric.operators.layout import Layout
from numeric.operators.origins import Provenance, origin
from numeric.operators.overlaps import refuse_overlaps
from numeric.operators.positions import positions_note
from numeric.operators.recording import DoubleBlock, Recording
from numeric.operators.refusals import NO_ABSORBER, UNAFFECTED, RefusedBlock
from numeric.operators.stream import Stream, stream_of
from numeric.operators.weights import Weights, weights_of


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What was found in a block.  Places are counted from the end of a pass."""

    cuts: tuple[Cut, ...]
    weights: tuple[Weights, ...]
    """The matrices that are W."""
    layout: Layout
    reads_context: bool
    """Whether z depends on the context; if not (a parallel block), ΔW = 0, and δ alone is patched."""
    stream: Stream | None
    absorber: Absorber | None
    absorbed: Provenance | None
    """Where the absorber's operand comes from; None where several operators read it: there its change is found by derivative."""
    ends_in_the_sum: bool
    """Whether the output is the sum in which the network meets the stream; if not, functions of that sum alone follow (a norm behind it)."""
    behind: tuple[str, ...]
    """The operators from the cut on, each once, in the order in which they are first met; views left out."""
    choices: tuple[str, ...]
    """Lines at which a shape or a Python number hangs on a value of the network: such a block runs case by case."""
    casts: tuple[str, ...]
    """Lines that cast float64 to a shorter format; here they are left out."""
    notes: tuple[str, ...]


def anatomy_of(block: DoubleBlock, width: int, absorb: str | None = None) -> Anatomy:
    """Watch the block and find its parts.  width: of a token.  Raises RefusedBlock with the operator and the line of what is not as the claims say."""
    evidence = compared_passes(block, width)
    for name in block.first:
        refuse_overlaps(evidence.base, block.module, name.split("[")[0])
    try:
        cuts, layout, notes = _cut_of(evidence)
    except RefusedBlock as error:
        if error.kind is not UNAFFECTED or error.place is None:
            raise
        awake = awake_passes(block, width, partial(some_row_moves, place=evidence.base.from_the_end(error.place)))
        if awake is None:
            raise
        evidence = awake
        cuts, layout, notes = _cut_of(evidence)
    weights = weights_of(evidence, cuts)
    moves = partial(what_w_reads_moves, cut=_from_the_end(evidence.base, cuts[0]), layout=layout)
    if not bool(moves(evidence.base, evidence.exchanged).all()) and (awake := awake_passes(block, width, moves)) is not None:
        evidence = awake
        cuts, layout, notes = _cut_of(evidence)
        weights = weights_of(evidence, cuts)
    trace = evidence.base
    stream = stream_of(evidence, cuts, layout)
    absorber = absorber_of(evidence, cuts, stream, layout, absorb) if stream else None
    absorbed = None
    if absorber:
        refuse_overlaps(trace, block.module, absorber.name)
    if absorber and absorber.kind != "several":
        read = _operand(trace, absorber.place, absorber.weight)
        absorbed = origin(trace, block.module, absorber.name, read)
        if absorbed is None:
            raise RefusedBlock(NO_ABSORBER, absorber.place, [read], tried=f" ({absorber.name} is read as a function of all its entries)")
        if absorber.kind == "matrix":
            absorbed = Provenance(absorbed.name, absorber.product.matrix(absorbed.entries)[0], absorbed.slope)
    return Anatomy(
        tuple(_from_the_end(trace, cut) for cut in cuts),
        weights,
        layout,
        reads_context(evidence, cuts, layout),
        stream and Stream(tuple((trace.from_the_end(place), index) for place, index in stream.summands), trace.from_the_end(stream.meeting)),
        absorber and Absorber(absorber.name, absorber.kind, trace.from_the_end(absorber.place), absorber.weight, absorber.operand),
        absorbed,
        stream is None or torch.equal(layout.query(trace.at(stream.meeting).results[0], trace.cases.number), trace.output),
        _behind(trace, cuts),
        tuple(chooses(trace)),
        tuple(dict.fromkeys(trace.casts)),
        (*notes, *_decisions(trace), *positions_note(block, trace.cases)),
    )


def _cut_of(evidence: Evidence) -> tuple[list[Cut], Layout, list[str]]:
    no_hidden_way(evidence)
    return whole_cut(evidence)


def _behind(trace: Recording, cuts: Sequence[Cut]) -> tuple[str, ...]:
    places = {cut.place for cut in cuts}
    met = [record.place.operator for record in trace.records if not record.view and (record.place in places or record.any(Made.NETWORK))]
    return tuple(dict.fromkeys(met))


def _operand(trace: Recording, place: CallSite, index: int) -> Tensor:
    return dict(trace.at(place).step.tensors)[index]


def _from_the_end(trace: Recording, cut: Cut) -> Cut:
    product, places = cut.product, [record.place for record, _ in products_of_line(trace, cut)]
    nth = places.index(cut.place) - len(places)
    return Cut(MatrixProduct(trace.from_the_end(cut.place), product.weight, product.rows), cut.names, cut.columns, nth)


def _decisions(trace: Recording) -> list[str]:
    """Where Python was given a number made of the input, before the cut; a path that these passes did not take was not seen."""
    lines = [
        each.place.line
        for each in trace.records
        if _hands_a_number(each.place) and any(o.made & (Made.CONTEXT | Made.QUERY) and not o.made & Made.NETWORK for o in each.operands)
    ]
    return [f"{line} decides by a value of the input, before the cut" for line in dict.fromkeys(lines)]


def _hands_a_number(place: CallSite) -> bool:
    """Whether an operator hands a number to Python."""
    return place.operator == "aten._local_scalar_dense.default"
