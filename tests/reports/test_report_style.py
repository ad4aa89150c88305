"""Every colour that text is set in can be read on the paper it is set on, by day and by night."""

import re
from pathlib import Path

import pytest

import reports

STYLE = (Path(reports.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3, level AA
TEXT = ("ink", "mute", "holds", "violated", "inconclusive", "vacuous")


def palette(start: str) -> dict[str, str]:
    block = STYLE[STYLE.index(start) :]
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block[: block.index("}")]))


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_tells_black_from_grey_on_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#999999", "#ffffff") < READABLE


@pytest.mark.parametrize("scheme", [":root {", "@media (prefers-color-scheme: dark)"])
@pytest.mark.parametrize("colour", TEXT)
def test_text_is_readable(scheme, colour):
    colours = palette(scheme)
    for paper in ("paper", "soft"):
        assert contrast(colours[colour], colours[paper]) >= READABLE


def test_the_page_names_no_address():
    assert "url(" not in STYLE
    assert "@import" not in STYLE
