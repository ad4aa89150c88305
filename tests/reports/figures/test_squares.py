"""Strips of squares lie where the data are."""

import re

import pytest
from matplotlib.figure import Figure

from reports.figures.squares import Squares
from reports.figures.svg import HOLDS, house_style, inline_svg


def test_squares_cover_what_they_stand_for():
    """Against each square's corners, taken through the transform that matplotlib itself has for the data."""
    strips = [(2, 1, 1), (2, 4, 3), (3, -2, 2), (7, 0, 1)]
    with house_style():
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot()
        axes.set(xlim=(0, 5), ylim=(-2, 4))
        axes.add_patch(Squares(strips, 0.5, facecolor=HOLDS, alpha=0.3, gid="squares"))
        svg = inline_svg(figure, "f", "squares")
    height = float(re.search(r'viewBox="0 0 \S+ ([\d.]+)"', svg)[1])
    strokes = re.search(r'd="M0 0([^"]*)" transform="matrix\(([^)]*)\)" style="stroke: var\(--holds\); opacity: 0.3; [^"]*fill: none; stroke-width: 1"', svg)
    across, _, _, up, x, y = (float(number) for number in strokes[2].split())
    column = row = 0
    covered = []
    for move, length in re.findall(r"(?:m([^v]*))?v(-?\d+)", strokes[1]):
        step = [int(number) for number in re.findall(r"-?\d+", move)] or [0, 0]
        column, row = column + step[0], row + step[1]
        covered.append((x + across * (column - 0.5), y + up * row, across, up * int(length)))
        row += int(length)
    scale = 72 / figure.dpi
    for (left, bottom, wide, high), (of_column, of_row, number) in zip(covered, strips, strict=True):
        corner, opposite = axes.transData.transform([(of_column * 0.5, of_row * 0.5), (of_column * 0.5 + 0.5, (of_row + number) * 0.5)]) * scale
        assert (left, bottom) == pytest.approx((corner[0], height - corner[1]), abs=0.05)
        assert (wide, -high) == pytest.approx(opposite - corner, abs=0.05)
