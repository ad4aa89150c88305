"""The simplest context that does nearly what a found one does, so that it can be read: Hypothesis shrinks it.

What is drawn and shrunk is how simple a context is: of how many tokens, with how many entries that are not zero, of how many bits. A rounding
error does not survive such a change, but another one as large may come in its place: each degree of simplicity is tried in one batch,
on the found context cut down to it and on others near it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, find, settings, target
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from torch import Tensor

from numeric.cells import Cell
from numeric.machine import BATCH
from numeric.search.worst_context import Best, Found, measured

KEPT = 0.9
"""The share of the ratio that has to be left: at most a tenth of what was found is given for being readable. One over its bound must stay over it."""

BATCHES = 24
"""Degrees of simplicity that are tried at most."""

JITTER = 1.0
"""Octaves by which the entries of the others near it differ from it: a standard deviation."""

Measure = Callable[[Tensor], tuple[Best, int]]
"""The best of a batch, and how many of it are violated.  tokens: (BATCH, n + 1, width) float64."""


@dataclass(frozen=True, slots=True)
class Simplicity:
    """How simple a context is."""

    tokens: int
    """Of the context, the last of the found one's."""
    entries: int
    """Of each token, and of the query, that are not zero: its largest."""
    bits: int
    """Of each entry's significand."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What was found, and what came to light on the way: each case that is tried is judged, whether or not it is simple enough."""

    simple: Simplicity | None
    """None if no context that simple was found."""
    best: Best
    """The simplest one; of no case if there is none."""
    tried: int
    """Cases that were measured."""
    violated: int
    """How many of them lie outside their bounds."""
    worst: Best
    """Of all of them."""


NOTHING_TRIED = Shrunk(None, Best(), 0, 0, Best())


def shrink(cell: Cell, found: Found, seed: int) -> Shrunk:
    """The simplest context that does nearly what the search's best one does."""
    if found.best.tokens is None:
        return NOTHING_TRIED

    def measure(tokens: Tensor) -> tuple[Best, int]:
        _, best, violated = measured(cell, tokens, seed, found.evaluations)
        return best, violated

    return simplest(measure, found.best, cell.probed.mode.activations.significand_bits, seed, batches=BATCHES)


def simplest(measure: Measure, best: Best, bits: int, seed: int, *, batches: int) -> Shrunk:
    """The simplest context of at least KEPT times the ratio, if that took no more batches.

    bits: of the format's significand.
    """
    assert best.tokens is not None
    whole = best.tokens
    tokens, width = whole.shape[0] - 1, whole.shape[1]
    goal = best.ratio * KEPT if best.ratio <= 1 else 1.0
    tried: dict[tuple[int, int, int], tuple[Best, int]] = {}

    def reaches(drawn: tuple[int, int, int]) -> bool:
        if drawn not in tried:
            if len(tried) == batches:
                return False
            generator = torch.Generator().manual_seed(seed)
            tried[drawn] = measure(_simplified(whole, Simplicity(*drawn), generator))
        ratio = tried[drawn][0].ratio
        if np.isfinite(ratio):
            target(ratio)
        return ratio > goal

    # Health checks time what is drawn, which is next to nothing beside a batch.
    phases = (Phase.generate, Phase.target, Phase.shrink)
    quietly = settings(max_examples=batches, database=None, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))
    degrees = st.tuples(st.integers(1, tokens), st.integers(1, width), st.integers(1, bits))
    try:
        drawn = find(degrees, reaches, settings=quietly, random=Random(seed))
    except NoSuchExample:
        drawn = None
    worst = max((found for found, _ in tried.values()), key=lambda found: found.ratio, default=Best())
    return Shrunk(
        simple=None if drawn is None else Simplicity(*drawn),
        best=Best() if drawn is None else tried[drawn][0],
        tried=BATCH * len(tried),
        violated=sum(violated for _, violated in tried.values()),
        worst=worst,
    )


def _simplified(tokens: Tensor, simple: Simplicity, generator: torch.Generator) -> Tensor:
    """The context cut down, and others near it.  tokens: (n + 1, width) float64. Returns (BATCH, simple.tokens + 1, width) float64."""
    last = tokens[-simple.tokens - 1 :]
    near = last * torch.exp2(JITTER * torch.randn((BATCH, *last.shape), generator=generator, dtype=torch.float64))
    near[0] = last
    smallest = last.abs().topk(simple.entries, dim=-1).values[:, -1:]
    significand, exponent = torch.frexp(torch.where(last.abs() >= smallest, near, 0.0))
    return torch.ldexp((significand * 2.0**simple.bits).round(), exponent - simple.bits)


_RAISED, _LOWERED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"), str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def in_words(tokens: Tensor | None) -> str:
    """A context's entries that are not zero, each as an integer times a power of two: "c₁: 3·2⁻⁴ at 7; x: 1 at 0, -5·2⁻² at 31".

    tokens: (n + 1, width) float64, the query last; entries counted from 0.
    """
    if tokens is None:
        return "none"
    names = [*(f"c{str(place).translate(_LOWERED)}" for place in range(1, len(tokens))), "x"]
    entries = [", ".join(f"{_dyadic(value)} at {place}" for place, value in enumerate(row) if value) for row in tokens.tolist()]
    return "; ".join(f"{name}: {row or '0'}" for name, row in zip(names, entries, strict=True))


def _dyadic(value: float) -> str:
    """5·2⁻³; plain integers and powers of two without the other factor."""
    numerator, denominator = value.as_integer_ratio()
    shift = (numerator & -numerator).bit_length() - 1
    odd, exponent = numerator >> shift, shift - (denominator.bit_length() - 1)
    if 0 <= exponent < 10:
        return str(odd << exponent)
    power = f"2{str(exponent).translate(_RAISED)}"
    return power if odd == 1 else f"-{power}" if odd == -1 else f"{odd}·{power}"
