"""The user's own code at work: whatever leaves it is an exception that can be reported, but for an interrupt.

``sys.exit``, ``pytest.skip`` and GeneratorExit are no ``Exception``: a handler of exceptions lets them through, and the program would end there, with nothing
checked and an exit status of the user's choosing. A KeyboardInterrupt stays what it is, whoever raises it: Ctrl-C ends a run.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from symbolic.vocabulary import CallError


class LeftUserCode(Exception):
    """What left the user's code is no ``Exception``."""


@contextmanager
def contained() -> Iterator[None]:
    """Raise LeftUserCode in place of what is neither an ``Exception`` nor an interrupt."""
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise LeftUserCode(f"{_words(error)}, which would have ended the program") from error


def error_in_words(error: BaseException) -> str:
    """An exception on one line."""
    return str(error) if isinstance(error, LeftUserCode) else _words(error)


def _words(error: BaseException) -> str:
    try:
        message = " ".join(str(error).split())
        if isinstance(error, CallError):
            return message  # which begins with its name
    except Exception as failed:  # a message is user code too
        message = f"(its message cannot be read: {type(failed).__name__})"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
