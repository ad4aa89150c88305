"""The implicit dynamics: exact rationals lie inside every radius, wrong readings and wrong formulas lie outside, and trained blocks hold."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.arithmetics import hazards
from numeric.arithmetics.matrix_products import product_error
from numeric.experiments.first_layer import FirstLayer
from numeric.experiments.implicit_dynamics import NothingJudged, contextual_outputs, dynamics_of, implicit_dynamics, kept_points
from numeric.experiments.weight_paths import Outputs, appendix_b_path, by_the_product, by_the_sum, propagated, section_3_path, token_factors
from numeric.formats import torch_dtype
from numeric.machine import ErrorModel, ProbedMode, Refinement
from numeric.training import TrainedBlock
from symbolic import formulas

D, M, TOKENS, PROMPTS = 3, 4, 5, 2
FORMATS = ("fp64", "fp32", "bf16", "fp16", "fp32-ftz")

Matrix = list[list[Fraction]]


def rational(x: Tensor) -> Matrix:
    """x: (p, q)."""
    return [[Fraction(entry) for entry in row] for row in x.double().tolist()]


def times(X: Matrix, Y: Matrix) -> Matrix:
    return [[sum((x * y for x, y in zip(row, column, strict=True)), Fraction()) for column in zip(*Y, strict=True)] for row in X]


def plus(X: Matrix, Y: Matrix, sign: Fraction | int = 1) -> Matrix:
    return [[x + sign * y for x, y in zip(*rows, strict=True)] for rows in zip(X, Y, strict=True)]


def turned(X: Matrix) -> Matrix:
    return [list(column) for column in zip(*X, strict=True)]


def factor(before: Matrix, a: Matrix) -> Matrix:
    """1 + (aᵢ₋₁ - aᵢ)aᵢᵀ/‖aᵢ‖², written out."""
    one = [[Fraction(row == column) for column in range(len(a))] for row in range(len(a))]
    return plus(one, times(plus(before, a, -1), turned(a)), 1 / times(turned(a), a)[0][0])


def within(value: Tensor, exact: Matrix, radius: Tensor) -> bool:
    rows = zip(rational(value), exact, rational(radius), strict=True)
    return all(abs(x - y) <= r for row in rows for x, y, r in zip(*row, strict=True))


class Small:
    """Random vectors at d = 3, m = 4, n = 5 in a mode."""

    def __init__(self, probed: ProbedMode, seed: int) -> None:
        self.probed = probed.without([Refinement.SUMMATION_ORDER])
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64).to(torch_dtype(probed.mode.activations))

        self.W, self.b = draw(M, D), draw(M, 1)
        shared = draw(PROMPTS, 2, D, 1)  # A(x) and A(C,x), which both families hold
        middle = draw(2, PROMPTS, TOKENS - 1, D, 1)
        self.outputs = Outputs(torch.cat([shared[:, :1], middle[0], shared[:, 1:]], 1), torch.cat([shared[:, 1:], middle[1], shared[:, :1]], 1))
        self.found = hazards(PROMPTS * TOKENS)

    @property
    def numerics(self) -> ErrorModel:
        return self.probed.update

    def exact_appendix_b(self, prompt: int) -> list[Matrix]:
        found, a = [rational(self.W)], [rational(x) for x in self.outputs.suffix[prompt]]
        for before, after in pairwise(a):
            found.append(times(found[-1], factor(before, after)))
        return found

    def exact_section_3(self, prompt: int) -> list[Matrix]:
        """W₀ + W₀(pᵢ - a)aᵀ/‖a‖², Eq. (13): no recursion at all."""
        p = [rational(x) for x in self.outputs.prefix[prompt]]
        W, row = rational(self.W), turned(p[0])
        return [plus(W, times(times(W, plus(each, p[0], -1)), row), 1 / times(row, p[0])[0][0]) for each in p]


@pytest.fixture(params=[(mode, seed) for mode in FORMATS for seed in range(2)], ids=str)
def small(request: pytest.FixtureRequest, machine: dict[str, ProbedMode]) -> Small:
    mode, seed = request.param
    return Small(machine[mode], seed)


def test_the_exact_weights_of_appendix_b_lie_inside_both_radii(small: Small) -> None:
    """By the recursion and by the product, after every token; W₀F₁⋯Fᵢ in rationals has no rounding at all."""
    n, at = small.numerics, range(1, TOKENS + 1)
    path = appendix_b_path(small.W, small.outputs, n, small.found)
    factors = token_factors(small.outputs, n, small.found)
    radius = propagated(path.strayed_by_step, small.outputs, at, small.found)
    product = by_the_product(small.W, factors, propagated(factors.strayed, small.outputs, at, small.found), at, n)
    for prompt in range(PROMPTS):
        exact = small.exact_appendix_b(prompt)
        for i in at:
            assert within(path.weights[prompt, i], exact[i], radius[prompt, i - 1])
            assert within(product.value[prompt, i - 1], exact[i], product.radius[prompt, i - 1])
        assert not within(path.weights[prompt, -1] + radius[prompt, -1] * 3, exact[-1], radius[prompt, -1]), "the radius is one"


def test_the_exact_weights_of_section_3_lie_inside_both_radii(small: Small) -> None:
    n = small.numerics
    path, total = section_3_path(small.W, small.outputs, n, small.found), by_the_sum(small.W, small.outputs, n, small.found)
    radius = torch.cumsum(path.strayed_by_step, dim=1)
    for prompt in range(PROMPTS):
        for i, exact in enumerate(small.exact_section_3(prompt)[1:]):
            assert within(path.weights[prompt, i + 1], exact, radius[prompt, i])
            assert within(total.value[prompt, i], exact, total.radius[prompt, i])


def test_what_a_path_carries_is_inside_its_sum(small: Small) -> None:
    """Eq. (2): Ŵᵢaᵢ - W₀a₀ and Ŵᵢa - W₀pᵢ in rationals, from the weights that the machine held."""
    W = rational(small.W)
    alone, whole = small.outputs.prefix[:, :1], small.outputs.suffix[:, :1]
    for path, own, goal in (
        (appendix_b_path(small.W, small.outputs, small.numerics, small.found), small.outputs.suffix, whole.expand_as(small.outputs.suffix)),
        (section_3_path(small.W, small.outputs, small.numerics, small.found), alone.expand_as(small.outputs.prefix), small.outputs.prefix),
    ):
        carried = path.carried(own[:, 1:])
        for prompt in range(PROMPTS):
            for i in range(1, TOKENS + 1):
                held, exact = times(rational(path.weights[prompt, i]), rational(own[prompt, i])), times(W, rational(goal[prompt, i]))
                apart = plus(held, exact, -1)
                assert all(abs(x) <= r for (x,), (r,) in zip(apart, rational(carried[prompt, i - 1]), strict=True))


def test_the_first_layer_with_other_weights_is_inside_its_bound(small: Small) -> None:
    path = appendix_b_path(small.W, small.outputs, small.numerics, small.found)
    suffix = small.outputs.suffix
    found = FirstLayer(small.W, small.b, small.probed, small.found).compared(path, suffix[:, 1:], suffix[:, :1].expand_as(suffix[:, 1:]))
    assert bool(((found.left - found.right).abs() <= found.bound).all())
    exact = plus(times(rational(small.W), rational(suffix[0, 0])), rational(small.b))
    assert within(found.left[0, -1], exact, found.bound[0, -1])


vectors = st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2), min_size=3, max_size=5)


@settings(max_examples=100, deadline=None)
@given(vectors)
def test_the_factors_carry_each_suffix_to_the_one_before(drawn: list[list[int]]) -> None:
    """Fₖ₊₁⋯Fₙaₙ = aₖ, on which Eq. (2) rests; in the opposite order it is false."""
    a = [[[Fraction(x)] for x in vector] for vector in drawn]
    assume(all(any(x for (x,) in vector) for vector in a[1:]))
    reached = a[-1]
    for k in range(len(a) - 1, 0, -1):
        reached = times(factor(a[k - 1], a[k]), reached)
        assert reached == a[k - 1]


@settings(max_examples=100, deadline=None)
@given(vectors, st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=5, max_size=5))
def test_what_steps_stray_by_is_carried_on_by_the_later_factors(drawn: list[list[int]], strayed: list[list[int]]) -> None:
    """Eq. (1): with any Lₖ, W̃ₖ = W̃ₖ₋₁Fₖ + Lₖ ends ΣLₖFₖ₊₁⋯Fₙ away, exactly."""
    a = [[[Fraction(x)] for x in vector] for vector in drawn]
    assume(all(any(x for (x,) in vector) for vector in a[1:]))
    factors = [factor(before, after) for before, after in pairwise(a)]
    true = held = [[Fraction(1), Fraction(2)]]
    total = [[Fraction(), Fraction()]]
    for F, row in zip(factors, strayed, strict=False):
        L = [[Fraction(x) for x in row]]
        true, held, total = times(true, F), plus(times(held, F), L), plus(times(total, F), L)
    assert plus(held, true, -1) == total


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_sum_over_products_is_never_above_a_chain_of_radii(seed: int) -> None:
    """|Fₖ₊₁⋯Fᵢ| ≤ |Fₖ₊₁|⋯|Fᵢ|: what the arithmetic of radii, step by step, would have made of the same λₖ."""
    generator = torch.Generator().manual_seed(seed)
    suffix, strayed = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((1, 7, D, 1), (1, 6, M, D)))
    strayed, at = strayed.abs(), [1, 4, 6]
    found = propagated(strayed, Outputs(suffix, suffix), at, hazards(6))
    chain = torch.zeros_like(strayed[:, 0])
    for k in range(1, 7):
        before, a = suffix[:, k - 1], suffix[:, k]
        chain = chain @ formulas.token_factor(torch.eye(D, dtype=torch.float64), before - a, a).abs() + strayed[:, k - 1]
        if k in at:
            above = chain * (1 + 2.0**-40)  # both sides are rounded
            assert bool((found[:, at.index(k)] <= above + found[:, at.index(k)] * 2.0**-30).all())
            assert bool((found[:, at.index(k)] >= strayed[:, k - 1]).all())


def test_where_a_chain_of_radii_explodes_the_sum_over_products_does_not() -> None:
    """50 independent vectors: the machine's errors are not amplified, and a bound that says they may be is of no use."""
    suffix = torch.randn((1, 51, 32, 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    strayed = torch.ones((1, 50, 1, 32), dtype=torch.float64)
    found = propagated(strayed, Outputs(suffix, suffix), [50], hazards(50))
    chain = torch.zeros_like(strayed[:, 0])
    for before, a, added in zip(suffix[:, :-1].unbind(1), suffix[:, 1:].unbind(1), strayed.unbind(1), strict=True):
        chain = chain @ formulas.token_factor(torch.eye(32, dtype=torch.float64), before - a, a).abs() + added
    assert float(found.max()) < 1000
    assert float(chain.max()) > 2.0**40


@pytest.mark.parametrize("mode", FORMATS)
def test_a_product_of_matrices_is_inside_its_bound_and_twice_that_is_not(mode: str, machine: dict[str, ProbedMode]) -> None:
    n, generator = machine[mode].update, torch.Generator().manual_seed(3)
    for exponent in (0, -60, 30 if mode != "fp16" else 3):
        X, Y = (torch.randn((1, 6, 6), generator=generator, dtype=torch.float64) for _ in range(2))
        X, Y = X.to(torch_dtype(n.storage)), (Y * 2.0**exponent).to(torch_dtype(n.storage))
        with n.running():
            value = X @ Y
        bound = product_error(X, Y, value, n)[0]
        exact = times(rational(X[0]), rational(Y[0]))
        assert within(value[0], exact, bound)
        assert not within(value[0].double() + 2 * bound, exact, bound)


def random_outputs(probed: ProbedMode, seed: int = 5) -> tuple[Tensor, Tensor, Outputs]:
    case = Small(probed, seed)
    return case.W, case.b, case.outputs


WRONG = {
    "rank_one_update": ("moved", lambda W, delta, a: (W @ delta) @ a.mT / (a.mT @ a) / 1.00390625),
    "token_factor": ("factored", lambda one, delta, a: one + delta @ a.mT / (a.mT @ a) / 1.00390625),
    "token_effect": ("descended", lambda W, before, after, a: (W @ (before - after)) @ a.mT / 1.00390625),
    "gradient_step": ("descended", lambda W, slope, a: W - slope / (a.mT @ a) / 1.00390625),
}


@pytest.mark.parametrize("mode", ["fp64", "fp32"])
@pytest.mark.parametrize("name", WRONG)
def test_a_formula_that_is_one_part_in_256_off_shows(name: str, mode: str, machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch) -> None:
    """In every arithmetic, so that the radii are those of the wrong formula."""
    identity, wrong = WRONG[name]
    monkeypatch.setattr(formulas, name, wrong)
    assert getattr(dynamics_of(*random_outputs(machine[mode]), machine[mode]), identity).worst > 100


def test_a_recursion_whose_batch_adds_in_another_order_is_bounded_step_by_step(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """The radii are the same, entry by entry: nothing of the difference between two kernels enters them."""
    together = appendix_b_path(small.W, small.outputs, small.numerics, small.found)
    monkeypatch.setattr(torch, "equal", _first_answer_is_no(torch.equal))
    apart = appendix_b_path(small.W, small.outputs, small.numerics, small.found)
    monkeypatch.undo()
    assert torch.equal(apart.weights, together.weights)
    assert torch.allclose(apart.strayed_by_step, together.strayed_by_step, rtol=2.0**-45, atol=0.0), "but for float64's own rounding of them"
    assert len(apart.strayed.parts) == 1
    assert not apart.strayed.outers


def _first_answer_is_no(asked: Callable[[Tensor, Tensor], bool]) -> Callable[[Tensor, Tensor], bool]:
    answers = iter([False])
    return lambda x, y: next(answers, True) and asked(x, y)


@pytest.mark.parametrize("mode", ["fp64", "fp32"])
def test_random_vectors_hold_and_planted_readings_do_not(mode: str, machine: dict[str, ProbedMode]) -> None:
    found = dynamics_of(*random_outputs(machine[mode]), machine[mode])
    assert (found.tokens, found.prompts, found.refused) == (TOKENS, PROMPTS, 0)
    for identity in (found.moved, found.factored, found.descended, found.telescoped):
        assert identity.worst <= 1
        assert identity.resolution < 1
        assert identity.vacuous == ()
        assert [point.tokens for point in identity.points] == [1, 2, 3, 4, 5]
    assert found.agree <= 1
    assert min(found.literal, found.reversed, found.prefix, found.differ) > 1000


def test_a_zero_on_the_way_refuses_the_prompt_and_no_other(machine: dict[str, ProbedMode]) -> None:
    W, b, outputs = random_outputs(machine["fp32"])
    outputs.suffix[0, 2] = 0.0
    found = dynamics_of(W, b, outputs, machine["fp32"])
    assert (found.prompts, found.refused) == (PROMPTS - 1, 1)
    assert found.moved.worst <= 1
    outputs.prefix[:, 0] = 0.0
    with pytest.raises(NothingJudged, match="zero"):
        dynamics_of(W, b, outputs, machine["fp32"])


def test_tokens_without_effect_are_told_as_vacuous(machine: dict[str, ProbedMode]) -> None:
    """Every output is A(x): all identities hold, and none shows anything."""
    W, b, outputs = random_outputs(machine["fp32"])
    same = outputs.prefix[:, :1].expand_as(outputs.prefix)
    found = dynamics_of(W, b, Outputs(same, same), machine["fp32"])
    assert found.moved.vacuous == found.descended.vacuous == (1, 2, 3, 4, 5)
    assert found.moved.resolution == torch.inf
    assert not found.literal > 1


@pytest.mark.parametrize(("tokens", "kept"), [(1, [1]), (3, [1, 2, 3]), (50, [1, 6, 11, 16, 21, 25, 30, 35, 40, 45, 50])])
def test_curves_are_kept_from_the_first_token_to_the_last(tokens: int, kept: Sequence[int]) -> None:
    assert kept_points(tokens) == kept


@pytest.mark.parametrize(("block", "mode"), [("attention", "fp64"), ("attention", "fp32"), ("gru", "fp32")])
def test_a_trained_block_holds_and_the_planted_readings_are_far_outside(
    block: str, mode: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]
) -> None:
    found = implicit_dynamics(blocks[block], machine[mode], prompts=2)
    assert (found.tokens, found.refused) == (blocks[block].block.recipe.examples, 0)
    for identity in (found.moved, found.factored, found.descended, found.telescoped):
        assert identity.worst <= 1
        assert identity.resolution < 0.2
        assert len(identity.points) == 11
    assert found.agree <= 1
    assert min(found.literal, found.reversed, found.prefix, found.differ) > 100
    assert found.apart > 0.05


@pytest.mark.parametrize("block", ["attention", "gru"])
def test_the_outputs_are_those_of_the_tokens_that_are_left(block: str, blocks: dict[str, TrainedBlock]) -> None:
    module = blocks[block].model.block
    context, query = blocks[block].model.tokens(2, torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = contextual_outputs(module, context[:, :4], query)
        assert torch.equal(found.suffix[:, 1].squeeze(-1), module.contextual(context[:, 1:4], query))
        assert torch.equal(found.prefix[:, 1].squeeze(-1), module.contextual(context[:, :1], query))
    assert torch.equal(found.prefix[:, 0], found.suffix[:, 4])
    assert torch.equal(found.prefix[:, 4], found.suffix[:, 0])


def test_the_outputs_are_of_the_tokens_that_were_read_and_of_those_that_are_left(blocks: dict[str, TrainedBlock]) -> None:
    """The identities hold for any vectors, so what ties these to the paper's is told here: A(c₁..cᵢ,x) and A(cᵢ₊₁..cₙ,x), as the block itself reads them."""
    trained = blocks["pre-ln"]
    context, query = trained.model.tokens(3, torch.Generator().manual_seed(1))
    block = trained.model.block
    assert block.norm is not None
    found = contextual_outputs(block, context, query)
    n = context.shape[1]
    for i in (0, 1, 7, n):
        read, left = (part if part.shape[1] else None for part in (context[:, :i], context[:, i:]))
        assert torch.equal(found.prefix[:, i, :, 0], block.norm(block.contextual(read, query)))
        assert torch.equal(found.suffix[:, i, :, 0], block.norm(block.contextual(left, query)))
