"""The probes answer on this machine, and each kind of lying kernel is found out."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from numeric import probe as probing
from numeric.formats import FORMATS, Format, format_named
from numeric.probe import UnsupportedNumerics, probe

SHAPES = ((8, 5),)
Kernel = Callable[[Tensor, Tensor], Tensor]


def honest(X: Tensor, y: Tensor) -> Tensor:
    """Exact products, summed in float64, rounded once."""
    return (X.double() @ y.double()).to(X.dtype)


def summed_in_storage(X: Tensor, y: Tensor) -> Tensor:
    total = torch.zeros((*X.shape[:-1], 1), dtype=X.dtype)
    for k in range(X.shape[-1]):
        total = total + X[..., k : k + 1] * y[..., k : k + 1, :]
    return total


def flushes_operands(X: Tensor, y: Tensor) -> Tensor:
    smallest = torch.finfo(X.dtype).smallest_normal
    X, y = (torch.where(t.abs() < smallest, torch.zeros_like(t), t) for t in (X, y))
    return honest(X, y)


def flushes_results(X: Tensor, y: Tensor) -> Tensor:
    result = honest(X, y)
    return torch.where(result.abs() < torch.finfo(X.dtype).smallest_normal, torch.zeros_like(result), result)


def shortens(X: Tensor, y: Tensor) -> Tensor:
    """As tf32 does: fp32 operands lose their last 13 bits."""
    if X.dtype != torch.float32:
        return honest(X, y)
    X, y = ((t.view(torch.int32) & ~0x1FFF).view(torch.float32) for t in (X, y))
    return honest(X, y)


def use(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "outer_product", kernel)
    # Float64 operands are the probe's own check of itself, and stay exact.
    monkeypatch.setattr(probing, "product_kernels", lambda: {"planted": lambda X, y: X @ y if X.dtype == torch.float64 else kernel(X, y)})


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_the_machine_answers(row: Format) -> None:
    numerics, answers = probe(row, shapes=SHAPES)
    assert numerics.storage == row
    assert numerics.accumulation.significand_bits >= row.significand_bits
    assert {answer.id.split("/")[1] for answer in answers} == {"accumulation", "product-subnormals", "elementwise-subnormals", "bias", "patched-bias"}


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_an_honest_kernel_is_believed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what the tests below find is the lie."""
    use(honest, monkeypatch)
    numerics, _ = probe(format_named(name), shapes=SHAPES)
    assert numerics.accumulation.name == "fp32"
    assert not numerics.product_flushes


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_sum_in_storage_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(summed_in_storage, monkeypatch)
    assert probe(format_named(name), shapes=SHAPES)[0].accumulation.name == name


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("kernel", [flushes_operands, flushes_results])
def test_flushed_subnormals_are_found(kernel: Kernel, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(kernel, monkeypatch)
    assert probe(format_named(name), shapes=SHAPES)[0].product_flushes


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_an_outer_product_that_flushes_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(honest, monkeypatch)
    monkeypatch.setattr(probing, "outer_product", flushes_results)
    numerics, answers = probe(format_named(name), shapes=SHAPES)
    assert numerics.product_flushes
    assert "flushed to zero by: outer product" in [answer.answer for answer in answers]


def test_a_machine_that_flushes_fp64_is_refused() -> None:
    """Radii are computed in fp64; one that underflows to zero would be too small."""
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormal numbers")
    try:
        with pytest.raises(UnsupportedNumerics, match="in which radii are computed"):
            probe(format_named("fp32"), shapes=SHAPES)
    finally:
        torch.set_flush_denormal(False)
    assert probe(format_named("fp32"), shapes=SHAPES)[0].storage.name == "fp32"


def test_shortened_operands_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use(shortens, monkeypatch)
    with pytest.raises(UnsupportedNumerics, match="shortened operands"):
        probe(format_named("fp32"), shapes=SHAPES)


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_layer_that_stores_wx_before_the_bias_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.nn.functional.linear

    def apart(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
        product = real(x, W)
        return product if b is None else product + b

    def once(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
        product = x.double() @ W.double().mT
        return (product if b is None else product + b.double()).to(x.dtype)

    monkeypatch.setattr(probing.F, "linear", apart)
    numerics, _ = probe(format_named(name), shapes=SHAPES)
    assert numerics.bias_rounded_apart
    assert numerics.patched_bias_rounded_apart
    monkeypatch.setattr(probing.F, "linear", once)
    numerics, _ = probe(format_named(name), shapes=SHAPES)
    assert not numerics.bias_rounded_apart
    assert not numerics.patched_bias_rounded_apart


@pytest.mark.gpu
@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_a_gpu_answers(row: Format) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU on this machine")
    numerics, _ = probe(row, shapes=SHAPES, device="cuda")
    assert numerics.device == "cuda"
