"""The sweep towards a = 0: error and bound, each over ‖WΔA‖, against ‖a‖, one panel a block and format.

‖a‖ falls from left to right, as in the sweep. A value that is not finite, or above the panel, becomes a mark on its upper edge.
"""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from reports.numbers import power_of_two, real, two_to
from reports.record import NearZeroSweep
from reports.svg import INK, LINE, MUTE, SERIES, house_style, inline_svg

_TOP = 8.0  # 2⁸: an error of 256 times ‖WΔA‖ is as wrong as any larger one


def sweep_picture(sweeps: Sequence[NearZeroSweep], index: int) -> Markup:
    """One panel: the variants of one block in one format."""
    with house_style():
        figure = Figure(figsize=(4.9, 3.2), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0, color=LINE, linewidth=0.8, zorder=0)
        for number, sweep in enumerate(sweeps):
            _draw(axes, sweep, SERIES[number % len(SERIES)], number)
        axes.set_ylim(top=_TOP)
        axes.invert_xaxis()
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
            axis.set_major_formatter(FuncFormatter(lambda exponent, _: two_to(exponent)))
        axes.set_xlabel("‖a‖ → 0")
        axes.set_ylabel("over ‖WΔA‖")
        return inline_svg(figure, f"sweep{index}", " ".join(_in_words(sweep) for sweep in sweeps))


def _draw(axes: Axes, sweep: NearZeroSweep, colour: str, number: int) -> None:
    levels = sorted((level for level in sweep.levels if level.norm > 0), key=lambda level: -level.norm)
    norm = np.log2([level.norm for level in levels])
    error, bound = (_logarithm([getattr(level, name) for level in levels]) for name in ("error", "bound"))
    dashes = (1, 0) if number == 0 else (4 + number, 2)
    axes.plot(norm, np.where(error <= _TOP, error, np.nan), color=colour, dashes=dashes)
    axes.plot(norm, np.where(bound <= _TOP, bound, np.nan), color=colour, linewidth=0.9, alpha=0.75, dashes=(1, 1.5))
    along = axes.get_xaxis_transform()  # x in the data, y as a share of the panel's height
    off = norm[~(error <= _TOP)]
    edge = 1 - 0.025 * number
    axes.plot(off, np.full(len(off), edge), linestyle="none", marker="^", markersize=2.6, color=colour, transform=along, clip_on=False)
    if 0 < sweep.predicted_radius < math.inf:
        x = math.log2(sweep.predicted_radius)
        axes.axvline(x, color=colour, linewidth=0.9, dashes=(5, 3))
        label = f"{sweep.variant}: predicted {power_of_two(sweep.predicted_radius)}, measured {power_of_two(sweep.measured_radius)}"
        text = axes.annotate(label, (x, 0.93), xycoords=along, xytext=(-3, 0), textcoords="offset points", rotation=90, ha="right", va="top")
        text.set(color=INK, fontsize=7)
    if 0 < sweep.measured_radius < math.inf:
        x = math.log2(sweep.measured_radius)
        axes.plot([x], [0], marker="v", markersize=6, color=colour, markeredgecolor=MUTE, markeredgewidth=0.5, transform=along, clip_on=False)


def _logarithm(values: list[float]) -> NDArray[np.float64]:
    """Base 2; an exact 0 is left out of the line, NaN goes off the top like infinity."""
    with np.errstate(divide="ignore"):
        return np.log2(np.where(np.isnan(values), np.inf, values))


def _in_words(sweep: NearZeroSweep) -> str:
    return (
        f"{sweep.block}, {sweep.format}, {sweep.variant}: predicted to fail at ‖a‖ = {real(sweep.predicted_radius)} because {sweep.predicted_by}, "
        f"measured at {real(sweep.measured_radius)}."
    )
