"""A user's own file: ``my_file.py:make_block``, loaded and called."""

import contextlib
import importlib.util
import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from reports.text import printable
from symbolic.vocabulary import CallError
from verify.plan.as_written import bounded_formats

if TYPE_CHECKING:
    from numeric.user_blocks import OwnAsWritten, OwnBlock


class UnusableFile(CallError):
    """The file cannot be loaded, or has no such function."""


def load_own(target: str, formats: Collection[str] | None = None) -> "OwnBlock | OwnAsWritten":
    """The block that ``FILE:FUNCTION`` makes; with the file's ``make_contexts`` and ``update``, if it has them.

    formats: to be measured; all, if not given. Raises UnusableFile, UnusableBlock.
    """
    from numeric.architecture.as_written import BlockAsWritten
    from numeric.user_blocks import own_as_written, own_block

    path, _, function = target.rpartition(":")
    if not path or not function:
        raise UnusableFile(f'"{target}" names no function; write my_file.py:make_block.')
    with contextlib.redirect_stdout(sys.stderr):  # stdout may be for JSON alone
        module = _loaded(Path(path))
        made = _called(_function(module, function, path), function)
        others = {name: _function(module, name, path) if hasattr(module, name) else None for name in ("make_contexts", "update")}
        name = printable(f"{Path(path).stem}:{function}")
        if isinstance(made, BlockAsWritten):
            wanted = bounded_formats() if formats is None else formats
            return own_as_written(name, made, contexts=others["make_contexts"], update=others["update"], formats=wanted)
        return own_block(name, made, contexts=others["make_contexts"], update=others["update"])


def _loaded(path: Path) -> ModuleType:
    from numeric.user_blocks import contained, error_in_words

    if not path.is_file():
        raise UnusableFile(f"there is no file {path}.")
    spec = importlib.util.spec_from_file_location(f"own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UnusableFile(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))  # as Python does for a script: the file may import its neighbours
    try:
        with contained():
            spec.loader.exec_module(module)
    except Exception as error:
        raise UnusableFile(f"{path} cannot be imported: {error_in_words(error)}") from error
    return module


def _function(module: ModuleType, name: str, path: str) -> Any:
    if not hasattr(module, name):
        functions = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
        raise UnusableFile(f'{path} has no function "{name}"; it has {", ".join(functions) or "none"}.')
    function = getattr(module, name)
    if not callable(function):
        raise UnusableFile(f'"{name}" of {path} is a {type(function).__name__}, not a function.')
    return function


def _called(function: Any, name: str) -> object:
    from numeric.user_blocks import contained, error_in_words

    try:
        with contained():
            return function()
    except CallError:
        raise
    except Exception as error:
        raise UnusableFile(f"{name}() fails: {error_in_words(error)}") from error
