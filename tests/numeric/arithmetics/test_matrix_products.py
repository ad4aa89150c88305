"""Products of whole matrices against rationals, at the operands where each term of their bound is used up."""

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from numeric.arithmetics.matrix_products import Enclosed, applied_above, chained, product_error, running_sums
from numeric.formats import Format, format_named, torch_dtype
from numeric.machine import FP64, ErrorModel
from numeric.machine.kernels import ALL_KERNELS
from tests.numeric.arithmetics.rule_trials import added, chain, nearest

FP32 = format_named("fp32")
K = 8
seeds = pytest.mark.parametrize("seed", range(4))
LONG = pytest.mark.parametrize("row", [format_named(name) for name in ("fp64", "fp32")], ids=lambda row: row.name)
SHORT = pytest.mark.parametrize("row", [format_named(name) for name in ("bf16", "fp16")], ids=lambda row: row.name)


def model(row: Format, *, wide: bool = False, flushing: bool = False) -> ErrorModel:
    accumulation = FP32 if wide else row
    return ErrorModel(row, accumulation, accumulation, ALL_KERNELS if flushing else frozenset(), False, False, False, "cpu")


def held(row: Format, values: list[float]) -> Tensor:
    exact = torch.tensor(values, dtype=torch.float64)
    kept = exact.to(torch_dtype(row))
    assert torch.equal(kept.double(), exact)
    return kept


def bounded(row: Format, x: list[float], y: list[float], value: Fraction | float, n: ErrorModel) -> bool:
    """Whether a product of a row and a column, which came out so, lies within its bound; and with other signs, likewise."""
    truth = sum((Fraction(a) * Fraction(b) for a, b in zip(x, y, strict=True)), Fraction(0))
    answer, X, Y = held(row, [float(value)]).reshape(1, 1), held(row, x).reshape(1, -1), held(row, y).reshape(-1, 1)
    bounds = [product_error(s * X, t * Y, s * t * answer, n).item() for s in (1, -1) for t in (1, -1)]
    return all(abs(Fraction(float(value)) - truth) <= Fraction(bound) for bound in bounds)


def summed(x: list[float], y: list[float], row: Format) -> Fraction:
    """One after the other, each product and each sum rounded to nearest."""
    total = Fraction(0)
    for a, b in zip(x, y, strict=True):
        total = nearest(total + nearest(Fraction(a) * Fraction(b), row), row)
    return total


@LONG
def test_every_addition_and_a_product_lose_half_a_unit(row: Format) -> None:
    """(1 + 2uj)(1 + 2uk) is rounded down by u, and each of the u that follow is lost as well: error over bound is 1 - 1/k to first order."""
    u, bits = row.unit_roundoff, row.significand_bits - 2
    j, k = 2 ** (bits // 2), 2 ** (bits - bits // 2)
    x, y = [1 + 2 * u * j, *[1.0] * (K - 1)], [1 + 2 * u * k, *[u] * (K - 1)]
    value = summed(x, y, row)
    assert bounded(row, x, y, value, model(row))
    truth = sum((Fraction(a) * Fraction(b) for a, b in zip(x, y, strict=True)), Fraction(0))
    assert abs(value - truth) >= K * Fraction(u), "each of the k roundings takes its whole share"


@SHORT
def test_a_result_is_rounded_from_the_accumulator(row: Format) -> None:
    """1 + u is 1 + u in fp32 and is stored as 1; 5η/2 is stored as 2η."""
    u, eta, n = row.unit_roundoff, row.smallest_subnormal, model(row, wide=True)
    assert bounded(row, [1.0, u], [1.0, 1.0], 1.0, n)
    assert bounded(row, [4 * eta, eta], [0.5, 0.5], 2 * eta, n)


@SHORT
def test_a_wide_sum_that_cancels_is_not_covered_by_its_result(row: Format) -> None:
    """1, some 2^-24 that are lost one after the other, and -1: the result is 0, and so is the error of storing it."""
    small = FP32.unit_roundoff if row.name == "bf16" else 2.0**-12
    x, y = [1.0, *[small] * 6, -1.0], [1.0, *[1.0 if row.name == "bf16" else 2.0**-12] * 6, 1.0]
    assert summed(x, y, FP32) == 0
    assert bounded(row, x, y, 0.0, model(row, wide=True))


def test_products_that_underflow() -> None:
    """Each of k products is 5η/2 and is rounded to 2η."""
    eta = Fraction(FP32.smallest_subnormal)
    x, y = [2.0**-74] * K, [1.25 * 2.0**-74] * K
    assert Fraction(x[0]) * Fraction(y[0]) == Fraction(5, 2) * eta * 2**0
    assert bounded(FP32, x, y, float(2 * eta * K), model(FP32))


@LONG
def test_kernels_that_flush(row: Format) -> None:
    """Operands that are read as zero, whichever they are; k products of normal numbers that are subnormal; and a result."""
    normal, below, n = row.smallest_normal, row.smallest_normal - row.smallest_subnormal, model(row, flushing=True)
    for x, y in (([1024.0] * K, [below] * K), ([below] * K, [1024.0] * K)):
        assert bounded(row, x, y, 0.0, n)
    half = 2.0 ** (row.min_exponent // 2)
    assert bounded(row, [half] * K, [(1 - row.unit_roundoff * 2) * half] * K, 0.0, n)
    # Sums: 2λ - η less λ is subnormal and is written as zero, and so on.
    steps = [2 * normal - row.smallest_subnormal * 2, -normal] * (K // 2)
    assert bounded(row, [1.0] * K, steps, 0.0, n)


@SHORT
def test_a_stored_result_that_is_flushed(row: Format) -> None:
    """Normal operands, and products that are normal in fp32."""
    half = 2.0 ** (row.min_exponent // 2)
    assert bounded(row, [half / 2], [half], 0.0, model(row, wide=True, flushing=True))


def matrices(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def rationals(x: Tensor) -> list[list[Fraction]]:
    return [[Fraction(v) for v in row] for row in x.tolist()]


def times(X: list[list[Fraction]], Y: list[list[Fraction]]) -> list[list[Fraction]]:
    return [[sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in zip(*Y, strict=True)] for row in X]


def plus(X: list[list[Fraction]], Y: list[list[Fraction]]) -> list[list[Fraction]]:
    return [[a + b for a, b in zip(row, other, strict=True)] for row, other in zip(X, Y, strict=True)]


def every(found: Tensor, exact: list[list[Fraction]], *, reaches: bool = False) -> bool:
    """Whether no entry is below the exact one; with ``reaches``, nor above it by more than float64's own operations."""
    pairs = [(Fraction(f), e) for row, others in zip(found.tolist(), exact, strict=True) for f, e in zip(row, others, strict=True)]
    near = all(f <= e * (1 + Fraction(200 * K, 2**52)) for f, e in pairs)
    return all(f >= e for f, e in pairs) and (near or not reaches)


@seeds
def test_a_chain_covers_the_corners(seed: int) -> None:
    """With nonnegative numbers the farthest product is that of both upper ends, so the radius has to be that far from the product as computed, and is."""
    F, P, rho, r = matrices(seed, (3, K), (K, 2), (3, K), (K, 2))
    found = chained(Enclosed(F, rho), Enclosed(P, r), FP64)
    corner = times(plus(rationals(F), rationals(rho)), plus(rationals(P), rationals(r)))
    value = rationals(found.value)
    assert every(found.radius, [[e - v for e, v in zip(*rows, strict=True)] for rows in zip(corner, value, strict=True)], reaches=True)
    assert torch.equal(chained(Enclosed(-F, rho), Enclosed(P, r), FP64).radius, found.radius)
    assert torch.equal(chained(Enclosed(F, rho), Enclosed(-P, r), FP64).radius, found.radius)


def test_a_product_of_two_numbers_that_is_a_tie() -> None:
    """One product rounded by 2^-53, which is all of γ_1 to first order."""
    j, k = 2.0**-27, 2.0**-26
    F, P = (torch.tensor([[x]], dtype=torch.float64) for x in (1 + j, 1 + k))
    found = chained(Enclosed(F, torch.zeros_like(F)), Enclosed(P, torch.zeros_like(P)), FP64)
    off = abs(Fraction(1 + j) * Fraction(1 + k) - Fraction(found.value.item()))
    assert off > 0
    assert Fraction(found.radius.item()) >= off


@seeds
def test_exact_factors_leave_the_rounding_of_their_product(seed: int) -> None:
    F, P = matrices(seed, (3, K), (K, 2))
    zero = [torch.zeros_like(x) for x in (F, P)]
    found = chained(Enclosed(F, zero[0]), Enclosed(P, zero[1]), FP64)
    apart = [[abs(e - v) for e, v in zip(*rows, strict=True)] for rows in zip(times(rationals(F), rationals(P)), rationals(found.value), strict=True)]
    assert every(found.radius, apart)


@pytest.mark.parametrize("seed", range(24))
def test_upper_bounds_are_above(seed: int) -> None:
    """Of nonnegative numbers, summed in float64 downwards as often as upwards."""
    E, X, wide = matrices(seed, (3, K), (K, 2), (2, 4, 3))
    assert every(applied_above(E, X), times(rationals(E), rationals(X)), reaches=True)
    small = E * 2.0**-30
    assert every(Enclosed(-E, small).above, plus(rationals(E), rationals(small)))
    for parts, sums in zip(wide, running_sums(wide), strict=True):
        total = [Fraction(0)] * parts.shape[1]
        for part, upper in zip(rationals(parts), sums.tolist(), strict=True):
            total = [t + p for t, p in zip(total, part, strict=True)]
            assert all(Fraction(u) >= t for u, t in zip(upper, total, strict=True))


def test_the_order_that_loses_most_is_the_one_that_is_simulated() -> None:
    """The simulation above against the one of the other rules' trials."""
    terms = [Fraction(1), *[Fraction(FP32.unit_roundoff)] * 4]
    assert added(chain(5), terms, FP32, FP32) == summed([1.0] * 5, [float(t) for t in terms], FP32) == 1
