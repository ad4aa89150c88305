"""Progress on stderr: a bar a part of the run; nothing where stderr is no terminal."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

OnStep = Callable[[str, int, int], None]
"""Called with a part of the run, what of it is done, and how much there is to do."""

Item = TypeVar("Item")


def shown(step: OnStep, label: str, rows: Sequence[Item]) -> Iterator[Item]:
    """The rows, one after the other, while their progress is shown."""
    for index, row in enumerate(rows):
        step(label, index, len(rows))
        yield row
    if rows:
        step(label, len(rows), len(rows))


class ProgressBars:
    """Bars that appear when their part begins: ``with ProgressBars() as ui: run_plan(..., ui.step)``."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "ProgressBars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, label: str, done: int, total: int) -> None:
        """So much of a part is done."""
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[label], completed=done, total=total)
