"""The rows of functions of one number, f(x̂) with r the radius of x̂, by the library's error for f.

    propagated    r·sup|f'| on [x̂ - r, x̂ + r]                                            mean value theorem
    introduced    2kv|f| + kη, k the ulps of ``rules/library_errors.py``, then ω(ŷ)        Higham (2.4), (2.8)

|f(x̂)| is taken from what came out: |f| ≤ (|ŷ| + kη + what storing lost)/(1 - 2kv). The suprema of the slopes:

    e^x, e^x - 1    e^(x+r)                   tanh    sech² = 4σ(2n)σ(-2n)        where n ≤ |x| on the whole interval, and |x| ≤ f
    2^x             2^(x+r) ln 2              σ       σ(n)σ(-n)
    ln x            1/(x-r)                   erf     (2/√π) e^(-n²)
    ln(1+x)         1/(1+x-r)                 sin     1
    √x              1/(√x̂ + √(x-r))           cos     min(1, f), as |sin t| ≤ |t|
    1/√x            ½(x-r)^(-3/2)

√ is that of the difference quotient, (√x - √x̂) = (x - x̂)/(√x + √x̂). Left of the domain, or where the interval leaves it, nothing is known. σ is computed as
1/(1 + e^-x): where e^-x passes Ω the quotient is between 0 and 2/Ω.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.machine import ErrorModel
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt, marked
from numeric.rules import down, elementary_error, exp_above, sqrt_below, stored_error, up
from numeric.rules.activations import TWO_OVER_ROOT_PI, gauss, sigma_above, sigma_slope

FLUSHED_INSIDE = 4
"""Numbers inside a library's function that a flushing machine may take for zero, besides its result.  An assumption: the probe asks without flushing."""
LN_2 = (0.693147180559945, 0.6931471805599454)
"""Below and above ln 2."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where an exact number lies."""

    low: Tensor
    high: Tensor
    value: Tensor
    """x̂."""
    radius: Tensor
    """More than 0 where it matters."""

    @property
    def near(self) -> Tensor:
        """The smallest |t|."""
        return nearest(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Elementary:
    """A function of one number that a library computes."""

    name: str
    """As the table of errors calls it."""
    moved: Callable[[Whereabouts], Tensor]
    """An upper bound of r·sup|f'|."""
    above: Callable[[Tensor], Tensor] | None = None
    """An upper bound of |f(x)|, from which an overflow is foretold; None of a function that cannot overflow inside its domain."""
    starts: float = -math.inf
    """Where its domain ends on the left."""
    closed: bool = False
    """Whether that end belongs to it."""


def row_of_function(function: Elementary, call: OperatorCall) -> list[Bounded]:
    """The row of a function."""
    x, n = call.entries("self"), call.model
    low, high = ends_of(x)
    inside = (low >= function.starts) if function.closed else (low > function.starts)
    low, high, value = (torch.where(inside, each, 1.0) for each in (low, high, x.value))
    propagated = torch.where(x.radius > 0, function.moved(Whereabouts(low, high, value, x.radius)), 0.0)
    own = library_error(function.name, call.result, n)
    if function.name == "sigmoid":
        own = torch.maximum(own, where_the_power_overflows(x.value, n))
    radius = torch.where(inside, outward(propagated + own, 1), torch.inf)
    doubts = [x.doubts, marked(~inside & ~torch.isnan(x.value), Doubt.UNDERFLOW)]
    if function.above is not None:
        grown = 1.0 + 2.0 * elementary_error(function.name, n.device, n.storage.name).ulps * n.opmath.unit_roundoff
        doubts.append(overflowing(outward(function.above(x.value) * grown, 1), n))
    return [call.exactly(radius, *doubts)]


def ends_of(x: Entries) -> tuple[Tensor, Tensor]:
    """Where the exact number lies: x̂ itself where it is exact."""
    moves = x.radius > 0
    return torch.where(moves, down(x.value - x.radius), x.value), torch.where(moves, up(x.value + x.radius), x.value)


def nearest(low: Tensor, high: Tensor) -> Tensor:
    """The smallest |t| between two numbers."""
    return torch.maximum(low, -high).clamp_min(0.0)


def overflowing(largest: Tensor, n: ErrorModel) -> Tensor | None:
    """The doubt of an entry whose magnitude could round to infinity."""
    return marked(~(largest < n.storage.largest), Doubt.OVERFLOW)


def flushed(n: ErrorModel, function: str | None = None) -> float:
    """The number below which something may be taken for zero."""
    if n.elementwise_flushes:
        return n.storage.smallest_normal
    return n.opmath.smallest_normal if function is not None and elementary_error(function, n.device, n.storage.name).flushes else 0.0


def library_error(name: str, value: Tensor, n: ErrorModel) -> Tensor:
    """How far the library's f(x̂), stored, may be from f(x̂).  value: as it came out."""
    assumed = elementary_error(name, n.device, n.storage.name)
    evaluated = n.storage if assumed.in_storage else n.opmath
    relative = 2.0 * assumed.ulps * evaluated.unit_roundoff
    least = assumed.ulps * evaluated.smallest_subnormal + FLUSHED_INSIDE * flushed(n)
    lost = torch.full_like(value, flushed(n, name), dtype=torch.float64) if assumed.in_storage else stored_error(value, n, flushed(n, name))
    if assumed.of_one:
        return outward(relative + lost, 2)
    size = outward(outward(value.double().abs() + lost + least, 2) / (1.0 - relative), 2)
    return outward(relative * size + least + lost, 3)


def where_the_power_overflows(x: Tensor, n: ErrorModel) -> Tensor:
    """The error of σ where e^-x may be infinite; 0 elsewhere."""
    power = elementary_error("exp", n.device, n.storage.name).ulps
    passes = outward(exp_above(-x) * (1.0 + 2.0 * power * n.opmath.unit_roundoff), 2) >= n.opmath.largest
    return torch.where(passes, outward(sigma_above(x) + 2.0 / n.opmath.largest, 2), 0.0)


def exp2_above(x: Tensor) -> Tensor:
    """An upper bound of 2^x."""
    return exp_above(up(up(torch.maximum(x * LN_2[0], x * LN_2[1]))))


def _by_exp(x: Whereabouts) -> Tensor:
    return outward(exp_above(x.high) * x.radius, 1)


def _by_exp2(x: Whereabouts) -> Tensor:
    return outward(exp2_above(x.high) * LN_2[1] * x.radius, 2)


def _by_log(x: Whereabouts) -> Tensor:
    return outward(x.radius / x.low, 1)


def _by_log2(x: Whereabouts) -> Tensor:
    return outward(_by_log(x) / LN_2[0], 1)


def _by_log1p(x: Whereabouts) -> Tensor:
    return outward(x.radius / down(1.0 + x.low), 1)


def _by_sqrt(x: Whereabouts) -> Tensor:
    return outward(x.radius / down(sqrt_below(x.value) + sqrt_below(x.low)), 1)


def _by_rsqrt(x: Whereabouts) -> Tensor:
    return outward(outward(0.5 * x.radius / x.low, 2) / sqrt_below(x.low), 1)


def _by_tanh(x: Whereabouts) -> Tensor:
    return outward(4.0 * sigma_slope(2.0 * x.near) * x.radius, 2)


def _by_sigmoid(x: Whereabouts) -> Tensor:
    return outward(sigma_slope(x.near) * x.radius, 1)


def _by_erf(x: Whereabouts) -> Tensor:
    return outward(TWO_OVER_ROOT_PI * gauss(x.near, 2.0) * x.radius, 2)


def _by_sin(x: Whereabouts) -> Tensor:
    return x.radius


def _by_cos(x: Whereabouts) -> Tensor:
    return outward(torch.maximum(-x.low, x.high).clamp(0.0, 1.0) * x.radius, 1)


FUNCTIONS = (
    Elementary("exp", _by_exp, exp_above),
    Elementary("exp2", _by_exp2, exp2_above),
    Elementary("expm1", _by_exp, exp_above),
    Elementary("log", _by_log, starts=0.0),
    Elementary("log2", _by_log2, starts=0.0),
    Elementary("log1p", _by_log1p, starts=-1.0),
    SQRT := Elementary("sqrt", _by_sqrt, starts=0.0, closed=True),
    RSQRT := Elementary("rsqrt", _by_rsqrt, starts=0.0),
    Elementary("tanh", _by_tanh),
    Elementary("sigmoid", _by_sigmoid),
    Elementary("erf", _by_erf),
    Elementary("sin", _by_sin),
    Elementary("cos", _by_cos),
)
"""Every function of one number."""
