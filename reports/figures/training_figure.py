"""A block's training loss by step, against the loss of predicting zero and the loss that is required."""

import math

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from reports.figures.svg import HOLDS, INCONCLUSIVE, MUTE, inline_svg, panel
from reports.record import ModelRecord
from reports.text import real


def training_picture(model: ModelRecord, index: int) -> Markup | None:
    """The curve, its loss axis logarithmic; None if no loss that can be drawn was recorded."""
    points = [(step, loss) for step, loss in model.losses if 0 < loss < math.inf]
    if not points:
        return None
    with panel(3.9, 2.1, "training step", "½ mean squared error") as (figure, axes):
        axes.set_yscale("log")
        axes.plot(*zip(*points, strict=True), color=HOLDS)
        for loss, label, colour in ((model.zero_loss, "predicting zero", MUTE), (model.required_loss, "required", INCONCLUSIVE)):
            if 0 < loss < math.inf:
                axes.axhline(loss, color=colour, linewidth=0.9, dashes=(5, 3))
                place = axes.get_yaxis_transform()  # in the margin, where no curve runs
                axes.annotate(f"{label}\n{real(loss, 2)}", (1, loss), xycoords=place, xytext=(3, 0), textcoords="offset points", va="center", fontsize=7.5)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(lambda loss, _: real(loss, 1))
        axes.minorticks_off()
        first, last = points[0], points[-1]
        words = f"{model.block}: training loss from {real(first[1])} at step {first[0]} to {real(last[1])} at step {last[0]}."
        return inline_svg(figure, f"training{index}", words)
