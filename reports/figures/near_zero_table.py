"""The radii of near zero as a table: a row for each format and block, the variants beside one another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.record import NearZeroSweep


@dataclass(frozen=True, slots=True)
class Radii:
    """One variant's."""

    sweep: NearZeroSweep
    factor: float | None
    """Measured over predicted; None where the quotient says nothing."""
    further: int | None
    """How many powers of two nearer to zero than the first variant it reaches, as measured; None for the first itself."""


@dataclass(frozen=True, slots=True)
class RadiiRow:
    """One format and block; None where a variant was not swept."""

    format: str
    block: str
    variants: tuple[Radii | None, ...]


@dataclass(frozen=True, slots=True)
class RadiiTable:
    """All of them."""

    variants: tuple[str, ...]
    rows: tuple[RadiiRow, ...]


def radii_table(sweeps: Sequence[NearZeroSweep]) -> RadiiTable:
    """Arrange the sweeps, in the order in which they are given."""
    variants = tuple(dict.fromkeys(sweep.variant for sweep in sweeps))
    rows: dict[tuple[str, str], dict[str, NearZeroSweep]] = {}
    for sweep in sweeps:
        rows.setdefault((sweep.format, sweep.block), {})[sweep.variant] = sweep
    return RadiiTable(variants, tuple(_row(name, block, found, variants) for (name, block), found in rows.items()))


def _row(name: str, block: str, found: dict[str, NearZeroSweep], variants: Sequence[str]) -> RadiiRow:
    first = found.get(variants[0])
    radii: list[Radii | None] = []
    for variant in variants:
        sweep = found.get(variant)
        if sweep is None:
            radii.append(None)
            continue
        further = None if sweep is first or first is None else _powers(first.measured_radius, sweep.measured_radius)
        factor = sweep.measured_radius / sweep.predicted_radius if 0 < sweep.predicted_radius < math.inf else None
        radii.append(Radii(sweep, factor, further))
    return RadiiRow(name, block, tuple(radii))


def _powers(larger: float, smaller: float) -> int | None:
    """log2 of the quotient, which itself may be out of range."""
    if not (0 < larger < math.inf and 0 < smaller < math.inf):
        return None
    return round(math.log2(larger) - math.log2(smaller))
