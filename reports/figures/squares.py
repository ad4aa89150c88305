"""Squares of a lattice, each strip of them one stroke as wide as a square.

An outline of every square takes ten places of the page; a stroke takes two small whole numbers and a length. Matplotlib draws
the first square alone, and that tells where the lattice lies on the page.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element

from matplotlib.patches import Rectangle

Strip = tuple[int, int, int]
"""Column, lowest row, and how many squares stand on one another there."""


class Squares(Rectangle):
    """Strips of squares in one shade, for a figure that goes through ``inline_svg``."""

    def __init__(self, strips: Sequence[Strip], side: float, **style: Any) -> None:
        """strips: at least one; side: of a square, in the data's units; style: as of any patch."""
        column, row, _ = strips[0]
        super().__init__((column * side, row * side), side, side, linewidth=0, clip_on=False, **style)
        self._strips = strips

    def fill(self, square: Element) -> None:
        """Make of the first square, as matplotlib wrote it, the path of all."""
        corners = re.findall(r"(-?[\d.]+) (-?[\d.]+)", square.attrib["d"])
        (left, bottom), (right, _), (_, top) = [(float(x), float(y)) for x, y in corners[:3]]
        steps = [(later[0] - strip[0], later[1] - strip[1] - strip[2]) for strip, later in pairwise(self._strips)]
        moves = ["M0 0", *(f"m{across} {up}".replace(" -", "-") for across, up in steps)]
        square.attrib = {
            "d": "".join(f"{move}v{height}" for move, (_, _, height) in zip(moves, self._strips, strict=True)),
            "transform": f"matrix({right - left:.3f} 0 0 {top - bottom:.3f} {(left + right) / 2:.3f} {bottom:.3f})",
            "style": square.attrib["style"].replace("fill:", "stroke:", 1) + "; fill: none; stroke-width: 1",
        }
