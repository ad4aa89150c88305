"""â + ε in place of â: the move is predicted exactly, grows against ‖a‖, and leaving it out is seen."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from flint import arb, ctx
from torch import Tensor

from numeric.architecture import ContextualBlock
from numeric.arithmetics import WithRadius, ball, exact, hazards
from numeric.arithmetics.balls import BITS
from numeric.arithmetics.value_and_radius import from_module
from numeric.cells import Measurement, Scenario, measure_cell
from numeric.formats import MODES
from numeric.machine import ProbedMode
from numeric.scenarios import recompute, scenarios_named
from numeric.sides import Batch, both_sides, measure_sides
from numeric.sides.passes import Patch, patched_forward
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic import formulas
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import a_cell, drawn

(SCENARIO,) = scenarios_named(["recompute"])
PLAIN = ["fp64", "fp32", "bf16", "fp16"]


def measured(trained: TrainedBlock, probed: ProbedMode, scenario: Scenario = SCENARIO) -> Measurement:
    return measure_cell(replace(a_cell(trained, probed, cases=512), scenario=scenario), 0)


@pytest.mark.parametrize("name", PLAIN)
def test_the_move_is_what_ball_arithmetic_says(name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    probed = machine[name]
    block, cases = drawn(blocks["attention"], probed, 64, 3, "recompute")
    found = measure_sides(block, cases, VARIANTS[0], probed, SCENARIO.attend)
    assert bool((found.again != found.a).any())
    W, z, a = (exact(x, probed.update, hazards(64)) for x in (block.first.weight.detach(), found.z.unsqueeze(-1), found.a.unsqueeze(-1)))
    predicted = both_sides._moved(W, z, a, (found.again.double() - found.a.double()).unsqueeze(-1))
    radius = predicted.entry_radius
    W_ball = ball(W.value.double().tolist())
    noticed = 0
    with ctx.workprec(BITS):
        for case in range(0, 64, 5):
            z_ball, a_ball, again = (ball([[x] for x in t[case].double().tolist()]) for t in (found.z, found.a, found.again))
            true = formulas.perturbation(W_ball, formulas.context_vector(z_ball, a_ball), a_ball, again - a_ball).entries()
            ours, theirs = predicted.value[case].flatten().tolist(), radius[case].flatten().tolist()
            assert ours == found.moved[case].tolist()
            assert all(abs(arb(x) - y) <= arb(r) for x, y, r in zip(ours, true, theirs, strict=True))
            # The planted negative: one of the two terms alone is not inside, wherever there is a move.
            alone = (W_ball @ (again - a_ball)).entries()
            noticed += not all(abs(arb(x) - y) <= arb(r) for x, y, r in zip(ours, alone, theirs, strict=True))
    assert noticed > 0


@pytest.mark.parametrize("name", PLAIN)
def test_the_move_grows_as_the_query_shrinks(name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    judged = measured(blocks["attention"], machine[name]).judged
    relative = judged.moved / judged.effect
    level = np.arange(len(relative)) % recompute.LEVELS
    near, far = (np.median(relative[(level == which) & (judged.reason == "")]) for which in (recompute.LEVELS - 1, 0))
    # ‖ε‖ stays and ‖a‖ falls by the format's whole significand; half of that, in the exponent, is far beyond chance.
    assert near > far * 2.0 ** (machine[name].mode.activations.significand_bits / 2)


@pytest.mark.parametrize("name", PLAIN)
def test_a_prediction_that_is_left_out_is_a_violation(
    name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = measured(blocks["attention"], machine[name])
    assert right.verdict is Verdict.HOLDS
    assert right.moves_noticed > 0
    true = both_sides._moved

    def left_out(W: WithRadius, z: WithRadius, a: WithRadius, epsilon: Tensor) -> WithRadius:
        moved = true(W, z, a, epsilon)
        return from_module(torch.zeros_like(moved.value), moved.entry_radius, moved)

    monkeypatch.setattr(both_sides, "_moved", left_out)
    wrong = measured(blocks["attention"], machine[name])
    assert wrong.verdict is Verdict.VIOLATED
    assert wrong.counts[Verdict.VIOLATED] >= right.moves_noticed


@pytest.mark.parametrize("name", ["fp64", "fp32"])
def test_a_prediction_with_the_row_of_the_full_output_is_a_violation(
    name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim's own mutant: zᵀε in place of aᵀε."""
    transpose, norm = formulas.transpose, formulas.squared_norm
    monkeypatch.setattr(formulas, "perturbation", lambda W, delta, a, e: (W @ delta) @ (transpose(a + delta) @ e / norm(a)) + W @ e)
    assert measured(blocks["attention"], machine[name]).verdict is Verdict.VIOLATED


def test_a_cell_in_which_nothing_moves_shows_nothing(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """The same kernel again: ε = 0, so the claim was not tested."""

    def same(block: ContextualBlock, cases: Batch, probed: ProbedMode) -> Tensor:
        weights = {"network.0.weight": block.first.weight.detach().expand(len(cases.query), -1, -1)}
        return patched_forward(block, cases.kept, cases.query, Patch(weights), probed).attended

    found = measured(blocks["attention"], machine["fp32"], replace(SCENARIO, attend=same))
    assert not found.judged.moved.any()
    assert found.counts[Verdict.HOLDS] == 512
    assert found.verdict is Verdict.VACUOUS


@pytest.mark.parametrize("name", [mode.id for mode in MODES if mode.inputs is None and mode.id != "fp16-reduced" and "cpu" in mode.runs_on])
def test_every_mode_that_reaches_far_enough_tests_the_prediction(name: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    assert measured(blocks["attention"], machine[name]).moves_noticed > 0


def test_what_is_predicted_to_move_has_a_radius_that_covers_it() -> None:
    """(WΔA)(aᵀε)/‖a‖² + Wε in fp64 against fractions: within its radius, and not without one."""
    generator = torch.Generator().manual_seed(0)
    W, z, a, epsilon = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((3, 4), (6, 4, 1), (6, 4, 1), (6, 4, 1)))
    epsilon = epsilon * 2.0**-20
    given = hazards(6)
    found = both_sides._moved(*(exact(x, both_sides.FP64, given) for x in (W, z, a)), epsilon)
    radius, off = found.radius.dense(3, 1), 0
    for case in range(6):
        zs, az, es = ([Fraction(x) for x in vector[case, :, 0].tolist()] for vector in (z, a, epsilon))
        along = sum((p * q for p, q in zip(az, es, strict=True)), Fraction(0)) / sum((p * p for p in az), Fraction(0))
        for i, row in enumerate(W.tolist()):
            true = sum((Fraction(w) * ((p - q) * along + e) for w, p, q, e in zip(row, zs, az, es, strict=True)), Fraction(0))
            error = abs(Fraction(float(found.value[case, i, 0])) - true)
            assert error <= Fraction(float(radius[case, i, 0]))
            off += error > 0
    assert off > 0


def test_the_right_sides_radius_includes_that_of_what_it_is_predicted_to_move(
    blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    block, cases = drawn(blocks["attention"], machine["fp32"], 64, 0, "recompute")

    def radius() -> Tensor:
        return measure_sides(block, cases, VARIANTS[0], machine["fp32"], SCENARIO.attend).right.first_layer.radius

    plain, predicted = radius(), both_sides._moved

    def doubtful(*given):
        found = predicted(*given)
        return from_module(found.value, found.entry_radius + 1.0, found)

    monkeypatch.setattr(both_sides, "_moved", doubtful)
    assert bool((radius() >= plain + 1.0).all())
