"""The sums of ``weight_paths.py`` and ``first_layer.py``, each beside what its formula gives in rationals: no less, and hardly more."""

from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards
from numeric.arithmetics.envelope import Envelope
from numeric.experiments import weight_paths
from numeric.experiments.first_layer import FirstLayer
from numeric.experiments.weight_paths import Path, appendix_b_path, by_the_product, by_the_sum, propagated, section_3_path, token_factors
from numeric.formats import format_named, modes_named
from numeric.machine import FP64, ErrorModel, ProbedMode
from numeric.machine.kernels import ALL_KERNELS
from tests.numeric.experiments.test_implicit_dynamics import PROMPTS, TOKENS, D, M, Matrix, Small, factor, plus, rational, times, turned, within

AT = [1, 3, 5]
HARDLY = Fraction(1, 2**40)
"""Relative: what float64 adds by rounding a few hundred operations outward."""


def made(name: str) -> ProbedMode:
    """A machine that promises nothing but the format: any order of sums, and products that flush."""
    (mode,), row = modes_named([name]), format_named(name)
    n = FP64 if name == "fp64" else ErrorModel(row, row, row, ALL_KERNELS, False, False, False, device="cpu")
    return ProbedMode(mode, n, n, ())


SMALL = [("fp64", 0), ("fp32", 1)]


def small(of: tuple[str, int]) -> Small:
    return Small(made(of[0]), of[1])


def size(X: Matrix) -> Matrix:
    return [[abs(x) for x in row] for row in X]


def covers(found: Tensor, exact: Matrix, more: Fraction = HARDLY) -> bool:
    """found ≥ exact, and not by more than a part of it."""
    rows = zip(rational(found), exact, strict=True)
    return all(x <= r <= x * (1 + more) + Fraction(1, 2**1000) for row in rows for r, x in zip(*row, strict=True))


def strayed(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(8), dtype=torch.float64) + 2.0**-10


def zero(rows: int, width: int) -> Matrix:
    return [[Fraction(0)] * width for _ in range(rows)]


@pytest.mark.parametrize("of", SMALL)
def test_the_sum_over_products_of_factors(of: tuple[str, int]) -> None:
    """Eq. (1) with λ of one's own: Σ_{k≤i} λₖ|Fₖ₊₁⋯Fᵢ|, in rationals."""
    case, own = small(of), strayed(PROMPTS, TOKENS, M, D)
    found = propagated(own, case.outputs, AT, case.found)
    assert found.shape == (PROMPTS, len(AT), M, D)
    for prompt in range(PROMPTS):
        a = [rational(x) for x in case.outputs.suffix[prompt]]
        factors = [factor(before, after) for before, after in pairwise(a)]
        for place, i in enumerate(AT):
            total, product = zero(M, D), [[Fraction(p == q) for q in range(D)] for p in range(D)]
            for k in range(i, 0, -1):
                total = plus(total, times(rational(own[prompt, k - 1]), size(product)))
                product = times(factors[k - 1], product)
            assert covers(found[prompt, place], total)


def test_the_sum_that_a_path_carries() -> None:
    """Eq. (2) with λ of one's own and columns of either sign: Σ_{k≤i} λₖ|xₖ|."""
    own, columns = strayed(PROMPTS * TOKENS, M, D), torch.randn((PROMPTS, TOKENS, D, 1), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    path = Path(torch.zeros((PROMPTS, TOKENS + 1, M, D), dtype=torch.float64), Envelope(parts=(own,)))
    assert path.strayed_by_step.shape == (PROMPTS, TOKENS, M, D)
    assert bool(((path.strayed_by_step.flatten(0, 1) - own).abs() <= own * float(HARDLY)).all())
    found = path.carried(columns)
    for prompt in range(PROMPTS):
        total = zero(M, 1)
        for k in range(TOKENS):
            total = plus(total, times(rational(own[prompt * TOKENS + k]), size(rational(columns[prompt, k]))))
            assert covers(found[prompt, k], total)


@pytest.mark.parametrize("of", SMALL)
def test_products_of_factors_and_what_they_inherit(of: tuple[str, int]) -> None:
    """λₖ = |P̂ₖ₋₁|ρₖ + γ_d|P̂ₖ₋₁||F̂ₖ|, and |W₀| times a radius of one's own + γ_d|W₀||P̂ᵢ|: the least that they may be, and at most twice that."""
    case = small(of)
    n, u = case.numerics, Fraction(case.numerics.storage.unit_roundoff)
    gamma = D * u / (1 - D * u)
    factors, (each, rho) = token_factors(case.outputs, n, case.found), weight_paths._factors(case.outputs, n, case.found)
    assert torch.equal(each, factors.each)
    own = strayed(PROMPTS, len(AT), D, D) * float(u)
    product = by_the_product(case.W, factors, own, AT, n)
    for prompt in range(PROMPTS):
        for k in range(TOKENS):
            before, F = (size(rational(x)) for x in (factors.products[prompt, k], factors.each[prompt, k]))
            assert within(
                factors.products[prompt, k + 1], times(rational(factors.products[prompt, k]), rational(factors.each[prompt, k])), factors.strayed[prompt, k]
            )
            least = plus(times(before, rational(rho[prompt, k])), times(before, F), gamma)
            assert covers(factors.strayed[prompt, k], least, Fraction(1, 4))
        for place, i in enumerate(AT):
            W, P = size(rational(case.W)), size(rational(factors.products[prompt, i]))
            least = plus(times(W, rational(own[prompt, place])), times(W, P), gamma)
            assert covers(product.radius[prompt, place], least, Fraction(1, 4))


@pytest.mark.parametrize("of", SMALL)
def test_weights_by_the_sum(of: tuple[str, int]) -> None:
    """W₀ - hΣΔ: the sums of fl(Δ) themselves, and what a radius of theirs becomes."""
    case = small(of)
    n = case.numerics
    found = by_the_sum(case.W, case.outputs, n, case.found)
    p = case.outputs.prefix
    sums = weight_paths._path(case.W, torch.zeros_like(case.W), weight_paths.gradient_sum, (p[:, :-1], p[:, 1:], case.outputs.alone), n, case.found)
    for prompt, exactly in ((prompt, case.exact_section_3(prompt)) for prompt in range(PROMPTS)):
        a = rational(p[prompt, 0])
        total, radius = zero(M, D), zero(M, D)
        for i in range(TOKENS):
            step = times(times(rational(case.W), plus(rational(p[prompt, i]), rational(p[prompt, i + 1]), -1)), turned(a))
            total, radius = plus(total, step), plus(radius, rational(sums.strayed_by_step[prompt, i]))
            assert within(sums.weights[prompt, i + 1], total, torch.tensor([[float(r) for r in row] for row in radius], dtype=torch.float64))
            assert within(found.value[prompt, i], exactly[i + 1], found.radius[prompt, i])
            squares = times(turned(a), a)[0][0]
            assert all(r >= s / squares for row, given in zip(rational(found.radius[prompt, i]), radius, strict=True) for r, s in zip(row, given, strict=True))
            limit = plus(radius, size(plus(exactly[i + 1], rational(case.W), -1)), 64 * Fraction(n.storage.unit_roundoff) * squares)
            limit = plus([[x / squares for x in row] for row in limit], size(rational(case.W)), 64 * Fraction(n.storage.unit_roundoff))
            assert all(r <= 2 * s for row, given in zip(rational(found.radius[prompt, i]), limit, strict=True) for r, s in zip(row, given, strict=True))


@pytest.mark.parametrize("of", SMALL)
def test_both_paths_are_inside_what_they_stray_by(of: tuple[str, int]) -> None:
    """Step by step: each exact step from the weights that the machine held."""
    case = small(of)
    B, S = appendix_b_path(case.W, case.outputs, case.numerics, case.found), section_3_path(case.W, case.outputs, case.numerics, case.found)
    assert case.outputs.tokens == TOKENS
    assert case.outputs.alone.shape == (PROMPTS, TOKENS, D, 1)
    for prompt in range(PROMPTS):
        a, p = ([rational(x) for x in each[prompt]] for each in (case.outputs.suffix, case.outputs.prefix))
        for k in range(TOKENS):
            assert torch.equal(case.outputs.alone[prompt, k], case.outputs.prefix[prompt, 0])
            held = rational(B.weights[prompt, k])
            assert within(B.weights[prompt, k + 1], times(held, factor(a[k], a[k + 1])), B.strayed_by_step[prompt, k])
            slope = times(times(rational(case.W), plus(p[k + 1], p[k], -1)), turned(p[0]))
            step = plus(rational(S.weights[prompt, k]), slope, 1 / times(turned(p[0]), p[0])[0][0])
            assert within(S.weights[prompt, k + 1], step, S.strayed_by_step[prompt, k])


@pytest.mark.parametrize("of", SMALL)
def test_steps_made_one_by_one_stray_by_no_less(of: tuple[str, int]) -> None:
    """Where a larger batch comes out otherwise; the radii of prompts and tokens are in their places, and so are the hazards."""
    case = small(of)
    case.outputs.suffix[1, 2] = 0.0
    together = appendix_b_path(case.W, case.outputs, case.numerics, case.found)
    flags = hazards(PROMPTS * TOKENS)
    answers = iter([False])
    real = torch.equal
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "equal", lambda x, y: next(answers, True) and real(x, y))
        apart = appendix_b_path(case.W, case.outputs, case.numerics, flags)
    for name in ("underflow", "overflow", "not_finite"):
        assert torch.equal(getattr(flags, name), getattr(case.found, name)), name
    assert flags.underflow.nonzero().flatten().tolist() == [TOKENS + 1] + [TOKENS + k for k in range(2, TOKENS) if bool(flags.underflow[TOKENS + k])]
    first, second = apart.strayed_by_step[0], together.strayed_by_step[0]
    assert bool(((first - second).abs() <= second * 2.0**-40).all())


@pytest.mark.parametrize("otherwise", [False, True])
def test_a_path_has_the_radius_of_the_steps_that_were_made(otherwise: bool) -> None:
    """All at once they stray by 1/8, one by one by 3: the first is theirs only where all at once come to the same."""
    flags, vectors = hazards(PROMPTS * TOKENS), (torch.zeros((PROMPTS, TOKENS, D, 1), dtype=torch.float64),)

    def step(_: object, W: Tensor | WithRadius, x: object) -> Tensor | WithRadius:
        if isinstance(W, Tensor):
            return W + 1.0
        at_once = len(W.value) == PROMPTS * TOKENS
        value = W.value + (2.0 if at_once and otherwise else 1.0)
        return exact(value, FP64, W.hazards, radius=torch.full_like(value, 0.125 if at_once else 3.0))

    path = weight_paths._path(torch.zeros(M, D, dtype=torch.float64), torch.zeros(M, D, dtype=torch.float64), step, vectors, FP64, flags)
    assert path.weights[:, :, 0, 0].tolist() == [[float(k) for k in range(TOKENS + 1)]] * PROMPTS
    assert bool(((path.strayed_by_step - (3.0 if otherwise else 0.125)).abs() < 2.0**-40).all())


def test_each_factor_has_the_radius_of_its_own_token() -> None:
    """Factors 1 with radii rₖ: Σ_{k≤i} λₖ(1 + rₖ₊₁)⋯(1 + rᵢ) in rationals; radii in any other order give another number."""
    case, own, r = small(SMALL[0]), strayed(PROMPTS, TOKENS, M, D), [Fraction(1, 2 ** (k + 1)) for k in range(TOKENS)]
    one = torch.eye(D, dtype=torch.float64).expand(PROMPTS, TOKENS, D, D)
    radii = torch.tensor([float(t) for t in r], dtype=torch.float64).reshape(1, TOKENS, 1, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weight_paths, "_factors", lambda *_: (one, one * radii))
        found = propagated(own, case.outputs, AT, case.found)
    for prompt in range(PROMPTS):
        for place, i in enumerate(AT):
            total, product = zero(M, D), Fraction(1)
            for k in range(i, 0, -1):
                total = plus(total, rational(own[prompt, k - 1]), product)
                product *= 1 + r[k - 1]
            assert covers(found[prompt, place], total)


@pytest.mark.parametrize("of", SMALL)
def test_the_first_layer_with_a_paths_weights(of: tuple[str, int]) -> None:
    """Its bound is both layers' radii and what the path carries; its effect, what the tokens do."""
    case = small(of)
    path, suffix = appendix_b_path(case.W, case.outputs, case.numerics, case.found), case.outputs.suffix
    layer = FirstLayer(case.W, case.b, case.probed, case.found)
    whole = suffix[:, :1].expand_as(suffix[:, 1:])
    found = layer.compared(path, suffix[:, 1:], whole)
    left, right, before = layer.of(path.weights[:, 1:], suffix[:, 1:]), layer.of(case.W, whole), layer.of(case.W, suffix[:, 1:])
    carried = path.carried(suffix[:, 1:])
    for prompt in range(PROMPTS):
        for k in range(TOKENS):
            sides = [(left, rational(path.weights[prompt, k + 1]), suffix[prompt, k + 1]), (right, rational(case.W), suffix[prompt, 0])]
            for side, W, x in (*sides, (before, rational(case.W), suffix[prompt, k + 1])):
                assert within(side.value[prompt, k], plus(times(W, rational(x)), rational(case.b)), side.radius[prompt, k])
            total = plus(plus(rational(left.radius[prompt, k]), rational(right.radius[prompt, k])), rational(carried[prompt, k]))
            assert covers(found.bound[prompt, k], total)
    assert torch.equal(found.left, left.value)
    assert torch.equal(found.right, right.value)
    assert torch.equal(found.effect, right.value - before.value)


def test_a_limit_of_range_in_the_layer_is_marked_where_it_is_met() -> None:
    """Where the batch is the path's own, in its flags; another batch has flags of its own, and marks none of these."""
    case = small(("fp32", 0))
    case.W[0, 0], case.outputs.suffix[0, 1, 0] = 2.0**100, 2.0**100
    layer = FirstLayer(case.W, case.b, case.probed, case.found)
    layer.of(case.W, case.outputs.suffix[:, :1])
    layer.of(case.W, case.outputs.suffix[:, 1:3])
    assert not bool((case.found.overflow | case.found.not_finite).any())
    layer.of(case.W, case.outputs.suffix[:, 1:])
    assert (case.found.overflow | case.found.not_finite).nonzero().flatten().tolist() == [0]
