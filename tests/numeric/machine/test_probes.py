"""The probes answer on this machine, and each kind of lying kernel is found out."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._ops import OpOverload

from numeric.formats import Format, format_named, modes_named, torch_dtype
from numeric.formats.emulation import PRODUCTS, BlockwiseSums
from numeric.formats.mode import BLOCK
from numeric.formats.operator_mode import OperatorMode
from numeric.machine import ProbedMode, UnsupportedNumerics, probe, questions
from numeric.machine import kernels as kernel_table
from numeric.machine.bench import usual_bench, usual_call
from numeric.machine.confirmed_order import confirmed
from numeric.machine.kernels import DENSE, OUTER_PRODUCT, PRODUCT, SHARED_PRODUCT, kernels
from numeric.machine.summation_tree import order_of
from tests.numeric.formats.drawn_operands import NATIVE

SHAPES = ((8, 5),)
Planted = Callable[[Tensor, Tensor], Tensor]


def honest(X: Tensor, y: Tensor) -> Tensor:
    """Exact products, summed in float64, rounded once."""
    return (X.double() @ y.double()).to(X.dtype)


def summed_in_storage(X: Tensor, y: Tensor) -> Tensor:
    total = torch.zeros((*X.shape[:-1], 1), dtype=X.dtype)
    for k in range(X.shape[-1]):
        total = total + X[..., k : k + 1] * y[..., k : k + 1, :]
    return total


def cuts_off(X: Tensor, y: Tensor) -> Tensor:
    """Partial sums in fp32, whose last bits are cut off, as tensor cores do."""
    total = torch.zeros((*X.shape[:-1], 1), dtype=torch.float64)
    for k in range(X.shape[-1]):
        total = total + X[..., k : k + 1].double() * y[..., k : k + 1, :].double()
        nearest = total.float()
        inward = torch.nextafter(nearest, torch.zeros_like(nearest))
        total = torch.where(nearest.double().abs() > total.abs(), inward, nearest).double()
    return total.to(X.dtype)


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


def use(kernel: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every product is computed by the planted kernel."""
    monkeypatch.setattr(questions, "outer_product", kernel)
    honest_ones = kernels()
    rows = {name: dataclasses.replace(row, run=lambda X, y, b: kernel(X, y), own_matrix=True) for name, row in honest_ones.items()}
    monkeypatch.setattr(kernel_table, "kernels", lambda: rows)


def asked(name: str, device: str = "cpu") -> ProbedMode:
    return probe(modes_named([name])[0], shapes=SHAPES, device=device)


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_the_machine_answers(row: Format) -> None:
    numerics, answers = asked(row.name).layer, asked(row.name).answers
    assert numerics.storage == row
    assert numerics.accumulation.significand_bits >= row.significand_bits
    questions = {"accumulation", "order", "product-subnormals", "elementwise-subnormals", "bias", "patched-bias", "batch"}
    assert {answer.id.split("/")[1] for answer in answers} - {"rounding"} == questions


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_an_honest_kernel_is_believed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what the tests below find is the lie."""
    use(honest, monkeypatch)
    numerics = asked(name).layer
    assert numerics.accumulation.name == "fp32"
    assert not numerics.flushing


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_a_sum_that_is_cut_off_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not probe(modes_named([name])[0], shapes=SHAPES).update.truncates
    use(cuts_off, monkeypatch)
    found = probe(modes_named([name])[0], shapes=SHAPES)
    assert found.update.truncates
    assert any(answer.id.endswith("/rounding") and answer.answer.startswith("cut off by") for answer in found.answers)


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_sum_in_storage_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(summed_in_storage, monkeypatch)
    assert asked(name).layer.accumulation.name == name


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("kernel", [flushes_operands, flushes_results])
def test_flushed_subnormals_are_found(kernel: Planted, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(kernel, monkeypatch)
    assert asked(name).layer.flushing


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_an_outer_product_that_flushes_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(honest, monkeypatch)
    monkeypatch.setattr(questions, "outer_product", flushes_results)
    numerics, answers = asked(name).layer, asked(name).answers
    assert OUTER_PRODUCT in numerics.flushing
    assert "flushed to zero by: outer product" in [answer.answer for answer in answers]


def test_a_machine_that_flushes_fp64_is_refused() -> None:
    """Radii are computed in fp64; one that underflows to zero would be too small."""
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormal numbers")
    try:
        with pytest.raises(UnsupportedNumerics, match="in which radii are computed"):
            asked("fp32")
    finally:
        torch.set_flush_denormal(False)
    assert asked("fp32").layer.storage.name == "fp32"


def test_shortened_operands_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use(shortens, monkeypatch)
    with pytest.raises(UnsupportedNumerics, match="shortened operands"):
        asked("fp32")


class Apart(OperatorMode):
    """What is added to a product is added to what was stored of it."""

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args[0] + self.product(*args[1:]) if PRODUCTS.get(operator) == 1 else operator(*args, **kwargs)

    @staticmethod
    def product(left: Tensor, right: Tensor) -> Tensor:
        return left @ right


class Once(Apart):
    """It is rounded once, with what is added to it."""

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if PRODUCTS.get(operator) != 1:
            return operator(*args, **kwargs)
        return (args[0].double() + self.product(*(x.double() for x in args[1:]))).to(args[1].dtype)


@pytest.mark.parametrize("columns", [1, 5])
@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_layer_that_stores_wx_before_the_bias_is_found(name: str, columns: int) -> None:
    """With one weight or bias for all cases, and with a case's own."""
    for machine, found in ((Apart, True), (Once, False)):
        with machine():
            numerics = probe(modes_named([name])[0], shapes=((8, columns),), batch=8).layer
        assert numerics.rounds_before_bias is found
        assert numerics.patched_rounds_before_bias is found


@pytest.mark.gpu
@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_a_gpu_answers(row: Format) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU on this machine")
    numerics = asked(row.name, "cuda").layer
    assert numerics.device == "cuda"


@pytest.mark.parametrize(("name", "block", "k"), [("bf16", 384, 768), ("bf16", 512, 1024), ("bf16", 1536, 3072), ("fp16", 3072, 6144)])
def test_sums_that_are_stored_after_long_blocks_are_found_out(name: str, block: int, k: int) -> None:
    """More columns than the format has integers in a row: the entries that a stored sum would lose have to stand in every block."""
    storage = format_named(name)
    for kernel in (kernels()[PRODUCT], kernels()[DENSE]):
        bench = usual_bench(kernel, (16, k), storage, 64)
        assert questions.accumulator_bits(bench, storage, 24) == 24
        stored = dataclasses.replace(bench, running=lambda: BlockwiseSums(block))
        assert questions.accumulator_bits(stored, storage, 24) == storage.significand_bits


@pytest.mark.parametrize("k", [BLOCK + 1, 2 * BLOCK + 1, 2 * BLOCK + 2, 17 * BLOCK + 1])
@pytest.mark.parametrize("name", ["bf16-reduced", "fp16-reduced"])
def test_a_block_of_one_product_is_a_strand_of_its_own(name: str, k: int) -> None:
    """Its product is stored before it is added, which the tree of the sum does not show."""
    n = probe(modes_named([name])[0], shapes=((5, k),), batch=16).layer
    for kernel in (PRODUCT, SHARED_PRODUCT, DENSE):
        order = n.order(kernel, 5, k)
        assert order is not None, kernel
        assert order.stored_strands
        assert order.strands == -(-k // BLOCK)
        assert n.service is not None
        bench = n.service.bench(usual_call(kernels()[kernel], 5, k, 2 * (torch_dtype(n.storage),), 16))
        plain = dataclasses.replace(order_of(tuple(range(k))), stored_strands=True)
        assert confirmed(bench, order, bias=False)
        assert not confirmed(bench, plain, bias=False), "the planted one: as one more term of a strand"
