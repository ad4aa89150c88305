"""Whether the tests of a module notice a mutant of it; and of one that goes unnoticed, whether it makes anything smaller."""

import inspect
import itertools
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from enum import StrEnum
from importlib import import_module
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, settings
from torch import Tensor

from tests.numeric.mutants import Mutant, functions, in_force

Check = Callable[[], object]
LONGEST = 30
"""Seconds of this process's own time after which a mutant that hangs is taken for noticed; what else the machine does has no part in it."""


class Outcome(StrEnum):
    """What became of a mutant."""

    NOTICED = "noticed"
    LOOSER = "looser"
    """Unnoticed, and no result of the module is smaller: a bound that is wider than it has to be is not wrong."""
    SAME = "same"
    """Unnoticed, and every result is the same bits: the operands do not reach it, or it is the same rule in other words."""
    SURVIVED = "survived"
    """Unnoticed, and a result is smaller."""


class _Hangs(Exception):
    """A check took too long."""


def checks_of(*modules: ModuleType, only: Sequence[str] = ()) -> list[Check]:
    """The tests of modules that take no fixtures, once for each set of parameters; those whose names begin as one of ``only``, if it is given."""
    found: list[Check] = []
    for module in modules:
        for name, test in vars(module).items():
            if name.startswith("test_") and test.__module__ == module.__name__ and (not only or name.startswith(tuple(only))):
                found.extend(_expanded(test))
    return found


def _expanded(test: Callable[..., object]) -> Iterator[Check]:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    if any(mark.name == "soak" for mark in getattr(test, "pytestmark", ())):
        return
    axes = []
    for mark in marks:
        names = [each.strip() for each in mark.args[0].split(",")] if isinstance(mark.args[0], str) else list(mark.args[0])
        rows = [getattr(row, "values", row if len(names) > 1 else (row,)) for row in mark.args[1]]  # ``pytest.param`` holds a tuple, also of one
        axes.append([dict(zip(names, row, strict=True)) for row in rows])
    given = {name for axis in axes for row in axis[:1] for name in row}
    if not hasattr(test, "hypothesis") and set(inspect.signature(test).parameters) - given:
        return  # it asks for a fixture
    run = _drawn_alike(test) if hasattr(test, "hypothesis") else test
    for chosen in itertools.product(*axes):
        arguments = {name: value for row in chosen for name, value in row.items()}
        yield lambda arguments=arguments: run(**arguments)  # type: ignore[misc]


def _drawn_alike(test: Any) -> Callable[..., object]:
    """A test of Hypothesis that draws the same examples whenever it is run here, and looks for no smaller one when it fails.

    What a mutant returns is compared with what the module itself returns, so both have to be given the same operands.
    """
    before = test._hypothesis_internal_use_settings  # read by name here, so that a version without it fails before any mutant is in force
    alike = settings(before, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))

    def run(**arguments: object) -> object:
        test._hypothesis_internal_use_settings = alike
        try:
            return test(**arguments)
        finally:
            test._hypothesis_internal_use_settings = before

    return run


@contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _Hangs

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def outcome(mutant: Mutant, checks: Sequence[Check], plain: Sequence[Any]) -> Outcome:
    """Run the checks with the mutant in force.  plain: what ``results`` gives without it."""
    with in_force(mutant):
        try:
            with _limited():
                for check in checks:
                    check()
        except (Exception, pytest.fail.Exception):  # an assertion that fails, or a rule that no longer runs: each would be seen
            return Outcome.NOTICED
    found = []
    try:
        with in_force(mutant):
            found = results(mutant.module, checks)
    except (AssertionError, pytest.fail.Exception):
        return Outcome.NOTICED
    return compared(plain, found)


def results(module: str, checks: Sequence[Check]) -> list[Any]:
    """What the functions of a module returned to others while the checks ran, number by number."""
    own = {function.__code__: name for name, function in functions(import_module(module)).items()}
    path = import_module(module).__file__
    kept: list[Any] = []

    def note(frame: FrameType, event: str, value: Any) -> None:
        if event == "return" and frame.f_code.co_filename == path and frame.f_code.co_qualname in own.values():
            caller = frame.f_back
            if caller is None or caller.f_code.co_filename != path:
                kept.append((frame.f_code.co_qualname, _numbers(value)))

    sys.setprofile(note)
    try:
        for check in checks:
            check()
    finally:
        sys.setprofile(None)
    return kept


def _numbers(value: Any, depth: int = 0) -> Any:
    """Its numbers, wherever it keeps them."""
    if isinstance(value, Tensor):
        return value.detach().double().numpy().copy() if value.dtype != torch.bool else value.numpy().copy()
    if isinstance(value, np.ndarray):
        return value.copy() if value.dtype != object else np.array([hash(str(each)) % 2**20 for each in value], dtype=np.float64)
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, tuple | list):
        return [_numbers(each, depth + 1) for each in value]
    if is_dataclass(value) and depth < 4 and not isinstance(value, type):
        return [_numbers(getattr(value, each.name), depth + 1) for each in fields(value) if each.name not in ("numerics", "running", "module")]
    return None


def compared(plain: Any, found: Any) -> Outcome:
    """Of two results, number by number: NaN for nothing known counts as infinite."""
    seen: set[str] = set()
    _compare(plain, found, seen)
    return Outcome.SURVIVED if "smaller" in seen or "other" in seen else Outcome.LOOSER if "larger" in seen else Outcome.SAME


def _compare(plain: Any, found: Any, seen: set[str]) -> None:
    if isinstance(plain, list | tuple) and isinstance(found, list | tuple):
        if len(plain) != len(found):
            seen.add("other")
            return
        for one, other in zip(plain, found, strict=True):
            _compare(one, other, seen)
    elif isinstance(plain, np.ndarray) and isinstance(found, np.ndarray):
        if plain.shape != found.shape:
            seen.add("other")
            return
        one, other = (np.nan_to_num(x.astype(np.float64), nan=np.inf) for x in (plain, found))
        seen |= {word for word, where in (("smaller", other < one), ("larger", other > one)) if where.any()}
    elif isinstance(plain, float | int) and isinstance(found, float | int):
        if plain == plain or found == found:
            seen |= {"smaller"} if found < plain else {"larger"} if found > plain else set()
    elif type(plain) is not type(found) or plain != found:
        seen.add("other")
