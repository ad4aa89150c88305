"""A user's update may not change what it is given; which variant does what is in the table alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from numeric.architecture import UnusableBlock
from numeric.sides.variant import VARIANTS, UnknownVariant, in_place_refused, variants_named
from symbolic import formulas


def operands() -> tuple[Tensor, Tensor, Tensor]:
    """W, ΔA and a, of which each has a number, a zero, an infinity and a NaN: what is no number before and after is not changed."""
    odd = torch.tensor([[2.0], [0.0], [torch.inf], [torch.nan]], dtype=torch.float64)
    return odd.mT.repeat(3, 1), odd.clone(), odd.clone()


@pytest.mark.parametrize("entry", range(4))
@pytest.mark.parametrize("which", ["W", "delta", "a"])
def test_each_operand_and_each_kind_of_number_is_watched(which: str, entry: int) -> None:
    """A number that is replaced, a NaN by a number, and a number by a NaN; what is put back as it was is no change."""
    for other in (1.0, torch.nan, torch.inf):

        def update(W: Tensor, delta: Tensor, a: Tensor, other: float = other) -> str:
            {"W": W.mT, "delta": delta, "a": a}[which][entry, 0] = other
            return "returned"

        before = torch.tensor([2.0, 0.0, torch.inf, torch.nan])[entry].item()
        if other == before or (other != other and before != before):
            assert in_place_refused(update)(*operands()) == "returned"
            continue
        with pytest.raises(UnusableBlock, match=rf"in place: {which}\. Let it return"):
            in_place_refused(update)(*operands())


def test_what_is_no_tensor_is_handed_on() -> None:
    """Values with radii, and balls, are not compared; all names are told of what was changed."""
    given: list[Any] = []

    def keeps(*them: Any) -> int:
        given.extend(them)
        return 7

    assert in_place_refused(keeps)("W", 1.0, None) == 7
    assert given == ["W", 1.0, None]

    def spoils(W: Tensor, delta: Tensor, a: Tensor) -> None:
        W.zero_()
        a.zero_()

    with pytest.raises(UnusableBlock, match=r"in place: W, a\."):
        in_place_refused(spoils)(*operands())


def test_the_variants_are_the_formulas_and_one_is_factored() -> None:
    """Of short binary fractions all are the same ΔW; a is divided by its largest entry in one of them alone."""
    W, delta, a = (torch.tensor(x, dtype=torch.float64) for x in ([[1.0, -2.0], [3.0, 4.0]], [[1.0], [2.0]], [[4.0], [0.0]]))
    by_hand = torch.tensor([[-0.75, 0.0], [2.75, 0.0]], dtype=torch.float64)
    seen: list[Tensor] = []
    real: Callable[..., Any] = formulas.scaled_rank_one_update
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formulas, "scaled_rank_one_update", lambda *them: seen.append(them[-1]) or real(*them))
        for variant in VARIANTS:
            assert torch.equal(variant.update(W, delta, a), by_hand)
    assert [x.item() for x in seen] == [4.0]
    assert [variant.id for variant in VARIANTS if variant.factored] == ["factored"]
    assert [variant.id for variant in variants_named(["scaled", "formula"])] == ["scaled", "formula"]
    with pytest.raises(UnknownVariant, match='no variant named "scale"'):
        variants_named(["scale"])
