"""Error against bound, one panel a format: how many cases lie where, and every violation by itself.

The axes are logarithmic to base 2. On the diagonal the error is its bound; parallel to it the bound is 10, 100, ...
times the error. A case is counted in a square of the panel, so that the picture is no larger for more cases.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from reports.cases import coded, read_cells
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
class _Cases:
    """What a panel needs of the judged cases of one cell, 24 bytes a case at most."""

    tightness: NDArray[np.float64]
    expected: NDArray[np.float64]
    """Expected bound over error."""
    drawn: NDArray[np.float32]
    """(2, cases): log₂ of bound and of error, of those that hold or are vacuous and can be shown."""
    crosses: NDArray[np.float32]
    """The same of those that are violated."""
    refused: int
    violated: int
    exact: int
    not_finite: int
    worst_ratio: float


def panels(record: RunRecord, folder: Path) -> list[Panel]:
    """One panel for each format that has cases in the folder, in the record's order."""
    formats = {cell.id: cell.format for cell in record.cells}
    collected: dict[str, list[_Cases]] = {name: [] for name in formats.values()}
    for cell, table in read_cells(folder, ("error", "bound", "expected", "ratio", "verdict")):
        if cell in formats:  # a cell that was in flight when the run stopped may have cases and no row
            collected[formats[cell]].append(_of_cell(table))
    names = [name for name, parts in collected.items() if parts]
    return [_panel(name, collected.pop(name), index, _exceeded(record, name)) for index, name in enumerate(names)]


def _of_cell(table: pa.Table) -> _Cases:
    codes, words = coded(table, "verdict")
    judged = np.isin(codes, [place for place, word in enumerate(words) if word in _JUDGED])
    error, bound, expected, ratio = (table[name].to_numpy()[judged] for name in ("error", "bound", "expected", "ratio"))
    violated = np.isin(codes, [place for place, word in enumerate(words) if word == Verdict.VIOLATED.value])[judged]
    finite = np.isfinite(error) & np.isfinite(bound)
    shown = finite & (error > 0) & (bound > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        tightness, expected_tightness = (np.where(error == 0, np.inf, above / error) for above in (bound, expected))
        places = np.log2(np.stack([bound, error])).astype(np.float32)
    return _Cases(
        tightness=tightness,
        expected=expected_tightness,
        drawn=places[:, shown & ~violated],
        crosses=places[:, shown & violated],
        refused=sum(int(np.count_nonzero(codes == place)) for place, word in enumerate(words) if word == Verdict.INCONCLUSIVE.value),
        violated=int(violated.sum()),
        exact=int(np.count_nonzero(error == 0)),
        not_finite=int(np.count_nonzero(~finite)),
        worst_ratio=float(ratio.max()) if len(ratio) else -np.inf,
    )


def _exceeded(record: RunRecord, name: str) -> tuple[int, int, float] | None:
    """How many judged cases of a format exceeded their expected bound, of how many, and how many may on average."""
    found = [cell.expected for cell in record.cells if cell.format == name and cell.expected is not None]
    if not found:
        return None
    return sum(e.exceeded for e in found), sum(e.cases for e in found), sum(e.cases * e.failure_probability for e in found)


def _panel(name: str, parts: list[_Cases], index: int, exceeded: tuple[int, int, float] | None) -> Panel:
    tightness, expected = (np.concatenate([getattr(part, field) for part in parts]) for field in ("tightness", "expected"))
    drawn, crosses = (np.concatenate([getattr(part, field) for part in parts], axis=1) for field in ("drawn", "crosses"))
    judged = len(tightness)
    quantiles = np.quantile(tightness, (0.1, 0.5, 0.9), method="higher", overwrite_input=True) if judged else None
    return Panel(
        format=name,
        judged=judged,
        refused=sum(part.refused for part in parts),
        violated=sum(part.violated for part in parts),
        exact=sum(part.exact for part in parts),
        not_finite=sum(part.not_finite for part in parts),
        tightness=None if quantiles is None else (float(quantiles[0]), float(quantiles[1]), float(quantiles[2])),
        expected=float(np.quantile(expected, 0.5, method="higher", overwrite_input=True)) if judged else None,
        exceeded=exceeded,
        worst_ratio=float(np.max([part.worst_ratio for part in parts])) if judged else None,  # NaN wins, as it should
        picture=_picture(name, drawn, crosses, index) if drawn.size or crosses.size else None,
    )


def _picture(name: str, drawn: NDArray[np.float32], crosses: NDArray[np.float32], index: int) -> Markup:
    """drawn, crosses: (2, cases), log₂ of bound and of error."""
    (left, bottom), (right, top) = ([fold(part) for part in zip(*_extremes(drawn, crosses), strict=True)] for fold in (min, max))
    with house_style():
        figure = Figure(figsize=(3.1, 2.9), layout="constrained")
        axes = figure.add_subplot()
        side = max(right - left, top - bottom, 1.0) / _SQUARES
        axes.set_xlim(left - 2 * side, right + 2 * side)
        axes.set_ylim(bottom - 2 * side, max(top, right) + 2 * side)
        _guides(axes)
        _density(axes, drawn, side)
        axes.plot(*crosses[:, :VIOLATIONS_DRAWN], "x", color=VIOLATED, markersize=5, markeredgewidth=1.4)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
            axis.set_major_formatter(FuncFormatter(lambda exponent, _: two_to(exponent)))
        axes.set_xlabel("bound")
        axes.set_ylabel("error")
        return inline_svg(
            figure,
            f"density{index}",
            f"{name}: error against bound for {counted(drawn.shape[1] + crosses.shape[1], 'case')}, both logarithmic. "
            f"Bounds from {real(2.0**left)} to {real(2.0**right)}, errors from {real(2.0**bottom)} to {real(2.0**top)}; "
            f"{counted(crosses.shape[1], 'violation')}.",
        )


def _extremes(*parts: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """Smallest and largest (bound, error) of each part that has any."""
    return [fold(part.astype(np.float64), axis=1) for part in parts if part.size for fold in (np.min, np.max)]


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


def _density(axes: Axes, drawn: NDArray[np.float32], side: float) -> None:
    """Squares shaded by the logarithm of their number of cases."""
    if not drawn.size:
        return
    across, up = (np.floor(place / side).astype(np.int32) for place in drawn)
    first, lowest, height = across.min(), up.min(), int(np.ptp(up)) + 1
    number = np.bincount((across - first).astype(np.int64) * height + (up - lowest))
    full = np.flatnonzero(number)  # by column, and then by row
    squares = np.stack([full // height + first, full % height + lowest], axis=1)
    top = np.log(number.max()) or 1.0
    shade = np.minimum((np.log(number[full]) / top * len(_SHADES)).astype(int), len(_SHADES) - 1)
    for level, alpha in enumerate(_SHADES):
        of_shade = squares[shade == level]
        if len(of_shade):
            axes.add_patch(Squares(_runs(of_shade), side, facecolor=HOLDS, alpha=alpha, gid=f"shade-{level}"))


def _runs(squares: NDArray[np.int64]) -> list[Run]:
    """Squares that stand on one another, together.  squares: (n, 2) whole numbers, sorted by column and then by row."""
    column, row = squares.T
    breaks = np.flatnonzero((np.diff(column) != 0) | (np.diff(row) != 1)) + 1
    return [(int(part[0, 0]), int(part[0, 1]), len(part)) for part in np.split(squares, breaks)]
