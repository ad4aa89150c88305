"""Cells measured in processes of their own, one thread each; in this one if there is but one job and no limit of time.

One process a core is faster than many threads in one, for matrices this small, and steadier on a machine that does other
work. What is found does not depend on the number of jobs: every process computes with one thread.

A process that dies takes down what it worked on and nothing else: another takes its place, and its last words are kept.
"""

import faulthandler
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from numeric.user_blocks import contained
from verify.engine.endings import ended_how
from verify.streams import passed_on

STARTS_WITHIN = 30.0
"""Seconds that fresh processes are given to be up before the pool is closed over them."""

LAST_LINES = 40
"""Of what a process that died had written to stderr; a Python traceback of all threads fits."""

KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""glibc's settings for the processes that measure: memory that a large tensor leaves is kept for the next one, and not given back to the
kernel, which would have to zero it again. Measured: a quarter of the time of a cell in fp64. Other C libraries know nothing of it."""


class WorkerDied(Exception):
    """The process that worked on it was killed, or crashed."""

    last_lines: str = ""
    """What it wrote to stderr last."""


class OutOfTime(Exception):
    """It took longer than it may, or the run's time was over before it was begun or done."""


def _begin(up: Semaphore, words: str) -> None:
    """What each process does first: say that it is up, write to a file of its own what else would go to stderr, and keep to one thread."""
    from numeric.machine import use_one_thread

    file = os.open(Path(words) / str(os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 2)
    faulthandler.enable()  # where it was, if a signal ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    up.release()
    use_one_thread()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: nobody waits for the result any more."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


class Workers:
    """A pool: ``with Workers(jobs) as pool: pool.submit(key, function, *arguments); for key, result in pool.results(): ...``.

    uses_processes: whether work is done in other processes than this one; if not given, with two jobs and more. seconds: for the whole of the pool's life.
    What was begun in this process cannot be stopped, and is ended when the time is over.
    """

    def __init__(self, jobs: int, *, uses_processes: bool | None = None, seconds: float | None = None) -> None:
        for name, value in KEEPS_MEMORY.items():
            os.environ.setdefault(name, value)
        # A fresh interpreter each: a forked one would share locks of libraries that had started threads.
        context = get_context("spawn")
        self._up = context.Semaphore(0)
        self._words = tempfile.TemporaryDirectory(prefix="icl-verify-")
        arguments = (self._up, self._words.name)
        wanted = jobs > 1 if uses_processes is None else uses_processes
        self._pool = ProcessPool(max_workers=jobs, initializer=_begin, initargs=arguments, context=context) if wanted else None
        self._jobs = jobs
        self._seconds = seconds
        self._until = None if seconds is None else time.monotonic() + seconds
        self._begun = 0
        """Processes that were started, those in the place of dead ones included."""
        self._running: dict[Future[Any], int] = {}
        self._waiting: list[tuple[int, Callable[..., Any], tuple[Any, ...]]] = []

    @property
    def uses_processes(self) -> bool:
        """Whether work is done in other processes than this one."""
        return self._pool is not None

    @property
    def over(self) -> bool:
        """Whether the pool's time is over."""
        return self._until is not None and time.monotonic() >= self._until

    def refuse_if_over(self) -> None:
        """Raise OutOfTime if the pool's time is over."""
        if self.over:
            raise OutOfTime(f"not done when the run's {self._seconds:g} seconds were over")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._pool is not None:
                try:
                    self._wait_until_all_are_up()
                finally:
                    self._pool.close() if kind is None and not self.over else self._pool.stop()
                    self._pool.join()
        finally:
            self._pass_on_stderr()
            self._words.cleanup()

    def submit(self, key: int, function: Callable[..., Any], *arguments: Any, seconds: float | None = None) -> None:
        """Have it done.  function: of a module, so that another process finds it; it and the arguments can be pickled.

        seconds: it may take so many; then its process is stopped. Of no account where work is done in this process.
        """
        if self._pool is None or self.over:
            self._waiting.append((key, function, arguments))
        else:
            self._begun = self._begun or self._jobs
            self._running[self._pool.schedule(function, args=arguments, timeout=seconds)] = key

    def finished(self) -> Iterator[tuple[int, Any]]:
        """What is finished by now, without waiting: each key with its result, or with the exception in its place."""
        for future in [future for future in self._running if future.done()]:
            outcome = self._outcome(future)
            self._begun += isinstance(outcome, WorkerDied | OutOfTime)  # another process takes the place of that one
            yield self._running.pop(future), outcome

    def results(self) -> Iterator[tuple[int, Any]]:
        """All that is not yet given, as it is finished; OutOfTime for what is not when the pool's time is over."""
        while self._waiting:
            key, function, arguments = self._waiting.pop(0)
            try:
                self.refuse_if_over()
                with contained():  # in this process a user's own code is measured, too
                    outcome = function(*arguments)
            except Exception as error:
                outcome = error
            yield key, outcome
        while self._running:
            left = None if self._until is None else max(0.0, self._until - time.monotonic())
            wait(self._running, timeout=left, return_when=FIRST_COMPLETED)
            yield from self.finished()
            if self.over:
                yield from self._given_up()

    def _given_up(self) -> Iterator[tuple[int, Any]]:
        """Stop what runs, and tell of it and of what was never begun."""
        for future, key in list(self._running.items()):
            begun = future.running()
            future.cancel()
            del self._running[future]
            yield key, OutOfTime(f"{'not done' if begun else 'not begun'} when the run's {self._seconds:g} seconds were over")

    def _wait_until_all_are_up(self) -> None:
        """A process that starts must still find the pool's locks, or it ends with a traceback of its own."""
        until = time.monotonic() + STARTS_WITHIN
        for _ in range(self._begun if not self.over else 0):
            self._up.acquire(timeout=max(0.0, until - time.monotonic()))

    def _outcome(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except ProcessExpired as error:
            died = WorkerDied(f"the process that measured it {ended_how(error.exitcode)}")
            died.last_lines = self._last_lines(error.pid)
            return died
        except BrokenProcessPool:
            return WorkerDied("the processes that measure ended before they had begun")
        except TimeoutError as error:
            limit = error.args[1] if len(error.args) > 1 else None  # pebble's own has the limit
            return OutOfTime(f"it took longer than the {limit:g} seconds that it may take (--cell-seconds)") if limit is not None else error
        except Exception as error:
            return error

    def _last_lines(self, process: int | None) -> str:
        log = Path(self._words.name) / str(process)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return "\n".join(lines[-LAST_LINES:])

    def _pass_on_stderr(self) -> None:
        """Write what the processes wrote to stderr to this one's."""
        for log in sorted(Path(self._words.name).iterdir()):
            sys.stderr.write(passed_on(log.read_text(encoding="utf-8", errors="replace")))
