"""The bounds of softmax and of the norms as the proofs state them, over again in plain loops of 200 bits, one column at a time.

Written from the formulas in the docstring of ``normalisation.py``, with nothing rounded outward: what a rule computes in float64 may not be less.
This is no proof of them; ``test_worst_kernels.py`` has kernels that come near.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import mpmath
from mpmath import mpf
from torch import nn

from numeric.machine import ErrorModel
from numeric.rules.library_errors import elementary_error

BITS = 200
Reals = Sequence[mpf]


@dataclass(frozen=True, slots=True)
class Machine:
    """The constants of a model that the formulas name."""

    n: ErrorModel
    function: str
    """The part of the kernel that is a library's."""

    @property
    def v(self) -> mpf:
        return mpf(self.n.opmath.unit_roundoff)

    @property
    def k(self) -> mpf:
        return mpf(elementary_error(self.function, self.n.device, self.n.storage.name).ulps)

    @property
    def flushed(self) -> mpf:
        """λ, below which an operand may be read as zero."""
        if self.n.elementwise_flushes:
            return mpf(self.n.storage.smallest_normal)
        row = elementary_error(self.function, self.n.device, self.n.storage.name)
        return mpf(self.n.opmath.smallest_normal) if row.flushes else mpf(0)

    @property
    def unit(self) -> mpf:
        """What one product loses by underflow."""
        return mpf(self.n.opmath.smallest_subnormal) / 2 + self.flushed

    def gamma(self, k: mpf | int) -> mpf:
        ku = k * self.v
        return ku / (1 - ku) if ku < 1 else mpf("inf")

    def stored(self, value: float) -> mpf:
        """One rounding to the storage format, of a kernel that computes in a wider one."""
        if self.n.opmath == self.n.storage:
            return self.flushed
        place = math.ldexp(1.0, math.frexp(value)[1] - 1) if value else 0.0
        return mpf(self.n.storage.unit_roundoff) * place + mpf(self.n.storage.smallest_subnormal) / 2 + self.flushed

    def read(self, x: Sequence[float], radius: Sequence[float]) -> list[mpf]:
        """The radii with what is read as zero."""
        return [mpf(r) + (abs(mpf(t)) if abs(t) < self.flushed else 0) for t, r in zip(x, radius, strict=True)]


def softmax(n: ErrorModel, x: Sequence[float], radius: Sequence[float], value: Sequence[float]) -> list[mpf]:
    """The radius of each probability."""
    m, p = Machine(n, "exp of softmax"), len(x)
    v, r = m.v, m.read(x, radius)
    t = [mpf(max(x)) - mpf(each) for each in x]
    N = [mpmath.exp(-each) for each in t]
    a = [v * each * mpmath.exp(-(1 - v) * each) for each in t]
    e = [a_i + 2 * m.k * v * (N_i + a_i) + m.k * mpf(n.opmath.smallest_subnormal) + m.flushed for a_i, N_i in zip(a, N, strict=True)]
    S = mpmath.fsum(N)
    s = mpmath.fsum(e) + m.gamma(p - 1) * mpmath.fsum([N_i + e_i for N_i, e_i in zip(N, e, strict=True)])
    found = []
    for i in range(p):
        p_i = N[i] / S
        q = (e[i] + p_i * s) / (S - s) if s < S else mpf("inf")
        own = q + (2 * v + v * v) * (p_i + q) + 2 * m.unit
        A = mpmath.fsum([N[j] / S * (r[i] + r[j]) for j in range(p) if j != i])
        room = 1 - max(A, (r[i] + max(r)) / 2)
        inherited = mpf(0) if not any(r) else min(p_i * A / room, mpf(1)) if room > 0 else mpf(1)
        found.append(own + inherited + m.stored(value[i]))
    return found


@dataclass(frozen=True, slots=True)
class Normalised:
    """What is stated of one column."""

    radius: list[mpf]
    inside: mpf
    """The largest magnitude of which the kernel takes a function that hides an overflow."""
    result: mpf
    """No entry of the result is larger."""
    factor: mpf
    """Nor anything that the reciprocal root is multiplied by."""
    lost: bool
    """Whether the denominator cannot be told from zero."""


def normalised(module: nn.LayerNorm | nn.RMSNorm, n: ErrorModel, x: Sequence[float], radius: Sequence[float], value: Sequence[float]) -> Normalised:
    """The radius of each entry, and what is foretold."""
    m, count, centred = Machine(n, "rsqrt of normalisation"), len(x), isinstance(module, nn.LayerNorm)
    v, r, f, unit = m.v, m.read(x, radius), m.flushed, m.unit
    eps = 2 * v if module.eps is None else mpf(module.eps)
    w = [mpf(1)] * count if module.weight is None else [abs(mpf(t)) for t in module.weight.tolist()]
    b = [mpf(0)] * count if not isinstance(module, nn.LayerNorm) or module.bias is None else [abs(mpf(t)) for t in module.bias.tolist()]
    size = [abs(mpf(t)) for t in x]
    X = max(size)
    if centred:
        mean = mpmath.fsum(mpf(t) for t in x) / count
        d = [abs(mpf(t) - mean) for t in x]
        c = min(mpf(7 * count), count + 21 + 7 * mpmath.log(count)) + (28 if n.device == "cuda" else 0)
        e, T = m.gamma(c) * X + 3 * count * unit, count * max(mpf(1), mpmath.log(count, 2) / 2)
        M = mpmath.fsum(t * t for t in d)
        B = 4 * e * mpmath.sqrt(T * M) + 4 * e * e * T + m.gamma(2 * count + 7) * (mpmath.sqrt(M) + 2 * e * mpmath.sqrt(T)) ** 2 + count * (count + 7) * unit
        inside = max(4 * count * (X + e) ** 2 + B, 2 * count * X)
    else:
        mean, d, e, M = mpf(0), size, mpf(0), mpmath.fsum(t * t for t in size)
        B = m.gamma(count + 1) * M + 2 * count * unit
        inside = M + B
    D = M / count + eps
    beta = ((1 + m.gamma(4)) * B / count + m.gamma(4) * D + 2 * unit) / D if D else mpf("inf")
    psi = (1 + beta / 2 / (1 - beta)) * (1 + 2 * m.k * v) - 1 if beta < 1 else mpf("inf")
    inverse = 1 / mpmath.sqrt(D) if D else mpf("inf")
    e += f
    q = mpmath.sqrt(mpmath.fsum(t * t for t in r) / count)
    lowest = max(mpmath.sqrt(D) - q, mpmath.sqrt(eps))
    floor = mpmath.sqrt(eps) if eps >= n.opmath.smallest_normal else mpf(0)
    found, reach, factors = [], [], []
    for i in range(count):
        terms = size[i] + abs(mean) + e
        lost = inverse * (d[i] * psi + (e + m.gamma(3) * terms) * (1 + psi)) if beta < 1 else mpf("inf")
        z = d[i] * inverse if D else mpf("inf")
        own = w[i] * lost + m.gamma(3) * (w[i] * (z + lost) + b[i]) + unit * (3 + 3 * w[i] + terms)
        shift = mpmath.fsum(r) / count if centred else mpf(0)
        moved = mpf(0) if not any(r) else w[i] * (r[i] + shift + z * q) / lowest if lowest else mpf("inf")
        farthest = abs(mpf(value[i])) + w[i] * mpmath.sqrt(count - centred) + b[i]
        found.append(min(own + moved + m.stored(value[i]), farthest))
        by_floor = 2 * w[i] * (d[i] + e + m.gamma(3) * terms) / floor if floor else mpf("inf")
        reach.append(min(w[i] * mpmath.sqrt(count) + own, by_floor) + b[i])
        reciprocal = min(inverse * (1 + psi) if beta < 1 else mpf("inf"), 2 / floor if floor else mpf("inf"))
        factors.append(reciprocal * max(w[i], mpf(1)) * max(terms, mpf(1)))
    return Normalised(found, inside, max(reach), max(factors), lowest <= 0)
