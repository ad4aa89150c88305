"""An operator on operands that are only nearly what they should be, and the exact operator on what they should be, entry by entry in ball arithmetic.

A reference is the operator over numpy arrays of ``flint.arb``, with ATen's own argument names: a few lines, written from its mathematical definition.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from flint import arb, ctx, fmpq
from torch import Tensor
from torch._ops import OpOverload

from numeric.machine import ProbedMode
from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors
from numeric.operator_rules.models import models_of
from numeric.operators.executions import tensors_in

Reference = Callable[..., Any]
"""The operator over object arrays of balls: one array, or several as ATen returns them (None for one that is not compared)."""

BITS = 400


@dataclass(slots=True)
class Tally:
    """What was found over many samples."""

    samples: int = 0
    entries: int = 0
    doubtful: int = 0
    """Entries of which the row says that nothing is known, and why."""
    infinite: int = 0
    """Entries with an infinite radius and no doubt."""
    needless: list[str] = field(default_factory=list)
    """Entries with a doubt, of which the exact result is a number that the format holds, and so is what came out."""
    reasons: int = 0
    """The doubts that were met, ``Doubt``."""
    worst: float = 0.0
    """The largest error over its radius."""
    outside: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Samples for which there is no rule, in the words of the refusal."""


def compare(  # an operator, its operands, and how far they are off
    operator: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], reference: Reference, probed: ProbedMode, tally: Tally, *, spread: float, seed: int
) -> None:
    """Judge one sample.  spread: relative size of the operands' radii, 0 for exact operands."""
    generator = torch.Generator().manual_seed(seed)
    knowledge, exact = KnownTensors(), {}
    args, kwargs = _cloned(list(args)), {name: _cloned(value) for name, value in kwargs.items()}

    def balls(x: Tensor) -> np.ndarray:
        radius = x.double().abs() * spread * torch.rand(x.shape, generator=generator, dtype=torch.float64)
        radius = torch.where(torch.isfinite(radius), radius, 0.0)
        share = torch.randint(-8, 9, x.shape, generator=generator)
        knowledge.put(x, Bounded(radius))
        return _as_balls(x, radius, share)

    for x in tensors_in([*args, *kwargs.values()]):
        exact[id(x)] = balls(x) if x.is_floating_point() else x.numpy().copy()
        if not x.is_floating_point():
            knowledge.put(x, Bounded(torch.zeros((), dtype=torch.float64)))
    given = [_exact(each, exact) for each in args], {name: _exact(each, exact) for name, each in kwargs.items()}
    with torch.no_grad(), BoundedWalk(models_of(probed), knowledge, probed.mode.while_running(probed.device)):
        results = tensors_in(operator(*args, **kwargs))
    before, ctx.prec = ctx.prec, BITS
    try:
        expected = reference(*given[0], **given[1])
    finally:
        ctx.prec = before
    expected = expected if isinstance(expected, tuple | list) else (expected,)
    tally.samples += 1
    for value, right in zip(results, expected, strict=True):
        if right is not None:
            judge_entries(f"{operator} {probed.mode.id} seed {seed}", value, np.asarray(right, dtype=object), knowledge, tally)


def judge_entries(what: str, value: Tensor, right: np.ndarray, knowledge: KnownTensors, tally: Tally) -> None:
    known = knowledge.of(value)
    assert isinstance(known, Bounded), f"{what}: nothing is known of the result"
    radii = known.radius.expand(value.shape).flatten().tolist()
    doubts = [0] * len(radii) if known.doubts is None else known.doubts.expand(value.shape).flatten().tolist()
    tally.entries += len(radii)
    if right.shape != tuple(value.shape):  # a shape that values decide is in doubt with every entry
        assert radii, f"{what}: nothing came out"
        assert all(doubts), f"{what}: the reference has shape {right.shape}, the operator {tuple(value.shape)}"
        tally.doubtful, tally.reasons = tally.doubtful + len(radii), tally.reasons | doubts[0]
        return
    numbers = (value.double() if value.is_floating_point() else value).flatten().tolist()
    largest = torch.finfo(value.dtype).max / 2 if value.is_floating_point() else 0.0
    for number, exact, radius, doubt in zip(numbers, right.flatten(), radii, doubts, strict=True):
        assert radius >= 0.0, f"{what}: a radius of {radius}"
        if doubt:
            tally.doubtful += 1
            tally.reasons |= doubt
            if abs(number) < largest and abs(exact) < largest:
                tally.needless.append(f"{what}: {number}, exactly {exact}, doubt {doubt}")
        elif not isinstance(number, float) or not np.isfinite(number):
            if not _is(number, exact):
                tally.outside.append(f"{what}: {number} is not {exact}")
        elif radius == float("inf"):
            tally.infinite += 1
        else:
            apart = abs(arb(number) - exact)
            if not apart <= arb(radius):
                tally.outside.append(f"{what}: {number} is {apart} from {exact}, radius {radius}")
            elif radius > 0:
                tally.worst = max(tally.worst, float(apart.mid() / arb(radius)))


def _is(number: float, exact: Any) -> bool:
    """Whether a whole number, a truth value, or an infinity, is what it should be; of an index, one that is right."""
    if isinstance(exact, frozenset):
        return number in exact
    if number != number:
        return isinstance(exact, arb) and exact.is_nan()
    return bool(arb(exact) == arb(number)) if isinstance(exact, arb) or isinstance(number, float) else bool(exact == number)


def _as_balls(x: Tensor, radius: Tensor, share: Tensor) -> np.ndarray:
    """x + share/8 of its radius, exactly."""
    made = np.empty(x.numel(), dtype=object)
    triples = zip(x.double().flatten().tolist(), radius.flatten().tolist(), share.flatten().tolist(), strict=True)
    before, ctx.prec = ctx.prec, 4000
    for place, (number, r, s) in enumerate(triples):
        made[place] = arb(number) if not np.isfinite(number) else arb(_rational(Fraction(number) + Fraction(s, 8) * Fraction(r)))
    ctx.prec = before
    return made.reshape(tuple(x.shape))


def _rational(x: Fraction) -> fmpq:
    return fmpq(x.numerator, x.denominator)


def _cloned(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone(memory_format=torch.preserve_format)
    return type(value)(_cloned(each) for each in value) if isinstance(value, list | tuple) else value


def _exact(value: Any, exact: Mapping[int, np.ndarray]) -> Any:
    if isinstance(value, Tensor):
        return exact[id(value)]
    return type(value)(_exact(each, exact) for each in value) if isinstance(value, list | tuple) else value
