"""Blocks that carry their stream past the network: they are what they are called after, and what else than ΔW they need is tested at the output."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock, UnusableBlock, output_layers
from numeric.architecture.wiring import wiring
from numeric.arithmetics import WithRadius, exact, hazards
from numeric.blocks import all_blocks
from numeric.cells import claim_of
from numeric.machine import ErrorModel, ProbedMode
from numeric.scenarios.random import SCENARIO
from numeric.sides import block_in_format, judge, measure_sides
from numeric.sides.output_patch import output_patch
from numeric.training import TrainedBlock
from symbolic import formulas
from symbolic.vocabulary import Verdict
from tests.numeric.blocks.plain_layers import NETWORKS, attended, normalised
from tests.numeric.measuring import FORMULA, drawn, measured

CASES = 4
CLOSE = 2.0**-36
"""As for the contextual layers."""
CARRYING = [block.id for block in all_blocks() if block.build(block.recipe).norm is not None]
MATRIX = [name for name in CARRYING if not name.startswith("pre-ln") or name == "pre-ln-gated"]
"""Those whose output matrix takes what the stream lacks."""


def test_every_carrying_block_has_a_plain_network() -> None:
    assert set(CARRYING) == set(NETWORKS)


@pytest.mark.parametrize("block_id", CARRYING)
def test_the_block_is_what_plain_loops_compute(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """v + M(N(v)), with N of the query in a parallel block, by Python floats."""
    block, cases = drawn(blocks[block_id], machine["fp64"], CASES, 3)
    found = block(cases.context, cases.query)
    assert isinstance(block.contextual, nn.Module)
    assert isinstance(block.norm, nn.Module)
    expected = []
    for case in range(CASES):
        query: list[float] = cases.query[case].tolist()
        stream = attended(block.contextual, block_id, cases.context[case], cases.query[case])
        answer = NETWORKS[block_id](block.network, normalised(block.norm, query if block.parallel else stream))
        expected.append([x + y for x, y in zip(stream, answer, strict=True)])
    apart = (found - torch.tensor(expected, dtype=torch.float64)).abs().amax(-1) / found.abs().amax(-1)
    assert float(apart.max()) < CLOSE
    # The planted negative: the stream alone, or another case, is not that near.
    assert float(((found - torch.tensor(expected[1:] + expected[:1], dtype=torch.float64)).abs().amax(-1)).min()) > CLOSE


@pytest.mark.parametrize(
    ("block_id", "claim"),
    [
        *((name, name) for name in ("pre-ln", "mixture-of-experts", "parallel")),
        *(("pre-ln-gated", "bias-free-output"), ("attention-skip", "theorem-a.2"), ("attention", "corollary-2.3.1")),
    ],
)
def test_each_form_of_block_has_its_claim(block_id: str, claim: str, blocks: dict[str, TrainedBlock]) -> None:
    assert claim_of(SCENARIO, blocks[block_id].model.block) == claim


WRONG_OUTPUTS: dict[str, Callable[..., object]] = {
    "left out": lambda delta, h: (delta - delta) @ h.mT,
    "half of it": lambda delta, h: delta @ h.mT / (h.mT @ h + h.mT @ h),
    "one part in 64 too much": lambda delta, h: (delta + delta / 64.0) @ formulas.transpose(h) / formulas.squared_norm(h),
}


@pytest.mark.parametrize("block_id", MATRIX)
@pytest.mark.parametrize("wrong", WRONG_OUTPUTS)
def test_a_wrong_output_update_is_seen_at_the_output(
    wrong: str, block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formulas, "output_update", WRONG_OUTPUTS[wrong])
    found = measured(blocks[block_id], machine["fp32"], cases=128)
    assert found.verdict is Verdict.VIOLATED
    assert found.counts[Verdict.VIOLATED] > 64
    assert bool((found.judged.ratio <= 1).all()), "the first layer has its right update"


@pytest.mark.parametrize(
    ("block_id", "formula", "wrong"),
    [
        ("mixture-of-experts", "expert_target", lambda delta, gates: delta),
        ("pre-ln", "bias_update", lambda b_prime, delta: b_prime + (delta - delta)),
        ("attention-skip", "bias_update", lambda b_prime, delta: b_prime + (delta - delta)),
    ],
)
def test_a_target_that_is_not_divided_by_the_gates_and_a_bias_update_that_is_left_out_are_seen(
    block_id: str, formula: str, wrong: Callable, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formulas, formula, wrong)
    assert measured(blocks[block_id], machine["fp32"], cases=128).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("of_gates", [False, True])
def test_the_radii_of_h_and_of_the_gates_are_in_the_patch(of_gates: bool, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """Against exact rationals, at both ends of a radius of 1/8: W_o + (δ/Σγ)hᵀ/‖h‖², entry by entry; far more than roundings lie between."""
    block, probed = block_in_format(blocks["mixture-of-experts"].model.block, machine["fp64"]), machine["fp64"]
    layers, found = output_layers(block, wiring(block)), hazards(1)
    assert layers.gates is not None
    generator = torch.Generator().manual_seed(2)

    def column(rows: int, radius: float) -> WithRadius:
        value = torch.rand((1, rows, 1), generator=generator, dtype=torch.float64) + 0.5
        return exact(value, probed.layer, found, radius=torch.full_like(value, radius))

    h, gates, change = column(32, 0.0 if of_gates else 0.125), column(4, 0.125 if of_gates else 0.0), column(32, 0.0)
    values = {call.reads[0]: h for call in layers.matrices} | {layers.gates: gates}
    patch = output_patch(block, layers, change, values, probed)
    name = "network.experts.1.2.weight"
    W = block.get_parameter(name)
    value, radius = patch[name].value[0], patch[name].radius.dense(32, 32)[0]
    for share in (-1, 1):
        off = Fraction(share, 8)
        true_h = [Fraction(x) + (0 if of_gates else off) for x in h.value.flatten().tolist()]
        total = sum(Fraction(x) + (off if of_gates else 0) for x in gates.value.flatten().tolist())
        for i, j in ((0, 0), (7, 30), (31, 5)):
            true = Fraction(float(W[i, j])) + Fraction(float(change.value[0, i, 0])) / total * true_h[j] / sum(x * x for x in true_h)
            apart = abs(Fraction(float(value[i, j])) - true)
            assert Fraction(2) ** -30 < apart <= Fraction(float(radius[i, j]))


def test_what_the_stream_lacks_is_resolved_at_the_output(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """The resolution of a carrying block is not better than bound over |δ| at its output."""
    sides = measure_sides(*drawn(blocks["pre-ln"], machine["bf16"], 64, 3), FORMULA, machine["bf16"])
    bound, lacks = sides.output_bound.amax(-1), sides.output_effect
    assert lacks is not None
    at_output = (bound / lacks.amax(-1)).numpy()
    assert bool((judge(sides).resolution >= at_output * (1 - 2.0**-40)).all())
    alone = judge(replace(sides, output_effect=100 * lacks)).resolution
    assert bool((alone < judge(sides).resolution).any()), "were it not asked of the output, this would change nothing"


def test_only_first_layers_of_a_parallel_block_are_left_alone(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    block = block_in_format(blocks["parallel"].model.block, machine["fp64"])
    assert [call.name for call in output_layers(block, wiring(block)).matrices] == ["2"]
    found = measured(blocks["parallel"], machine["fp64"], cases=128)
    assert not found.judged.effect.any()
    assert found.wrong_verdict is Verdict.VIOLATED
    assert found.resolution < 1


class Tail(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Linear(4, 4), nn.ReLU()

    def forward(self, v: Tensor) -> Tensor:
        return self.act(self.first(v))


def test_a_network_that_ends_in_nothing_that_takes_the_stream_is_refused() -> None:
    block = ContextualBlock(lambda context, query: query, Tail(), "first", input_width=4, norm=nn.LayerNorm(4))
    with pytest.raises(UnusableBlock, match="nothing takes what the stream lacks"):
        output_layers(block, wiring(block))


@pytest.mark.parametrize(("options", "said"), [({"skip": True, "norm": nn.LayerNorm(4)}, "Definition A.1"), ({"parallel": True}, "give its norm")])
def test_forms_that_contradict_each_other_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(UnusableBlock, match=said):
        ContextualBlock(lambda context, query: query, Tail(), "first", input_width=4, **options)  # type: ignore[arg-type]


def test_numerics_of_a_layer_without_a_bias_have_their_own_order(arithmetic: dict[str, ErrorModel]) -> None:
    """What the machine was asked of layers with a bias is not taken for known of those without."""
    asked = {at.kernel for at in arithmetic["fp32"].orders if (at.rows, at.columns) == (64, 32)}
    assert any("no bias" in kernel for kernel in asked)
