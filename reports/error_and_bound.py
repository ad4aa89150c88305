"""Error against bound, one panel a format: how many cases lie where, and every violation by itself.

The axes are logarithmic to base 2. On the diagonal the error is its bound; parallel to it the bound is 10, 100, ...
times the error. A case is counted in a square of the panel, so that the picture is no larger for more cases.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from reports.cases import read_cells, words
from reports.numbers import counted, real, two_to
from reports.record import RunRecord
from reports.squares import Run, Squares
from reports.svg import HOLDS, MUTE, VIOLATED, house_style, inline_svg
from symbolic.verdict import Verdict

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


@dataclass(frozen=True, slots=True)
class _Points:
    error: NDArray[np.float64]
    bound: NDArray[np.float64]
    expected: NDArray[np.float64]
    ratio: NDArray[np.float64]
    violated: NDArray[np.bool_]
    refused: int


def panels(record: RunRecord, folder: Path) -> list[Panel]:
    """One panel for each format that has cases in the folder, in the record's order."""
    formats = {cell.id: cell.format for cell in record.cells}
    collected: dict[str, list[_Points]] = {name: [] for name in formats.values()}
    for cell, table in read_cells(folder, ("error", "bound", "expected", "ratio", "verdict")):
        if cell in formats:  # a cell that was in flight when the run stopped may have cases and no row
            verdict = words(table, "verdict")
            judged = np.isin(verdict, _JUDGED)
            error, bound, expected, ratio = (table[name].to_numpy()[judged] for name in ("error", "bound", "expected", "ratio"))
            refused = int(np.count_nonzero(verdict == Verdict.INCONCLUSIVE.value))
            collected[formats[cell]].append(_Points(error, bound, expected, ratio, verdict[judged] == Verdict.VIOLATED.value, refused))
    return [_panel(name, parts, index, _exceeded(record, name)) for index, (name, parts) in enumerate(collected.items()) if parts]


def _exceeded(record: RunRecord, name: str) -> tuple[int, int, float] | None:
    """How many judged cases of a format exceeded their expected bound, of how many, and how many may on average."""
    found = [cell.expected for cell in record.cells if cell.format == name and cell.expected is not None]
    if not found:
        return None
    return sum(e.exceeded for e in found), sum(e.cases for e in found), sum(e.cases * e.failure_probability for e in found)


def _panel(name: str, parts: list[_Points], index: int, exceeded: tuple[int, int, float] | None) -> Panel:
    names = ("error", "bound", "expected", "ratio", "violated")
    error, bound, expected, ratio, violated = (np.concatenate([getattr(part, field) for part in parts]) for field in names)
    finite = np.isfinite(error) & np.isfinite(bound)
    drawn = finite & (error > 0) & (bound > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        tightness, expected_tightness = (np.where(error == 0, np.inf, above / error) for above in (bound, expected))
    quantiles = np.quantile(tightness, (0.1, 0.5, 0.9), method="higher") if len(tightness) else None
    return Panel(
        format=name,
        judged=len(error),
        refused=sum(part.refused for part in parts),
        violated=int(violated.sum()),
        exact=int(np.count_nonzero(error == 0)),
        not_finite=int(np.count_nonzero(~finite)),
        tightness=None if quantiles is None else (float(quantiles[0]), float(quantiles[1]), float(quantiles[2])),
        expected=float(np.quantile(expected_tightness, 0.5, method="higher")) if len(error) else None,
        exceeded=exceeded,
        worst_ratio=float(ratio.max()) if len(ratio) else None,  # NaN wins, as it should
        picture=_picture(name, np.log2(bound[drawn]), np.log2(error[drawn]), violated[drawn], index) if drawn.any() else None,
    )


def _picture(name: str, bound: NDArray[np.float64], error: NDArray[np.float64], violated: NDArray[np.bool_], index: int) -> Markup:
    with house_style():
        figure = Figure(figsize=(3.1, 2.9), layout="constrained")
        axes = figure.add_subplot()
        side = max(np.ptp(bound), np.ptp(error), 1.0) / _SQUARES
        axes.set_xlim(bound.min() - 2 * side, bound.max() + 2 * side)
        axes.set_ylim(error.min() - 2 * side, max(error.max(), bound.max()) + 2 * side)
        _guides(axes)
        _density(axes, bound[~violated], error[~violated], side)
        axes.plot(bound[violated][:VIOLATIONS_DRAWN], error[violated][:VIOLATIONS_DRAWN], "x", color=VIOLATED, markersize=5, markeredgewidth=1.4)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
            axis.set_major_formatter(FuncFormatter(lambda exponent, _: two_to(exponent)))
        axes.set_xlabel("bound")
        axes.set_ylabel("error")
        crosses = int(violated.sum())
        return inline_svg(
            figure,
            f"density{index}",
            f"{name}: error against bound for {counted(len(error), 'case')}, both logarithmic. "
            f"Bounds from {real(2.0 ** bound.min())} to {real(2.0 ** bound.max())}, errors from {real(2.0 ** error.min())} to {real(2.0 ** error.max())}; "
            f"{counted(crosses, 'violation')}.",
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


def _density(axes: Axes, bound: NDArray[np.float64], error: NDArray[np.float64], side: float) -> None:
    """Squares shaded by the logarithm of their number of cases."""
    if not len(bound):
        return
    squares, number = np.unique(np.stack([np.floor(bound / side), np.floor(error / side)], axis=1), axis=0, return_counts=True)
    top = np.log(number.max()) or 1.0
    shade = np.minimum((np.log(number) / top * len(_SHADES)).astype(int), len(_SHADES) - 1)
    for level, alpha in enumerate(_SHADES):
        of_shade = squares[shade == level]
        if len(of_shade):
            axes.add_patch(Squares(_runs(of_shade), side, facecolor=HOLDS, alpha=alpha, gid=f"shade-{level}"))


def _runs(squares: NDArray[np.float64]) -> list[Run]:
    """Squares that stand on one another, together.  squares: (n, 2) whole numbers, sorted by column and then by row."""
    column, row = squares.T
    breaks = np.flatnonzero((np.diff(column) != 0) | (np.diff(row) != 1)) + 1
    return [(int(part[0, 0]), int(part[0, 1]), len(part)) for part in np.split(squares, breaks)]
