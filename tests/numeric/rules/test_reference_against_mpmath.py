"""The balls that rules and probes are compared with, against mpmath: a number is in its ball, and the ball is small."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

import mpmath
import pytest
import torch
from flint import arb, ctx
from torch import nn

from numeric.rules import reference
from tests.numeric.rules import plain_truths

OPERANDS = [0.0, 2.0**-40, -(2.0**-40), 0.75, -0.75, 1.5, -1.5, 3.0, -3.0, 9.0, -9.0, 30.0, -30.0]
COLUMNS = ([0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [30.0, 0.25, -7.0], [-1.0, -1.25, -1.125])
FUNCTIONS: dict[str, tuple[Callable[[arb], arb], Callable[[Fraction], mpmath.mpf]]] = {
    "gelu": (reference.gelu, plain_truths.gelu),
    "gelu_tanh": (reference.gelu_tanh, plain_truths.gelu_tanh),
    "silu": (reference.silu, plain_truths.silu),
    "sigmoid": (reference.sigmoid, lambda x: plain_truths.logistic(plain_truths.real(x))),
}


@contextmanager
def precise() -> Iterator[None]:
    before, ctx.prec = ctx.prec, 200
    try:
        with mpmath.workprec(plain_truths.BITS):
            yield
    finally:
        ctx.prec = before


def real(x: arb) -> mpmath.mpf:
    """A number without a radius."""
    significand, exponent = x.man_exp()
    return mpmath.ldexp(mpmath.mpf(int(significand)), int(exponent))


def holds(ball: arb, exact: mpmath.mpf) -> bool:
    """Whether the ball is about the number, and no wider than 2^-100 of it."""
    middle, radius, size = real(ball.mid()), real(ball.rad()), abs(exact)
    return bool(abs(middle - exact) <= radius + mpmath.ldexp(size, -250) and radius <= mpmath.ldexp(size, -100))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    ours, theirs = FUNCTIONS[name]
    with precise():
        for x in OPERANDS:
            assert holds(ours(arb(x)), theirs(Fraction(x))), x
            assert not holds(ours(arb(x) * (1 + arb(2) ** -60)), theirs(Fraction(x))) or x == 0, "the planted one"


@pytest.mark.parametrize("column", COLUMNS)
def test_columns(column: list[float]) -> None:
    """Softmax, and both norms with weights and biases of either sign."""
    exact, balls = [Fraction(t) for t in column], [arb(t) for t in column]
    layer, rms = nn.LayerNorm(3, eps=0.25).double(), nn.RMSNorm(3, eps=0.25).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, -2.0, 1.25]))
        layer.bias.copy_(torch.tensor([0.125, -1.0, 3.0]))
        rms.weight.copy_(layer.weight)
    with precise():
        for found, wanted in (
            (reference.softmax(balls), plain_truths.softmax(exact)),
            (reference.layer_norm(balls, layer.weight.tolist(), layer.bias.tolist(), 0.25), plain_truths.normalised(layer, exact, 0.0)),
            (reference.rms_norm(balls, rms.weight.tolist(), 0.25), plain_truths.normalised(rms, exact, 0.0)),
        ):
            for ball, t in zip(found, wanted, strict=True):
                assert holds(ball, t) or (t == 0 and ball.contains(arb(0)))


def test_a_ball_about_a_number_moved_within_its_radius() -> None:
    with precise():
        assert reference.inside(1.5, Fraction(1, 4), 2.0) == arb(2)
        assert reference.inside(1.5, Fraction(-1), 2.0**-60) == arb(1.5) - arb(2) ** -60
        assert reference.inside(1.5, Fraction(1, 2), 2.0**-60) != arb(1.5)
