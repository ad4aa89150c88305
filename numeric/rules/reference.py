"""The elementary functions and the activations over balls: what the rules and the probes are compared with.

Written so that the balls stay relatively small where a value is: erfc for 1 + erf, a quotient for ½(1 + tanh).
"""

from collections.abc import Sequence
from fractions import Fraction

from flint import arb, fmpq


def gelu(x: arb) -> arb:
    """x Φ(x)."""
    return x * (-x / arb(2).sqrt()).erfc() / 2


def gelu_tanh(x: arb) -> arb:
    """½x(1 + tanh(√(2/π)(x + 0.044715x³))), which is x σ(2w); the decimal is meant exactly."""
    w = (2 / arb.pi()).sqrt() * (x + arb(fmpq(44715, 10**6)) * x * x * x)
    return x * sigmoid(2 * w)


def silu(x: arb) -> arb:
    """x σ(x)."""
    return x * sigmoid(x)


def sigmoid(x: arb) -> arb:
    """σ(x)."""
    if x.mid() >= 0:
        return 1 / (1 + (-x).exp())
    power = x.exp()  # far left e^{-x} has no ball
    return power / (1 + power)


def softmax(x: Sequence[arb]) -> list[arb]:
    """e^{x_i}/Σe^{x_j}."""
    shift = max(x, key=lambda t: t.mid())
    powers = [(t - shift).exp() for t in x]
    total = sum(powers, arb(0))
    return [t / total for t in powers]


def layer_norm(x: Sequence[arb], weight: Sequence[float], bias: Sequence[float], eps: float) -> list[arb]:
    """(x_i - μ)/√(V + ε) w_i + b_i."""
    mean = sum(x, arb(0)) / len(x)
    return _scaled([t - mean for t in x], weight, bias, eps)


def rms_norm(x: Sequence[arb], weight: Sequence[float], eps: float) -> list[arb]:
    """x_i/√(mean x² + ε) w_i."""
    return _scaled(x, weight, [0.0] * len(x), eps)


def _scaled(d: Sequence[arb], weight: Sequence[float], bias: Sequence[float], eps: float) -> list[arb]:
    root = (sum((t * t for t in d), arb(0)) / len(d) + arb(eps)).sqrt()
    return [t / root * arb(w) + arb(b) for t, w, b in zip(d, weight, bias, strict=True)]


def inside(value: float, share: Fraction, radius: float) -> arb:
    """value + share·radius as a ball, exact while the precision holds it."""
    return arb(value) + arb(fmpq(share.numerator, share.denominator)) * arb(radius)
