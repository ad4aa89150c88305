"""What each module computes, exactly or to 300 bits: sums and squares as fractions, elementary functions by mpmath.  Nothing of the rules takes part.

Where |x| > 4096, x·G(x) is x or 0 to within 2^-5000, which is less than half of the smallest number of any format times its roundoff.
"""

from collections.abc import Sequence
from fractions import Fraction

import mpmath
from torch import nn

BITS = 300
FAR = 4096

Column = Sequence[Fraction]


class Undefined(Exception):
    """The module divides by zero: there is no exact result."""


def real(x: Fraction) -> mpmath.mpf:
    """A fraction, to BITS bits."""
    return mpmath.mpf(x.numerator) / x.denominator


def logistic(x: mpmath.mpf) -> mpmath.mpf:
    return 1 / (1 + mpmath.exp(-x)) if x >= 0 else mpmath.exp(x) / (1 + mpmath.exp(x))


def silu(x: Fraction) -> mpmath.mpf:
    if abs(x) > FAR:
        return real(max(x, Fraction(0)))
    return real(x) * logistic(real(x))


def gelu(x: Fraction) -> mpmath.mpf:
    if abs(x) > FAR:
        return real(max(x, Fraction(0)))
    return real(x) * mpmath.erfc(-real(x) / mpmath.sqrt(2)) / 2


def gelu_tanh(x: Fraction) -> mpmath.mpf:
    if abs(x) > FAR:
        return real(max(x, Fraction(0)))
    t = real(x)
    return t * logistic(2 * mpmath.sqrt(2 / mpmath.pi) * (t + real(Fraction(44715, 10**6)) * t**3))


def softmax(x: Column) -> list[mpmath.mpf]:
    top = max(x)
    powers = [mpmath.exp(real(t - top)) if top - t < 2**20 else mpmath.mpf(0) for t in x]
    total = mpmath.fsum(powers)
    return [p / total for p in powers]


def scaled(d: Column, variance: Fraction, parameters: tuple[Column, Column]) -> list[mpmath.mpf]:
    """w d/√(V + ε) + b, given V + ε."""
    if variance == 0:
        raise Undefined
    root = mpmath.sqrt(real(variance))
    return [real(t * w) / root + real(b) for t, w, b in zip(d, *parameters, strict=True)]


def normalised(module: nn.LayerNorm | nn.RMSNorm, x: Column, own_eps: float) -> list[mpmath.mpf]:
    """own_eps: what RMSNorm takes if it is told of none."""
    n = len(x)

    def fractions(parameter: object, default: int) -> list[Fraction]:
        return [Fraction(default)] * n if parameter is None else [Fraction(t) for t in parameter.double().tolist()]  # type: ignore[attr-defined]

    parameters = fractions(module.weight, 1), fractions(getattr(module, "bias", None), 0)
    mean = sum(x, Fraction(0)) / n if isinstance(module, nn.LayerNorm) else Fraction(0)
    d = [t - mean for t in x]
    eps = own_eps if module.eps is None else module.eps
    return scaled(d, sum((t * t for t in d), Fraction(0)) / n + Fraction(eps), parameters)


def truth(module: nn.Module, x: Column, own_eps: float) -> list[mpmath.mpf]:
    """What the module makes of a column. Raises Undefined."""
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return normalised(module, x, own_eps)
    if isinstance(module, nn.Softmax):
        return softmax(x)
    if isinstance(module, nn.GELU):
        return [gelu(t) if module.approximate == "none" else gelu_tanh(t) for t in x]
    return [silu(t) if isinstance(module, nn.SiLU) else real(max(t, Fraction(0))) for t in x]


def shown(x: Fraction) -> str:
    """A number in a message, though it be too large for a float."""
    return str(mpmath.nstr(real(x), 17))
