"""Kernels that err as much as a model of them allows, in a format so coarse that a term of second order counts.

Each operation of a kernel is computed in float64 and multiplied by 1 ± v(1 - 2^-20), and a library's function is moved by as many units in the last
place as its row allows, less a 2^-20th: what float64 itself loses is far below what is left. So every result is one that the model allows, and none
is more than a 2^-20th of a roundoff short of the worst. The signs are chosen so that errors add up.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import Any, TypeVar

import torch
from flint import arb, ctx
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards
from numeric.formats import Format
from numeric.machine import ErrorModel
from numeric.rules.library_errors import elementary_error

NEARLY = 1.0 - 2.0**-20


def coarse(name: str, bits: int, lowest: int = -60, highest: int = 60) -> Format:
    """A format of so many bits under the name of another, so that the table of library functions has rows for it; held in float64."""
    return Format(name, "a coarse format", bits, lowest, highest, "float64", native=False)


def model(storage: Format, opmath: Format | None = None, *, flushes: bool = False) -> ErrorModel:
    opmath = opmath or storage
    return ErrorModel(storage, opmath, opmath, frozenset(), flushes, False, False, "cpu")


ONE = model(coarse("fp32", 7))
"""One format."""
TWO = model(coarse("fp16", 6), coarse("fp32", 9))
"""Computed in a wider format and then stored."""
LOW = model(coarse("fp32", 12, lowest=-6))
"""So short a range downwards that everything underflows."""
MODELS = {"one format": ONE, "two formats": TWO, "underflow": LOW}


@dataclass(frozen=True, slots=True)
class Kernel:
    """The operations of a machine that errs as much as it may.  Every method takes the sign of its error."""

    n: ErrorModel

    @property
    def v(self) -> float:
        assert self.n.opmath.unit_roundoff >= 2.0**-28, "a 2^-20th of it would be less than float64 loses"
        return self.n.opmath.unit_roundoff * NEARLY

    def off(self, x: float, sign: int, times: int = 1) -> float:
        """x after so many roundings, each away from zero or towards it."""
        return x * (1.0 + sign * self.v) ** times

    def lost(self, x: float, sign: int, times: int = 1) -> float:
        """x after an underflow: a result below the smallest normal number errs by half of a unit, of either sign."""
        return x + sign * times * self.n.opmath.half_subnormal * NEARLY if abs(x) < self.n.opmath.smallest_normal else x

    def library(self, function: str, y: float, sign: int) -> float:
        """A function of a library whose exact result is y."""
        row = elementary_error(function, self.n.device, self.n.storage.name)
        place = 1.0 if row.of_one else max(2.0 ** (math.frexp(abs(y))[1] - 1) if y else 0.0, self.n.opmath.smallest_normal)
        return y + sign * row.ulps * 2.0 * self.n.opmath.unit_roundoff * place * NEARLY

    def stored(self, x: float, sign: int) -> float:
        """The rounding to storage, of a kernel that computes in a wider format: of ŷ, |ŷ|u at most."""
        if self.n.storage == self.n.opmath:
            return x
        u = self.n.storage.unit_roundoff * NEARLY
        away = x / (1.0 - u) if sign * x > 0 else x / (1.0 + u)  # so that |ŷ - x| = u|ŷ|, or less where ufp(ŷ) < |ŷ|
        low = 2.0 ** (math.frexp(away)[1] - 1) if away else 0.0
        by = min(abs(away - x), u * low)
        return x + sign * max(by, self.n.storage.half_subnormal * NEARLY if abs(x) < self.n.storage.smallest_normal else 0.0)


@dataclass(slots=True)
class Trial:
    """Columns of one width in one model, what a kernel made of each, and how far that is from the exact result of some input within the radius."""

    n: ErrorModel
    x: list[list[float]] = field(default_factory=list)
    radius: list[list[float]] = field(default_factory=list)
    value: list[list[float]] = field(default_factory=list)
    error: list[list[float]] = field(default_factory=list)

    def add(self, x: Sequence[float], value: Sequence[float], truth: Sequence[arb], radius: Sequence[float] | None = None) -> None:
        """One column more.  truth: balls, of which the point next to the value counts."""
        self.x.append(list(x))
        self.radius.append([0.0] * len(x) if radius is None else list(radius))
        self.value.append(list(value))
        self.error.append([_below(abs(arb(v) - t)) for v, t in zip(value, truth, strict=True)])

    def outside(self, rule: Callable[[WithRadius, Tensor], WithRadius]) -> list[str]:
        """The results that are not within the radius that a rule gives them; a hazard excuses none."""
        around = tensor(self.radius)
        x = exact(tensor(self.x), self.n, hazards(len(self.x)), radius=around if bool((around > 0).any()) else None)
        found = rule(x, tensor(self.value)).entry_radius.squeeze(-1)
        error = torch.tensor(self.error, dtype=torch.float64)
        return [f"{self.x[case]} at {place}: {error[case, place]} > {found[case, place]}" for case, place in torch.nonzero(~(error <= found)).tolist()]


Build = TypeVar("Build", bound=Callable[..., Any])


def precisely(build: Build) -> Build:
    """Computed once, with balls that are narrow beside every error here."""

    @cache
    @wraps(build)
    def made(*arguments: Any) -> Any:
        with ctx.workprec(256):
            return build(*arguments)

    return made  # type: ignore[return-value]


def _below(ball: arb) -> float:
    """A float that is no larger than the ball."""
    near = float(ball.lower())
    return math.nextafter(near, -math.inf)


def tensor(values: Sequence[Sequence[float]]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(-1)
