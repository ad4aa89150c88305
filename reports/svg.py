"""Matplotlib figures as SVG that lives inside a page: text stays text, colours follow the page, identifiers never clash.

A figure is drawn with the sentinel colours below. In the SVG each becomes a CSS variable of the page, which has one
value by day and another by night; so one picture serves both, and print.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from reports.numbers import LOWERED

INK, MUTE, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
HOLDS, VIOLATED, INCONCLUSIVE, VACUOUS = "#050505", "#060606", "#070707", "#080808"

_VARIABLES = {
    INK: "ink",
    MUTE: "mute",
    LINE: "line",
    PAPER: "paper",
    HOLDS: "holds",
    VIOLATED: "violated",
    INCONCLUSIVE: "inconclusive",
    VACUOUS: "vacuous",
}

SERIES = (HOLDS, INCONCLUSIVE, VACUOUS, INK)
"""Colours for several lines in one panel; each line also has a dash pattern and a label of its own."""

_STYLE: Any = {
    "svg.fonttype": "none",  # text as text: it can be searched, selected, and takes the page's font
    "text.parse_math": False,  # a block may be named "$x$"
    "font.size": 8.5,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTE,
    "ytick.labelcolor": MUTE,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "svg.hashsalt": "report",  # the same figure gives the same text
}


@contextmanager
def house_style() -> Iterator[None]:
    """Within the block, figures are drawn for ``inline_svg``."""
    with mpl.rc_context(_STYLE):
        yield


def inline_svg(figure: Figure, name: str, description: str) -> Markup:
    """The figure as an ``<svg>`` element.

    name: prefix of its identifiers, unique on the page; description: what a reader who cannot see it is told.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the page's font draws the text, not the one that measured it
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)  # its rule is "*": it would reach the whole page
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d)\d+", r"\1", tag[0]).replace(".0 ", " "), svg)  # a tenth of a point is as fine as a screen
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><")
    svg = re.sub(r' transform="rotate\(-?0 [^"]*"', "", svg)
    referenced = set(re.findall(r"#([^\")]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in referenced else "", svg)
    svg = _without_idle_groups(svg)
    svg = re.sub(r'\b(id|clip-path|xlink:href)="(url\()?(#?)', lambda match: f'{match[1]}="{match[2] or ""}{match[3]}{name}-', svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)  # the page has its own
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)  # matplotlib before 3.10
    svg = re.sub(r"(?<=\d)([⁻⁰¹²³⁴⁵⁶⁷⁸⁹][⁻⁰¹²³⁴⁵⁶⁷⁸⁹·]*)", _raised, svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    head, body = svg.split(">", 1)
    view_box = re.search(r'viewBox="[^"]*"', head)
    assert view_box is not None
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return Markup(f'<svg {namespaces} {view_box[0]} role="img" aria-label="{escape(description)}">{body}')


def _without_idle_groups(svg: str) -> str:
    """Without the groups that say nothing: half of what matplotlib writes."""
    open_groups: list[bool] = []

    def kept(match: re.Match[str]) -> str:
        if match[0] != "</g>":
            open_groups.append(match[0] != "<g>")
            return match[0] if open_groups[-1] else ""
        return match[0] if open_groups.pop() else ""

    return re.sub(r"<g(?: [^>]*)?>|</g>", kept, svg)


def _raised(match: re.Match[str]) -> str:
    """An exponent as larger, raised figures: the superscripts of most fonts are too small in a picture."""
    figures = match[1].translate(LOWERED)
    return f'<tspan dy="-.45em" font-size="78%">{figures}</tspan><tspan dy=".35em">\u200b</tspan>'  # a later dy brings the line down again
