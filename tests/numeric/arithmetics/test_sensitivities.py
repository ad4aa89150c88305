"""The maps from errors to results against the matrices that they stand for, in rationals; and the model of one error."""

import itertools
import math
from fractions import Fraction

import mpmath
import pytest
import torch
from torch import Tensor

from numeric.arithmetics import sensitivities
from numeric.arithmetics.sensitivities import (
    Columns,
    LinearMap,
    Source,
    SourceTerm,
    absolute_above,
    deviation,
    gathered,
    identity_map,
    outer_map,
    root_sum_squares,
)
from numeric.arithmetics.uniform_errors import FAILURE_PROBABILITY, UNIFORM, deviations_allowed

N, CASES = 3, 2
FEW = Fraction(200, 2**53)
"""Of the largest number on the way: over three roundings for each of the operations of a product of three, squared and summed."""


def numbers(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SHARED = numbers(99, N, N)


def maps(seed: int) -> dict[str, LinearMap]:
    """Square ones of each kind, and all kinds at once."""
    identity, scale = numbers(seed, CASES, 1, 1), numbers(seed + 1, CASES, 1, 1)
    outers = tuple((numbers(seed + 2 * k, CASES, N, 1), numbers(seed + 2 * k + 1, CASES, 1, N) * 2.0 ** (9 * k)) for k in (1, 2))
    return {
        "identity": LinearMap(identity=identity),
        "shared": LinearMap(shared=((scale, SHARED),)),
        "outer": LinearMap(outers=outers[:1]),
        "outers": LinearMap(outers=outers),
        "identity and shared": LinearMap(identity, ((scale, SHARED),)),
        "identity and outer": LinearMap(identity, outers=outers[:1]),
        "identity and outers": LinearMap(identity, outers=outers),
        "shared and outers": LinearMap(shared=((scale, SHARED),), outers=outers),
        "all": LinearMap(identity, ((scale, SHARED),), outers),
    }


KINDS = list(maps(0))
Rows = list[list[Fraction]]


def exactly(of: LinearMap, case: int) -> Rows:
    """The matrix of a case."""
    rows = [[Fraction(0)] * N for _ in range(N)]
    for i, j in itertools.product(range(N), range(N)):
        if of.identity is not None and i == j:
            rows[i][j] += Fraction(of.identity.expand(CASES, 1, 1)[case].item())
        for scale, matrix in of.shared:
            rows[i][j] += Fraction(scale.expand(CASES, 1, 1)[case].item()) * Fraction(matrix[i, j].item())
        for col, row in of.outers:
            rows[i][j] += Fraction(col[case, i].item()) * Fraction(row[case, 0, j].item())
    return rows


def column(x: Tensor, case: int) -> list[Fraction]:
    return [Fraction(v) for v in x[case].flatten().tolist()]


def times(rows: Rows, x: list[Fraction]) -> list[Fraction]:
    return [sum((a * b for a, b in zip(row, x, strict=True)), Fraction(0)) for row in rows]


def near(found: Tensor, exact: list[Fraction], scale: Fraction | None = None) -> bool:
    size = scale or max(map(abs, exact)) or Fraction(1)
    return all(abs(Fraction(f) - e) <= FEW * size for f, e in zip(found.flatten().tolist(), exact, strict=True))


def size(rows: Rows, x: list[Fraction]) -> Fraction:
    return max(times([[abs(v) for v in row] for row in rows], [abs(v) for v in x])) * 2**10


each = pytest.mark.parametrize("kind", KINDS)


@each
def test_a_map_of_a_column_and_of_a_row(kind: str) -> None:
    of, x = maps(1)[kind], numbers(7, CASES, N, 1)
    for case in range(CASES):
        rows, held = exactly(of, case), column(x, case)
        flipped = [list(each) for each in zip(*rows, strict=True)]
        assert near(of.of(x)[case], times(rows, held), size(rows, held))
        assert near(of.against(x)[case], times(flipped, held), size(flipped, held))
        if of.identity is None:  # a matrix has none
            total = times([[abs(v) for v in row] for row in rows], [abs(v) for v in held])
            above = column(absolute_above(of, x.abs()), case)
            assert all(a >= t * (1 - FEW) for a, t in zip(above, total, strict=True))
            assert max(above) <= 2 * _parts(of, case) * sum(map(abs, held)), "by the triangle inequality, and no more"


@each
def test_a_deviation_is_the_root_of_the_sum_of_squares(kind: str) -> None:
    """Also of numbers whose squares would leave float64's range."""
    of = maps(3)[kind]
    for scale in (1.0, 2.0**-700, 2.0**600):
        sigma = numbers(8, CASES, N, 1).abs() * scale
        assert bool((of.deviation(sigma) >= 0).all())
        for case in range(CASES):
            rows, held = exactly(of, case), column(sigma, case)
            for found, row in zip(of.deviation(sigma)[case].flatten().tolist(), rows, strict=True):
                square = sum((a * a * s * s for a, s in zip(row, held, strict=True)), Fraction(0))
                whole = sum((_parts(of, case) * s) ** 2 for s in held)
                assert abs(Fraction(found) ** 2 - square) <= FEW * whole


FAR = [(kind, part) for kind in KINDS[1:] for part in ("identity", "scale", "matrix", "col", "row", "sigma")]


@pytest.mark.parametrize(("kind", "part"), FAR, ids=str)
def test_one_number_that_is_far_larger_sets_the_unit(kind: str, part: str) -> None:
    """-2^600 times the first of the numbers of one part: a unit of any other number would leave squares that are infinite."""
    far = torch.ones((1, N, 1), dtype=torch.float64)
    far[0, 0] = -(2.0**600)
    number = {name: far[:, :1] if name == part else torch.ones((1, 1, 1), dtype=torch.float64) for name in ("identity", "scale")}
    many = {name: far if name == part else torch.ones_like(far) for name in ("matrix", "col", "row", "sigma")}
    plain = maps(3)[kind]
    identity = None if plain.identity is None else plain.identity.abs() * number["identity"]
    shared = tuple((scale.abs() * number["scale"], matrix.abs() * many["matrix"][0]) for scale, matrix in plain.shared)
    outers = tuple((col.abs() * many["col"], row.abs() * many["row"].mT) for col, row in plain.outers)
    of, sigma = LinearMap(identity, shared, outers), numbers(8, CASES, N, 1).abs() * many["sigma"].abs()
    found = of.deviation(sigma)
    assert bool((found >= 0).all())
    for case in range(CASES):
        rows, held = exactly(of, case), column(sigma, case)
        whole = sum((_parts(of, case) * s) ** 2 for s in held)
        for got, row in zip(found[case].flatten().tolist(), rows, strict=True):
            assert abs(Fraction(got) ** 2 - sum((a * a * s * s for a, s in zip(row, held, strict=True)), Fraction(0))) <= FEW * whole


def test_what_cancels_is_nothing_and_no_root_of_a_negative_number() -> None:
    """S - col row, S = fl(col row): (s - r)² is summed as s² - 2sr + r², and float64 may leave a little less than nothing."""
    col, row = numbers(30, 256, N, 1), numbers(31, 256, 1, N)
    for case in range(256):
        c, r = col[case : case + 1], row[case : case + 1]
        found = LinearMap(shared=((torch.ones((1, 1, 1), dtype=torch.float64), (c * r)[0]),), outers=((-c, r),)).deviation(
            torch.ones((1, N, 1), dtype=torch.float64)
        )
        assert bool((found.square() <= 64 * 2.0**-52 * c.square() * r.square().sum()).all()), "and NaN is not"


def _parts(of: LinearMap, case: int) -> Fraction:
    """No entry of the terms of a map is larger than that."""
    parts = [] if of.identity is None else [abs(Fraction(of.identity[case].item()))]
    parts += [abs(Fraction(s[case].item())) * Fraction(m.abs().max().item()) for s, m in of.shared]
    parts += [Fraction(c[case].abs().max().item()) * Fraction(r[case].abs().max().item()) for c, r in of.outers]
    return sum(parts, Fraction(0))


@each
def test_a_map_is_scaled_divided_and_added_to(kind: str) -> None:
    of, factor = maps(5)[kind], numbers(9, CASES, 1, 1)
    others = maps(40)
    for case in range(CASES):
        rows, by = exactly(of, case), Fraction(factor[case].item())
        wide = _parts(of, case) * (abs(by) + 1 / abs(by)) * 4
        assert alike(exactly(of.scaled(factor), case), [[v * by for v in row] for row in rows], wide)
        assert alike(exactly(of.divided(factor.abs()), case), [[v / abs(by) for v in row] for row in rows], wide)
        for other in others.values():
            exact = [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(rows, exactly(other, case), strict=True)]
            assert alike(exactly(of.plus(other), case), exact, (_parts(of, case) + _parts(other, case)) * 4)


def alike(found: Rows, exact: Rows, scale: Fraction) -> bool:
    return all(abs(f - e) <= FEW * scale for pair in zip(found, exact, strict=True) for f, e in zip(*pair, strict=True))


def test_multiples_of_one_matrix_are_one() -> None:
    one = maps(1)["shared"]
    assert len(one.plus(one).shared) == 1


@pytest.mark.parametrize("inner", ["identity", "outer", "outers"])
@each
def test_a_map_after_another(kind: str, inner: str) -> None:
    of, first, x = maps(6)[kind], maps(60)[inner], numbers(10, CASES, N, 1)
    for case in range(CASES):
        rows, before = exactly(of, case), exactly(first, case)
        middle = times(before, column(x, case))
        assert near(of.after(first).of(x)[case], times(rows, middle), size(rows, [size(before, column(x, case))] * N))


def test_a_shared_matrix_follows_a_number_alone() -> None:
    made = maps(6)
    x = numbers(11, CASES, N, 1)
    found = made["identity"].after(made["shared"]).of(x)
    for case in range(CASES):
        rows = exactly(made["shared"], case)
        by = Fraction(made["identity"].identity[case].item())  # type: ignore[index]
        assert near(found[case], [by * v for v in times(rows, column(x, case))], size(rows, column(x, case)))
    with pytest.raises(NotImplementedError, match="no short form"):
        made["shared"].after(made["shared"])
    with pytest.raises(NotImplementedError, match="no short form"):
        made["outer"].after(made["shared"])


def test_a_map_of_nothing_deviates_by_nothing() -> None:
    assert LinearMap().deviation(numbers(8, CASES, N, 1).abs()).flatten().tolist() == [0.0]


def test_sources_are_added_before_they_are_squared() -> None:
    """ε - ε is nothing, and ε + δ is √2."""
    x = torch.ones((CASES, N, 1), dtype=torch.float64)
    one, other = Source(x.clone()), Source(x.clone())
    plus, minus = identity_map(x), identity_map(x).scaled(-torch.ones((1, 1, 1), dtype=torch.float64))
    assert bool((deviation([SourceTerm(one, plus), SourceTerm(one, minus)]) == 0).all())
    assert bool((deviation([SourceTerm(one, plus), SourceTerm(other, minus)]) ** 2 - 2).abs().max() <= 8 * 2.0**-52)
    assert len(gathered([SourceTerm(one, plus), SourceTerm(one, minus), SourceTerm(other, plus)])) == 2


def test_a_matrix_of_errors_and_a_column() -> None:
    """(E t)_i has the variance Σ σ_ij² t_j²."""
    sigma, t, more = numbers(12, N, N).abs(), numbers(13, CASES, N, 1), numbers(14, CASES, N, 1)
    factor = numbers(15, CASES, 1, 1)
    made = Columns(t).plus(Columns(more)).scaled(factor).divided(factor.abs() + 1.0)
    found = made.deviation(sigma)
    for case in range(CASES):
        by = Fraction(factor[case].item()) / Fraction((factor[case].abs() + 1.0).item())
        held = [(a + b) * by for a, b in zip(column(t, case), column(more, case), strict=True)]
        for got, row in zip(found[case].flatten().tolist(), sigma.tolist(), strict=True):
            square = sum((Fraction(s) ** 2 * v * v for s, v in zip(row, held, strict=True)), Fraction(0))
            assert abs(Fraction(got) ** 2 - square) <= FEW * (square + 1)


def test_a_column_far_below_nothing_sets_the_unit() -> None:
    """As above: of t, and of what has its root of squares taken. And a deviation has no sign."""
    assert LinearMap(identity=torch.full((1, 1, 1), -2.0, dtype=torch.float64)).deviation(torch.ones((1, 1, 1), dtype=torch.float64)).item() == 2.0
    t = torch.tensor([-(2.0**600), 1.0, 2.0**-600], dtype=torch.float64).reshape(1, N, 1)
    assert root_sum_squares(t).item() == 2.0**600
    assert Columns(t).deviation(torch.ones((N, N), dtype=torch.float64)).flatten().tolist() == [2.0**600] * N


def test_a_column_times_the_one_row_of_a_map() -> None:
    col, row, x = numbers(16, CASES, N, 1), numbers(17, CASES, 1, N), numbers(18, CASES, N, 1)
    one = torch.ones((CASES, 1, 1), dtype=torch.float64)
    found = outer_map(col, LinearMap(outers=((one, row),))).of(x)
    for case in range(CASES):
        total = sum((a * b for a, b in zip(column(row, case), column(x, case), strict=True)), Fraction(0))
        assert near(found[case], [v * total for v in column(col, case)], Fraction(64))


@pytest.mark.parametrize("scale", [2.0**-1060, 2.0**-600, 1.0, 2.0**1000])
def test_a_root_of_squares_at_any_size(scale: float) -> None:
    x = numbers(19, CASES, N, 1) * scale
    for case in range(CASES):
        square = sum(v * v for v in column(x, case))
        assert abs(Fraction(root_sum_squares(x)[case].item()) ** 2 - square) <= FEW * square + 64 * Fraction(2) ** -1074 * max(map(abs, column(x, case)))


def test_a_power_of_two_above() -> None:
    x = torch.tensor([0.0, math.inf, 1.0, 0.75, 3.0, 2.0**-1074, 1.7e308], dtype=torch.float64)
    assert sensitivities.power_of_two_above(x).tolist() == [1.0, 1.0, 2.0, 1.0, 4.0, 2.0**-1021, 2.0**1023]


def test_the_model_of_one_error() -> None:
    """c/√3 is the deviation of a uniform error; λ is where 2n exp(-λ²/2) is the probability of a failure. By mpmath, to a float's rounding."""
    with mpmath.workprec(200):
        assert abs(mpmath.mpf(UNIFORM) * mpmath.sqrt(3) - 1) <= mpmath.mpf(2) ** -52
        for entries in (1, 7, 4096):
            failing = 2 * entries * mpmath.exp(-(mpmath.mpf(deviations_allowed(entries)) ** 2) / 2)
            assert abs(failing / mpmath.mpf(2) ** -10 - 1) <= mpmath.mpf(2) ** -45
    assert Fraction(FAILURE_PROBABILITY) == Fraction(1, 1024)
