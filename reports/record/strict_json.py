"""JSON as the suite writes it, and nothing that Python's reader takes beside that (RFC 8259).

Refused: a name twice in one object, of which readers take the first or the last; the words NaN and Infinity as numbers; a number beyond
float64, which would be read as infinite; an integer beyond 64 bits, which no count is; text nested more deeply than a reader's stack.
"""

import json
from collections import Counter
from typing import Any

from reports.text import printable

INTEGER_DIGITS = 20
"""Of an integer of 64 bits, its sign included."""

LONGEST_QUOTE = 60
"""Characters of what is quoted in a message."""


class NotJson(ValueError):
    """The text is not such JSON; ``str(error)`` says why, in one line."""


def strict_json(text: str) -> Any:
    """The value that the text is. Raises NotJson."""
    try:
        return json.loads(text, object_pairs_hook=_without_twins, parse_constant=_refused_constant, parse_int=_whole, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise NotJson(f"breaks off or is not JSON (line {error.lineno}: {error.msg})") from error
    except RecursionError as error:
        raise NotJson("is nested too deeply") from error


def quoted(text: str) -> str:
    """Foreign text for a message: short, and in one line."""
    return f'"{printable(text[:LONGEST_QUOTE])}{"..." if len(text) > LONGEST_QUOTE else ""}"'


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twin, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise NotJson(f"has the name {quoted(twin)} twice in one object")
    return found


def _refused_constant(word: str) -> float:
    raise NotJson(f"has {word} as a number, which JSON does not know")


def _whole(digits: str) -> int:
    if len(digits) > INTEGER_DIGITS:
        raise NotJson(f"has an integer of {len(digits):,} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise NotJson(f"has the number {quoted(digits)}, which is beyond float64")
    return number
