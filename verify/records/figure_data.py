"""The figures' data as CSV: one line a point."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from reports.record import Experiments
from reports.record.experiments import CheckpointRecord, DynamicsInFormat, IdentityRecord, StaticPatchRecord

IDENTITIES = tuple(name for name, field in DynamicsInFormat.model_fields.items() if field.annotation is IdentityRecord)
"""Of the implicit dynamics."""


def write_figure_data(experiments: Experiments, folder: Path) -> None:
    """Write the CSV files into the run's folder ``figures/``; nothing for a figure that was not made."""
    where = folder / "figures"
    if experiments.figure_1:
        fields = list(CheckpointRecord.model_fields)
        _write(where / "figure-1.csv", fields, ([getattr(row, field) for field in fields] for row in experiments.figure_1.checkpoints))
    if experiments.layers:
        rows = ((record.block, *point) for record in experiments.layers for point in record.steps)
        _write(where / "figure-2.csv", ["block", "tokens", "mean_step", "standard_error"], rows)
    if experiments.figure_3:
        curves = {"sgd": experiments.figure_3.finetuned, "patch": experiments.figure_3.patched}
        losses = ((name, *point) for name, points in curves.items() for point in points)
        _write(where / "figure-3.csv", ["update", "examples", "mean_loss", "standard_error"], losses)
    if experiments.dynamics:
        formats = ((record.block, row) for record in experiments.dynamics for row in record.formats)
        points = ((block, row.format, name, *point) for block, row in formats for name in IDENTITIES for point in getattr(row, name).points)
        _write(where / "dynamics.csv", ["block", "format", "identity", "tokens", "error", "bound", "effect"], points)
    if experiments.static_patch:
        header = ["block", "queries", "quantity", "mean", "standard_error", "median"]
        _write(where / "static-patch.csv", header, _static_rows(experiments.static_patch))


def _static_rows(records: Iterable[StaticPatchRecord]) -> Iterator[Sequence[object]]:
    """One line for each number that has a mean over trials; the two losses that no query makes stand at 0 queries."""
    for record in records:
        yield record.block, 0, "with_context", *record.with_context
        yield record.block, 0, "without", *record.without
        for point in record.points:
            for quantity in ("own", "fresh", "loss", "ridge_fresh", "ridge_loss", "other_context", "wrong_vector"):
                numbers = getattr(point, quantity)
                if numbers is not None:
                    yield record.block, point.queries, quantity, *numbers


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
