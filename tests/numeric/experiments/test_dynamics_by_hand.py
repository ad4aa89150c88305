"""The dynamics as they are told, by plain loops over the parts of ``test_weight_paths_exactly.py``; and the planted readings in rationals."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import Enclosed, hazards
from numeric.blocks import blocks_named
from numeric.experiments import implicit_dynamics as subject
from numeric.experiments import weight_paths as paths
from numeric.experiments.first_layer import FirstLayer, LayerDifference
from numeric.experiments.implicit_dynamics import Dynamics, LostNumbers, MeasuredIdentity, NothingJudged, contextual_outputs, dynamics_of, kept_points
from numeric.experiments.weight_paths import Outputs
from numeric.sides import block_in_format
from numeric.training import TrainedBlock, draw_prompts
from numeric.training.train import untrained
from symbolic import formulas
from tests.numeric.experiments.test_implicit_dynamics import PROMPTS, TOKENS, Matrix, Small, factor, plus, rational, times, turned
from tests.numeric.experiments.test_weight_paths_exactly import HARDLY, SMALL, made, small

EVERY = range(1, TOKENS + 1)
IN_BOUNDS = 4
"""By how many bounds a planted reading may come out otherwise than over the reals: each of its two layers errs by one at most, and its weights by no more."""


def measured(case: Small) -> Dynamics:
    return dynamics_of(case.W, case.b, case.outputs, case.probed)


class Parts:
    """The differences of the four identities, made as the experiment makes them, of a few rows each."""

    def __init__(self, case: Small) -> None:
        n, flags, outputs = case.probed.update, hazards(PROMPTS * TOKENS), case.outputs
        layer = FirstLayer(case.W, case.b, case.probed, flags)
        B, S = paths.appendix_b_path(case.W, outputs, n, flags), paths.section_3_path(case.W, outputs, n, flags)
        suffix = outputs.suffix
        self.moved = layer.compared(B, suffix[:, 1:], suffix[:, :1].expand_as(suffix[:, 1:]))
        self.descended = layer.compared(S, outputs.alone, outputs.prefix[:, 1:])
        self.of_B, self.of_S = paths.propagated(B.strayed_by_step, outputs, EVERY, flags), torch.cumsum(S.strayed_by_step, dim=1)
        factors = paths.token_factors(outputs, n, flags)
        product = paths.by_the_product(case.W, factors, paths.propagated(factors.strayed, outputs, EVERY, flags), EVERY, n)
        self.factored = self.entries(case, B.weights, product, self.of_B)
        self.telescoped = self.entries(case, S.weights, paths.by_the_sum(case.W, outputs, n, flags), self.of_S)
        self.W_B, self.W_S = B.weights[:, -1].double(), S.weights[:, -1].double()

    @staticmethod
    def entries(case: Small, weights: Tensor, other: Enclosed, radius: Tensor) -> LayerDifference:
        return LayerDifference(weights[:, 1:].double(), other.value, radius + other.radius, weights[:, 1:].double() - case.W.double())


def numbers(x: Tensor) -> list[list[float]]:
    """By prompt, all entries."""
    return [row.flatten().tolist() for row in x]


def lower_median(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def close(found: float, wanted: float) -> bool:
    """Up to what float64 adds by rounding outward."""
    return found == wanted or abs(Fraction(found) - Fraction(wanted)) <= HARDLY * abs(Fraction(wanted))


def largest_ratio(error: list[float], bound: list[float]) -> float:
    return max(abs(e) / b if e else 0.0 for e, b in zip(error, bound, strict=True))


@pytest.mark.parametrize("of", SMALL)
@pytest.mark.parametrize("name", ["moved", "factored", "descended", "telescoped"])
def test_an_identity_is_told_by_its_worst_entries(name: str, of: tuple[str, int]) -> None:
    case = small(of)
    found: MeasuredIdentity = getattr(measured(case), name)
    parts: LayerDifference = getattr(Parts(case), name)
    error = parts.left - parts.right
    assert [point.tokens for point in found.points] == list(EVERY)
    for i, point in enumerate(found.points):
        for told, x in ((point.error, error), (point.bound, parts.bound), (point.effect, parts.effect)):
            assert close(told, lower_median([max(map(abs, row)) for row in numbers(x[:, i])]))
    assert close(found.worst, max(largest_ratio(*rows) for rows in zip(numbers(error), numbers(parts.bound), strict=True)))
    assert 0 < found.worst <= 1
    assert close(found.resolution, max(point.bound / point.effect for point in found.points))
    assert found.vacuous == ()


@pytest.mark.parametrize("of", SMALL)
def test_the_two_weights_are_compared(of: tuple[str, int]) -> None:
    """Apart by the norm of their difference over that of Section 3's step; each entry against both radii, and both layers at A(x) against both bounds."""
    case = small(of)
    found, parts = measured(case), Parts(case)
    apart, differ, agree = [], [], []
    for prompt in range(PROMPTS):
        exact_B, exact_S = case.exact_appendix_b(prompt)[-1], case.exact_section_3(prompt)[-1]
        both = [sum((x * x for row in plus(X, Y, -1) for x in row), Fraction(0)) for X, Y in ((exact_B, exact_S), (exact_S, rational(case.W)))]
        apart.append(math.sqrt(both[0] / both[1]))
        apart_by = (parts.W_B - parts.W_S)[prompt].flatten().tolist()
        differ.append(largest_ratio(apart_by, (parts.of_B + parts.of_S)[prompt, -1].flatten().tolist()))
        layers = (parts.moved.left - parts.descended.left)[prompt, -1].flatten().tolist()
        agree.append(largest_ratio(layers, (parts.moved.bound + parts.descended.bound)[prompt, -1].flatten().tolist()))
    assert abs(found.apart / lower_median(apart) - 1) <= 2.0**10 * case.probed.update.storage.unit_roundoff, "some hundred roundings"
    assert close(found.differ, min(differ))
    assert close(found.agree, max(agree))
    assert 0 < found.agree <= 1 < found.differ


def at_last(case: Small, prompt: int, W: Matrix) -> list[Fraction]:
    """(W - exact)·A(x) as the layer would have it: Wa - W₀z."""
    a, z = rational(case.outputs.prefix[prompt, 0]), rational(case.outputs.suffix[prompt, 0])
    return [x for (x,) in plus(times(W, a), times(rational(case.W), z), -1)]


def literal(case: Small, prompt: int) -> Matrix:
    """W₀ - h(Δ₁ + ... + Δₙ₋₁), all that Eq. (15) has as it is printed."""
    p = [rational(x) for x in case.outputs.prefix[prompt]]
    step = times(times(rational(case.W), plus(p[-1], p[1], -1)), turned(p[0]))
    return plus(rational(case.W), step, 1 / times(turned(p[0]), p[0])[0][0])


def by_prefixes(case: Small, prompt: int) -> Matrix:
    """Eq. (31) with pᵢ for the row: Wᵢ = Wᵢ₋₁ + Wᵢ₋₁(aᵢ₋₁ - aᵢ)pᵢᵀ/‖pᵢ‖²."""
    a, p = ([rational(x) for x in each[prompt]] for each in (case.outputs.suffix, case.outputs.prefix))
    W = rational(case.W)
    for (before, after), row in zip(pairwise(a), p[1:], strict=True):
        W = plus(W, times(times(W, plus(before, after, -1)), turned(row)), 1 / times(turned(row), row)[0][0])
    return W


def backwards(case: Small, prompt: int) -> Matrix:
    """W₀FₙFₙ₋₁⋯F₁."""
    W = rational(case.W)
    for before, after in reversed(list(pairwise([rational(x) for x in case.outputs.suffix[prompt]]))):
        W = times(W, factor(before, after))
    return W


@pytest.mark.parametrize("of", SMALL)
def test_the_planted_readings_are_those_of_the_rationals(of: tuple[str, int]) -> None:
    """The least over the prompts of the largest miss, by the bound of the right one."""
    case = small(of)
    found, parts = measured(case), Parts(case)
    for told, wrong, bound in (
        (found.literal, literal, parts.descended.bound[:, -1]),
        (found.prefix, by_prefixes, parts.moved.bound[:, -1]),
    ):
        least = min(largest_ratio([float(x) for x in at_last(case, prompt, wrong(case, prompt))], numbers(bound)[prompt]) for prompt in range(PROMPTS))
        assert abs(told - least) <= IN_BOUNDS + least * 2.0**-20
        assert told > 1000
    misses = []
    for prompt in range(PROMPTS):
        apart = plus(rational(parts.W_B[prompt]), backwards(case, prompt), -1)
        misses.append(largest_ratio([float(x) for row in apart for x in row], numbers(parts.factored.bound[:, -1])[prompt]))
    assert abs(found.reversed - min(misses)) <= IN_BOUNDS + min(misses) * 2.0**-20
    assert found.reversed > 1000


TOO_SMALL, TOO_LARGE = 2.0**-72, 2.0**126


@pytest.mark.parametrize("which", ["‖a‖² underflows, and nothing is lost", "a sum could pass Ω, and does not"])
def test_a_limit_that_was_foretold_refuses_the_prompt_though_all_is_finite(which: str) -> None:
    case = small(("fp32", 1))
    if which.startswith("‖a‖²"):
        case.outputs.suffix[1, 2] *= TOO_SMALL
    else:
        case.W[:] = torch.tensor([[1.0, 0.0, 0.0]]) * TOO_LARGE
        case.outputs.prefix[:], case.outputs.suffix[:] = case.outputs.prefix / 64, case.outputs.suffix / 64
        case.outputs.prefix[1] *= 64
        case.outputs.suffix[1] *= 64
    found = measured(case)
    assert (found.prompts, found.refused) == (PROMPTS - 1, 1)


def test_the_prompt_that_is_left_is_told_alone() -> None:
    """With the other refused, every number is what it would be of the one that is judged."""
    case = small(("fp32", 0))
    case.outputs.suffix[0, 2] = 0.0
    found = measured(case)
    case.outputs = Outputs(case.outputs.prefix[1:], case.outputs.suffix[1:])
    alone = measured(case)
    assert (found.prompts, found.refused, alone.prompts, alone.refused) == (1, 1, 1, 0)
    assert alone.literal == found.literal
    assert alone.apart == found.apart
    assert 0 < found.moved.worst <= 1
    assert found.moved.points[-1].effect == alone.moved.points[-1].effect


def test_tokens_without_effect_are_vacuous() -> None:
    case = small(("fp32", 0))
    same = case.outputs.prefix[:, :1].expand_as(case.outputs.prefix)
    case.outputs = Outputs(same, same)
    found = measured(case)
    for identity in (found.moved, found.descended):
        assert identity.vacuous == tuple(EVERY)
        assert identity.resolution == math.inf
        assert [point.effect for point in identity.points] == [0.0] * TOKENS


def test_a_bound_that_is_not_below_the_effect_is_vacuous() -> None:
    """By hand: effects 4, 1, 2 and 0 beside bounds of 1, 2, 2 and 3, of which the first alone shows something; then a second, smaller entry and its error."""
    effect, bound, error = (
        torch.tensor([x], dtype=torch.float64).reshape(1, 4, 1, 1) for x in ([-4.0, 1.0, 2.0, 0.0], [1.0, 2.0, 2.0, 3.0], [-0.5, 0.0, 1.5, 1.0])
    )
    zero = torch.zeros_like(error)
    judged = torch.tensor([True])
    found = subject._identity(LayerDifference(error, zero, bound, effect), EVERY[:4], [1, 3], judged)
    assert found.vacuous == (2, 3, 4)
    assert found.resolution == math.inf
    assert found.worst == 0.75
    assert [(point.tokens, point.error, point.bound, point.effect) for point in found.points] == [(1, 0.5, 1.0, 4.0), (3, 1.5, 2.0, 2.0)]
    some = subject._identity(LayerDifference(error[:, :3], zero[:, :3], bound[:, :3], effect[:, :3]), EVERY[:3], [1], judged)
    assert some.resolution == 2.0


def test_nothing_over_nothing_is_nothing() -> None:
    error, bound = torch.tensor([0.0, -3.0, 0.0, 1.0], dtype=torch.float64), torch.tensor([0.0, 2.0, 5.0, 0.0], dtype=torch.float64)
    assert subject._ratios(error, bound).tolist() == [0.0, 1.5, 0.0, math.inf]


def test_a_number_that_nothing_foretold_is_lost() -> None:
    """The planted one: a step that turns to NaN by itself is no limit of range; what reads its NaN is foretold."""
    case = small(("fp32", 0))
    right: Callable[..., Tensor] = formulas.rank_one_update

    def faulty(W: object, delta: object, a: object) -> object:
        found = right(W, delta, a)
        if isinstance(found, Tensor):
            return found * math.nan
        found.value.mul_(math.nan)
        found.hazards.came_out(found.value)
        return found

    with patch.object(formulas, "rank_one_update", faulty), pytest.raises(LostNumbers, match=f"after {PROMPTS} of {PROMPTS * TOKENS} tokens"):
        measured(case)


def test_all_refused_is_nothing_judged() -> None:
    case = small(("fp32", 0))
    case.outputs.suffix[:, 2] = 0.0
    with pytest.raises(NothingJudged, match="zero"):
        measured(case)


def test_a_block_s_dynamics_are_those_of_its_outputs() -> None:
    """Untrained, of narrow layers: the prompts of its own stream, embedded, and its first layer."""
    (row,) = blocks_named(["attention"])
    row = replace(row, recipe=replace(row.recipe, examples=4, width=8, heads=2, hidden=6, seed=2))
    trained = TrainedBlock(row, untrained(row).requires_grad_(False), 0.0, 0.0, (), 0.0, False, {})
    probed = made("fp32")
    found = subject.implicit_dynamics(trained, probed, prompts=3)
    assert (found.tokens, found.prompts) == (4, 3)
    raw = draw_prompts(row.recipe, 3, trained.generator(5))
    block = block_in_format(trained.model.block, probed)
    outputs = contextual_outputs(block, trained.model.embedding(raw.context), trained.model.embedding(raw.query))
    assert found == dynamics_of(block.first_weight, block.first_bias.unsqueeze(-1), outputs, probed)
    assert found.moved.worst <= 1 < found.literal


@pytest.mark.parametrize(("tokens", "kept"), [(1, [1]), (2, [1, 2]), (21, list(range(1, 22, 2))), (101, list(range(1, 102, 10)))])
def test_eleven_numbers_of_tokens_are_kept(tokens: int, kept: list[int]) -> None:
    assert kept_points(tokens) == kept
