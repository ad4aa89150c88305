"""The paper's three figures as pictures, drawn from the record."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures.svg import HOLDS, INCONCLUSIVE, LINE, MUTE, VACUOUS, VIOLATED, inline_svg, panel
from reports.record import Experiments
from reports.record.experiments import Averages, Figure1, Figure3, LayerRecord
from reports.text import real


def paper_pictures(experiments: Experiments) -> dict[str, Markup | None]:
    """Each picture by name; None for one whose data the run did not make."""
    of_figure_1 = {"losses": _losses, "close_up": _close_up, "difference": _difference}
    return {
        **{name: draw(experiments.figure_1) if experiments.figure_1 else None for name, draw in of_figure_1.items()},
        "steps": _steps(experiments.layers) if experiments.layers else None,
        "steps_narrow": _steps(experiments.layers, narrow=True) if experiments.layers else None,
        "finetuning": _finetuning(experiments.figure_3) if experiments.figure_3 else None,
    }


@contextmanager
def _axes(across: str, up: str) -> Iterator[tuple[Figure, Axes]]:
    with panel(3.9, 2.5, across, up) as (figure, axes):
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        yield figure, axes


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: real(value, 1))
    axes.minorticks_off()


def _losses(figure_1: Figure1) -> Markup:
    rows = figure_1.checkpoints
    steps = [row.step for row in rows]
    with _axes("training step", "½ mean squared error") as (figure, axes):
        axes.plot(steps, [row.training_loss for row in rows], color=MUTE, linewidth=0.9, label="training")
        axes.plot(steps, [row.with_context for row in rows], color=HOLDS, label="with its context")
        axes.plot(steps, [row.patched for row in rows], color=INCONCLUSIVE, dashes=(2, 2), label="patched, without it")
        axes.plot(steps, [row.planted for row in rows], color=VIOLATED, linewidth=0.9, dashes=(5, 3), label="wrong update")
        _logarithmic(axes)
        axes.legend(fontsize=7)
        apart = max(row.difference for row in rows)
        fall = f"from {real(rows[0].with_context)} to {real(rows[-1].with_context)}"
        words = f"Training loss and both validation losses, {fall}; they differ by {real(apart, 1)} at most."
        return inline_svg(figure, "figure1", words)


def _close_up(figure_1: Figure1) -> Markup:
    rows = figure_1.checkpoints[len(figure_1.checkpoints) // 2 :]
    steps = [row.step for row in rows]
    with _axes("training step", "½ mean squared error") as (figure, axes):
        axes.plot(steps, [row.with_context for row in rows], color=HOLDS, label="with its context")
        axes.plot(steps, [row.patched for row in rows], color=INCONCLUSIVE, dashes=(2, 2), label="patched, without it")
        axes.legend(fontsize=7)
        return inline_svg(figure, "figure1b", "The second half of training, close up: both validation losses.")


def _difference(figure_1: Figure1) -> Markup:
    rows = figure_1.checkpoints
    steps = [row.step for row in rows]
    with _axes("training step", "difference of the losses") as (figure, axes):
        axes.plot(steps, [row.bound for row in rows], color=MUTE, dashes=(5, 3), label="bound, rigorous")
        seen = [(row.step, row.difference) for row in rows if row.difference > 0]
        axes.plot(*zip(*seen, strict=True), color=HOLDS, marker=".", label="difference, measured")
        axes.plot(steps, [abs(row.with_context - row.planted) for row in rows], color=VIOLATED, linewidth=0.9, dashes=(2, 2), label="wrong update")
        _logarithmic(axes)
        axes.legend(fontsize=7, loc="center right", bbox_to_anchor=(1.0, 0.75))  # between the wrong update and the bound
        largest = max(row.difference / row.bound for row in rows)
        return inline_svg(figure, "figure1c", f"The difference of the two losses at each checkpoint is at most {real(largest, 2)} of its bound.")


def _steps(layers: Sequence[LayerRecord], *, narrow: bool = False) -> Markup:
    """After i = 2, as in the paper; layers whose steps vanish in one colour, the others in another, each named at its end.

    narrow: as tall and as narrow as a telephone, on which the letters of the wide one would be half as large.
    """
    with panel(*((4.2, 4.6) if narrow else (9.5, 3.6)), "i, tokens consumed", "mean ‖ΔW at i + 1 less ΔW at i‖₂") as (figure, axes):
        ends: list[tuple[float, str, str]] = []
        for layer in layers:
            points = [point for point in layer.steps if point[0] >= 2 and 0 < point[1] < math.inf]
            if not points:
                continue
            colour = INCONCLUSIVE if layer.vanishes_at is None else HOLDS
            at, mean, error = zip(*points, strict=True)
            axes.plot(at, mean, color=colour, linewidth=1.1)
            if not narrow:
                _band(axes, at, mean, error, colour)
            ends.append((mean[-1], layer.block, colour))
        _logarithmic(axes)
        axes.set_xlim(right=layers[0].steps[-1][0])
        _named_ends(axes, ends)
        vanishing = ", ".join(layer.block for layer in layers if layer.vanishes_at is not None)
        return inline_svg(
            figure, "figure2n" if narrow else "figure2", f"Steps of the update by the number of tokens. They vanish for {vanishing or 'no layer'}."
        )


def _band(axes: Axes, at: Sequence[int], mean: Sequence[float], error: Sequence[float], colour: str) -> None:
    """One standard error to either side."""
    below, above = ([m + sign * e for m, e in zip(mean, error, strict=True)] for sign in (-1, 1))
    axes.fill_between(at, below, above, color=colour, alpha=0.15)


def _named_ends(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Each curve's name beside its end, in the right margin; names that would cover each other are moved apart."""
    low, high = (math.log(limit) for limit in axes.get_ylim())
    gap, place = (high - low) * 0.06, -math.inf
    for end, name, colour in sorted(ends):
        place = max(math.log(end), place + gap)
        leader = {"arrowstyle": "-", "color": LINE, "linewidth": 0.6}
        label = axes.annotate(name, (1, end), (1.02, math.exp(place)), axes.get_yaxis_transform(), axes.get_yaxis_transform(), leader)
        label.set(color=colour, fontsize=7.5, verticalalignment="center")


def _finetuning(figure_3: Figure3) -> Markup:
    with _axes("i, examples", "test loss, mean of trials") as (figure, axes):
        curves: tuple[tuple[Averages, str, str], ...] = (
            (figure_3.finetuned, VACUOUS, f"i steps of SGD on W, rate {real(figure_3.rate)}"),
            (figure_3.patched, HOLDS, "ΔW of i examples"),
        )
        for points, colour, label in curves:
            at, mean, error = zip(*points, strict=True)
            axes.plot(at, mean, color=colour, label=label)
            _band(axes, at, mean, error, colour)
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7)
        last = figure_3.finetuned[-1][1], figure_3.patched[-1][1]
        return inline_svg(figure, "figure3", f"After all examples the test loss is {real(last[0])} by SGD and {real(last[1])} by the update.")
