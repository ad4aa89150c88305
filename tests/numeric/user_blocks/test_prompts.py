"""A user's own prompts: each is measured, in its place, and the side that strayed is the one that was made to."""

import pytest
import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock, UnusableBlock
from numeric.machine import BATCH
from numeric.user_blocks import ProbeCache, transfers
from numeric.user_blocks import prompts as own_prompts
from numeric.user_blocks.prompts import UnusablePrompts
from symbolic.vocabulary import Verdict

WIDTH = 4

EPSILON = 2.0**-26
"""A quarter of fp32's unit roundoff."""


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


def test_one_prompt_that_shows_nothing_keeps_the_others_from_holding() -> None:
    """In bf16 a context of 2⁻¹² is lost beside the query; where every prompt has a context that counts, all hold."""
    context, query = prompts(5)
    assert transfers(block(), context, query, formats=["bf16"])[0].verdict is Verdict.HOLDS
    context[2] *= 2.0**-12
    (row,) = transfers(block(), context, query, formats=["bf16"])
    assert row.verdict is Verdict.VACUOUS
    assert row.counts == {"HOLDS": 4, "VACUOUS": 1}
    assert "in 1 of 5 prompts" in row.reason


def test_an_epsilon_that_a_format_hardly_sees_is_violated_by_ball_arithmetic() -> None:
    """‖a‖² + ε for an ε below fp32's last place: no prompt leaves its bound, but over balls the update does not come to Wz."""

    def wrong(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
        return (W @ delta) @ a.mT / (a.mT @ a + EPSILON)

    def right(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
        return (W @ delta) @ a.mT / (a.mT @ a)

    context, query = prompts(8)
    assert float(query.square().sum(-1).min()) > 0.5
    found = [transfers(block(), context, query, formats=["fp32"], update=update)[0] for update in (wrong, right)]
    assert [row.verdict for row in found] == [Verdict.VIOLATED, Verdict.HOLDS]
    assert found[0].reason.startswith("a side lies outside its own radius, by ball arithmetic; the fault is the update's")
    assert found[0].counts == {"HOLDS": 8}


@pytest.mark.parametrize(("activation", "asked"), [(nn.ReLU, []), (nn.GELU, ["fp32", "bf16"])])
def test_a_library_that_a_rule_trusts_is_asked_once_a_format(activation: type[nn.Module], asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    monkeypatch.setattr(own_prompts, "probe_elementary", lambda storage, device, widths: heard.append(storage.name))
    machine = ProbeCache()
    network = nn.Sequential(nn.Linear(WIDTH, 8), activation(), nn.Linear(8, 2))
    for _ in range(2):
        transfers(ContextualBlock(layer, network, "0", input_width=WIDTH), *prompts(1), formats=["fp32", "bf16"], machine=machine)
    assert heard == asked


def test_a_combination_that_makes_no_sense_is_skipped_with_the_reason() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.RNN(WIDTH, WIDTH, batch_first=True)

        def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
            tokens = query.unsqueeze(1) if context is None else torch.cat([context, query.unsqueeze(1)], 1)
            return self.inner(tokens)[0][:, -1]

    torch.manual_seed(0)
    made = ContextualBlock(Recurrent(), nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Linear(8, 2)), "0", input_width=WIDTH)
    measured, skipped = transfers(made, *prompts(2), formats=["fp64", "bf16-fp32-weights"])
    assert (measured.verdict, skipped.verdict) == (Verdict.HOLDS, Verdict.SKIPPED)
    assert "one dtype" in skipped.reason
    assert skipped.counts == {}


def test_the_users_block_settings_and_warnings_are_left_as_they_are() -> None:
    """With a layer of PyTorch's own, while every warning is an error."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

        def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
            tokens = query.unsqueeze(1) if context is None else torch.cat([context, query.unsqueeze(1)], 1)
            return self.inner(query.unsqueeze(1), tokens, tokens, need_weights=False)[0].squeeze(1)

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Linear(8, 2))
    mine, threads = ContextualBlock(Attention(), network, "0", input_width=WIDTH).train(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert transfers(mine, *prompts(2), formats=["fp32"])[0].verdict is Verdict.HOLDS
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.is_grad_enabled()
    assert mine.training
    assert all(parameter.requires_grad for parameter in mine.parameters())


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


def test_a_block_as_it_is_written_has_no_bound_and_is_refused_in_one_line() -> None:
    """Rebuilt, the same is measured."""
    written = ContextualBlock.of(block(), lambda module, context, query, positions: module(context, query), "network.0.weight")
    with pytest.raises(UnusableBlock, match=r"context_transfer takes rebuilt blocks alone.*`verify check` judges this one in float64") as error:
        transfers(written, *prompts(1), formats=["fp32"])
    assert "\n" not in str(error.value)
    assert transfers(block(), *prompts(1), formats=["fp32"])[0].verdict is Verdict.HOLDS


class ReadsItsTable(nn.Module):
    """A contextual layer with a table, which may be a part of the first layer's weight."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return layer(context, query) + self.table


def sharing(what: str) -> ContextualBlock:
    """Two parameters in one memory, apart or not."""
    made, memory = block(), torch.randn(200, generator=torch.Generator().manual_seed(2))
    first, last = made.network[0], made.network[2]
    first.weight = nn.Parameter(memory[: 8 * WIDTH].view(8, WIDTH))
    if what in ("apart", "overlapping"):
        last.weight = nn.Parameter(memory[(100 if what == "apart" else 20) :][:16].view(2, 8))
    else:
        made.contextual = ReadsItsTable(memory[(100 if what == "a table apart" else 4) :][:WIDTH])
    return made


@pytest.mark.parametrize(
    ("what", "said"),
    [("apart", ""), ("overlapping", "is tied to the first layer's weight"), ("a table apart", ""), ("a table in W", "computes with the first layer's weight")],
)
def test_the_copy_that_is_measured_shares_memory_where_the_block_does(what: str, said: str) -> None:
    """The block itself is left as it is."""
    made = sharing(what)
    before = {name: x.clone() for name, x in made.state_dict().items()}
    if said:
        with pytest.raises(UnusableBlock, match=said):
            transfers(made, *prompts(1), formats=["fp64"])
    else:
        assert transfers(made, *prompts(1), formats=["fp64"])[0].verdict is Verdict.HOLDS
    assert all(torch.equal(x, before[name]) for name, x in made.state_dict().items())
    assert all(parameter.requires_grad for parameter in made.parameters())
