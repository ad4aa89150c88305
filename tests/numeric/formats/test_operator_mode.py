"""A mode before operators keeps torch's compiler away from its own code, and does not load it for that."""

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from numeric.formats.operator_mode import OperatorMode


class CompilerIsLoadedError(Exception):
    """What the tests raise in the compiler's place."""


class Usual(TorchDispatchMode):
    """A mode as torch's documentation writes it."""

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        return func(*args, **(kwargs or {}))


def doubled_under(mode: Callable[[], TorchDispatchMode]) -> Tensor:
    with mode():
        return torch.ones(2) + torch.ones(2)


def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not loaded it, and where to load it is an error."""

    class Refusing(MetaPathFinder):
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "torch._dynamo":
                raise CompilerIsLoadedError

    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refusing(), *sys.meta_path])
    monkeypatch.delattr(OperatorMode._dispatched, "__dynamo_disable", raising=False)  # torch's note that it has done so before


def test_the_first_operator_under_a_mode_does_not_load_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    without_compiler(monkeypatch)
    assert torch.equal(doubled_under(OperatorMode), torch.full((2,), 2.0))
    with pytest.raises(CompilerIsLoadedError):
        doubled_under(Usual)


def test_where_the_compiler_is_loaded_it_is_kept_away(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_away = []

    def disable(method: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        kept_away.append(method)
        return method

    without_compiler(monkeypatch)
    compiler = SimpleNamespace(disable=disable)
    monkeypatch.setitem(sys.modules, "torch._dynamo", compiler)
    monkeypatch.setattr(torch, "_dynamo", compiler, raising=False)
    assert torch.equal(doubled_under(OperatorMode), torch.full((2,), 2.0))
    assert kept_away == [OperatorMode._dispatched]
    del vars(OperatorMode._dispatched)["__dynamo_disable"]  # what it would go on with
