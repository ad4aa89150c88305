"""Progress on stderr: a bar a part of the run; nothing where stderr is no terminal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

OnStep = Callable[[str, int, int], None]
"""Called with a part of the run, what of it is done, and how much there is to do."""

Bars = Callable[[], AbstractContextManager[OnStep]]
"""Shows progress within a context, ``progress_bars`` for one."""

Item = TypeVar("Item")


def shown(step: OnStep, label: str, rows: Sequence[Item]) -> Iterator[Item]:
    """The rows, one after the other, while their progress is shown."""
    for index, row in enumerate(rows):
        step(label, index, len(rows))
        yield row
    if rows:
        step(label, len(rows), len(rows))


@contextmanager
def progress_bars() -> Iterator[OnStep]:
    """Bars that appear when their part begins: ``with progress_bars() as step: run_plan(..., step)``."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        def step(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done, total=total)

        yield step
