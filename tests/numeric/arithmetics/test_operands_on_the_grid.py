"""A weight that is of the operands' format already loses nothing when a product rounds it to that format; one that is not is charged, case by case.

The exact results are fractions of the numbers that the product was given, before any of them is rounded.
"""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards, value_and_radius
from numeric.arithmetics.entry_roundings import Roundings
from numeric.arithmetics.sensitivities import LinearMap
from numeric.arithmetics.value_and_radius import dense_layer, stored
from numeric.arithmetics.value_and_variance import Given, WithVariance, exactly
from numeric.arithmetics.value_and_variance import dense_layer as expected_layer
from numeric.arithmetics.value_and_variance import stored as expected_stored
from numeric.formats import Format, format_named, modes_named, round_to
from numeric.formats.emulation import RoundedOperands
from numeric.machine import ErrorModel
from tests.numeric.measuring import with_bias_apart

FP32 = format_named("fp32")
COARSE = ["fp8-e4m3", "fp8-e5m2", "tf32"]
M, D = 3, 4


def numerics_of(name: str) -> ErrorModel:
    """Sums in fp32, of operands rounded to a format."""
    operands = format_named(name)
    return ErrorModel(FP32, FP32, FP32, frozenset(), False, False, False, "cpu", operands=operands, running=lambda: RoundedOperands(operands))


def matrix_a_case(weight: Tensor, numerics: ErrorModel) -> WithRadius:
    """(cases, M, D), as an update leaves it: W + v aᵀ, of which a short form is known."""
    found = hazards(len(weight))
    nothing = exact(torch.zeros(len(weight), M, 1), numerics, found) @ exact(torch.zeros(len(weight), D, 1), numerics, found).mT
    return exact(weight, numerics, found) + nothing


def layer(weight: Tensor, x: Tensor, numerics: ErrorModel) -> WithRadius:
    """The weight, each case's own, times x by a product that rounds its operands, and zero added."""
    W = matrix_a_case(weight, numerics)
    with numerics.running():
        value = W.value @ x
    bias = exact(torch.zeros(M, 1), numerics, W.hazards)
    return dense_layer(with_bias_apart(W, False), bias, exact(x, numerics, W.hazards), value, "a kernel of which nothing is known")


def outside(weight: Tensor, x: Tensor, result: WithRadius) -> list[int]:
    """The cases in which an entry lies outside its radius of the exact W x."""
    radii, found = result.entry_radius, []
    for case in range(len(weight)):
        assert bool(torch.isfinite(result.value[case]).all())
        column = [Fraction(t) for t in x[case].flatten().tolist()]
        for row, value, radius in zip(weight[case].tolist(), result.value[case].flatten().tolist(), radii[case].flatten().tolist(), strict=True):
            true = sum((Fraction(w) * t for w, t in zip(row, column, strict=True)), Fraction(0))
            if abs(Fraction(value) - true) > Fraction(radius) and case not in found:
                found.append(case)
    return found


def drawn(operands: Format, seed: int, low: int, high: int) -> tuple[Tensor, Tensor]:
    """Two weights, the first on the grid and the second not, and a column on it for each."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 2.0 ** torch.randint(low, high + 1, shape, generator=generator)

    weight = numbers(2, M, D).clamp(-operands.largest / 2, operands.largest / 2)
    weight[0] = round_to(weight[0], operands)
    assert not torch.equal(round_to(weight[1], operands), weight[1])
    return weight, round_to(numbers(2, D, 1).clamp(-operands.largest, operands.largest), operands)


@pytest.mark.parametrize("name", COARSE)
def test_both_weights_keep_within_their_radii_and_only_one_is_charged(name: str) -> None:
    """On the grid the radius is no larger than that of a product that takes its operands whole."""
    numerics = numerics_of(name)
    whole = ErrorModel(FP32, FP32, FP32, frozenset(), False, False, False, "cpu")
    assert numerics.operands is not None
    lowest = max(numerics.operands.min_exponent - numerics.operands.significand_bits, -60)  # tf32's end is fp32's, where a product is lost whole

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(lowest, 3), st.integers(0, 5))
    def holds(seed: int, low: int, spread: int) -> None:
        weight, x = drawn(format_named(name), seed, low, low + spread)
        result = layer(weight, x, numerics)
        assert outside(weight, x, result) == []
        plain = layer(weight, x, whole).entry_radius
        assert bool((result.entry_radius[0] <= plain[0] * (1.0 + 2.0**-40)).all()), "widened by float64's own roundings alone"
        assert bool((result.entry_radius[1] >= plain[1]).all())

    holds()


@pytest.mark.parametrize("name", COARSE)
def test_a_weight_off_the_grid_that_is_not_charged_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative: a bound that takes every weight for one of the grid."""
    numerics, (weight, x) = numerics_of(name), drawn(format_named(name), 0, -2, 2)
    assert outside(weight, x, layer(weight, x, numerics)) == []
    real = value_and_radius.round_to
    monkeypatch.setattr(value_and_radius, "round_to", lambda t, target: t if t.dim() == 3 and t.shape[-1] > 1 else real(t, target))
    assert outside(weight, x, layer(weight, x, numerics)) == [1]


@pytest.mark.parametrize("name", ["fp8-e4m3", "fp8-e5m2"])
def test_what_was_stored_is_on_the_grid(name: str) -> None:
    """A patched weight of these modes is: stored in the format of its operands, W + ΔW is not charged twice."""
    (mode,) = modes_named([name])
    numerics = numerics_of(name)
    weight, x = drawn(mode.weights, 1, -2, 2)
    kept = stored(matrix_a_case(weight, numerics), mode.weights, numerics)
    assert torch.equal(round_to(kept.value, mode.weights), kept.value)
    assert mode.operands == mode.weights
    with numerics.running():
        value = kept.value @ x
    result = dense_layer(with_bias_apart(kept, False), None, exact(x, numerics, kept.hazards), value, "a kernel of which nothing is known")
    once = kept.radius.apply(x.double().abs())
    assert bool((result.entry_radius <= once + value_and_radius.gamma(D, FP32.unit_roundoff) * kept.magnitude.apply(x.double().abs()) + 2.0**-140).all())


@pytest.mark.parametrize("name", ["fp8-e4m3", "fp8-e5m2"])
def test_nor_does_the_expected_bound_count_it_twice(name: str) -> None:
    """Of a matrix a case, stored in the format: the one rounding that storing it was. A matrix that was not stored is charged by the product alone."""
    (mode,) = modes_named([name])
    numerics, given_ = numerics_of(name), Given()
    generator = torch.Generator().manual_seed(2)
    col, row, x = (torch.randn(2, n, 1, generator=generator) for n in (M, D, D))
    near = LinearMap(outers=((col.double(), row.double().mT),))
    matrix = WithVariance(None, near, (), Roundings(), numerics, given_)
    value = round_to(col @ row.mT, mode.weights) @ round_to(x, mode.weights)

    def spread(W: WithVariance) -> Tensor:
        layer = expected_layer(W, None, exactly(x, numerics, given_), value, "any", apart=False)
        return layer.terms[-1].source.deviation

    once, again = spread(expected_stored(matrix, mode.weights, numerics)), spread(matrix)
    twice = expected_stored(matrix, mode.weights, numerics)
    assert twice.rounded_to == mode.weights
    both = spread(WithVariance(None, twice.near, twice.terms, twice.roundings, numerics, given_))
    assert bool((both > once * 1.3).all()), "√2, were there nothing else"
    assert bool(((once / again - 1).abs() < 0.05).all()), "one rounding, wherever it was made"
