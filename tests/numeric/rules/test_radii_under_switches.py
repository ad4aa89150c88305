"""A radius is the same bits whatever a process has switched on: shorter products, autocast, another default dtype, and the like."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards
from numeric.arithmetics.envelope import Envelope
from numeric.arithmetics.value_and_radius import dense_layer
from numeric.formats import format_named, torch_dtype
from numeric.machine.environment_questions import SWITCHES
from numeric.rules import rule_for
from tests.numeric.rules.drawn_columns import CASES, MODULES, batch, honest, module_named, numbers
from tests.numeric.user_blocks.sample_blocks import block, measured

ROWS, WIDTH = 96, 160


@contextmanager
def told(change: Callable[[], object]) -> Iterator[None]:
    """The process with a switch, which is put back."""
    before = {switch.name: switch.read() for switch in SWITCHES}
    change()
    try:
        yield
    finally:
        for switch in SWITCHES:
            switch.write(before[switch.name])


ON: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "bf16 products": lambda: told(lambda: torch.set_float32_matmul_precision("medium")),
    "tf32 products": lambda: told(lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True)),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "fp64 by default": lambda: told(lambda: torch.set_default_dtype(torch.float64)),
    "fp16 by default": lambda: told(lambda: torch.set_default_dtype(torch.float16)),
    "deterministic algorithms": lambda: told(lambda: torch.use_deterministic_algorithms(True)),
    "gradients": torch.enable_grad,
    "inference": torch.inference_mode,
}


def of_module(rule: str, name: str) -> Callable[[], WithRadius]:
    storage = format_named(name)
    drawn, module = batch(rule, storage, 3), module_named(rule, storage, 3)
    value = module(drawn.value.squeeze(-1)).unsqueeze(-1)
    found = rule_for(module)
    assert found is not None
    return lambda: found(module, exact(drawn.value, honest(name), hazards(CASES), radius=drawn.radius), value)


def of_dense_layer(name: str) -> Callable[[], WithRadius]:
    """A patched weight, a matrix a case: the one thing whose radius is computed in fp32."""
    storage, numerics, generator = format_named(name), honest(name), torch.Generator().manual_seed(5)
    W, v, a, x, b = (numbers(storage, shape, generator, (-3, 3)) for shape in ((ROWS, WIDTH), (9, ROWS, 1), (9, WIDTH, 1), (9, WIDTH, 1), (ROWS, 1)))
    value = torch.zeros((9, ROWS, 1), dtype=torch_dtype(storage))
    weight = exact(W, numerics, hazards(9)) + exact(v, numerics, hazards(9)) @ exact(a, numerics, hazards(9)).mT
    return lambda: dense_layer(weight, exact(b, numerics, hazards(9)), exact(x, numerics, hazards(9)), value)


def bits(made: Callable[[], WithRadius]) -> Tensor:
    return made().entry_radius.view(torch.int64)


@cache
def makers() -> dict[str, Callable[[], WithRadius]]:
    rules = {f"{rule} in {name}": of_module(rule, name) for rule in MODULES for name in ("fp32", "bf16")}
    return {**rules, **{f"dense layer in {name}": of_dense_layer(name) for name in ("fp64", "fp32", "bf16")}}


@pytest.mark.parametrize("switch", ON)
def test_a_radius_is_the_same_bits(switch: str) -> None:
    for what, made in makers().items():
        plain = bits(made)
        with ON[switch]():
            found = bits(made)
        assert torch.equal(found, plain), what
        assert bool((plain != 0).any()), f"{what} has no radius to compare"


@pytest.mark.parametrize("switch", ["bf16 products", "autocast"])
def test_an_unguarded_product_is_not(switch: str) -> None:
    """The planted one: fp32 products of the same operands as they come out under the switch."""
    generator = torch.Generator().manual_seed(5)
    part, x = (torch.rand(shape, generator=generator) for shape in ((9, ROWS, WIDTH), (9, WIDTH, 1)))
    with ON[switch]():
        inside = Envelope(weighted=((part, torch.ones((1, 1, 1), dtype=torch.float64)),)).apply(x.double())
        bare = (part @ x).double()
    assert bool((inside >= part.double() @ x.double()).all())
    if torch.equal(bare, (part @ x).double()):
        pytest.skip(f"on this processor {switch} change no product of this size")
    assert not torch.equal(bare, (part @ x).double())


@pytest.mark.parametrize("switch", ON)
def test_a_cell_is_measured_alike(switch: str) -> None:
    """What is measured, too: within a cell the switches are plain, and a mode switches on what it asks for."""
    plain, other = measured("formula", block()).judged, block()
    with ON[switch]():
        found = measured("formula", other).judged
    for name in ("error", "bound", "ratio", "output_ratio", "effect", "resolution"):
        assert np.array_equal(getattr(found, name), getattr(plain, name), equal_nan=True), name
