"""What the code of a block as it is written raises in a format: its own failure, told from one of the walk that stands behind its operators."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from numeric.operator_rules import NoOperatorRule
from numeric.operators.walk import PassEnded
from symbolic.vocabulary import CallError, with_its_name

_OURS = str(Path(__file__).parents[1])


class OwnCodeFails(Exception):
    """The block's own code fails in a format."""


@contextmanager
def own_code(name: str, failed: Callable[[], Exception | None]) -> Iterator[None]:
    """Raise OwnCodeFails for what a block's code raises in a format.  name: the format's; failed: what the last operator that failed by itself raised.

    What comes out of the walk, and is no operator's own failure, is raised as it is.
    """
    try:
        yield
    except (NoOperatorRule, PassEnded, CallError):
        raise
    except Exception as error:
        if any(_of_the_walk(each, failed()) for each in _chain(error)):
            raise
        words = " ".join(with_its_name(error).split())
        raise OwnCodeFails(f"the block's own code fails in {name}: {words}") from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _of_the_walk(error: BaseException, failed: Exception | None) -> bool:
    """Whether an exception was raised behind an operator, by other than the operator."""
    if error is failed:
        return False
    at = error.__traceback__
    files = []
    while at is not None:
        files.append(at.tb_frame.f_code.co_filename)
        at = at.tb_next
    called = next((number for number, name in enumerate(files) if not name.startswith(_OURS)), len(files))
    return any(name.startswith(_OURS) for name in files[called:])
