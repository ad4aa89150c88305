"""What one rounding loses, number by number, and the constants that stand for many."""

import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from numeric.arithmetics.envelope import Envelope
from numeric.arithmetics.roundoff import entrywise_rounding, first_place, gamma, operand_error, rounding_error, subnormal_part, sum_error
from numeric.formats import Format, format_named, round_to, torch_dtype
from numeric.machine import ErrorModel, Refinement
from numeric.machine.refinements import REFINEMENTS
from tests.numeric.formats.drawn_operands import NATIVE

FP32, TF32 = format_named("fp32"), format_named("tf32")
formats = pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)


def model(row: Format, *, opmath: Format | None = None, operands: Format | None = None, without: tuple[Refinement, ...] = ()) -> ErrorModel:
    wide = opmath or row
    return ErrorModel(row, wide, wide, frozenset(), False, False, False, "cpu", operands=operands, refinements=REFINEMENTS - frozenset(without))


def numbers(row: Format, count: int = 400) -> Tensor:
    """Of either sign and every size of the format, those at its ends included."""
    g = torch.Generator().manual_seed(2)
    wide = torch.randn(count, generator=g, dtype=torch.float64)
    lowest, highest = row.min_exponent - row.significand_bits + 1, row.max_exponent - 3
    x = wide * torch.exp2(torch.randint(lowest, highest, (count,), generator=g).double())
    ends = [0.0, row.smallest_subnormal, row.smallest_normal, row.largest, -row.largest, 1.0, -1.0, 1.0 - row.unit_roundoff]
    return torch.cat([x, torch.tensor(ends, dtype=torch.float64)]).to(torch_dtype(row))


@formats
def test_the_first_place_of_every_number(row: Format) -> None:
    x = numbers(row)
    for found, value in zip(first_place(x).double().tolist(), x.double().tolist(), strict=True):
        normal = abs(value) >= row.smallest_normal
        assert found == (2.0 ** (math.frexp(abs(value))[1] - 1) if normal and math.isfinite(value) else 0.0 if math.isfinite(value) else math.inf)


@pytest.mark.parametrize("u", [2.0**-8, 2.0**-24, 2.0**-53])
def test_gamma(u: float) -> None:
    """ku/(1 - ku), to three roundings of float64; infinite from ku = 1 on."""
    for k in (0, 1, 2, 7, 192, 1000, 2**20):
        ku = k * Fraction(u)
        found = gamma(k, u)
        assert (found == math.inf) if ku >= 1 else abs(Fraction(found) - ku / (1 - ku)) <= ku / (1 - ku) * Fraction(4, 2**53)
    assert gamma(2**8, 2.0**-8) == math.inf
    assert gamma(2**8 + 1, 2.0**-8) == math.inf


@formats
def test_the_error_of_one_rounding(row: Format) -> None:
    """u·ufp, or u|x| without that refinement; in two formats 2u' more; and a sign changes nothing."""
    x, u = numbers(row), Fraction(row.unit_roundoff)
    x = x[torch.isfinite(x)]
    wide = format_named("fp64") if row.significand_bits >= 24 else FP32
    for n in (model(row), model(row, opmath=wide), model(row, without=(Refinement.FIRST_PLACE,))):
        found = rounding_error(x, n)
        assert torch.equal(found, rounding_error(-x, n))
        once = rounding_error(x, n, once=True)
        for value, error, alone in zip(x.double().abs().tolist(), found.tolist(), once.tolist(), strict=True):
            place = first_place(torch.tensor(value, dtype=torch_dtype(row))).item() if n.refines(Refinement.FIRST_PLACE) else value
            first = u * Fraction(place) if value >= row.smallest_normal or not n.refines(Refinement.FIRST_PLACE) else Fraction(0)
            second = 2 * Fraction(value) * Fraction(n.opmath.unit_roundoff) if n.opmath != n.storage else Fraction(0)
            few = 1 + Fraction(40, 2**52)
            assert first <= Fraction(alone) or value < row.smallest_normal
            assert first + second <= Fraction(error) <= (u * Fraction(value) + second) * few + Fraction(64, 2**1074)


@formats
def test_the_errors_of_a_matrix_are_those_of_its_entries(row: Format) -> None:
    """By the numbers themselves if it is a case's own; by their magnitude if it is shared."""
    x = numbers(row)[:400].reshape(2, 20, 10)
    x = torch.where(torch.isfinite(x), x, torch.ones_like(x))
    wide = format_named("fp64") if row.significand_bits >= 24 else FP32
    magnitude = Envelope(parts=(x.double().abs(),))
    for n in (model(row), model(row, opmath=wide)):
        own = entrywise_rounding(x, magnitude, n).dense(20, 10)
        exact = rounding_error(x, n)
        normal = x.double().abs() >= row.smallest_normal  # a sum that is subnormal is exact
        assert bool((own + 2.0**-1060 >= exact * (1 - 2.0**-50))[normal].all())
        assert bool((own <= exact * (1 + 2.0**-48) + 2.0**-1060).all())
        shared = entrywise_rounding(x[0], Envelope(parts=(x[0].double().abs(),)), n)
        assert not shared.weighted, "one matrix for all cases is bounded by its magnitude"
        coarse = entrywise_rounding(x, magnitude, model(row, opmath=n.opmath, without=(Refinement.FIRST_PLACE,)))
        assert not coarse.weighted


def test_a_sum_that_is_exact_has_no_error() -> None:
    """Less than twice the smaller first place it is a multiple of both last places and held exactly; from there on it may be rounded. Zero changes nothing."""
    n, u = model(FP32), FP32.unit_roundoff

    def error(x: float, y: float) -> float:
        left, right = (torch.tensor([[[v]]], dtype=torch.float32) for v in (x, y))
        return sum_error(left, right, left + right, n).item()

    for sign in (1.0, -1.0):
        assert error(sign * 1.5, -sign * 1.0) == 0.0
        assert error(sign * 1.0, sign * 0.99) == 0.0 or error(sign * 1.0, sign * 0.99) >= u
        assert error(sign * 4.0, 0.0) == 0.0
        assert error(0.0, sign * 4.0) == 0.0
        assert error(sign * 3.0, -sign * 1.25) == 0.0
        assert error(sign * 3.0, sign * 1.0) >= u * 4
        assert error(sign * 4.0, -sign * (1.0 + 2 * u)) >= u * 2
    same, one = (torch.tensor([[[v]]], dtype=torch.float32) for v in (1.5, -1.0))
    assert sum_error(same, one, same + one, model(FP32, without=(Refinement.EXACT_DIFFERENCES,))).item() > 0, "it is a refinement"
    narrow, wide = (torch.tensor([[[1.5]]], dtype=kind) for kind in (torch.float32, torch.float64))
    assert sum_error(narrow, wide, wide, n).item() > 0, "of two formats nothing is known"


def test_what_an_operand_loses() -> None:
    """At most what rounding it to the operands' format does, and nothing if it is of it."""
    n = model(FP32, operands=TF32)
    x = numbers(FP32)
    x = x[x.abs() <= TF32.largest / 2]
    lost = operand_error(x, n)
    assert torch.equal(lost, operand_error(-x, n))
    off = (round_to(x, TF32).double() - x.double()).abs()
    assert bool((lost >= off).all())
    assert bool((lost[off == 0] == 0).all())
    tie = torch.tensor([1.0 + TF32.unit_roundoff, 2.5 * TF32.smallest_subnormal], dtype=torch.float32)
    assert bool((operand_error(tie, n) >= (round_to(tie, TF32).double() - tie.double()).abs()).all())


def test_the_part_that_is_subnormal() -> None:
    n = model(FP32)
    size = torch.tensor([0.0, FP32.smallest_subnormal, FP32.smallest_normal, 1.0], dtype=torch.float64)
    assert subnormal_part(size, n).tolist() == [0.0, FP32.smallest_subnormal, 0.0, 0.0]
