"""Bounds of float64's functions, and what of a flush and of a rounding to storage is in a radius."""

import math

import torch
from flint import arb, ctx

from numeric.arithmetics import exact, hazards
from numeric.rules import enclosures
from tests.numeric.rules.worst_kernels import ONE, coarse, model, tensor


def test_bounds_of_functions_are_on_their_sides() -> None:
    """float64's exp and root, rounded outward; and zero steps would not do for some."""
    x = torch.randn(400, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3
    with ctx.workprec(256):
        powers, roots = [arb(t).exp() for t in x.tolist()], [arb(abs(t)).sqrt() for t in x.tolist()]
    bounds = [(enclosures.exp_below(x), powers, enclosures.exp_above(x)), (enclosures.sqrt_below(x.abs()), roots, enclosures.sqrt_above(x.abs()))]
    for below, exactly, above in bounds:
        assert all(arb(low) <= t <= arb(high) for low, t, high in zip(below.tolist(), exactly, above.tolist(), strict=True))
        assert bool((above - below <= 16 * 2.0**-52 * above).all())
    assert enclosures.lowered(torch.tensor([2.0**-1074, 1.0], dtype=torch.float64), 1).tolist() == [0.0, 1.0 - 3 * 2.0**-53]
    assert enclosures.up(torch.ones(1, dtype=torch.float64)).item() == 1 + 2.0**-52
    assert enclosures.down(torch.ones(1, dtype=torch.float64)).item() == 1 - 2.0**-53


def test_what_is_flushed_is_in_the_radius() -> None:
    """A small number may be read as zero, and a small result written so."""
    n = model(coarse("fp32", 7, lowest=-6), flushes=True)
    x = exact(tensor([[2.0**-7, 1.0]]), n, hazards(1))
    assert enclosures.input_radius(x)[0, 0, 0] >= 2.0**-7
    assert enclosures.input_radius(x)[0, 1, 0] <= 2.0**-1000
    assert bool((enclosures.storage_error(tensor([[0.0, 0.0]]), x, 2.0**-6) == 2.0**-6).all())
    assert enclosures.underflow_unit(x, 0.5) == n.opmath.half_subnormal + 0.5
    assert enclosures.flushed_below(x) == 2.0**-6
    plain = exact(tensor([[1.0]]), ONE, hazards(1))
    assert enclosures.flushed_below(plain) == 0.0
    assert enclosures.flushed_below(plain, "erf of gelu") == 0.0
    narrow = exact(tensor([[1.0]]), model(coarse("bf16", 6), coarse("fp32", 9)), hazards(1))
    assert enclosures.flushed_below(narrow, "erf of gelu") == 2.0**-60
    assert enclosures.storage_error(tensor([[1.5]]), narrow)[0, 0, 0] >= 2.0**-6 + narrow.numerics.storage.half_subnormal
    assert bool(enclosures.finished(tensor([[math.inf]]), tensor([[1.0]]), plain).hazards.not_finite.all())


def test_each_part_of_a_radius_is_counted() -> None:
    """A flush, what came with the input, a rounding to storage and its underflow, where none of them is little beside the others."""
    n = model(coarse("fp16", 6, lowest=-3), coarse("fp32", 9))
    x = exact(tensor([[-0.25, 1.0]]), n, hazards(1), radius=tensor([[0.125, 0.5]]))
    assert enclosures.magnitude(x).flatten().tolist() == [0.25, 1.0]
    read = enclosures.input_radius(x, 0.5).flatten()
    assert read[0] >= 0.375
    assert 0.5 <= read[1] < 0.625
    stored = enclosures.storage_error(tensor([[1.5, 0.0]]), x, 2.0**-7).flatten()
    assert stored[0] >= 2.0**-6 + 2.0**-9 + 2.0**-7, "u·ufp, η/2 and λ"
    assert stored[1] >= 2.0**-9 + 2.0**-7
    assert stored[0] < 2.0**-6 + 2.0**-8 + 2.0**-7
    assert enclosures.lowered(torch.ones(1, dtype=torch.float64), 2).item() == 1.0 - 6 * 2.0**-53


def test_bounds_of_logarithms_and_powers_are_above_them() -> None:
    """By balls, at numbers of every size; and no farther than float64's own functions may err and a few steps."""
    numbers = [2.0**-1074, 2.0**-500, 0.3, 1.0 - 2.0**-53, 1.0, 1.0 + 2.0**-52, 1.75, 10.0, 2.0**900]
    given = torch.tensor(numbers, dtype=torch.float64)
    with ctx.workprec(256):
        nearly, least = 1 + arb(2) ** -48, arb(2) ** -1060
        for x, above in zip(numbers, enclosures.log_size_above(given).tolist(), strict=True):
            assert abs(arb(x).log()) <= arb(above) <= abs(arb(x).log()) * nearly + least
        for exponent in (-1.5, -0.25, 0.75, 3.0):
            for x, above in zip(numbers, enclosures.power_above(given, torch.full_like(given, exponent)).tolist(), strict=True):
                truth = arb(x) ** arb(exponent)
                assert (truth > arb(2) ** 1020) if math.isinf(above) else (truth <= arb(above) <= truth * nearly + least)
