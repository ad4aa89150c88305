"""Cells measured in processes of their own, one thread each; in this one if there is but one job.

One process a core is faster than many threads in one, for matrices this small, and steadier on a machine that does other
work. What is found does not depend on the number of jobs: every process computes with one thread.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing import get_context
from multiprocessing.synchronize import Semaphore
from types import TracebackType
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

STARTS_WITHIN = 30.0
"""Seconds that fresh processes are given to be up before the pool is closed over them."""


KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""glibc's settings for the processes that measure: memory that a large tensor leaves is kept for the next one, and not given back to the
kernel, which would have to zero it again. Measured: a quarter of the time of a cell in fp64. Other C libraries know nothing of it."""


class WorkerDied(Exception):
    """The process that worked on it was killed, or crashed."""


def _begin(up: Semaphore) -> None:
    """What each process does first: say that it is up, and keep to one thread."""
    from numeric.machine import use_one_thread

    up.release()
    use_one_thread()


class Workers:
    """A pool: ``with Workers(jobs) as pool: pool.submit(key, function, *arguments); for key, result in pool.results(): ...``."""

    def __init__(self, jobs: int) -> None:
        for name, value in KEEPS_MEMORY.items():
            os.environ.setdefault(name, value)
        # A fresh interpreter each: a forked one would share locks of libraries that had started threads.
        context = get_context("spawn")
        self._up = context.Semaphore(0)
        self._pool = ProcessPool(max_workers=jobs, initializer=_begin, initargs=(self._up,), context=context) if jobs > 1 else None
        self._jobs = jobs
        self._begun = 0
        """Processes that were started, those in the place of dead ones included."""
        self._running: dict[Future[Any], int] = {}
        self._waiting: list[tuple[int, Callable[..., Any], tuple[Any, ...]]] = []

    @property
    def apart(self) -> bool:
        """Whether work is done in other processes than this one."""
        return self._pool is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            try:
                self._wait_until_all_are_up()
            finally:
                self._pool.close() if kind is None else self._pool.stop()
                self._pool.join()

    def submit(self, key: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Have it done.  function: of a module, so that another process finds it; it and the arguments can be pickled."""
        if self._pool is None:
            self._waiting.append((key, function, arguments))
        else:
            self._begun = self._begun or self._jobs
            self._running[self._pool.schedule(function, args=arguments)] = key

    def finished(self) -> Iterator[tuple[int, Any]]:
        """What is finished by now, without waiting: each key with its result, or with the exception in its place."""
        for future in [future for future in self._running if future.done()]:
            outcome = _outcome(future)
            self._begun += isinstance(outcome, WorkerDied)
            yield self._running.pop(future), outcome

    def results(self) -> Iterator[tuple[int, Any]]:
        """All that is not yet told of, as it is finished."""
        while self._waiting:
            key, function, arguments = self._waiting.pop(0)
            try:
                yield key, function(*arguments)
            except Exception as error:
                yield key, error
        while self._running:
            wait(self._running, return_when=FIRST_COMPLETED)
            yield from self.finished()

    def _wait_until_all_are_up(self) -> None:
        """A process that starts must still find the pool's locks, or it ends with a traceback of its own."""
        until = time.monotonic() + STARTS_WITHIN
        for _ in range(self._begun):
            self._up.acquire(timeout=max(0.0, until - time.monotonic()))


def _outcome(future: Future[Any]) -> Any:
    try:
        return future.result()
    except ProcessExpired as error:
        return WorkerDied(f"the process that measured it ended with exit code {error.exitcode}")
    except Exception as error:
        return error
