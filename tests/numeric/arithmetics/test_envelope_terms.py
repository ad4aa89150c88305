"""Every kind of term of an envelope, in every operation, against rationals: never below, and no farther above than float64's own operations."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from numeric.arithmetics.envelope import Envelope, halves, merged, outward

P, Q, CASES = 3, 4, 2
FEW = Fraction(400, 2**52)
"""More than three steps for each of the operations of a product of four, twice over."""


def numbers(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.25


def drawn(seed: int) -> dict[str, Envelope]:
    """Of each kind of term, and of all at once."""
    col, row, other, more = numbers(seed, CASES, P, 1), numbers(seed + 1, CASES, 1, Q), numbers(seed + 2, CASES, P, 1), numbers(seed + 3, CASES, 1, Q)
    whole, column, number, shared = numbers(seed + 4, CASES, P, Q), numbers(seed + 5, CASES, P, 1), numbers(seed + 6, CASES, 1, 1), numbers(seed + 7, P, Q)
    by = numbers(seed + 8, CASES, 1, 1)
    narrow = numbers(seed + 9, CASES, P, Q).to(torch.bfloat16)
    made = {
        "outer": Envelope(outers=((col, row),)),
        "whole": Envelope(parts=(whole,)),
        "column": Envelope(parts=(column,)),
        "number": Envelope(parts=(number,)),
        "shared": Envelope(parts=(shared,)),
        "weighted": Envelope(weighted=((whole, by),)),
        "narrow": Envelope(weighted=((narrow, by),)),
    }
    everything = Envelope(((col, row), (other, more)), (whole, column, number), ((narrow, by), (whole, by)))
    return made | {"all": everything}


Matrix = list[list[list[Fraction]]]


def exactly(of: Envelope) -> Matrix:
    """The matrix of each case."""
    total = [[[Fraction(0)] * Q for _ in range(P)] for _ in range(CASES)]

    def add(entry: Callable[[int, int, int], Fraction]) -> None:
        for case in range(CASES):
            for i in range(P):
                for j in range(Q):
                    total[case][i][j] += entry(case, i, j)

    def held(x: Tensor) -> list[list[list[Fraction]]]:
        return [[[Fraction(v) for v in row] for row in matrix] for matrix in x.double().expand(CASES, P, Q).tolist()]

    for col, row in of.outers:
        c, r = held(col.expand(CASES, P, Q)), held(row.expand(CASES, P, Q))
        add(lambda case, i, j, c=c, r=r: c[case][i][j] * r[case][i][j])  # type: ignore[misc]
    for part in of.parts:
        whole = held(part)
        add(lambda case, i, j, whole=whole: whole[case][i][j])  # type: ignore[misc]
    for part, by in of.weighted:
        whole, factor = held(part), held(by.expand(CASES, P, Q))
        add(lambda case, i, j, whole=whole, factor=factor: whole[case][i][j] * factor[case][i][j])  # type: ignore[misc]
    return total


def covers(found: Tensor, exact: Matrix, *, share: Fraction = FEW) -> bool:
    rows = found.expand(CASES, *found.shape[-2:]).tolist()
    pairs = [(Fraction(f), e) for case, matrix in zip(rows, exact, strict=True) for a, b in zip(case, matrix, strict=True) for f, e in zip(a, b, strict=True)]
    return all(e <= f <= e * (1 + share) for f, e in pairs)


KINDS = list(drawn(0))
each = pytest.mark.parametrize("kind", KINDS)
seeds = pytest.mark.parametrize("seed", [0, 20, 40])


@seeds
@each
def test_it_is_the_matrix_and_its_transpose(kind: str, seed: int) -> None:
    of = drawn(seed)[kind]
    assert covers(of.dense(P, Q), exactly(of))
    flipped = of.mT.dense(Q, P)
    assert torch.equal(flipped.expand(CASES, Q, P), of.dense(P, Q).mT.expand(CASES, Q, P))
    assert not of.is_zero


@seeds
@each
def test_it_is_scaled_and_divided_by_a_number_a_case(kind: str, seed: int) -> None:
    of, factor = drawn(seed)[kind], numbers(seed + 10, CASES, 1, 1)
    exact = exactly(of)
    by = [Fraction(f) for f in factor.flatten().tolist()]
    assert covers(of.scaled(factor).dense(P, Q), [[[v * f for v in row] for row in matrix] for matrix, f in zip(exact, by, strict=True)])
    assert covers(of.divided(factor).dense(P, Q), [[[v / f for v in row] for row in matrix] for matrix, f in zip(exact, by, strict=True)])
    assert covers(of.scaled(3.0).dense(P, Q), [[[v * 3 for v in row] for row in matrix] for matrix in exact])


@seeds
@each
def test_it_is_applied_to_a_column(kind: str, seed: int) -> None:
    """In fp32 where a part is of a short format: then a 2^-19th may be added."""
    of, x = drawn(seed)[kind], numbers(seed + 11, CASES, Q, 1)
    columns = [[Fraction(v[0]) for v in case] for case in x.tolist()]
    exact = [
        [[sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0))] for row in matrix] for matrix, column in zip(exactly(of), columns, strict=True)
    ]
    assert covers(of.apply(x).expand(CASES, P, 1), exact, share=Fraction(1, 2**17) if kind in ("narrow", "all") else FEW)


@seeds
@each
def test_its_largest_entry(kind: str, seed: int) -> None:
    """Exact for one term; of several the largest of each, which may lie elsewhere."""
    of = drawn(seed)[kind]
    exact = [[[max(v for row in matrix for v in row)]] for matrix in exactly(of)]
    assert covers(of.largest().expand(CASES, 1, 1), exact, share=Fraction(2) if kind == "all" else FEW)


@seeds
def test_sums(seed: int) -> None:
    """Of every two kinds; terms of one row, and parts of one shape, are added up."""
    made = drawn(seed)
    for one in made.values():
        for other in made.values():
            exact = [
                [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]
                for matrices in zip(exactly(one), exactly(other), strict=True)
            ]
            assert covers((one + other).dense(P, Q), exact)
    assert len((made["outer"] + made["outer"]).outers) == 1
    assert len((made["whole"] + made["whole"]).parts) == 1
    assert Envelope().is_zero


def test_small_numbers_underflow_upwards() -> None:
    """Products below float64's range: each is at least the exact one."""
    tiny = torch.full((1, 1, 1), 2.0**-540, dtype=torch.float64)
    for factor in (1.0, 1.5, 1.75):
        exact = Fraction(2) ** -1080 * Fraction(factor)
        assert Fraction(Envelope(outers=((tiny, tiny * factor),)).dense(1, 1).item()) >= exact
        assert Fraction(Envelope(parts=(tiny,)).scaled(tiny * factor).dense(1, 1).item()) >= exact
        assert Fraction(Envelope(parts=(tiny,)).apply(tiny * factor).item()) >= exact
        assert Fraction(Envelope(weighted=((tiny, tiny * factor),)).largest().item()) >= exact


def test_what_a_short_product_loses_to_underflow() -> None:
    """bf16 numbers of 2^-100 times 2^-100 are nothing in fp32; q·2^-125 stands for them."""
    part, x = torch.full((1, 1, 8), 2.0**-70, dtype=torch.bfloat16), torch.full((1, 8, 1), 2.0**-70, dtype=torch.float64)
    found = Envelope(weighted=((part, torch.ones((1, 1, 1), dtype=torch.float64)),)).apply(x)
    assert Fraction(found.item()) >= 8 * Fraction(2) ** -140
    assert found.item() <= 2.0**-120


def test_what_a_short_product_loses_to_a_kernel_that_flushes() -> None:
    """Eight products just below fp32's smallest normal number are read as nothing."""
    part, x = torch.full((1, 1, 8), 2.0**-63 * (1 - 2.0**-8), dtype=torch.bfloat16), torch.full((1, 8, 1), 2.0**-63 * (1 - 2.0**-20), dtype=torch.float64)
    of = Envelope(weighted=((part, torch.ones((1, 1, 1), dtype=torch.float64)),))
    torch.set_flush_denormal(True)
    try:
        found = of.apply(x).item()
    finally:
        torch.set_flush_denormal(False)
    assert Fraction(found) >= 8 * Fraction(part[0, 0, 0].item()) * Fraction(x[0, 0, 0].item())


def test_a_number_below_fp32s_range_times_a_large_one() -> None:
    """x = 2^-151 is nothing in fp32, and 2^100 of it is 2^-51."""
    part, x = torch.full((1, 1, 1), 2.0**100, dtype=torch.bfloat16), torch.full((1, 1, 1), 2.0**-151, dtype=torch.float64)
    assert Envelope(weighted=((part, torch.ones((1, 1, 1), dtype=torch.float64)),)).apply(x).item() >= 2.0**-51


def test_a_number_that_fp32_rounds_down_times_a_number() -> None:
    """1 + 2^-24 is 1 in fp32."""
    part, x = torch.ones((1, 1, 1), dtype=torch.bfloat16), torch.full((1, 1, 1), 1 + 2.0**-24, dtype=torch.float64)
    found = Envelope(weighted=((part, torch.ones((1, 1, 1), dtype=torch.float64)),)).apply(x).item()
    assert 1 + 2.0**-24 <= found <= 1 + 2.0**-21


@pytest.mark.parametrize("leading", [1, 16, 256])
def test_what_a_short_product_loses_one_by_one(leading: int) -> None:
    """Next to some ones in front, each number just below half of fp32's last place is lost, if it is added to one of them."""
    small = 2.0**-24 * (1 - 2.0**-20)
    terms = torch.full((4096,), small, dtype=torch.float64)
    terms[:leading] = 1.0
    part = torch.ones((2, 3, 4096), dtype=torch.bfloat16)
    found = Envelope(weighted=((part, torch.ones((2, 1, 1), dtype=torch.float64)),)).apply(terms.reshape(1, -1, 1).expand(2, -1, -1))
    exact = leading + (4096 - leading) * Fraction(small)
    assert all(exact <= Fraction(v) <= exact * (1 + 4098 * Fraction(1, 2**22)) for v in found.flatten().tolist())


@pytest.mark.parametrize("divisor", [2.0**-1000, 2.0**-501 * 3, 0.7, 5.0, 2.0**900, 2.0**901 * 1.1])
def test_two_factors_near_the_root(divisor: float) -> None:
    first, second = (x.item() for x in halves(torch.tensor(divisor, dtype=torch.float64)))
    assert Fraction(first) * Fraction(second) == Fraction(divisor)
    assert 2.0**-2 <= second / first <= 2.0**2


def test_terms_of_one_key_are_one() -> None:
    assert merged([1, 2, 3, 4, 6], lambda x: x % 2, lambda a, b: a + b) == (4, 12)
    assert outward(torch.tensor([0.0, 1.0], dtype=torch.float64), 1).tolist() == [3 * 2.0**-1074, 1.0 + 3 * 2.0**-52]
