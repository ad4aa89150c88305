"""What a cell is measured by: a block in the short form, or a block as it is written, whose passes are its module's own."""

from collections.abc import Iterator

import torch
from torch import Tensor

from numeric.cells.cell import AnyCell, WrittenCell
from numeric.formats import torch_dtype
from numeric.machine import BATCH, ProbedMode
from numeric.sides import Batch, Sides, in_format, measure_sides
from numeric.sides.both_sides import computed_again
from numeric.sides.certificate import ExactLayer
from numeric.sides.written_sides import WrittenCases, first_bias, measure_written_sides, written_again

CellCases = Batch | WrittenCases
"""A batch of cases, in the mode's format."""


def batches(cell: AnyCell, generator: torch.Generator) -> Iterator[CellCases]:
    """The cases of a cell in its format, so many at once as kernels are given; the last batch may have more than are wanted.

    As many are drawn at once as a usual batch has, so that what is drawn does not depend on how many are computed at once; of a block as it is written, whose
    batches lack the same tokens in all cases, as many as are computed.
    """
    batch = cell.probed.batch
    if isinstance(cell, WrittenCell):
        dtype = torch_dtype(cell.probed.mode.tokens)
        for _ in range(0, cell.cases, batch):
            prompts = cell.subject.prompts(cell.scenario.id, batch, generator)
            yield WrittenCases(prompts.context.to(dtype), prompts.query.to(dtype), prompts.removed)
        return
    at_once = batch * max(1, BATCH // batch)
    for done in range(0, cell.cases, at_once):
        drawn = cell.scenario.draw(cell.subject, cell.probed.mode.range, at_once, generator)
        for start in range(0, min(at_once, cell.cases - done), batch):
            yield in_format(cell.block, drawn if batch == at_once else drawn.part(start, start + batch), cell.probed)


def exact_layer(cell: AnyCell, cases: CellCases) -> ExactLayer:
    """The first dense layer, for the reference.  cases: a batch of which a block as it is written is asked what its cut adds."""
    if isinstance(cell, WrittenCell):
        assert isinstance(cases, WrittenCases)
        return ExactLayer.of(cell.block.first_weight, first_bias(cell.block, cases))
    return ExactLayer.of(cell.block.first_weight, cell.block.first_bias)


def first_entries(cell: AnyCell) -> int:
    """How many entries the first dense layer of a case has."""
    return cell.block.first_entries if isinstance(cell, WrittenCell) else len(cell.block.first_weight)


def measured_sides(cell: AnyCell, cases: CellCases, probed: ProbedMode, *, known: Sides | None = None, expects: int | None = None) -> Sides:
    """Both sides of a batch.  probed: the cell's mode, or the same under other refinements; known, expects: as ``measure_sides``."""
    if isinstance(cell, WrittenCell):
        assert isinstance(cases, WrittenCases)
        return measure_written_sides(cell.block.under(probed), cases, cell.variant, expects=len(cases.query) if expects is None else expects)
    assert isinstance(cases, Batch)
    return measure_sides(cell.block, cases, cell.variant, probed, cell.scenario.attend, known=known, expects=expects)


def measured_again(cell: AnyCell, cases: CellCases) -> tuple[Tensor, Tensor, Tensor]:
    """ẑ, â and the first dense layer's output on ẑ, by the passes that ``measured_sides`` takes them from."""
    if isinstance(cell, WrittenCell):
        assert isinstance(cases, WrittenCases)
        return written_again(cell.block, cases, cell.variant)
    assert isinstance(cases, Batch)
    return computed_again(cell.block, cases, cell.variant, cell.probed, cell.scenario.attend)
