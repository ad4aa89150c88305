"""What the hostile scenarios draw: each is what its name says, and its cases end as they should."""

import pytest
import torch

from numeric.machine import BATCH, ProbedMode
from numeric.scenarios import all_scenarios, scenarios_named
from numeric.sides import Batch
from numeric.training import TrainedBlock
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import measured


def draw(name: str, subject: TrainedBlock, probed: ProbedMode, cases: int = 64, seed: int = 0) -> Batch:
    (scenario,) = scenarios_named([name])
    with torch.no_grad():
        return scenario.draw(subject, probed.mode.range, cases, torch.Generator().manual_seed(seed))


def test_repeated_tokens_are_few_and_some_copies_stay(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    torn = 0
    for seed in range(8):
        cases = draw("repeated", blocks["attention"], machine["fp64"], seed=seed)
        assert max(len(torch.unique(context, dim=0)) for context in cases.context) <= 4
        for context, kept in zip(cases.context, [] if cases.kept is None else cases.kept, strict=cases.kept is not None):
            for token in torch.unique(context, dim=0):
                there, stayed = (int((part == token).all(-1).sum()) for part in (context, kept))
                assert stayed <= there
                torn += 0 < stayed < there
    assert torn > 0, "otherwise no token ever lost some of its copies and kept others"


def test_permuted_tokens_rise_or_fall(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    steps = draw("permuted", blocks["attention"], machine["fp64"]).context[..., 0].diff(dim=1)
    assert (steps[0::2] >= 0).all()
    assert (steps[1::2] <= 0).all()


@pytest.mark.parametrize(("block_id", "length"), [("attention", 4096), ("gru", 1024)])
def test_long_contexts_are_long(block_id: str, length: int, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    context = draw("long", blocks[block_id], machine["fp64"], cases=65).context
    assert context.shape[:2] == (65, length)
    assert torch.equal(context[0], context[63])
    assert not torch.equal(context[63], context[64])


@pytest.mark.parametrize("name", ["fp32", "fp16"])
def test_huge_and_tiny_contexts_go_to_the_ends_of_the_range(name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    row = machine[name].mode.range
    largest = draw("huge", blocks["attention"], machine[name]).context.abs().amax((-2, -1))
    assert largest.max() >= row.largest / 2
    assert largest.min() < 2.0**6
    smallest = draw("tiny", blocks["attention"], machine[name]).context.abs().amax((-2, -1))
    assert smallest.min() <= 16 * row.smallest_subnormal
    assert 0.6 < (smallest > 2.0**-10).double().mean() < 0.85, "some distances are there on which the update drowns"


def test_every_other_context_is_spoiled_by_one_number(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    bad = (~torch.isfinite(draw("non_finite", blocks["attention"], machine["fp64"]).context)).sum((-2, -1))
    assert bad.tolist() == [0, 1] * 32


@pytest.mark.parametrize("block_id", ["attention", "linear-attention", "selective-ssm"])
def test_optimised_contexts_cancel(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """‖A(C∖Y,x)‖ in one half of the cases, ‖ΔA‖ in the other: smaller than in contexts as drawn, by orders of magnitude in some."""
    subject = blocks[block_id]
    layer = subject.model.block.contextual

    def sizes(cases: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        a = layer(cases.kept.float(), cases.query.float())
        return a.norm(dim=-1), (layer(cases.context.float(), cases.query.float()) - a).norm(dim=-1)

    as_drawn = draw("random", subject, machine["fp64"])
    half = as_drawn.context.shape[1] // 2
    before = sizes(Batch(as_drawn.context, as_drawn.context[:, :half], as_drawn.query))
    after = sizes(draw("cancelling", subject, machine["fp64"]))
    for index, places in enumerate((slice(0, None, 2), slice(1, None, 2))):
        shrunk = (after[index] / before[index])[places]
        assert shrunk.median() < 0.5
        assert shrunk.min() < 0.1


def test_what_is_spoiled_is_refused_by_name_and_its_neighbours_are_judged(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    found = measured(blocks["attention"], machine["bf16"], scenario="non_finite", cases=BATCH)
    assert found.verdict is Verdict.HOLDS
    assert (found.judged.reason[1::2] == "NonFiniteInput").all()
    assert (found.judged.reason[0::2] == "").all()


def test_every_scenario_measures_at_least_one_format_of_its_usual_ones(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    for scenario in all_scenarios():
        for name in scenario.usual or ("fp64",):
            assert scenario.refuses(blocks["attention"].block, machine[name].mode) is None, (scenario.id, name)
