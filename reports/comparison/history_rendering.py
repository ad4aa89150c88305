"""A history, told: on a terminal, as JSON, and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.comparison.changes import DifferenceKind
from reports.comparison.history import History, HistoryEntry, Track, sparkline
from reports.findings.grid import square
from reports.html import rendered
from reports.record import write_whole
from reports.text import count, counted, ratio

CHANGES_PER_RUN = 12
"""Changes of a run on a terminal; the page and ``--json`` have all."""

TRACKED = ("worst", "tightness", "seconds")
"""What a track has of each run."""


def history_on_terminal(history: History) -> RenderableType:
    """Runs, a line each; then what appeared with each."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for name in ("run", "started", "profile", "seed", "cells", "worst", "changes"):
        table.add_column(Text(name), no_wrap=True, justify="right" if name in ("seed", "cells", "worst", "changes") else "left")
    for entry in history.entries:
        run, totals = entry.record.run, entry.record.totals
        names, figures = (entry.folder, run.started[:16], run.profile, str(run.seed)), (count(len(entry.record.cells)), ratio(totals.worst_ratio))
        table.add_row(*map(Text, names), *figures, Text(_changed(entry)))
    parts: list[RenderableType] = [table]
    for entry in history.entries:
        rows = [] if entry.changes is None else list(entry.changes.differences)
        if rows:
            parts += [Text(), Text.assemble((entry.folder, "bold"), f" against {entry.before}: {counted(len(rows), 'change')}")]
            for row in rows[:CHANGES_PER_RUN]:
                grave = row.standing in (DifferenceKind.REGRESSION, DifferenceKind.STALE)
                parts.append(Text.assemble(f"  {row.kind} ", (row.id, "bold"), f"  {row.what}", style="red" if grave else ""))
            if len(rows) > CHANGES_PER_RUN:
                parts.append(Text(f"  … and {counted(len(rows) - CHANGES_PER_RUN, 'change')} more; --json and the page have all", style="dim"))
    parts += [Text(f"– {folder} could not be read: {reason}", style="red") for folder, reason in history.unreadable]
    return Group(*parts)


def _changed(entry: HistoryEntry) -> str:
    if entry.changes is None:
        return "first"
    return "nothing compared" if entry.changes.nothing else count(len(entry.changes.differences))


def history_as_data(history: History) -> Mapping[str, object]:
    """For ``--json``."""
    return {
        "runs": [
            {
                "folder": entry.folder,
                **{name: getattr(entry.record.run, name) for name in ("id", "started", "finished", "command", "seed")},
                "commit": entry.record.environment.commit,
                "torch": entry.record.environment.torch,
                "sentence": entry.sentence,
                "compared_with": entry.before,
                "changes": [] if entry.changes is None else [{**asdict(row), "standing": row.standing.value} for row in entry.changes.differences],
                "not_compared": [] if entry.changes is None else list(entry.changes.limits),
            }
            for entry in history.entries
        ],
        "cells": {
            track.key: {
                "verdict": [None if cell is None else square(cell).verdict.value for cell in track.cells],
                **{name: [None if value is None else real_or_word(value) for value in getattr(track, name)] for name in TRACKED},
            }
            for track in history.tracks
        },
        "unreadable": [{"folder": folder, "reason": reason} for folder, reason in history.unreadable],
    }


def real_or_word(value: float) -> float | str:
    """JSON has no word for what is not finite; the record's are used."""
    return value if value - value == 0 else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]


def write_history(history: History, path: Path) -> Path:
    """One HTML file that needs nothing else; returns its path."""
    tracks = [(track, _last(track), {name: _line(track, name) for name in TRACKED}) for track in history.tracks]
    return write_whole(path, rendered("history.html.j2", entries=history.entries, changed=_changed, tracks=tracks, unreadable=history.unreadable))


def _last(track: Track) -> Mapping[str, float | None]:
    """The last number of each kind."""
    return {name: next((value for value in reversed(getattr(track, name)) if value is not None), None) for name in TRACKED}


def _line(track: Track, name: str) -> Markup:
    """A picture of a cell's numbers in one line; the numbers stand beside it."""
    return Markup('<svg class="spark" viewBox="-2 -2 100 22" width="100" height="22" aria-hidden="true">{}</svg>').format(
        Markup("").join(_drawn(points) for points in sparkline(getattr(track, name)))
    )


def _drawn(points: Sequence[tuple[float, float]]) -> Markup:
    """A line, or a dot for a number without neighbours."""
    if len(points) == 1:
        return Markup('<circle cx="{:g}" cy="{:g}" r="1.5"/>').format(*points[0])
    return Markup('<polyline points="{}"/>').format(" ".join(f"{x:g},{y:g}" for x, y in points))
