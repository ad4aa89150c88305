"""The numbers of each picture as a table beside it, for who cannot see it or wants to read a value off.

A curve of hundreds of points is told by a dozen of them, its first and its last among them; all are in the run's ``figures/*.csv``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.record import Experiments, ModelRecord
from reports.record.experiments import Averages, DynamicsRecord, StaticPatchRecord

MOST_ROWS = 12
"""Rows of a table at most."""

Reading = float | None


@dataclass(frozen=True, slots=True)
class PictureTable:
    """A picture's numbers."""

    label: str
    """What the table is of, for a screen reader and for the line that opens it."""
    across: str
    """What the first column counts."""
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[Reading, ...]], ...]
    """The first column's number, and the others'; None where a curve has no such point."""
    left_out: int
    """Points between those that are told."""


def paper_tables(found: Experiments) -> dict[str, PictureTable]:
    """Those of the paper's figures that the run made, by the picture's name."""
    tables = {}
    if found.figure_1:
        points = {row.step: (row.training_loss, row.with_context, row.patched, row.difference, row.bound, row.planted) for row in found.figure_1.checkpoints}
        columns = ("training loss", "with its context", "patched, without it", "difference, measured", "bound, rigorous", "wrong update")
        tables["losses"] = _table("Figure 1", "step", columns, points)
    if found.layers:
        steps = [_by_place(layer.steps) for layer in found.layers]
        tables["steps"] = _table("Figure 2", "i", tuple(layer.block for layer in found.layers), _side_by_side(steps))
    if found.figure_3:
        curves = [_by_place(found.figure_3.finetuned), _by_place(found.figure_3.patched)]
        tables["finetuning"] = _table("Figure 3", "i", ("SGD on W", "ΔW of i examples"), _side_by_side(curves))
    return tables


def dynamics_points(found: DynamicsRecord) -> PictureTable:
    """Appendix B by the number of tokens moved: error and bound in each format, and the effect."""
    columns = tuple(f"{each.format}, {what}" for each in found.formats for what in ("error", "bound"))
    curves = [{point[0]: point[column] for point in each.moved.points} for each in found.formats for column in (1, 2)]
    effect = {point[0]: point[3] for point in found.formats[0].moved.points}
    return _table("Implicit dynamics", "i", (*columns, "effect"), _side_by_side([*curves, effect]))


def static_points(found: StaticPatchRecord) -> PictureTable:
    """One update for K queries: the medians that are drawn."""
    medians = {
        point.queries: tuple(numbers[2] if numbers else None for numbers in (point.own, point.fresh, point.other_context, point.wrong_vector))
        for point in found.points
    }
    return _table("One update for many queries", "K", ("its own queries", "fresh queries", "another context's", "A(C,x) for A(x)"), medians)


def training_losses(models: Sequence[ModelRecord]) -> PictureTable:
    """The training loss of every block."""
    return _table("Training", "step", tuple(model.block for model in models), _side_by_side([dict(model.losses) for model in models]))


def _by_place(averages: Averages) -> dict[int, float]:
    return {place: mean for place, mean, _ in averages}


def _side_by_side(curves: Sequence[Mapping[int, float]]) -> dict[int, tuple[Reading, ...]]:
    return {place: tuple(curve.get(place) for curve in curves) for place in sorted({place for curve in curves for place in curve})}


def _table(label: str, across: str, columns: tuple[str, ...], points: Mapping[int, tuple[Reading, ...]]) -> PictureTable:
    places = list(points)
    if len(places) > MOST_ROWS:
        places = [places[round(number * (len(places) - 1) / (MOST_ROWS - 1))] for number in range(MOST_ROWS)]
    return PictureTable(label, across, columns, tuple((place, points[place]) for place in places), len(points) - len(places))
