"""The sweep towards a = 0: error and bound, each over ‖WΔA‖, against ‖a‖, one panel a block and format.

‖a‖ falls from left to right, as in the sweep. A value that is not finite, or above the panel, becomes a mark on its upper edge.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from reports.figures.svg import INK, LINE, PAPER, SERIES, inline_svg, panel, powers_of_two
from reports.record import NearZeroSweep
from reports.text import real
from reports.text.numbers import power_of_two

_TOP = 8.0  # 2⁸: an error of 256 times ‖WΔA‖ is as wrong as any larger one


def sweep_picture(sweeps: Sequence[NearZeroSweep], index: int) -> Markup:
    """One panel: the variants of one block in one format."""
    with panel(3.9, 2.8, "‖a‖ → 0", "over ‖WΔA‖") as (figure, axes):
        axes.axhline(0, color=LINE, linewidth=0.8, zorder=0)
        for number, sweep in enumerate(sweeps):
            _curves(axes, sweep, number)
        axes.set_ylim(top=_TOP)
        axes.invert_xaxis()
        lines = [math.log2(sweep.predicted_radius) for sweep in sweeps if 0 < sweep.predicted_radius < math.inf]
        for number, sweep in enumerate(sweeps):
            _radii(axes, sweep, number, lines)
        powers_of_two(axes)
        return inline_svg(figure, f"sweep{index}", " ".join(_in_words(sweep) for sweep in sweeps))


def _curves(axes: Axes, sweep: NearZeroSweep, number: int) -> None:
    levels = sorted((level for level in sweep.levels if 0 < level.norm < math.inf), key=lambda level: -level.norm)
    norm = np.log2([level.norm for level in levels])
    error, bound = (_logarithm([getattr(level, name) for level in levels]) for name in ("error", "bound"))
    colour = SERIES[number % len(SERIES)]
    axes.plot(norm, np.where(error <= _TOP, error, np.nan), color=colour, dashes=(1, 0) if number == 0 else (4 + number, 2))
    axes.plot(norm, np.where(bound <= _TOP, bound, np.nan), color=colour, linewidth=0.9, alpha=0.75, dashes=(1, 1.5))
    off = norm[~(error <= _TOP)]
    height = np.full(len(off), 1 - 0.025 * number)
    axes.plot(off, height, "^", markersize=2.6, color=colour, transform=axes.get_xaxis_transform(), clip_on=False)


def _radii(axes: Axes, sweep: NearZeroSweep, number: int, lines: Sequence[float]) -> None:
    """A dashed line at the predicted radius with both in words, a mark on the axis at the measured one."""
    along = axes.get_xaxis_transform()  # x in the data, y as a share of the panel's height
    colour = SERIES[number % len(SERIES)]
    if 0 < sweep.predicted_radius < math.inf:
        x = math.log2(sweep.predicted_radius)
        axes.axvline(x, color=colour, linewidth=0.9, dashes=(5, 3))
        left, right = axes.get_xlim()  # left is the larger: the axis runs down
        free = x - max((other for other in (*lines, right) if other < x), default=x)
        side: Literal["left", "right"] = "left" if free > 0.12 * (left - right) else "right"  # the curve rises on the other side
        label = f"{sweep.variant}: predicted {power_of_two(sweep.predicted_radius)}\nmeasured {power_of_two(sweep.measured_radius)}"
        text = axes.annotate(label, (x, 0.93), xycoords=along, xytext=(3 if side == "left" else -3, 0), textcoords="offset points", rotation=90)
        text.set(color=INK, fontsize=7, horizontalalignment=side, verticalalignment="top")
    if 0 < sweep.measured_radius < math.inf:
        axes.plot([math.log2(sweep.measured_radius)], [0], "v", markersize=6, color=colour, markeredgecolor=PAPER, transform=along, clip_on=False)


def _logarithm(values: list[float]) -> NDArray[np.float64]:
    """Base 2; an exact 0 is left out of the line, NaN goes off the top like infinity."""
    with np.errstate(divide="ignore"):
        return np.log2(np.where(np.isnan(values), np.inf, values))


def _in_words(sweep: NearZeroSweep) -> str:
    return (
        f"{sweep.block}, {sweep.format}, {sweep.variant}: predicted to fail at ‖a‖ = {real(sweep.predicted_radius)} because {sweep.predicted_by}, "
        f"measured at {real(sweep.measured_radius)}."
    )
