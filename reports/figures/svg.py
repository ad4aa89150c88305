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
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures.squares import Squares
from reports.text import two_to
from reports.text.numbers import LOWERED

INK, MUTE, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
HOLDS, VIOLATED, INCONCLUSIVE, VACUOUS = "#050505", "#060606", "#070707", "#080808"

_VARIABLES = {INK: "ink", MUTE: "mute", LINE: "line", PAPER: "paper", HOLDS: "holds", VIOLATED: "violated", INCONCLUSIVE: "inconclusive", VACUOUS: "vacuous"}

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


@contextmanager
def panel(width: float, height: float, across: str, up: str = "") -> Iterator[tuple[Figure, Axes]]:
    """Within the block, a figure of one panel, to be drawn for ``inline_svg``.  Sizes in inches; across, up: the labels of its axes."""
    with house_style():
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot(xlabel=across, ylabel=up)


def powers_of_two(axes: Axes) -> None:
    """Write the places on both axes, which are exponents, as powers of two."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_major_formatter(lambda exponent, _: two_to(exponent))


def inline_svg(figure: Figure, name: str, description: str) -> Markup:
    """The figure as an ``<svg>`` element.

    name: prefix of its identifiers, unique on the page; description: what a reader who cannot see it is told.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the page's font draws the text, not the one that measured it
        # savefig() would draw everything once more beforehand, for outputs whose size is only known then
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})  # type: ignore[no-untyped-call]
    drawn = _parsed(buffer.getvalue())
    squares = {each.get_gid(): each for each in figure.findobj(Squares)}
    for group in drawn.iter("g"):
        if group.get("id") in squares:
            squares[group.attrib["id"]].fill(group[0])
    links = [(element, key, element.attrib[key]) for element in drawn.iter() for key in ("href", "clip-path") if key in element.attrib]
    targets = {re.sub(r"url\(#|\)|#", "", link) for _, _, link in links}
    for element, key, link in links:
        element.set(key, link.replace("#", f"#{name}-"))
    for element in drawn.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in targets:
            element.set("id", f"{name}-{identifier}")
        if "style" in element.attrib:
            element.set("style", _style_of_page(element.attrib["style"]))
        if element.tag == "text":
            _raise_exponents(element)
    drawn.attrib = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": drawn.attrib["viewBox"], "role": "img", "aria-label": description}
    return Markup(tostring(drawn, encoding="unicode").replace(" />", "/>"))


def _parsed(svg: str) -> Element:
    """The root of a document, its names without their namespaces, and without the style sheet, which would hold for the whole page."""
    root = fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
        element.attrib = {name.split("}")[-1]: value for name, value in element.attrib.items()}
        if element.tag != "text":
            element.text = None
        element.tail = None
    for parent in root.iter():
        parent[:] = [child for child in parent if child.tag not in ("style", "metadata")]
    return root


def _style_of_page(style: str) -> str:
    """A style in the page's font and colours. Matplotlib before 3.10 writes a text's size and font in one."""
    style = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", re.sub(r" font-family: [^;]*;", "", style))
    return re.sub("#[0-9a-f]{6}", lambda colour: f"var(--{_VARIABLES[colour[0]]})", style)


def _raise_exponents(text: Element) -> None:
    """Exponents as larger, raised figures: the superscripts of most fonts are too small in a picture."""
    text.text, *rest = re.split(r"(?<=\d)([⁻⁰¹²³⁴⁵⁶⁷⁸⁹][⁻⁰¹²³⁴⁵⁶⁷⁸⁹·]*)", text.text or "")
    for exponent, after in zip(rest[::2], rest[1::2], strict=True):
        SubElement(text, "tspan", {"dy": "-.45em", "font-size": "78%"}).text = exponent.translate(LOWERED)
        if after:
            SubElement(text, "tspan", {"dy": ".35em"}).text = "\u200b"  # brings the line down again
            text[-1].tail = after
