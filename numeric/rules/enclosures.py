"""Bounds of real functions, computed in float64 and rounded outward: what the rules for elementary functions are made of.

float64's own exp and sqrt are library functions with a documented error of k ulps (``library_errors.py``), which the probe
confirms; an exact y is then within 3⌈k⌉ numbers of the computed ŷ: ulp(y) ≤ 2 ulp(ŷ), for ŷ ≥ y/2, so 2k steps would do.
"""

import math

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, outward
from numeric.arithmetics.roundoff import rounding_error
from numeric.arithmetics.value_and_radius import from_module
from numeric.machine import ErrorModel
from numeric.rules.library_errors import elementary_error


def up(x: Tensor) -> Tensor:
    """The next float64 above: an upper bound of what one operation rounded."""
    return torch.nextafter(x, torch.full_like(x, torch.inf))


def down(x: Tensor) -> Tensor:
    """The next float64 below."""
    return torch.nextafter(x, torch.full_like(x, -torch.inf))


def lowered(x: Tensor, operations: int) -> Tensor:
    """A lower bound of what x ≥ 0 would be without the rounding of so many operations: the counterpart of ``outward``."""
    return (x.contiguous().view(torch.int64) - 3 * operations).clamp_min(0).view(torch.float64)


def exp_above(t: Tensor) -> Tensor:
    """An upper bound of e^t.  t: float64."""
    return outward(torch.exp(t), _steps("exp", t))


def exp_below(t: Tensor) -> Tensor:
    """A lower bound of e^t, not negative."""
    return lowered(torch.exp(t), _steps("exp", t))


def sqrt_above(x: Tensor) -> Tensor:
    """An upper bound of √x."""
    return outward(torch.sqrt(x), _steps("sqrt", x))


def sqrt_below(x: Tensor) -> Tensor:
    """A lower bound of √x, not negative."""
    return lowered(torch.sqrt(x), _steps("sqrt", x))


def log_size_above(x: Tensor) -> Tensor:
    """An upper bound of |ln x|.  x > 0."""
    return outward(torch.log(x).abs(), _steps("log", x))


def power_above(x: Tensor, exponent: Tensor) -> Tensor:
    """An upper bound of x to a power.  x ≥ 0."""
    return outward(torch.pow(x, exponent), _steps("pow", x))


def _steps(function: str, x: Tensor) -> int:
    return math.ceil(elementary_error(function, x.device.type, "fp64").ulps)


def magnitude(x: WithRadius) -> Tensor:
    """|x̂| of a column, in float64."""
    return x.value.double().abs()


def flushed_below(x: WithRadius, function: str | None = None) -> float:
    """The number below which something may be taken for zero: 0 where nothing is.

    function: the part of a kernel whose row says whether that kernel does so in its format of computation, whatever others do.
    """
    n = x.numerics
    if n.elementwise_flushes:
        return n.storage.smallest_normal
    flushes = function is not None and elementary_error(function, n.device, n.storage.name).flushes
    return n.opmath.smallest_normal if flushes else 0.0


def finished(value: Tensor, radius: Tensor, x: WithRadius) -> WithRadius:
    """The result of a rule, which has foretold what it can; a case that came out infinite or NaN is marked."""
    x.hazards.came_out(value)
    return from_module(value, radius, x)


def input_radius(x: WithRadius, flushed: float | None = None) -> Tensor:
    """How far the exact input may lie from x̂, and x̂ from the number that a kernel reads, which may take a small one for zero."""
    flushed = flushed_below(x) if flushed is None else flushed
    radius = x.entry_radius
    if flushed:
        size = magnitude(x)
        radius = outward(radius + torch.where(size < flushed, size, torch.zeros_like(size)), 1)
    return radius.expand(x.value.shape)


def storage_error(value: Tensor, x: WithRadius, flushed: float = 0.0) -> Tensor:
    """|ŷ - t| where a kernel rounded its last t to the storage: nothing where that is the format it computes in. float64."""
    return stored_error(value, x.numerics, flushed)


def stored_error(value: Tensor, n: ErrorModel, flushed: float = 0.0) -> Tensor:
    """The same, given how the machine computes."""
    if n.opmath == n.storage:
        return torch.full(value.shape, flushed, dtype=torch.float64, device=value.device)
    return outward(rounding_error(value, n, once=True) + (n.storage.half_subnormal + flushed), 2)


def underflow_unit(x: WithRadius, flushed: float = 0.0) -> float:
    """What one product or quotient inside a kernel loses by underflow; flushed operands are counted where they arose."""
    return x.numerics.opmath.half_subnormal + flushed
