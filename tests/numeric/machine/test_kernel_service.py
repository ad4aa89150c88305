"""An error model belongs to a call: what the machine shows of one says nothing of another, and what was kept is not believed."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import exact, hazards
from numeric.arithmetics.value_and_radius import product_radius
from numeric.formats import format_named, modes_named, torch_dtype
from numeric.machine import ErrorModel, UnsupportedNumerics, kept_orders, probe, questions
from numeric.machine.bench import usual_bench
from numeric.machine.kept_orders import KeptOrders, OrdersNotKept, cache_folder, machine_digest
from numeric.machine.kernels import DENSE, PRODUCT, SHARED_PRODUCT, ProductKernel
from numeric.machine.operands import KernelCall
from numeric.machine.summation_order import revealed
from numeric.machine.summation_tree import PUSH, Order, one_after_the_other, order_of
from tests.numeric.machine.planted_kernels import in_order, narrow, planted

K = 16


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that was never asked before."""
    monkeypatch.setenv("ICL_VERIFY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def order_at(n: ErrorModel, X: Tensor, y: Tensor) -> Order:
    order = n.met(KernelCall.of(PRODUCT, X, y)).order
    assert order is not None
    return order


def leaves(order: Order) -> list[int]:
    return [leaf for _, leaf in order.program]


def is_turned(X: Tensor, y: Tensor) -> bool:
    return X.stride(-1) != 1


def is_off_a_line(X: Tensor, y: Tensor) -> bool:
    return y.data_ptr() % 16 != 0


def is_alone(X: Tensor, y: Tensor) -> bool:
    return len(y) == 1


FORWARD, BACKWARD = list(range(K)), list(range(K))[::-1]
OTHERWISE = {
    is_turned: lambda X, y: (X.mT.contiguous().mT, y),
    is_off_a_line: lambda X, y: (X, torch.zeros(y.numel() + 1, dtype=y.dtype)[1:].view_as(y)),
    is_alone: lambda X, y: (X[:1], y[:1]),
}
"""What a library may choose a kernel by, and operands that make it choose the other."""


@pytest.mark.parametrize("chooses", OTHERWISE, ids=lambda row: row.__name__)
def test_an_order_that_hangs_on_layout_alignment_or_batch_is_asked_about_at_the_operands_that_are_met(
    chooses: Callable[[Tensor, Tensor], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted negative is the model as it was: what was asked of one call, used for all."""

    def order(X: Tensor, y: Tensor) -> Sequence[int]:
        return BACKWARD if chooses(X, y) else FORWARD

    n = planted(in_order(order), "fp32", monkeypatch)
    X, y = torch.zeros(512, 8, K), torch.zeros(512, K, 1)
    other = OTHERWISE[chooses](X, y)
    assert (leaves(order_at(n, X, y)), leaves(order_at(n, *other))) == (FORWARD, BACKWARD)
    assert leaves(dataclasses.replace(n, service=None).met(KernelCall.of(PRODUCT, *other)).order) == FORWARD


def test_a_call_is_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def order(X: Tensor, y: Tensor) -> Sequence[int]:
        asked.append(X.shape)
        return FORWARD

    n = planted(in_order(order), "fp32", monkeypatch)
    call = KernelCall.of(PRODUCT, torch.zeros(3, 8, K), torch.zeros(3, K, 1))
    before = len(asked)
    first = n.met(call)
    assert len(asked) > before
    before = len(asked)
    assert n.met(call) == first
    assert len(asked) == before


def test_operands_that_share_places_have_no_known_order(monkeypatch: pytest.MonkeyPatch) -> None:
    n = planted(in_order(lambda X, y: FORWARD), "fp32", monkeypatch)
    windows = torch.zeros(K + 7).unfold(0, K, 1).expand(4, 8, K)
    met = n.met(KernelCall.of(PRODUCT, windows, torch.zeros(4, K, 1)))
    assert met.order is None
    assert met.numerics.accumulation.name == "fp32"


@pytest.mark.parametrize("cut", [False, True], ids=["to nearest", "cut off"])
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 17, 20, 22, 23])
def test_the_width_of_an_accumulator_is_found(bits: int, cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    n = planted(narrow(bits, cut=cut), "bf16", monkeypatch, batch=64)
    assert n.accumulation.significand_bits == bits
    assert n.truncates is cut
    assert not n.orders


@pytest.mark.parametrize("cut", [False, True], ids=["to nearest", "cut off"])
@pytest.mark.parametrize("bits", [9, 14, 22])
def test_the_radius_of_a_narrow_accumulator_holds_and_that_of_fp32_does_not(bits: int, cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """1, thirty numbers that are each lost beside it, and -1: exact in float64.

    The planted negative: "fp32 or wider", as it was called when only one width was asked about.
    """
    run = narrow(bits, cut=cut)
    n = planted(run, "bf16", monkeypatch, shape=(8, 32), batch=64)
    boast = dataclasses.replace(n, accumulation=format_named("fp32"), truncates=False, service=None)
    y, X = torch.full((64, 32, 1), 0.75 * 2.0**-bits, dtype=torch.bfloat16), torch.ones((64, 8, 32), dtype=torch.bfloat16)
    y[:, 0], y[:, -1] = 1.0, -1.0
    value = run(X, y, None)
    error = (value.double() - X.double() @ y.double()).abs()
    assert bool((error == 30 * 0.75 * 2.0**-bits).all())
    inside = []
    for model in (n, boast):
        flags = hazards(64)
        radius = product_radius(exact(X, model, flags), exact(y, model, flags), value, KernelCall.of(PRODUCT, X, y))
        inside.append(bool((error <= radius).all()))
    assert inside == [True, False]


def test_an_accumulator_that_is_narrower_than_storage_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product passes through it and loses bits of its own: no error model has that."""
    with pytest.raises(UnsupportedNumerics, match="shortened operands"):
        planted(narrow(14, cut=False), "fp32", monkeypatch)


def test_a_long_chain_has_an_order() -> None:
    """A tree of 5,000 leaves is as deep as that, and nothing may call itself so often."""
    assert order_of(tuple(range(5000))).height == 4999
    kernel = ProductKernel("planted", in_order(lambda X, y: range(X.shape[-1])), own_matrix=True)
    found = revealed(usual_bench(kernel, (1100, 1100), format_named("fp32"), 1), bias=False)
    assert found is not None
    assert leaves(found) == list(range(1100))


def kept(cache: Path) -> dict[str, list[int]]:
    (file,) = cache.iterdir()
    return json.loads(file.read_text())


def test_what_was_found_is_kept_and_confirmed_before_it_is_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process tries the kept order first; where the library adds otherwise meanwhile, it is asked anew."""
    first = planted(in_order(lambda X, y: FORWARD), "fp32", monkeypatch)
    assert len(kept(cache)) == len(first.orders)
    assert all(codes[0] == 0 for codes in kept(cache).values())
    monkeypatch.undo()
    monkeypatch.setenv("ICL_VERIFY_CACHE", str(cache))
    updated = planted(in_order(lambda X, y: BACKWARD), "fp32", monkeypatch)
    X, y = torch.zeros(512, 8, K), torch.zeros(512, K, 1)
    assert leaves(order_at(first, X, y)) == FORWARD
    assert leaves(order_at(updated, X, y)) == BACKWARD


def test_a_kept_order_of_another_tree_is_not_believed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that says x1 y1 + b first, where the kernel adds the bias last: of so few terms almost any order gives the same bits."""
    first = planted(in_order(lambda X, y: range(X.shape[-1])), "bf16", monkeypatch, shape=(8, 2), batch=8)
    with_bias = {key: codes for key, codes in kept(cache).items() if codes == [0, 0, -3, -4]}
    assert with_bias
    kept_orders._READ.clear()
    (cache / f"kernels-{machine_digest()}.json").write_text(json.dumps({key: [0, 1, -4, -2] for key in with_bias}))
    assert planted(in_order(lambda X, y: range(X.shape[-1])), "bf16", monkeypatch, shape=(8, 2), batch=8).orders == first.orders
    assert {key: kept(cache)[key] for key in with_bias} == with_bias


@pytest.mark.parametrize("name", ["bf16", "fp32"])
def test_the_order_of_another_call_is_a_guess_and_no_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three terms in one order at a batch of 512, and in another at 3; where a call adds as the last one did, it costs a product less to see that."""
    runs = [0]

    def order(X: Tensor, y: Tensor) -> Sequence[int]:
        runs[0] += 1
        return (1, 0, 2) if len(y) == 3 else (2, 1, 0)

    def found(batch: int) -> list[int]:
        dtype = torch_dtype(format_named(name))
        return leaves(order_at(n, torch.zeros((batch, 8, 3), dtype=dtype), torch.zeros((batch, 3, 1), dtype=dtype)))

    n = planted(in_order(order), name, monkeypatch, shape=(8, 3))
    counts = []
    for batch, others in ((3, ([0, 1, 2], [1, 0, 2])), (512, ([2, 1, 0], [1, 2, 0])), (511, ([2, 1, 0], [1, 2, 0]))):
        before = runs[0]
        assert found(batch) in others
        counts.append(runs[0] - before)
    assert counts[1] == 0
    assert counts[2] < counts[0]


def test_a_kept_order_saves_the_asking(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    runs = [0]

    def order(X: Tensor, y: Tensor) -> Sequence[int]:
        runs[0] += 1
        return BACKWARD  # takes two products to reveal

    first = planted(in_order(order), "fp32", monkeypatch)
    asked, runs[0] = runs[0], 0
    second = probe(modes_named(["fp32"])[0], shapes=((8, K),)).layer
    assert second.orders == first.orders
    assert runs[0] < asked


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"a": 1}', '{"a": ["x"]}', "[" * 10**5, "\x00", '{"a": []}', '{"a": [0, -1]}', '{"a": [0, -2]}', '{"a": [0, 0, 0, -1]}', '{"a": [2, 0]}'],
    ids=range(12),
)
def test_a_damaged_file_is_no_file(content: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(in_order(lambda X, y: FORWARD), "fp32", monkeypatch)
    every = content.replace('"a"', f'"{sorted(kept(cache))[0]}"')
    kept_orders._READ.clear()
    (cache / f"kernels-{machine_digest()}.json").write_text(every)
    n = planted(in_order(lambda X, y: FORWARD), "fp32", monkeypatch)
    assert leaves(order_at(n, torch.zeros(512, 8, K), torch.zeros(512, K, 1))) == FORWARD


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ICL_VERIFY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(OrdersNotKept, match="could not be kept"):
        n = planted(in_order(lambda X, y: FORWARD), "fp32", monkeypatch)
    assert n.orders


def test_programs_come_back_from_the_file_as_they_were(cache: Path) -> None:
    call = KernelCall.of(PRODUCT, torch.zeros(512, 8, 4), torch.zeros(512, 4, 1))
    for order in (
        one_after_the_other(4, bias=True),
        order_of(((0, 1), (2, 3))),
        dataclasses.replace(order_of((3, (0, 1), 2)), stored_strands=True),
        Order(((PUSH, 0),), 1, 0),
    ):
        writer = KeptOrders()
        writer.keep("fp32", call, order)
        writer.save()
        kept_orders._READ.clear()
        assert KeptOrders().guess("fp32", call) == order
        assert KeptOrders().guess("bf16", call) is None
    assert cache_folder() == cache


def test_another_machine_or_another_setting_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    here = machine_digest()
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    other = machine_digest()
    monkeypatch.setattr(torch.__config__, "show", lambda: "another library")
    assert len({here, other, machine_digest()}) == 3


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_whether_a_kernel_accumulates_narrowly_is_asked_of_every_call(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that runs a coarse kernel for one batch alone: the models of the two calls differ."""

    def run(X: Tensor, y: Tensor, b: Tensor | None) -> Tensor:
        honest, coarse = in_order(lambda X, y: range(X.shape[-1])), narrow(12, cut=True)
        return (coarse if len(y) == 3 and name == "bf16" else honest)(X, y, b)

    n = planted(run, name, monkeypatch)
    usual, odd = (
        n.met(KernelCall.of(PRODUCT, *(torch.zeros(shape, dtype=torch_dtype(format_named(name))) for shape in ((c, 8, K), (c, K, 1))))) for c in (512, 3)
    )
    assert usual.numerics.accumulation.name == "fp32"
    assert not usual.numerics.truncates
    assert odd.numerics.accumulation.significand_bits == (12 if name == "bf16" else 24)
    assert odd.numerics.truncates is (name == "bf16")


def column_major_layer() -> tuple[Tensor, Tensor]:
    """A weight and a vector whose sum errs by nearly its bound if the terms are added one after the other, and by more if they are added in strands."""
    d, m = 512, 32
    W = torch.randn((m, d), generator=torch.Generator().manual_seed(0)) / d**0.5
    row = torch.full((d,), 2.0**-16 * (1 + 2.0**-12))
    row[:5], row[5:9], row[d - 9 : d - 5], row[d - 5 :] = 0.0, 64.0, -64.0, 0.0
    W[0] = row
    a = torch.full((d,), 1 - 2.0**-12 + 2.0**-24)
    a[:9], a[d - 9 :] = 1.0, 1.0
    return W, a


@pytest.mark.parametrize("turned", [False, True], ids=["row by row", "column by column"])
def test_a_weight_that_lies_column_by_column_is_bounded_in_its_own_order(turned: bool) -> None:
    """The sums of the machine's own kernel, against exact fractions."""
    W, a = column_major_layer()
    W = W.t().contiguous().t() if turned else W.contiguous()
    x = a.expand(512, -1).contiguous().unsqueeze(-1)
    n, flags = probe(modes_named(["fp32"])[0], shapes=((32, 512),)).layer, hazards(512)
    value = W @ x
    radius = product_radius(exact(W, n, flags), exact(x, n, flags), value, KernelCall.of(SHARED_PRODUCT, W, x))
    true = sum(Fraction(w) * Fraction(y) for w, y in zip(W[0].tolist(), a.tolist(), strict=True))
    assert abs(Fraction(value[0, 0].item()) - true) <= Fraction(radius[0, 0].item())


def test_questions_by_row_and_by_case_agree() -> None:
    """A shape with more rows than cases is asked by rows, another by cases; the same kernel answers the same."""
    for rows, batch in ((64, 2), (2, 64)):
        n = probe(modes_named(["fp32"])[0], shapes=((rows, K),), batch=batch).layer
        bench = n.service.bench(KernelCall.of(DENSE, torch.zeros(rows, K), torch.zeros(batch, K, 1), torch.zeros(rows, 1))) if n.service else None
        assert bench is not None
        assert bench.asks_by_row is (rows > batch)
        assert questions.accumulator_bits(bench, format_named("fp32"), 24) == 24
        assert not questions.truncates(bench, format_named("fp32"), format_named("fp32"))
        products = questions.SingleProducts.of(bench, None, (format_named("fp32"),))
        assert not products.flush(format_named("fp32"))
        assert not products.shortened
        assert not products.whole
