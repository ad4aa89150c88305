"""A user's own prompts: each is measured, in its place, and the side that strayed is the one that was made to."""

import pytest
import torch
from torch import Tensor, nn

from numeric.contextual_block import ContextualBlock
from numeric.own_prompts import UnusablePrompts, transfers
from numeric.probe import BATCH
from symbolic.verdict import Verdict

WIDTH = 4


def layer(context: Tensor | None, query: Tensor) -> Tensor:
    return query if context is None else query + context.sum(1)


def block() -> ContextualBlock:
    torch.manual_seed(0)
    return ContextualBlock(layer, nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Linear(8, 2)), "0", input_width=WIDTH)


def prompts(number: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(number, 5, WIDTH, generator=generator), torch.randn(number, WIDTH, generator=generator)


@pytest.mark.parametrize("place", [0, 5, BATCH, BATCH + 3])
def test_a_prompt_is_found_at_its_own_place(place: int) -> None:
    """One prompt with A(x) = 0 among others: refused, and no other is."""
    context, query = prompts(BATCH + 4)
    query[place] = 0.0
    (row,) = transfers(block(), context, query, formats=["fp32"])
    assert row.verdict is Verdict.INCONCLUSIVE
    assert f"prompt {place} for one" in row.reason
    assert row.counts == {"HOLDS": BATCH + 3, "INCONCLUSIVE": 1}


def test_what_both_sides_stray_is_at_least_what_lies_between_them() -> None:
    for row in transfers(block(), *prompts(3), formats=["fp64", "fp32", "bf16", "fp16"]):
        assert row.verdict is Verdict.HOLDS
        assert row.strayed is not None
        assert 0 < row.error <= row.strayed.left + row.strayed.right
        assert row.error <= row.bound


def test_a_wrong_update_makes_the_patched_side_stray() -> None:
    """Twice the update moves the right side by all of WΔA; without the mistake it does not stray so (the test above)."""
    made, (context, query) = block(), prompts(1)
    (row,) = transfers(made, context, query, formats=["fp64"], update=lambda W, delta, a: (W @ (delta + delta)) @ a.mT / (a.mT @ a))
    effect = float((made.first_weight.double() @ context.double().sum(1).mT).detach().abs().max())
    assert row.verdict is Verdict.VIOLATED
    assert row.strayed is not None
    # Beside WΔA each side may err by its own part of the bound, and this fp64 sum of fewer terms by less.
    assert abs(row.strayed.right - effect) <= 2 * row.bound
    assert row.strayed.left <= row.bound


@pytest.mark.parametrize(
    ("context", "query"),
    [
        (torch.zeros(2, 5, WIDTH), torch.zeros(3, WIDTH)),
        (torch.zeros(0, 5, WIDTH), torch.zeros(0, WIDTH)),
        (torch.zeros(5, WIDTH), torch.zeros(1, WIDTH)),
        (torch.zeros(2, 5, WIDTH, dtype=torch.int64), torch.zeros(2, WIDTH)),
        ([[1.0]], torch.zeros(2, WIDTH)),
    ],
)
def test_prompts_of_another_form_are_refused(context: Tensor, query: Tensor) -> None:
    with pytest.raises(UnusablePrompts, match="give"):
        transfers(block(), context, query, formats=["fp32"])
