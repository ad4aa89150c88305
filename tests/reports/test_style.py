"""Every colour that text is set in can be read on the paper it is set on, by day and by night."""

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import reports
from reports.findings import GLYPHS

STYLE = (Path(reports.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3, level AA
TEXT = ("ink", "mute", "holds", "violated", "inconclusive", "vacuous")


def palette(scheme: str) -> dict[str, str]:
    block = STYLE[STYLE.index(":root {") :]
    pairs = re.findall(r"--([a-z]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", block[: block.index("}")])
    return {name: {"light": light, "dark": dark}[scheme] for name, light, dark in pairs}


def linear(colour: str) -> NDArray[np.float64]:
    value = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    return float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_tells_black_from_grey_on_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#999999", "#ffffff") < READABLE


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("colour", TEXT)
def test_text_is_readable(scheme, colour):
    colours = palette(scheme)
    for paper in ("paper", "soft"):
        assert contrast(colours[colour], colours[paper]) >= READABLE


SIMULATED = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Linear RGB as such a reader sees it: Machado, Oliveira and Fernandes (2009), severity 1."""

TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # IEC 61966-2-1
WHITE = np.array([0.9505, 1.0, 1.089])
TOLD_APART = 4 * 2.3  # four just noticeable differences in CIELAB (Mahy, Van Eycken and Oosterlinck, 1994)


def lab(colour: str, seen: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """CIELAB of a colour as someone sees it."""
    relative = TO_XYZ @ np.clip(np.array(seen) @ linear(colour), 0, 1) / WHITE
    f = np.where(relative > 216 / 24389, np.cbrt(relative), (24389 / 27 * relative + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one: str, other: str, seen: Sequence[Sequence[float]]) -> float:
    return float(np.linalg.norm(lab(one, seen) - lab(other, seen)))


@pytest.mark.parametrize("kind", SIMULATED)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_verdicts_are_told_apart_whatever_colours_one_sees(scheme, kind):
    colours = [palette(scheme)[name] for name in ("holds", "violated", "inconclusive", "vacuous")]
    assert min(apart(one, other, SIMULATED[kind]) for one, other in combinations(colours, 2)) >= TOLD_APART
    assert len(set(GLYPHS.values())) == len(GLYPHS), "and none speaks by its colour alone"


def test_a_palette_that_is_one_colour_to_some_is_seen():
    """A vermilion and an olive of one lightness, which look far apart to most."""
    assert apart("#b3400a", "#856100", np.eye(3)) > 4 * TOLD_APART
    assert apart("#b3400a", "#856100", SIMULATED["deuteranopia"]) < TOLD_APART


def test_the_page_names_no_address():
    assert "url(" not in STYLE
    assert "@import" not in STYLE
