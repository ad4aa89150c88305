"""What is left out of a figure changes nothing of its picture: each rule, and beside it what it must leave alone."""

import re
from xml.etree.ElementTree import fromstring, tostring

import pytest
from matplotlib.figure import Figure

from reports.figures.slim_svg import rounded, slim
from reports.figures.squares import Squares
from reports.figures.svg import HOLDS, house_style, inline_svg
from reports.html import share_styles


def slimmed(body: str) -> str:
    root = fromstring(f"<svg>{body}</svg>")
    slim(root, "n")
    return "".join(tostring(element, encoding="unicode").replace(" />", "/>") for element in root)


TICK = '<defs><path id="m" d="M 0 0 L 0 3 " style="stroke: red"/></defs>'


def test_a_mark_is_drawn_where_it_stands_and_all_of_a_kind_at_once():
    text = '<text style="font-size: 8px; font-family: Arial, sans-serif" x="1.26" y="2" transform="rotate(-0 1.26 2)">2</text>'
    red_edge = '<use href="#m" x="{}" y="6" style="fill: blue; stroke: blue"/>'
    assert slimmed(f'{TICK}<g id="a">{red_edge.format(5)}{text}{red_edge.format(9)}</g>') == (
        '<path style="fill: blue; stroke: red" d="M5 6v3"/><text style="font-size: 8px" x="1.3" y="2">2</text>'
        '<path style="fill: blue; stroke: red" d="M9 6v3"/>'
    ), "edge and inside differ, so neighbours could overlap"
    use = '<use href="#m" x="{}" y="6" style="fill: red; stroke: red"/>'
    assert slimmed(TICK + use.format(5) + text + use.format(9)).count("<path") == 1


@pytest.mark.parametrize("style", ["fill: red; opacity: 0.5", "fill: none; stroke: red; stroke-opacity: 0.5", "fill: red; stroke: blue"])
def test_what_would_look_otherwise_as_one_stays_two(style):
    path = f'<path d="M 0 0 L 1 1 " style="{style}"/>'
    assert slimmed(path + path).count("<path") == 2


def test_what_lies_between_two_that_look_the_same_stays_between_them():
    red, blue = (f'<path d="M 0 0 L 1 1 " style="fill: none; stroke: {colour}"/>' for colour in ("red", "blue"))
    assert re.findall("stroke: (red|blue)", slimmed(red + blue + red)) == ["red", "blue", "red"]


def test_what_has_no_ink_is_left_out():
    assert slimmed('<path d="M 0 0 L 1 1 " style="fill: none"/><path style="fill: red"/><g><metadata/></g>') == ""
    assert slimmed('<path d="M 0 0 L 1 1 "/>').count("<path") == 1, "without a style it is black"


def test_what_is_cut_off_stays_cut_off():
    clip = '<defs><clipPath id="p1"><rect x="0.04" y="0" width="9" height="9"/></clipPath><clipPath id="p2"><rect/></clipPath></defs>'
    cut = '<path d="M 0 0 L 1 1 " clip-path="url(#p1)" style="stroke: {}"/>'
    found = slimmed(f'{cut.format("red")}<g clip-path="url(#p1)"><path d="M 0 0 L 1 1 " style="stroke: blue"/></g><path d="M 0 0 L 1 1 "/>{clip}')
    assert found == (
        '<clipPath id="n-0"><rect x="0" y="0" width="9" height="9"/></clipPath>'
        '<g clip-path="url(#n-0)"><path style="stroke: red" d="M0 0l1 1"/><path style="stroke: blue" d="M0 0l1 1"/></g><path style="" d="M0 0l1 1"/>'
    )


def test_something_unknown_is_not_lost_in_silence():
    with pytest.raises(AssertionError, match="image"):
        slimmed("<image/>")


@pytest.mark.parametrize(
    ("text", "shown"), [("rotate(-90 9.449 93.04)", "rotate(-90 9.4 93)"), ("-0.04", "0"), ("-0.45", "-.5"), ("#01.23", "#01.23"), ("x1.25", "x1.25")]
)
def test_numbers_in_a_text(text, shown):
    assert rounded(text) == shown


def test_squares_cover_what_they_stand_for():
    """Against each square's corners, taken through the transform that matplotlib itself has for the data."""
    runs = [(2, 1, 1), (2, 4, 3), (3, -2, 2), (7, 0, 1)]
    with house_style():
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot()
        axes.set(xlim=(0, 5), ylim=(-2, 4))
        axes.add_patch(Squares(runs, 0.5, facecolor=HOLDS, alpha=0.3, gid="squares"))
        svg = inline_svg(figure, "f", "squares")
    height = float(re.search(r'viewBox="0 0 \S+ ([\d.]+)"', svg)[1])
    strokes = re.search(r'd="M0 0([^"]*)" transform="matrix\(([^)]*)\)" style="fill: none; opacity: .3; stroke: var\(--holds\); stroke-width: 1"', svg)
    across, _, _, up, x, y = (float(number) for number in strokes[2].split())
    column = row = 0
    covered = []
    for move, length in re.findall(r"(?:m([^v]*))?v(-?\d+)", strokes[1]):
        step = [int(number) for number in re.findall(r"-?\d+", move)] or [0, 0]
        column, row = column + step[0], row + step[1]
        covered.append((x + across * (column - 0.5), y + up * row, across, up * int(length)))
        row += int(length)
    scale = 72 / figure.dpi
    for (left, bottom, wide, high), (of_column, of_row, number) in zip(covered, runs, strict=True):
        corner, opposite = axes.transData.transform([(of_column * 0.5, of_row * 0.5), (of_column * 0.5 + 0.5, (of_row + number) * 0.5)]) * scale
        assert (left, bottom) == pytest.approx((corner[0], height - corner[1]), abs=0.05)
        assert (wide, -high) == pytest.approx(opposite - corner, abs=0.05)


def test_a_style_of_several_pictures_is_said_once():
    picture = '<svg x="1"><path style="fill: red" d=""/><text style="fill: blue">t</text></svg>'
    page = share_styles(f"<style>a {{}}\n</style><p style='x' title=''>{picture}{picture}")
    assert page.count("fill: red") == page.count("fill: blue") == 1
    first, second = re.findall(r"\.(s\d+) \{ fill: (?:red|blue) \}", page[: page.index("</style>")])
    assert page.count(f'<path class="{first}" d=""/><text class="{second}">t</text>') == 2
    assert "<p style='x' title=''>" in page, "what is no picture keeps its own"


def test_a_name_that_reads_like_a_style_is_shown_as_it_is():
    with house_style():
        figure = Figure(figsize=(2, 2))
        figure.text(0.1, 0.1, 'a style="fill: red" b')
        page = share_styles("<style></style>" + str(inline_svg(figure, "n", 'd style="fill: red"')))
    assert '>a style="fill: red" b<' in page
    assert 'aria-label="d style=&quot;fill: red&quot;"' in page
    assert "fill: red" not in page[: page.index("</style>")]
