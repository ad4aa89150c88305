"""A GPU that rounds the operands of some products to tf32 and takes those of others as they are, as NVIDIA's Hopper does, emulated."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._ops import OpOverload

from numeric.architecture import asked_shapes
from numeric.formats import format_named, mode
from numeric.formats.emulation import PRODUCTS, RoundedOperands
from numeric.machine import ProbedMode, UnsupportedNumerics, probe
from numeric.machine.kernels import DENSE, INNER_PRODUCT, OUTER_PRODUCT, PATCHED_WEIGHT, PRODUCT, SHARED_PRODUCT, KernelAt
from numeric.sides import Variant, judge, measure_sides
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import drawn, measured

TF32 = format_named("tf32")
WHOLE = {PRODUCT, SHARED_PRODUCT, INNER_PRODUCT, OUTER_PRODUCT, PATCHED_WEIGHT}
"""What an H100 and an H200 took whole, with torch 2.11."""


OF_LAYERS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)
"""Products of rows with one matrix for all cases."""


class Hopper(RoundedOperands):
    """Only a dense layer whose weight is one for all cases rounds its operands."""

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return super().computed(operator, args, kwargs) if operator in OF_LAYERS else operator(*args, **kwargs)


class Cut(RoundedOperands):
    """Every product cuts its operands off."""

    def _rounded(self, x: Any) -> Any:
        return (x.view(torch.int32) & -(1 << 13)).view(torch.float32) if isinstance(x, Tensor) and x.dtype == torch.float32 else x


def asked(block: TrainedBlock, monkeypatch: pytest.MonkeyPatch, machine: type[RoundedOperands] = Hopper) -> ProbedMode:
    monkeypatch.setattr(mode, "RoundedOperands", machine)
    return probe(mode.modes_named(["tf32"])[0], **asked_shapes([block.model.block]))


@pytest.fixture
def hopper(blocks: dict[str, TrainedBlock], monkeypatch: pytest.MonkeyPatch) -> ProbedMode:
    return asked(blocks["attention-skip"], monkeypatch)


def test_the_probe_tells_them_apart(hopper: ProbedMode) -> None:
    assert {at.kernel for at in hopper.layer.whole} == WHOLE
    (answer,) = (row.answer for row in hopper.answers if row.id == "tf32/operands")
    assert answer.startswith("yes, to nearest, but taken as they are by: batched product")
    assert hopper.layer.of(PATCHED_WEIGHT, 128, 32).operands is None
    assert hopper.layer.of(DENSE, 128, 32).operands == TF32


@pytest.mark.parametrize("scenario", ["random", "near_zero", pytest.param("recompute", marks=pytest.mark.soak), pytest.param("huge", marks=pytest.mark.soak)])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
def test_the_paper_is_right_there(variant: Variant, scenario: str, hopper: ProbedMode, blocks: dict[str, TrainedBlock]) -> None:
    """In no case an error above its bound; every certificate, from balls, agrees."""
    found = measured(blocks["attention-skip"], hopper, variant, scenario)
    assert found.verdict is Verdict.HOLDS
    assert found.certificates
    assert all(row.inside for row in found.compared)


def test_the_bound_is_not_that_of_rounded_operands(hopper: ProbedMode, blocks: dict[str, TrainedBlock]) -> None:
    """The planted model, in which every product rounds its operands, allows for errors that the machine does not make."""
    block, cases = drawn(blocks["attention-skip"], hopper, 64, 1)
    everywhere = dataclasses.replace(hopper.layer, whole=frozenset(), service=None)
    wide = dataclasses.replace(hopper, update=everywhere, layer=everywhere)
    bound, planted = (judge(measure_sides(block, cases, VARIANTS[0], machine)).bound for machine in (hopper, wide))
    assert (planted > 1.5 * bound).all()


class OneSided(RoundedOperands):
    """A product that rounds its first operand and takes the second as it is; of a dense layer, the input and the weight."""

    side = 0

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        rounds = PRODUCTS[operator] + self.side if operator in PRODUCTS else None
        return operator(*(self._rounded(x) if place == rounds else x for place, x in enumerate(args)), **kwargs)


class OtherSided(OneSided):
    """The other way round."""

    side = 1


class OuterToo(Hopper):
    """As Hopper, but the product of a column and a row rounds one of them."""

    side = 0

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if operator in PRODUCTS and args[PRODUCTS[operator]].shape[-1] == 1:
            return operator(*(self._rounded(x) if place == self.side else x for place, x in enumerate(args)), **kwargs)
        return super().computed(operator, args, kwargs)


class OuterTooOtherSide(OuterToo):
    """The other of them."""

    side = 1


@pytest.mark.parametrize("machine", [OuterToo, OuterTooOtherSide])
def test_an_outer_product_that_rounds_is_not_called_whole(
    machine: type[RoundedOperands], blocks: dict[str, TrainedBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {at.kernel for at in asked(blocks["attention-skip"], monkeypatch, machine).layer.whole} == WHOLE - {OUTER_PRODUCT}


class LaterColumns(RoundedOperands):
    """Every product takes the first column of its left operand whole, and the first row of its right one, and rounds the others."""

    def _rounded(self, x: Any) -> Any:
        if not isinstance(x, Tensor) or x.dim() < 2:
            return super()._rounded(x)
        rounded = super()._rounded(x)
        return torch.cat([x[..., :1], rounded[..., 1:]], dim=-1) if x.shape[-1] > 1 else torch.cat([x[..., :1, :], rounded[..., 1:, :]], dim=-2)


def test_only_the_shapes_that_were_asked_about_are_whole(hopper: ProbedMode) -> None:
    assert hopper.layer.of(PATCHED_WEIGHT, 127, 32).operands == TF32


def test_autocast_takes_nothing_whole(machine: dict[str, ProbedMode]) -> None:
    """Its operands are of the storage's format, which has no bit more: a column of fp32 is rounded all the same."""
    assert machine["bf16-autocast"].layer.operands is not None
    assert machine["bf16-autocast"].layer.whole == frozenset()


def test_the_orders_are_those_of_fp32_where_nothing_is_rounded(hopper: ProbedMode, machine: dict[str, ProbedMode]) -> None:
    for name in (PRODUCT, PATCHED_WEIGHT):
        at = KernelAt(name, 128, 32)
        assert hopper.layer.orders[at] == machine["fp32"].layer.orders[at]


ALL = "batched product, shared product, inner product, dense layer"


@pytest.mark.parametrize(("machine", "by"), [(OneSided, ALL), (OtherSided, ALL), (LaterColumns, "batched product"), (Cut, "batched product")])
def test_a_product_that_takes_an_operand_or_a_column_whole_or_cuts_them_off_has_no_model(
    machine: type[RoundedOperands], by: str, blocks: dict[str, TrainedBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedNumerics, match=f"shortened operands by: {by}"):
        asked(blocks["attention-skip"], monkeypatch, machine)
