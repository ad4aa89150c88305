"""A figure inside a page: its text is text, its colours are the page's, and nothing of it reaches beyond it."""

import re
import xml.etree.ElementTree as ET

from matplotlib.figure import Figure

from reports.figures.svg import HOLDS, house_style, inline_svg


def drawn(title: str = "a title", name: str = "one") -> str:
    with house_style():
        figure = Figure(figsize=(2, 2))
        axes = figure.add_subplot()
        axes.plot([0, 1, 2], [0, 1.23456789, 1], color=HOLDS)
        axes.set_title(title)
        axes.set_xlabel("2⁻¹⁰ is small")
        return str(inline_svg(figure, name, 'one "line" & no more'))


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_it_is_xml_with_its_text_as_text():
    assert "a title" in texts(drawn())


def test_a_name_is_neither_markup_nor_mathematics():
    for name in ("<script>alert(1)</script>", "$\\frac{1}{2}$", "0.123456789 & co"):
        assert name in texts(drawn(name))


def test_exponents_are_raised():
    assert 'font-size="78%">−10</tspan>' in drawn()
    assert "2−10\u200b is small" in texts(drawn())


def test_its_colours_are_the_pages():
    svg = drawn()
    assert "stroke: var(--holds)" in svg
    assert not re.findall(r"#0[0-9]0[0-9]0[0-9]\b", svg), "no sentinel is left"


def test_it_styles_nothing_outside_itself():
    assert "<style" not in drawn()
    assert "<metadata" not in drawn()


def test_identifiers_of_two_figures_differ_and_are_all_used():
    one, two = (set(re.findall(r' id="([^"]*)"', drawn(name=name))) for name in ("one", "two"))
    assert one
    assert not one & two
    svg = drawn()
    assert {identifier for identifier in one if f"#{identifier}" in svg} == one


def test_it_says_what_it_shows():
    root = ET.fromstring(drawn())
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'one "line" & no more'
