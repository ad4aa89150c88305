"""A style of many pictures is said once, and nothing else that reads like one is taken for it."""

import re

from matplotlib.figure import Figure

from reports.figures.svg import house_style, inline_svg
from reports.html.shared_styles import share_styles


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
