"""The dynamics of Appendix B as a picture: error and bound by the number of tokens moved, in each format."""

from markupsafe import Markup
from matplotlib.ticker import FixedLocator, LogLocator

from reports.figures.svg import MUTE, SERIES, inline_svg, panel
from reports.record.experiments import DynamicsRecord
from reports.text import real


def dynamics_picture(found: DynamicsRecord) -> Markup:
    """At the first dense layer; errors of 0, and numbers that are not finite, are left out."""
    with panel(3.9, 2.5, "i, tokens moved into W") as (figure, axes):
        axes.set_yscale("log")

        def drawn(column: int, row: int, colour: str, label: str, *, dashed: bool = False) -> None:
            points = [(point[0], point[column]) for point in found.formats[row].moved.points if 0 < point[column] < float("inf")]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, clip_on=False, dashes=(4, 2) if dashed else (None, None))
                # In the margin, where no curve runs.
                axes.annotate(label, points[-1], xytext=(4, 0), textcoords="offset points", va="center", fontsize=7.5, color=colour)

        drawn(3, 0, MUTE, "effect")
        for row, (each, colour) in enumerate(zip(found.formats, SERIES, strict=False)):
            drawn(2, row, colour, f"{each.format}, bound", dashed=True)
            drawn(1, row, colour, f"{each.format}, error")
        axes.xaxis.set_major_locator(FixedLocator([1, found.tokens]))
        axes.yaxis.set_major_locator(LogLocator(base=1e8))
        axes.yaxis.set_major_formatter(lambda value, _: real(value, 1))
        axes.minorticks_off()
        axes.margins(x=0)
        return inline_svg(figure, "dynamics", _words(found))


def _words(found: DynamicsRecord) -> str:
    ends = [(row.format, row.moved.points[-1]) for row in found.formats]
    return f"{found.block}, all tokens moved: {'; '.join(f'error {real(error, 2)}, bound {real(bound, 2)} in {name}' for name, (_, error, bound, _) in ends)}."
