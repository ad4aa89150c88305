"""The paper's figures: a wrong update shows in each, and each figure agrees with a plainer way to the same numbers."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from numeric.experiments.paper_figures import (
    RATE,
    TRIALS,
    Averaged,
    _vanishes_at,
    finetuning_compared,
    layer_compared,
    losses_apart,
    training_with_bounds,
)
from numeric.machine import ProbedMode
from numeric.sides import Variant
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock, draw_prompts, trained
from symbolic import formulas


def test_the_losses_of_figure_1_differ_by_less_than_their_bound(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    found = training_with_bounds(blocks["attention"], VARIANTS[0], machine["fp32"])
    assert len(found) >= 20
    assert found[0].step == 0
    assert found[-1].step == blocks["attention"].block.recipe.steps - 1
    for row in found:
        assert row.difference <= row.bound < 1e-4 * abs(row.with_context - row.planted)
    assert found[-1].with_context < found[0].with_context / 4, "it was trained on the way"


def test_a_wrong_update_shows_in_figure_1(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    wrong = Variant("wrong", "one part in 256 too much", lambda W, delta, a: _more(formulas.rank_one_update(W, delta, a)))
    found = training_with_bounds(blocks["attention"], wrong, machine["fp32"])
    assert all(row.difference > row.bound for row in found)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 0.5), st.floats(-1, 1)), min_size=1, max_size=9))
def test_no_two_losses_lie_further_apart_than_the_bound(prompts: list[tuple[float, float, float, float]]) -> None:
    """Of exact rationals: predictions p and q = p + s·r, |s| ≤ 1, of an answer y; at s = ±1 the bound is all but attained."""
    rows = [tuple(map(Fraction, prompt)) for prompt in prompts]
    exact = [(y - p, y - p - s * r, r) for y, p, r, s in rows]
    apart = abs(sum(p * p - q * q for p, q, _ in exact)) / (2 * len(exact))
    p, q, r = (torch.tensor([abs(float(row[place])) for row in exact], dtype=torch.float64) for place in range(3))
    assert apart <= Fraction(losses_apart(p, q, r))


def test_the_bound_on_two_losses_is_attained() -> None:
    p, r = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor([0.25, 0.5], dtype=torch.float64)
    apart = float(0.5 * ((p + r).square() - p.square()).mean())
    assert apart <= losses_apart(p, p + r, r) <= apart * (1 + 2.0**-40)


def _more(update):
    return update + update / 256.0


def test_the_checkpoints_come_back_from_the_cache(blocks: dict[str, TrainedBlock]) -> None:
    again = trained(blocks["attention"].block)
    assert again.cached
    assert list(again.checkpoints) == list(blocks["attention"].checkpoints) == sorted(again.checkpoints)
    assert all(torch.equal(x, blocks["attention"].checkpoints[step][name]) for step, kept in again.checkpoints.items() for name, x in kept.items())
    first, last = (again.at(step).model.block.first.weight for step in (min(again.checkpoints), max(again.checkpoints)))
    assert not torch.equal(first, last)
    assert not again.alone().checkpoints


@pytest.mark.parametrize("block_id", ["attention", "gru"])
def test_a_step_of_figure_2_is_that_of_the_updates_themselves(block_id: str, blocks: dict[str, TrainedBlock]) -> None:
    """ΔW of each prefix as a matrix, by the formula, and the spectral norm of the difference by a singular value decomposition."""
    found = {step.tokens: step for step in layer_compared(blocks[block_id]).steps}
    block, prompts = blocks[block_id].in_fp64(TRIALS, blocks[block_id].generator(4))
    with torch.no_grad():
        a = block.contextual(None, prompts.query).unsqueeze(-1)
        W = block.first.weight
        updates = [formulas.rank_one_update(W, block.contextual(prompts.context[:, :i], prompts.query).unsqueeze(-1) - a, a) for i in (7, 8)]
    norms = torch.linalg.svdvals(updates[1] - updates[0])[:, 0]
    assert math.isclose(found[7].mean, float(norms.mean()), rel_tol=2.0**-40)
    assert math.isclose(found[7].error, float(norms.std()) / math.sqrt(TRIALS), rel_tol=2.0**-30)


def test_erratum_9_a_recurrent_layers_updates_do_not_vanish(blocks: dict[str, TrainedBlock]) -> None:
    assert layer_compared(blocks["attention"]).vanishes_at is not None
    assert layer_compared(blocks["rnn"]).vanishes_at is None


@pytest.mark.parametrize(
    ("means", "at"), [([5, 1, 0.2, 0.05, 0.04], 4), ([5, 1, 0.05, 0.2, 0.04], 5), ([5, 1, 0.5, 0.5, 0.5], None), ([5, 1, 0.01, 0.01, 1], None)]
)
def test_vanishing_is_from_somewhere_to_the_end(means: list[float], at: int | None) -> None:
    assert _vanishes_at(tuple(Averaged(i, mean, 0.0) for i, mean in enumerate(means, start=1))) == at


def test_figure_3_against_a_plain_loop(blocks: dict[str, TrainedBlock]) -> None:
    """One trial by hand: gradients of ½(p - y)² through ReLU, written out; and the patched loss is the loss with the context."""
    subject = blocks["attention"]
    found = finetuning_compared(subject)
    assert len(found.finetuned) == len(found.patched) == subject.block.recipe.examples + 1
    block, prompts = subject.in_fp64(TRIALS, subject.generator(4))
    raw = draw_prompts(subject.block.recipe, TRIALS, subject.generator(4))
    first, second = block.network[0], block.network[2]
    row, offset = second.weight[-1], second.bias[-1]
    losses = []
    with torch.no_grad():
        embedding = subject.model.embedding.weight.double()
        for trial in range(TRIALS):
            W = first.weight.clone()
            for i in range(3):
                column = raw.context[trial, i].double().clone()
                y = column[-1].clone()
                column[-1] = 0.0
                a = block.contextual(None, (embedding @ column).unsqueeze(0))[0]
                hidden = W @ a + first.bias
                p = row @ hidden.clamp_min(0.0) + offset
                W = W - RATE * torch.outer((p - y) * row * (hidden > 0), a)
            a = block.contextual(None, prompts.query[trial : trial + 1])[0]
            p = row @ (W @ a + first.bias).clamp_min(0.0) + offset
            losses.append(0.5 * float((p - prompts.answer[trial]) ** 2))
        with_context = block(prompts.context[:, :10], prompts.query)[:, -1]
    assert math.isclose(found.finetuned[3].mean, sum(losses) / TRIALS, rel_tol=2.0**-30)
    assert math.isclose(found.patched[10].mean, float(0.5 * (with_context - prompts.answer).square().mean()), rel_tol=2.0**-30)
    assert found.patched[-1].mean < found.finetuned[-1].mean < found.finetuned[0].mean
