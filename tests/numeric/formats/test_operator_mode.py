"""A mode before operators is handed what the machine executes, keeps torch's compiler away from its own code, and does not load it for that."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.abc import MetaPathFinder
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.nn import functional as F
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


class Listing(OperatorMode):
    """Which operators arrive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self.arrived: list[str] = []

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.arrived.append(str(operator))
        return operator(*args, **kwargs)


class RunsALayer(OperatorMode):
    """While it handles an operator it runs a layer under a mode of its own, as a walk does that asks the machine about a kernel."""

    def __init__(self, asked: Listing) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self.asked = asked

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self.asked:
            a_layer()
        return operator(*args, **kwargs)


def a_layer() -> None:
    """A dense layer and a matrix product, both composite operators."""
    x = torch.ones((3, 2))
    F.linear(x, torch.ones((4, 2)), torch.ones(4))
    torch.matmul(x, x.mT)


PRODUCTS = ("aten.addmm.default", "aten.mm.default")


@pytest.mark.parametrize("running", [nullcontext, torch.no_grad, torch.inference_mode], ids=["as it is", "no gradients", "inference"])
def test_composite_operators_arrive_taken_apart(running: Callable[[], AbstractContextManager[object]]) -> None:
    usual, asked, one = Listing(), Listing(), torch.ones(1)
    with running(), usual:
        a_layer()
    with running(), RunsALayer(asked):
        one.neg()
    for each in (usual, asked):
        assert tuple(name for name in each.arrived if name in PRODUCTS) == PRODUCTS
        assert not {"aten.linear.default", "aten.matmul.default"} & set(each.arrived)


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
