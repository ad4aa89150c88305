"""Error against bound, one panel a format: how many cases lie where, and every violation by itself.

The axes are logarithmic to base 2. On the diagonal the error is its bound; parallel to it the bound is 10, 100, ...
times the error. A case is counted in a square of the panel, so that the picture is no larger for more cases.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from reports.figures.quantiles import QuantileCounts
from reports.figures.squares import Squares, Strip
from reports.figures.svg import HOLDS, MUTE, VIOLATED, inline_svg, panel, powers_of_two
from reports.record import RunRecord
from reports.record.cases_table import coded, read_cells
from reports.text import counted, real
from symbolic.vocabulary import Verdict

VIOLATIONS_DRAWN = 200
"""Violations beyond these many a panel are counted, and the panel says so."""

_SQUARES = 56  # along the longer axis: as fine as a panel on a phone can show
_SHADES = (0.16, 0.3, 0.48, 0.7, 0.95)
_JUDGED = (Verdict.HOLDS.value, Verdict.VIOLATED.value, Verdict.VACUOUS.value)


@dataclass(frozen=True, slots=True)
class Panel:
    """One format's cases, counted and drawn."""

    format: str
    judged: int
    refused: int
    violated: int
    exact: int
    """Judged cases whose error is exactly 0, which a logarithmic axis cannot show."""
    not_finite: int
    """Judged cases whose error or bound is not finite: counted, not drawn."""
    tightness: tuple[float, float, float] | None
    """Bound over error: a tenth, half and nine tenths of the judged cases lie below; an error of 0 counts as infinite."""
    expected: float | None
    """Expected (probabilistic) bound over error, the median of the judged cases; an error of 0 counts as infinite."""
    exceeded: tuple[int, int, float] | None
    """Judged cases that exceeded it, all of them, and how many may on average; from the cells' rows."""
    worst_ratio: float | None
    picture: Markup | None


@dataclass(slots=True)
class _Tally:
    """What a panel needs of a format's cases, added up cell by cell: a run may have more of them than fit into memory."""

    tightness: QuantileCounts = field(default_factory=QuantileCounts)
    expected: QuantileCounts = field(default_factory=QuantileCounts)
    """Of expected bound over error."""
    judged: int = 0
    refused: int = 0
    violated: int = 0
    exact: int = 0
    not_finite: int = 0
    worst_ratio: float = -np.inf
    least: NDArray[np.float64] = field(default_factory=lambda: np.full(2, np.inf))
    most: NDArray[np.float64] = field(default_factory=lambda: np.full(2, -np.inf))
    """log₂ of bound and of error: the smallest and the largest of the cases that can be drawn."""
    drawn: int = 0
    """How many those are, without the violated ones."""
    crosses: int = 0
    """How many of them are violated."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Cases of one cell as places in the picture: (2, cases), log₂ of bound and of error."""

    points: NDArray[np.float64]
    crosses: NDArray[np.float64]


def panels(record: RunRecord, folder: Path) -> list[Panel]:
    """One panel for each format that has cases in the folder, in the record's order.

    The cases are read twice, for how finely they are to be counted follows from where they lie.
    """
    formats = {cell.id: cell.format for cell in record.cells}
    tallies: dict[str, _Tally] = {}
    for cell, table in read_cells(folder, ("error", "bound", "expected", "ratio", "verdict")):
        if cell in formats:  # a cell that was in flight when the run stopped may have cases and no row
            _add(tallies.setdefault(formats[cell], _Tally()), table)
    lattices = {name: _Lattice(tally) for name, tally in tallies.items() if tally.drawn or tally.crosses}
    for cell, table in read_cells(folder, ("error", "bound", "verdict")):
        if formats.get(cell) in lattices:
            lattices[formats[cell]].add(_places(table))
    names = [name for name in dict.fromkeys(formats.values()) if name in tallies]
    return [_panel(name, tallies[name], lattices.get(name), index, _exceeded(record, name)) for index, name in enumerate(names)]


def _verdicts(table: pa.Table, *wanted: str) -> NDArray[np.bool_]:
    codes, words = coded(table, "verdict")
    return np.isin(codes, [place for place, word in enumerate(words) if word in wanted])


def _add(tally: _Tally, table: pa.Table) -> None:
    judged = _verdicts(table, *_JUDGED)
    error, bound, expected, ratio = (table[name].to_numpy()[judged] for name in ("error", "bound", "expected", "ratio"))
    with np.errstate(divide="ignore", invalid="ignore"):
        tally.tightness.add(np.where(error == 0, np.inf, bound / error))
        tally.expected.add(np.where(error == 0, np.inf, expected / error)[~np.isnan(expected)])
    tally.judged += len(error)
    tally.refused += int(_verdicts(table, Verdict.INCONCLUSIVE.value).sum())
    tally.violated += int(_verdicts(table, Verdict.VIOLATED.value).sum())
    tally.exact += int(np.count_nonzero(error == 0))
    tally.not_finite += int(np.count_nonzero(~(np.isfinite(error) & np.isfinite(bound))))
    tally.worst_ratio = float(np.max(ratio, initial=tally.worst_ratio))  # NaN wins, as it should
    places = _places(table)
    tally.drawn += places.points.shape[1]
    tally.crosses += places.crosses.shape[1]
    for part in (places.points, places.crosses):
        tally.least = np.minimum(tally.least, part.min(axis=1, initial=np.inf))
        tally.most = np.maximum(tally.most, part.max(axis=1, initial=-np.inf))


def _places(table: pa.Table) -> _Drawn:
    error, bound = (table[name].to_numpy() for name in ("error", "bound"))
    shown = _verdicts(table, *_JUDGED) & np.isfinite(error) & np.isfinite(bound) & (error > 0) & (bound > 0)
    violated = _verdicts(table, Verdict.VIOLATED.value)
    return _Drawn(*(np.log2(np.stack([bound[kept], error[kept]])) for kept in (shown & ~violated, shown & violated)))


class _Lattice:
    """Squares of a panel, and how many cases lie in each."""

    def __init__(self, tally: _Tally) -> None:
        self.side = float(max(*(tally.most - tally.least), 1.0)) / _SQUARES
        self.first = np.floor(tally.least / self.side).astype(np.int64)
        self.shape = tuple(np.floor(tally.most / self.side).astype(np.int64) - self.first + 1)
        self.counts = np.zeros(self.shape, np.int64)
        self.crosses = np.empty((2, 0))

    def add(self, cases: _Drawn) -> None:
        across, up = np.floor(cases.points / self.side).astype(np.int64) - self.first[:, None]
        self.counts += np.bincount(across * self.shape[1] + up, minlength=self.counts.size).reshape(self.shape)
        self.crosses = np.concatenate([self.crosses, cases.crosses[:, : VIOLATIONS_DRAWN - self.crosses.shape[1]]], axis=1)

    def full(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The squares that hold cases, (n, 2) by column and then by row, and how many each holds."""
        squares = np.argwhere(self.counts)
        return squares + self.first, self.counts[tuple(squares.T)]


def _exceeded(record: RunRecord, name: str) -> tuple[int, int, float] | None:
    """How many judged cases of a format exceeded their expected bound, of how many, and how many may on average."""
    found = [cell.expected for cell in record.cells if cell.format == name and cell.expected is not None]
    if not found:
        return None
    return sum(e.exceeded for e in found), sum(e.cases for e in found), sum(e.cases * e.failure_probability for e in found)


def _panel(name: str, tally: _Tally, lattice: _Lattice | None, index: int, exceeded: tuple[int, int, float] | None) -> Panel:
    tenth, half, most = tally.tightness.at((0.1, 0.5, 0.9))
    return Panel(
        format=name,
        **{number: getattr(tally, number) for number in ("judged", "refused", "violated", "exact", "not_finite")},
        tightness=(tenth, half, most) if tally.judged else None,
        expected=tally.expected.at((0.5,))[0] if exceeded else None,
        exceeded=exceeded,
        worst_ratio=tally.worst_ratio if tally.judged else None,
        picture=_picture(name, tally, lattice, index) if lattice is not None else None,
    )


def _picture(name: str, tally: _Tally, lattice: _Lattice, index: int) -> Markup:
    (left, bottom), (right, top) = tally.least.tolist(), tally.most.tolist()
    with panel(3.1, 2.9, "bound", "error") as (figure, axes):
        side = lattice.side
        axes.set_xlim(left - 2 * side, right + 2 * side)
        axes.set_ylim(bottom - 2 * side, max(top, right) + 2 * side)
        _guides(axes)
        _density(axes, lattice)
        axes.plot(*lattice.crosses, "x", color=VIOLATED, markersize=5, markeredgewidth=1.4)
        powers_of_two(axes)
        return inline_svg(
            figure,
            f"density{index}",
            f"{name}: error against bound for {counted(tally.drawn + tally.crosses, 'case')}, both logarithmic. "
            f"Bounds from {real(2.0**left)} to {real(2.0**right)}, errors from {real(2.0**bottom)} to {real(2.0**top)}; "
            f"{counted(tally.crosses, 'violation')}.",
        )


def _guides(axes: Axes) -> None:
    """The diagonal, the region over it, and lines on which the bound is ten, a hundred, ... times the error."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    x = np.array([left, right])
    axes.fill_between(x, x, top, where=x < top, color=VIOLATED, alpha=0.07, linewidth=0, interpolate=True)
    axes.plot(x, x, color=VIOLATED, linewidth=1.2)
    axes.text(0.03, 0.97, "error over bound", transform=axes.transAxes, va="top", color=VIOLATED)
    for power in (1, 2, 3, 4):
        offset = power * np.log2(10)
        edge = min(right, top + offset)
        if edge - offset > bottom:
            axes.plot(x, x - offset, color=MUTE, linewidth=0.6, dashes=(1, 3))
            label = f"{10**power:,}×"
            axes.annotate(label, (edge, edge - offset), xytext=(-2, -1), textcoords="offset points", ha="right", va="bottom", color=MUTE, fontsize=7)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def _density(axes: Axes, lattice: _Lattice) -> None:
    """Squares shaded by the logarithm of their number of cases."""
    squares, number = lattice.full()
    if not len(number):
        return
    top = np.log(number.max()) or 1.0
    shade = np.minimum((np.log(number) / top * len(_SHADES)).astype(int), len(_SHADES) - 1)
    for level, alpha in enumerate(_SHADES):
        of_shade = squares[shade == level]
        if len(of_shade):
            axes.add_patch(Squares(_strips(of_shade), lattice.side, facecolor=HOLDS, alpha=alpha, gid=f"shade-{level}"))


def _strips(squares: NDArray[np.int64]) -> list[Strip]:
    """Squares that stand on one another, together.  squares: (n, 2) whole numbers, sorted by column and then by row."""
    column, row = squares.T
    breaks = np.flatnonzero((np.diff(column) != 0) | (np.diff(row) != 1)) + 1
    return [(int(part[0, 0]), int(part[0, 1]), len(part)) for part in np.split(squares, breaks)]
