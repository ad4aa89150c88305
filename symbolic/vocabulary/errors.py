"""Wrong calls: what was given, what is allowed and what to do, in one line; the command line prints it and exits 2.

    CallError                 the call was wrong
    ├── UnknownClaim          no claim has this id
    ├── ShapeMismatch         matrices whose shapes do not fit were added or multiplied
    │   └── NoRule            a gradient for which there is no rule (symbolic.algebra.gradient)
    └── MissingHypothesis     a scalar was inverted, and no hypothesis says that it is not zero

Other floors hang their own branches on CallError: UnknownFormat, UnknownBlock, NotARun, ...
A claim that is false is no error but a Verdict; a bug is an assertion.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

_Row = TypeVar("_Row")


class CallError(Exception):
    """The call was wrong. ``str(error)`` starts with the class name, as in ``UnknownClaim: no claim named ...``."""

    def __str__(self) -> str:
        return f"{type(self).__name__}: {super().__str__()}"


def with_its_name(error: BaseException) -> str:
    """What an error says, after the name of its class; of a CallError, which says its own, not twice."""
    return str(error) if isinstance(error, CallError) else f"{type(error).__name__}: {error}"


class UnknownClaim(CallError):
    """No claim has this id."""


class ShapeMismatch(CallError):
    """Matrices whose symbolic shapes do not fit were added, multiplied or divided."""


class MissingHypothesis(CallError):
    """A scalar was inverted, and no hypothesis says that it is not zero."""


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """``no claim named "remrk-2.4"; did you mean "remark-2.4"? `verify list claims` shows all 5.``

    kind: the noun in the singular; known: every name there is. The nearest names, best first, at most three, as a question if they are near
    enough to be a slip, else as what they are.
    """
    slips = get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    nearest = [f'"{match}"' for match in slips or get_close_matches(name.lower(), known, n=3, cutoff=0.0)]
    hint = f"; did you mean {' or '.join(nearest)}?" if slips else f"; the nearest: {', '.join(nearest)}." if nearest else "."
    return f'no {kind} named "{name}"{hint} `verify list {kind}s` shows all {len(known)}.'


def chosen(known: Mapping[str, _Row], names: Sequence[str] | None, kind: str, error: type[CallError]) -> list[_Row]:
    """The rows of these names, in this order; all of them without names. Raises the error for a name that is not known."""
    for name in names or ():
        if name not in known:
            raise error(unknown(kind, name, list(known)))
    return [known[name] for name in (known if names is None else names)]
