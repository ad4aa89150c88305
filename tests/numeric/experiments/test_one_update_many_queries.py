"""One update for many queries: exact laws at small sizes, fp64 against exact rationals, and what trained blocks show; each with a patch that is wrong."""

import math
from fractions import Fraction

import pytest
import torch
from flint import fmpq_mat
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numeric.architecture import ContextualBlock
from numeric.experiments.exact_least_squares import distance, exact_patch, rational
from numeric.experiments.least_squares import SingularPatch, is_singular, least_squares_patch, ridge_patch, span
from numeric.experiments.one_update_many_queries import (
    CONTEXTS,
    FRESH,
    QUERIES,
    StaticPatch,
    TrialSummary,
    _asked,
    _draw,
    _errors,
    _patched_loss,
    static_patches,
)
from numeric.training import TrainedBlock
from symbolic import formulas
from symbolic.exact import Exact

NUMBERS = st.fractions(-3, 3, max_denominator=5)
Rows = list[list[Fraction]]


def _matrices(rows: int, columns: int) -> st.SearchStrategy[Rows]:
    return st.lists(st.lists(NUMBERS, min_size=columns, max_size=columns), min_size=rows, max_size=rows)


@st.composite
def systems(draw: st.DrawFn, *, queries: int = 4, beside: int = 0) -> tuple[Exact, Exact, Exact]:
    """A (d, K), V (m, K) and another D (m, d): K ≤ 4, d ≤ 6, of which ``beside`` more than K if that is given; A of the rank that is needed."""
    K, m = draw(st.integers(1, queries)), draw(st.integers(1, 3))
    d = K + beside if beside else draw(st.integers(1, 6))
    A, V, D = (Exact.of(draw(_matrices(*shape))) for shape in ((d, K), (m, K), (m, d)))
    assume(A.matrix.rank() == min(d, K))
    return A, V, D


def _fp64(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def _square(X: Exact) -> Exact:
    return (X.mT @ X).trace()


@settings(max_examples=20, deadline=None)
@given(systems(queries=1), st.data())
def test_one_query_is_eq_1(system: tuple[Exact, Exact, Exact], data: st.DataObject) -> None:
    """In exact rationals: the least squares of one query are the paper's update, and not what it is without its division."""
    a, _, W = system
    delta = Exact.of(data.draw(_matrices(a.shape[0], 1)))
    found = Exact(exact_patch(a.matrix, (W @ delta).matrix))
    assert found == formulas.rank_one_update(W, delta, a)
    undivided = (W @ delta) @ a.mT
    assert found != undivided or undivided.is_zero() or formulas.squared_norm(a) == Exact.of([[1]])


@settings(max_examples=20, deadline=None)
@given(systems(), st.fractions(0, 2, max_denominator=4))
def test_no_other_matrix_comes_nearer(system: tuple[Exact, Exact, Exact], ridge: Fraction) -> None:
    """‖DA - V‖² + λ‖D‖² exceeds the least by exactly ‖(D - ΔW)A‖² + λ‖D - ΔW‖², for every D."""
    A, V, D = system
    X = Exact(exact_patch(A.matrix, V.matrix, rational([[ridge]])[0, 0]))
    excess = _square(D @ A - V) + _square(D) * ridge - _square(X @ A - V) - _square(X) * ridge
    assert excess == _square((D - X) @ A) + _square(D - X) * ridge
    if (D - X).is_zero():
        return
    assert Exact(((D @ A - V) @ A.mT + D * ridge).matrix).is_zero() == excess.is_zero(), "the normal equations hold of the minimisers alone"


@settings(max_examples=20, deadline=None)
@given(systems(beside=2))
def test_of_those_that_fit_it_is_the_smallest(system: tuple[Exact, Exact, Exact]) -> None:
    """With fewer queries than directions every one is fitted, and the squares add up for any other D that fits."""
    A, V, N = system
    X = Exact(exact_patch(A.matrix, V.matrix))
    assert X @ A == V
    D = X + N - Exact(exact_patch(A.matrix, (N @ A).matrix))
    assert D @ A == V
    assert _square(D) == _square(X) + _square(D - X)


@settings(max_examples=20, deadline=None)
@given(systems(), st.sampled_from([0.0, 0.25, 1.0]))
def test_fp64_leaves_of_the_normal_equations_what_rounding_may(system: tuple[Exact, Exact, Exact], ridge: float) -> None:
    """A solver that is backward stable by dK roundings an entry leaves at most 16dK·u·‖A‖(‖A‖‖X‖ + ‖V‖), and λ as much; an update that is off does not.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), theorems 20.3 and 10.4; 16 for the constants there.
    X - X₀ is R(AAᵀ + λI)⁻¹ with R what is left.
    """
    floats_A, floats_V = ([[float(Fraction(x)) for x in row] for row in matrix.rows()] for matrix in system[:2])
    a, v = (_fp64(rows) for rows in (floats_A, floats_V))
    A, V, lam = rational(floats_A), rational(floats_V), rational([[ridge]])[0, 0]
    X = ridge_patch(a, v, torch.tensor(ridge, dtype=a.dtype)) if ridge else least_squares_patch(a, v)
    left = float(a.numel() * 2.0**-49 * (a.norm() * (a.norm() * X.norm() + v.norm()) + ridge * X.norm()))
    target = max(abs(float(x)) for x in (V * A.transpose()).entries())
    assume(target > 0)
    found = distance(rational(X.tolist()), A, V, lam)
    assert found.normal * target <= left
    wrong = distance(rational((X + X.abs().max() / 256).tolist()), A, V, lam)
    assert wrong.patch > 2.0**-9
    normal = A * A.transpose() + fmpq_mat(A.nrows(), A.nrows(), [lam if i == j else 0 for i in range(A.nrows()) for j in range(A.nrows())])
    if normal.det() != 0:
        X_ = rational(X.tolist())
        rest = (X_ * A - V) * A.transpose() + X_ * lam
        assert X_ - exact_patch(A, V, lam) == rest * normal.inv()


def test_the_distance_is_that_of_two_numbers() -> None:
    """By hand: A = (2), V = (1), so the patch is ½; ¾ is half of it away, and leaves (¾·2 - 1)·2 = 1 of VAᵀ = 2."""
    found = distance(rational([[0.75]]), rational([[2.0]]), rational([[1.0]]))
    assert (found.patch, found.normal) == (0.5, 0.5)
    third = distance(rational([[0.0]]), rational([[3.0]]), rational([[1.0]]), rational([[1.0]])[0, 0])
    assert (third.patch, third.normal) == (1.0, 1.0)
    nearly = distance(rational([[1.0]]), rational([[3.0]]), rational([[2.0]])).patch
    assert nearly == 0.5
    up = distance(rational([[1.0]]), rational([[1.0]]), rational([[3.0]])).patch
    assert Fraction(up) > Fraction(2, 3) > Fraction(math.nextafter(up, 0)), "rounded upwards"


@pytest.mark.parametrize("ridge", [Fraction(0), Fraction(1, 4)])
def test_the_distance_in_a_diagonal_system_by_loops(ridge: Fraction) -> None:
    """A = diag(1, 2, 4): the patch has entries v a/(a² + λ), and X leaves (x a - v)a + λx of v a; the planted one is a share of A alone."""
    a, V, X = [1, 2, 4], [[3, -5, 7], [11, 1, -2]], [[1.0, -2.0, 1.0], [5.0, 0.5, -0.25]]
    wanted = [[v * s / (s * s + ridge) for v, s in zip(row, a, strict=True)] for row in V]
    left = [[(Fraction(x) * s - v) * s + ridge * Fraction(x) for x, v, s in zip(*rows, a, strict=True)] for rows in zip(X, V, strict=True)]
    apart = [[Fraction(x) - w for x, w in zip(*rows, strict=True)] for rows in zip(X, wanted, strict=True)]

    def largest(rows: list[list[Fraction]]) -> Fraction:
        return max(abs(x) for row in rows for x in row)

    right = largest([[Fraction(v * s) for v, s in zip(row, a, strict=True)] for row in V])
    A = rational([[Fraction(s if i == j else 0) for j in range(3)] for i, s in enumerate(a)])
    found = distance(rational(X), A, rational([[Fraction(v) for v in row] for row in V]), rational([[ridge]])[0, 0])
    for share, exactly in ((found.patch, largest(apart) / largest(wanted)), (found.normal, largest(left) / right)):
        assert Fraction(share) >= exactly > Fraction(math.nextafter(share, 0))
    assert Fraction(found.normal) < largest(left) / max(a)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]], "the 2 vectors A(x) span 1 directions of 3, and a patch for them needs 2."),
        ([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], "the 3 vectors A(x) span 1 directions of 2, and a patch for them needs 2."),
        ([[0.0], [0.0]], "the 1 vectors A(x) span 0 directions of 2, and a patch for them needs 1."),
    ],
)
def test_dependent_vectors_are_refused_by_name(rows: list[list[float]], words: str) -> None:
    """By both arithmetics alike; and with a ridge, asked for by its name, there is a patch."""
    V = [[1.0] * len(rows[0])]
    with pytest.raises(SingularPatch) as in_floats:
        least_squares_patch(_fp64(rows), _fp64(V))
    with pytest.raises(SingularPatch) as in_rationals:
        exact_patch(rational(rows), rational(V))
    assert str(in_floats.value) == str(in_rationals.value) == words
    assert isinstance(exact_patch(rational(rows), rational(V), 1), fmpq_mat)
    with pytest.raises(SingularPatch, match="positive"):
        ridge_patch(_fp64(rows), _fp64(V), torch.zeros((), dtype=torch.float64))


def test_one_singular_system_among_many_is_not_passed_over() -> None:
    A = torch.eye(2, dtype=torch.float64).repeat(3, 1, 1)
    A[1, 1, 1] = 0.0
    assert is_singular(A).tolist() == [False, True, False]
    with pytest.raises(SingularPatch, match="the 2 vectors A\\(x\\) span 1 directions of 2"):
        least_squares_patch(A, A)


def test_the_span_leaves_out_what_is_rounding() -> None:
    plane = torch.randn((50, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64) @ _fp64([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]])
    Q = span(plane * (1 / 3))
    assert Q.shape == (3, 2)
    assert torch.allclose(plane @ Q @ Q.mT, plane, rtol=2.0**-40, atol=2.0**-40)
    assert span(torch.cat([plane, torch.eye(3, dtype=torch.float64)])).shape == (3, 3)


@pytest.fixture(scope="module")
def found(blocks: dict[str, TrainedBlock]) -> dict[str, StaticPatch]:
    return {name: static_patches(blocks[name]) for name in ("attention", "linear-attention", "rnn")}


@pytest.mark.parametrize("name", ["attention", "attention-skip", "gru"])
def test_one_query_s_patch_is_eq_1_in_the_block(name: str, blocks: dict[str, TrainedBlock]) -> None:
    """At its query the block with the patch and without the context answers as with it; that of another trial does not."""
    with torch.no_grad():
        drawn = _draw(blocks[name])
        a, v = drawn.a[:, :1].mT, drawn.wanted[:, :1].mT
        patch = least_squares_patch(a, v)
        by_formula = formulas.rank_one_update(drawn.block.first.weight, (drawn.z - drawn.a)[:, :1].mT, a)
        assert float((patch - by_formula).norm() / by_formula.norm()) < 2.0**-40
        only = slice(1)
        assert float(_errors(drawn, patch, only).max()) < 2.0**-40 < float(_errors(drawn, patch.roll(1, 0), only).min())


def test_a_patched_pass_is_the_block_s_own(blocks: dict[str, TrainedBlock]) -> None:
    """A plain loop for one block with a skip connection: x + a + W′ReLU((W + ΔW)a + b) + b′ + mean ΔA, last coordinate, written out."""
    with torch.no_grad():
        drawn = _draw(blocks["attention-skip"])
        block: ContextualBlock = drawn.block
        update = torch.linspace(-1, 1, CONTEXTS, dtype=torch.float64)[:, None, None] * block.first.weight
        first, second = block.network[0], block.network[2]
        losses = []
        for trial in range(CONTEXTS):
            shift = sum(drawn.z[trial, k] - drawn.a[trial, k] for k in range(4)) / 4
            squares = []
            for i in range(FRESH.start, FRESH.stop):
                a = drawn.a[trial, i]
                hidden = ((first.weight + update[trial]) @ a + first.bias).clamp_min(0.0)
                p = drawn.query[trial, i] + a + second.weight @ hidden + second.bias + shift
                squares.append(float(0.5 * (p[-1] - drawn.answer[trial, i]) ** 2))
            losses.append(sum(squares) / len(squares))
        loss = _patched_loss(drawn, update, 4)
    assert math.isclose(loss.mean, sum(losses) / CONTEXTS, rel_tol=2.0**-40)
    middle = sorted(losses)[CONTEXTS // 2 - 1 : CONTEXTS // 2 + 1]
    assert math.isclose(loss.median, sum(middle) / 2, rel_tol=2.0**-40)


def test_a_query_s_answer_is_that_of_its_context(blocks: dict[str, TrainedBlock]) -> None:
    """The queries go with the context's own h: least squares on its 50 examples give w, and ⟨w, x⟩ is the answer; a neighbour's w gives another."""
    with torch.no_grad():
        drawn = _draw(blocks["attention"])
        embedding = blocks["attention"].model.embedding.weight.double()
        x = drawn.query @ torch.linalg.pinv(embedding).mT
        assert float(x[..., -1].abs().max()) < 2.0**-30, "no query carries its answer"
        w = torch.linalg.lstsq(x[..., :-1], drawn.answer[..., None]).solution
        assert torch.allclose((x[..., :-1] @ w)[..., 0], drawn.answer, atol=2.0**-16)
        assert not torch.allclose((x[..., :-1] @ w.roll(1, 0))[..., 0], drawn.answer, atol=2.0**-2)
        a, prediction = _asked(drawn.block, None, drawn.query[:, :3])
        assert torch.allclose(prediction, drawn.without[:, :3], rtol=2.0**-30)
        assert torch.allclose(a, drawn.block.contextual(None, drawn.query[:, :3].flatten(0, 1)).unflatten(0, (CONTEXTS, 3)), rtol=2.0**-30)


def _apart(worse: TrialSummary, better: TrialSummary) -> bool:
    """Whether the means differ by more than three standard errors of their difference."""
    return worse.mean - better.mean > 3 * math.hypot(worse.error, better.error)


def test_wrong_patches_are_worse(found: dict[str, StaticPatch]) -> None:
    """From K = 8 on, where the right patch has settled: another context's, and A(C,x) where A(x) belongs, which is given the ridge that suits it best."""
    for name, patch in found.items():
        for point in patch.points:
            if point.queries >= 8:
                assert _apart(point.other_context, point.fresh), name
                assert _apart(point.wrong_vector, point.fresh), name


def test_what_one_update_can_do(found: dict[str, StaticPatch]) -> None:
    attention, linear = found["attention"], found["linear-attention"]
    assert attention.directions == 2, "a token alone is attended to linearly, and queries have two coordinates"
    assert linear.directions == 4, "linear attention of a token alone is cubic, and there are four cubic monomials in two coordinates"
    for patch in (attention, linear):
        for point in patch.points:
            assert point.unridged is not None
            assert (point.unridged.own.mean < 2.0**-30) == (point.queries <= patch.directions), "up to K = r each query is fitted, beyond that none"
            assert point.unridged.distance.patch < 2.0**-40
    last = attention.points[-1]
    assert last.queries == QUERIES[-1]
    assert not _apart(last.loss, attention.with_context), "one update does what the context does"
    assert _apart(attention.without, last.loss)
    assert _apart(linear.points[-1].loss, linear.with_context), "for linear attention it does not"


def test_refused_trials_are_counted_and_nothing_is_told_of_the_rest(found: dict[str, StaticPatch]) -> None:
    """The RNN's ReLU makes A(x) linear in pieces, so many queries are dependent."""
    points = found["rnn"].points
    assert any(point.refused for point in points)
    assert all((point.refused > 0) == (point.unridged is None) for point in points)


@settings(max_examples=20, deadline=None)
@given(systems(), st.fractions(1, 2, max_denominator=4))
def test_the_exact_patch_is_the_formulas_that_are_proved(system: tuple[Exact, Exact, Exact], ridge: Fraction) -> None:
    """Claims ``static-patch`` and ``static-patch-fits``, whose inverses ``exact_patch`` never forms."""
    A, V, _ = system
    d, K = A.shape
    plain = Exact(exact_patch(A.matrix, V.matrix))
    if d >= K:
        assert plain == formulas.fitting_update(V, A, (A.mT @ A).inverse())
    if d <= K:
        assert plain == formulas.least_squares_update(V, A, (A @ A.mT).inverse())
    one = Exact.of([[int(i == j) for j in range(d)] for i in range(d)])
    with_ridge = Exact(exact_patch(A.matrix, V.matrix, rational([[ridge]])[0, 0]))
    assert with_ridge == formulas.least_squares_update(V, A, (A @ A.mT + one * ridge).inverse())
    assert with_ridge != plain or V.is_zero() or plain.is_zero()
