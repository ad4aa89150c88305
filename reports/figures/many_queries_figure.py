"""One update for many queries: its error at the first dense layer against K, how many queries it was made from, for one block."""

from collections.abc import Callable

from markupsafe import Markup
from matplotlib.ticker import FixedLocator

from reports.figures.svg import HOLDS, MUTE, VIOLATED, inline_svg, panel
from reports.record.experiments import StaticPatchRecord, StaticPointRecord, TrialSummary
from reports.text import real

_CURVES: tuple[tuple[Callable[[StaticPointRecord], TrialSummary | None], str, str, str], ...] = (
    (lambda point: point.own, "its own queries", MUTE, "dotted"),
    (lambda point: point.fresh, "fresh queries", HOLDS, "solid"),
    (lambda point: point.other_context, "another context's", VIOLATED, "dashed"),
    (lambda point: point.wrong_vector, "A(C,x) for A(x)", VIOLATED, "dotted"),
)


def static_picture(record: StaticPatchRecord) -> Markup:
    """Medians of the trials, and the band of the mean on fresh queries; own queries from more than r on, since up to there they are fitted exactly."""
    with panel(3.9, 2.5, "K, queries that made the update", "error ÷ ‖WΔA‖") as (figure, axes):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        for quantity, label, colour, style in _CURVES:
            kept = [point for point in record.points if colour != MUTE or point.queries > record.directions]
            found = [(point.queries, numbers[2]) for point in kept if (numbers := quantity(point)) is not None]
            if found:
                axes.plot(*zip(*found, strict=True), color=colour, label=label, linestyle=style, clip_on=False)
        band = [(point.queries, point.fresh[0] - point.fresh[1], point.fresh[0] + point.fresh[1]) for point in record.points if point.fresh is not None]
        if band:
            at, below, above = zip(*band, strict=True)
            axes.fill_between(at, below, above, color=HOLDS, alpha=0.15, linewidth=0, clip_on=False)
        axes.xaxis.set_major_locator(FixedLocator([point.queries for point in record.points[::2]]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: real(value, 1))
        axes.minorticks_off()
        axes.tick_params(length=0)
        axes.patch.set_visible(False)
        figure.patch.set_visible(False)
        axes.legend(fontsize=7)
        first, last = (real(point.ridge_fresh[2]) for point in (record.points[0], record.points[-1]))
        return inline_svg(figure, "static", f"{record.block}: with K the error on fresh queries goes from {first} to {last}.")
