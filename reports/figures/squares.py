"""Squares of a lattice, each run of them one stroke as wide as a square.

An outline of every square takes ten places of the page; a stroke takes two small whole numbers and a length. Matplotlib draws
the first square alone, and that tells where the lattice lies on the page.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element

from matplotlib.patches import Rectangle

from reports.figures.slim_svg import rounded, style_of, styled

Strip = tuple[int, int, int]
"""Column, lowest row, and how many squares stand on one another there."""


class Squares(Rectangle):
    """Runs of squares in one shade, for a figure that goes through ``inline_svg``."""

    def __init__(self, runs: Sequence[Strip], side: float, **style: Any) -> None:
        """runs: at least one; side: of a square, in the data's units; style: as of any patch."""
        column, row, _ = runs[0]
        super().__init__((column * side, row * side), side, side, linewidth=0, clip_on=False, **style)
        self._runs = runs

    def fill(self, square: Element) -> None:
        """Make of the first square, as matplotlib wrote it, the path of all."""
        corners = re.findall(r"(-?[\d.]+) (-?[\d.]+)", square.attrib["d"])
        (left, bottom), (right, _), (_, top) = [(float(x), float(y)) for x, y in corners[:3]]
        steps = [(later[0] - run[0], later[1] - run[1] - run[2]) for run, later in pairwise(self._runs)]
        moves = [f"m{across} {up}".replace(" -", "-") for across, up in steps]
        style = style_of(square)
        lattice = " ".join(rounded(f"{number:f}", 3) for number in (right - left, 0, 0, top - bottom, (left + right) / 2, bottom))
        square.attrib = {
            "d": "".join(f"{move}v{height}" for move, (_, _, height) in zip(["M0 0", *moves], self._runs, strict=True)),
            "transform": f"matrix({lattice})",
            "style": styled(style | {"fill": "none", "stroke": style["fill"], "stroke-width": "1"}),
        }
