"""Columns of numbers whose points stand above each other.

The columns are set flush right in figures of one width, so a number is moved to its place by spaces that are as wide as the
figures it lacks behind its point. Numbers with a power of ten are moved among themselves: beside 0.0566 they have no place.
"""

import re

FIGURE_SPACE, POINT_SPACE = "\u2007", "\u2008"

_TABLE = re.compile(r'(<table class="figures(?! cells)[^>]*>.*?<tbody>)(.*?)(</tbody>)', re.DOTALL)
_PLAIN = re.compile(r"(<b>)?[−+]?[\d,]+(?:\.(\d+))?(</b>)?")
_WITH_POWER = re.compile(r"[−+]?\d+(?:\.\d+)? × 10<sup>([^<]*)</sup>")


def align_columns(page: str) -> str:
    """The page with every column of its tables of figures aligned, but for those of class ``cells``, whose numbers are of one form."""
    return _TABLE.sub(lambda table: table[1] + _aligned(table[2]) + table[3], page)


def _aligned(body: str) -> str:
    rows = [re.split(r"(<td[^>]*>)(.*?)(</td>)", row, flags=re.DOTALL) for row in body.split("</tr>")]
    for column in range(2, max(len(row) for row in rows), 4):  # what stands between the tags, each fourth piece
        found = [row for row in rows if len(row) > column]
        plain = [(row, match) for row in found if (match := _PLAIN.fullmatch(row[column]))]
        widest = max((len(match[2] or "") for _, match in plain), default=0)
        for row, match in plain:
            lacks = widest - len(match[2] or "")
            row[column] += FIGURE_SPACE * lacks + (POINT_SPACE if widest and not match[2] else "")
        powers = [(row, match) for row in found if (match := _WITH_POWER.fullmatch(row[column]))]
        widest = max((len(match[1]) for _, match in powers), default=0)
        for row, match in powers:
            row[column] = row[column].replace("</sup>", FIGURE_SPACE * (widest - len(match[1])) + "</sup>")
    return "</tr>".join("".join(row) for row in rows)
