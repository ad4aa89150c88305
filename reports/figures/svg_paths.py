"""The outlines of an SVG in few bytes: from point to point in tenths of a point, rather than each place to a millionth.

What matplotlib writes as ``M 38.123456 177.712345 L 220.123456 177.712345 z`` becomes ``M38.1 177.7h182z``. Places are rounded
before they are subtracted, so that no error adds up along a line.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_TENTHS = 10  # a tenth of a point is as fine as a screen
_OPERANDS = {"M": 1, "L": 1, "Q": 2, "C": 3, "z": 0}  # all that matplotlib writes

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """One command of an outline with the places that it names, in tenths of a point."""

    command: str
    places: tuple[Place, ...]


def outline(data: str, x: float = 0.0, y: float = 0.0) -> list[Segment]:
    """An outline as matplotlib writes it, moved by (x, y)."""
    words = iter(data.split())
    found = []
    for command in words:
        pairs = [(float(next(words)) + x, float(next(words)) + y) for _ in range(_OPERANDS[command])]
        found.append(Segment(command, tuple((round(across * _TENTHS), round(down * _TENTHS)) for across, down in pairs)))
    return found


def written(segments: Iterable[Segment]) -> str:
    """The outline as the value of ``d``."""
    return re.sub(r" (?=[a-zA-Z-])|(?<=[a-zA-Z]) ", "", " ".join(_words(segments)))


def _words(segments: Iterable[Segment]) -> Iterator[str]:
    at: Place | None = None
    start, last = (0, 0), ""
    for segment in segments:
        if segment.command == "z":
            yield "z"
            at, last = start, "z"
            continue
        end = segment.places[-1]
        if at is None:
            yield from ("M", tenths(end[0]), tenths(end[1]))
            last = "m"
        else:
            steps = [(across - at[0], down - at[1]) for across, down in segment.places]
            command = segment.command.lower()
            if command == "l" and 0 in steps[0]:
                across, down = steps[0]
                yield from (("v", tenths(down)) if across == 0 else ("h", tenths(across)))
                last = "h"
            else:
                if command != last or command == "m":
                    yield command
                yield from (tenths(number) for step in steps for number in step)
                last = command
        if segment.command == "M":
            start = end
        at = end


def tenths(number: int) -> str:
    """So many tenths: -5 as -.5, 1230 as 123."""
    whole, rest = divmod(abs(number), _TENTHS)
    return ("-" if number < 0 else "") + (str(whole) if whole or not rest else "") + (f".{rest}" if rest else "")
