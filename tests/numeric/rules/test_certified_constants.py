"""What the rules for activations and normalisations rest on: constants, bounds of float64's functions, the family of variances, and the balls themselves."""

from collections.abc import Callable
from fractions import Fraction

import mpmath
import pytest
import torch
from flint import arb
from hypothesis import given
from torch import Tensor, nn

from numeric.arithmetics import exact, hazards
from numeric.formats import format_named
from numeric.rules import activations, enclosures, normalisation, reference
from numeric.rules.activations import GELU_LIPSCHITZ, GELU_TANH_LIPSCHITZ, SILU_LIPSCHITZ
from numeric.rules.library_probe import module_truth
from tests.numeric.rules.drawn_columns import EPS, MODULES, batch, carefully, honest, module_named, numbers, seeds


def certified_supremum(slope: Callable[[arb], arb], bound: float, low: Fraction, high: Fraction) -> bool:
    """Whether |slope| ≤ bound on an interval, by balls that cover it and are halved until they show it."""
    middle, half = (low + high) / 2, (high - low) / 2
    if abs(slope(arb(float(middle)))) > arb(bound):
        return False
    if abs(slope(arb(mid=float(middle), rad=float(half)))) <= arb(bound):
        return True
    assert half > 2**-20, "too close to the supremum to be decided"
    return certified_supremum(slope, bound, low, middle) and certified_supremum(slope, bound, middle, high)


def _phi(x: arb) -> arb:
    return (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def _gelu_slope(x: arb) -> arb:
    return (1 + (x / arb(2).sqrt()).erf()) / 2 + x * _phi(x)


def _silu_slope(x: arb) -> arb:
    s = reference.sigmoid(x)
    return s + x * s * (1 - s)


def _gelu_tanh_slope(x: arb) -> arb:
    c, a = (2 / arb.pi()).sqrt(), arb("0.044715")
    s = reference.sigmoid(2 * c * (x + a * x * x * x))
    return s + x * 2 * c * (1 + 3 * a * x * x) * s * (1 - s)


@pytest.mark.parametrize(
    ("slope", "bound"),
    [(_gelu_slope, GELU_LIPSCHITZ), (_gelu_tanh_slope, GELU_TANH_LIPSCHITZ), (_silu_slope, SILU_LIPSCHITZ)],
    ids=["gelu", "gelu-tanh", "silu"],
)
def test_the_lipschitz_constants_are_certified(slope: Callable[[arb], arb], bound: float) -> None:
    """On [-12, 12] by balls; beyond, |x|G'(x) is below 12e^-12 < 10^-4 for all three gates and G within [0, 1], which leaves less than 1.01."""
    ends = Fraction(-12), Fraction(12)
    assert certified_supremum(slope, bound, *ends)
    assert not certified_supremum(slope, bound - 2.0**-10, *ends), "a constant that is too small is refused"


def test_the_constants_lie_on_their_sides() -> None:
    root = (2 / arb.pi()).sqrt()
    assert arb(activations.DENSITY_AT_ZERO) >= 1 / (2 * arb.pi()).sqrt()
    assert arb(activations.ROOT_HALF) >= 1 / arb(2).sqrt()
    assert arb(activations.TWO_OVER_ROOT_PI) >= 2 / arb.pi().sqrt()
    assert arb(activations.TANH_SCALE[0]) <= root <= arb(activations.TANH_SCALE[1])
    assert Fraction(activations.TANH_CUBE[0]) < Fraction("0.044715") < Fraction(activations.TANH_CUBE[1])


@carefully(30)
@given(seeds)
def test_float64_bounds_enclose_the_functions(seed: int) -> None:
    """What radii are made of: the outward rounded exp and root of float64."""
    x = numbers(format_named("fp64"), (200,), torch.Generator().manual_seed(seed), (-40, 9))
    for low, high, t in zip(enclosures.exp_below(x).tolist(), enclosures.exp_above(x).tolist(), x.tolist(), strict=True):
        assert arb(low) <= arb(t).exp()
        assert high == float("inf") or arb(t).exp() <= arb(high)
    size = x.abs()
    for low, high, t in zip(enclosures.sqrt_below(size).tolist(), enclosures.sqrt_above(size).tolist(), size.tolist(), strict=True):
        assert arb(low) <= arb(t).sqrt() <= arb(high)


def test_merged_and_updated_variances_stay_within_the_family_bound() -> None:
    """Welford's update, pairwise merges and two passes, each in fp32 step by step, on columns whose mean is large: B covers them all."""
    n = 48
    numerics = honest("fp32")
    generator = torch.Generator().manual_seed(5)
    x = (torch.randn((16, n, 1), generator=generator) * 2.0 ** torch.arange(-4, 4).repeat(2).reshape(16, 1, 1) + 100.0).float()
    moments = normalisation._central_moments(exact(x, numerics, hazards(16)))
    for case, column in enumerate(x.squeeze(-1)):
        truth = [Fraction(t) for t in column.tolist()]
        mean = sum(truth) / n
        square = sum((t - mean) ** 2 for t in truth)
        assert Fraction(moments.below[case].item()) <= square <= Fraction(moments.above[case].item())
        for found_mean, found in (_welford(column), _merged(column), _two_passes(column)):
            assert abs(Fraction(found_mean) - mean) <= Fraction(moments.mean_error[case].item())
            assert abs(Fraction(found) - square) <= Fraction(moments.error[case].item())
        naive = float((column * column).sum() - column.sum() ** 2 / n)
        if case == 0:
            assert abs(Fraction(naive) - square) > Fraction(moments.error[case].item()), "the textbook formula is no member of the family"


def _welford(column: Tensor) -> tuple[float, float]:
    mean = square = torch.zeros(())
    for k, t in enumerate(column, 1):
        delta = t - mean
        mean = mean + delta / k
        square = square + delta * (t - mean)
    return mean.item(), square.item()


def _merged(column: Tensor) -> tuple[float, float]:
    parts = [(1, t, torch.zeros(())) for t in column]
    while len(parts) > 1:
        joined = []
        for (n, mean, square), (m, other, more) in zip(parts[::2], parts[1::2], strict=False):
            delta, share = other - mean, torch.tensor(m) / torch.tensor(n + m)
            joined.append((n + m, mean + share * delta, square + (more + delta * delta * share * n)))
        parts = joined + parts[len(parts) - len(parts) % 2 :]
    return parts[0][1].item(), parts[0][2].item()


def _two_passes(column: Tensor) -> tuple[float, float]:
    mean = torch.zeros(())
    for t in column:
        mean = mean + t
    mean = mean / len(column)
    square = torch.zeros(())
    for t in column:
        square = square + (t - mean) ** 2
    return mean.item(), square.item()


@pytest.mark.parametrize("rule", MODULES)
def test_mpmath_agrees_with_the_balls(rule: str) -> None:
    """An independent library, 200 bits, a small sample."""
    drawn = batch(rule, format_named("fp32"), 9, spread="none", where=(-3, 2))
    module = module_named(rule, format_named("fp32"), 9)
    with mpmath.workprec(200):
        for case in range(4):
            column = [mpmath.mpf(t) for t in drawn.value[case].flatten().tolist()]
            ours = module_truth(module, drawn.truth(case), format_named("fp32"))
            for ball, theirs, operand in zip(ours, _by_mpmath(module, column), column, strict=True):
                # 50 digits of the ball are printed; 1 + tanh cancels in mpmath's formula, which leaves an error of the operand's size.
                assert abs(mpmath.mpf(ball.str(50, radius=False)) - theirs) <= abs(theirs) * mpmath.mpf(10) ** -49 + abs(operand) * mpmath.mpf(2) ** -190


def _by_mpmath(module: nn.Module, x: list[mpmath.mpf]) -> list[mpmath.mpf]:
    n = len(x)
    if isinstance(module, nn.Softmax):
        return [1 / mpmath.fsum(mpmath.exp(s - t) for s in x) for t in x]
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        mean = mpmath.fsum(x) / n if isinstance(module, nn.LayerNorm) else mpmath.mpf(0)
        root = mpmath.sqrt(mpmath.fsum((t - mean) ** 2 for t in x) / n + mpmath.mpf(EPS))
        bias = module.bias.tolist() if isinstance(module, nn.LayerNorm) else [0.0] * n
        return [(t - mean) / root * w + b for t, w, b in zip(x, module.weight.tolist(), bias, strict=True)]
    if isinstance(module, nn.GELU) and module.approximate == "none":
        return [t * mpmath.ncdf(t) for t in x]
    if isinstance(module, nn.GELU):
        return [t / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (t + mpmath.mpf("0.044715") * t**3))) for t in x]
    return [t / (1 + mpmath.exp(-t)) for t in x]
