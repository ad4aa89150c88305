"""What a run found, small enough to keep under version control: one line a claim, an erratum, a cell, a sweep.

Beside each number of a cell stands what a run of the same code with another seed may show, by ``margins.py``; margins are taken from the
cases themselves and never typed in. A file is sorted and keeps the reasons of those that it replaced, so a diff of it can be reviewed.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reports.comparison.margins import count_limit, median_interval, worst_limit
from reports.findings import Status, outcomes
from reports.record import CellRecord, DamagedRun, NearZeroSweep, RunRecord
from reports.record.cases_table import coded, read_cells
from reports.record.cells import NotSwept
from reports.record.contradictions import SUITE
from reports.record.row import Real, Row
from reports.record.run_record import RUN_SCHEMA_VERSION
from symbolic.vocabulary import CellId, Verdict

BASELINE_VERSION = 1

CHANCE = 2.0**-16
"""That one of all margins of a baseline is passed by a run of the same code with another seed. Each margin gets its share of it."""

OTHERS = ("trained blocks", "experiments")
"""Kinds of ``outcomes`` whose rows have no numbers here."""

DIGITS = 6
"""Of a margin in the file; it is rounded outwards."""


class Accepted(Row):
    """Why a baseline was taken."""

    date: str = Field(description="UTC, of the run's end.")
    run: str
    reason: str


class Origin(Row):
    """Where a baseline comes from; by this it is known what may be compared."""

    run: str
    profile: str
    seed: int
    schema_version: int = Field(description="Of the run's record.")
    machine: dict[str, str] = Field(description="What decides how numbers come out, bit by bit: processor, torch, device, blas, threads.")
    probes: dict[str, str] = Field(description="Hash of what the machine answered, by the question. It names the shapes of the run's blocks, too.")
    recipes: dict[str, str] = Field(description="Hash of everything that determines a block's weights, by the block.")
    weights: dict[str, str] = Field(default={}, description="Digest of a block's weights, by the block.")
    suite: str = Field(default="", description="The version of the suite.")


class ClaimLine(Row):
    """A claim."""

    verdict: Verdict
    scope: str
    refuted: list[str] = Field(description="The false variants that were refuted.")


class CellLine(Row):
    """A cell. Numbers are null where no case was judged, margins where no case is at hand."""

    verdict: Verdict
    judged: int = Field(description="Cases that were not refused.")
    refused: int
    worst: Real | None = Field(default=None, description="Measured: the largest error over bound.")
    worst_limit: Real | None = Field(default=None, description="Probabilistic: what the largest one of another seed does not exceed.")
    tightness: Real | None = Field(default=None, description="Median of bound over error.")
    tightness_low: Real | None = Field(default=None, description="Below this the median of another seed does not lie.")
    tightness_high: Real | None = Field(default=None, description="Nor above this.")
    refused_limit: int | None = Field(default=None, description="More cases of another seed are not refused.")
    violated: int = Field(default=0, description="Cases outside their bounds, in a known failure.")
    violated_limit: int = Field(default=0, description="More cases of another seed are not.")
    blind: int = Field(default=0, description="Holding cases that the bound at the block's output does not test.")
    blind_limit: int = Field(default=0, description="More cases of another seed it leaves untested not.")
    certified: int = Field(default=0, description="Cases whose sides were compared with balls.")
    output_resolution: Real | None = Field(default=None, description="Rigorous: as resolution, at the block's output.")
    resolution: Real | None = Field(
        default=None, description="Rigorous: median of the bound over the update's effect; the same to the last bits if nothing but the seed is the same."
    )


class SweepLine(Row):
    """A sweep towards a = 0."""

    measured: Real
    predicted: Real


class Baseline(Row):
    """What runs are held to."""

    baseline_version: int = BASELINE_VERSION
    accepted: list[Accepted] = Field(description="The newest last.")
    origin: Origin
    claims: dict[str, ClaimLine]
    errata: dict[str, bool] = Field(description="By number: whether the printed statement was refuted and the corrected one proved.")
    cells: dict[str, CellLine]
    sweeps: dict[str, SweepLine]
    others: dict[str, Status] = Field(description="Trained blocks and experiments: what they came to.")

    @property
    def has_margins(self) -> bool:
        """Whether the run's cases were at hand."""
        return any(line.worst_limit is not None for line in self.cells.values())


def cell_key(cell: CellRecord) -> str:
    """A cell's name on any machine: its numerics are left out, for they say what a probe of the machine answered."""
    return str(CellId(cell.claim, cell.block, cell.format, cell.variant, cell.scenario))


def sweep_key(sweep: NearZeroSweep | NotSwept) -> str:
    """A sweep's name."""
    return "/".join((sweep.block, sweep.format, sweep.variant))


def others_of(record: RunRecord) -> dict[str, tuple[Status, str]]:
    """What the trained blocks and the experiments came to, with the reason, by name."""
    return {f"{row.kind}/{row.title}": (row.status, row.reason) for row in outcomes(record) if row.kind in OTHERS}


def origin_of(record: RunRecord) -> Origin:
    """Where a run comes from."""
    env = record.environment
    machine = {name: str(getattr(env, name)) for name in ("device", "processor", "torch", "blas", "threads")}
    return Origin(
        run=record.run.id,
        profile=record.run.profile,
        seed=record.run.seed,
        schema_version=record.schema_version,
        machine=machine,
        probes={probe.id: hashlib.sha256(probe.answer.encode()).hexdigest()[:12] for probe in env.probes},
        recipes={model.block: model.recipe for model in record.models},
        weights={model.block: model.weights for model in record.models},
        suite=env.versions.get(SUITE, ""),
    )


def baseline_of(record: RunRecord, folder: Path | None, *, reason: str = "", before: Sequence[Accepted] = ()) -> Baseline:
    """A run as a baseline.

    folder: where its cases are; without it, or where it holds none, cells have no margins. Raises DamagedRun if they cannot be read.
    """
    cells = by_name(record)
    # Of each cell: two ends of an interval, a worst case, and how many are refused, violated or untested at the output.
    chance = CHANCE / (6 * max(len(cells), 1))
    margins = {} if folder is None else dict(_margins(record, folder, chance))
    accepted = Accepted(date=record.run.finished or record.run.started, run=record.run.id, reason=reason)
    return Baseline(
        accepted=[*before, accepted],
        origin=origin_of(record),
        claims={
            claim.id: ClaimLine(verdict=claim.verdict, scope=claim.scope, refuted=sorted(row.id for row in claim.mutants if row.verdict is Verdict.VIOLATED))
            for claim in record.claims
        },
        errata={str(erratum.number): erratum.shown for erratum in record.errata},
        cells={key: _line(cell, margins.get(cell.id, {}), chance) for key, cell in sorted(cells.items())},
        sweeps={sweep_key(sweep): SweepLine(measured=sweep.measured_radius, predicted=sweep.predicted_radius) for sweep in record.near_zero},
        others={key: status for key, (status, _) in others_of(record).items()},
    )


def _line(cell: CellRecord, margins: Mapping[str, float | int], chance: float) -> CellLine:
    worst = None if cell.worst_ratio is None else _short(cell.worst_ratio)
    if worst is not None and worst > 1 and "worst_limit" in margins:
        margins = {**margins, "worst_limit": math.inf}  # how far a known failure strays says nothing of how far another seed would
    return CellLine(
        verdict=cell.verdict,
        judged=cell.counts.judged,
        refused=cell.counts.inconclusive,
        worst=worst,
        tightness=None if cell.tightness is None else _short(cell.tightness.median),
        violated=cell.counts.violated,
        violated_limit=count_limit(cell.counts.violated, cell.counts.judged, cell.counts.judged, chance) if cell.counts.violated else 0,
        blind=cell.output_blind,
        blind_limit=count_limit(cell.output_blind, cell.counts.holds, cell.counts.holds, chance) if cell.independent else cell.counts.holds,
        certified=0 if cell.certified is None else cell.certified.cases,
        output_resolution=cell.output_resolution,
        resolution=cell.resolution,
        **margins,
    )


def by_name(record: RunRecord) -> dict[str, CellRecord]:
    """The cells by their names. Raises DamagedRun if two have one name, or two claims, errata or sweeps."""
    cells = [cell_key(cell) for cell in record.cells]
    claims, errata = [claim.id for claim in record.claims], [str(erratum.number) for erratum in record.errata]
    sweeps = [sweep_key(sweep) for sweep in record.near_zero]
    for kind, names in {"claims": claims, "errata": errata, "sweeps": sweeps, "cells": cells}.items():
        twice = next((name for name, times in Counter(names).items() if times > 1), None)
        if twice is not None:
            raise DamagedRun(f"the run {record.run.id} holds two {kind} named {twice}; run the suite again into another folder.")
    return dict(zip(cells, record.cells, strict=True))


def _margins(record: RunRecord, folder: Path, chance: float) -> Iterator[tuple[str, dict[str, float | int]]]:
    """By the cell's id, what another seed may show."""
    rows = {cell.id: cell for cell in record.cells if cell.counts.judged}
    for cell, table in read_cells(folder, ["error", "bound", "ratio", "output_ratio", "reason"]):
        if cell not in rows:
            continue
        if not rows[cell].independent:
            yield cell, {"worst_limit": max(1.0, rows[cell].worst_ratio or 0.0)}
            continue
        places, reasons = coded(table, "reason")
        judged = places == reasons.index("") if "" in reasons else np.zeros(len(places), dtype=bool)
        error, bound, ratio, output = (table[name].to_numpy()[judged] for name in ("error", "bound", "ratio", "output_ratio"))
        if not len(error):
            continue
        refused = count_limit(int((~judged).sum()), len(judged), len(judged), chance)
        fewest = max(1, len(judged) - refused)  # a fresh median of fewer cases is more spread; no fewer are judged, or that is a regression itself
        low, high = median_interval(_tightness(bound, error), fewest, chance)
        worst = np.fmax(ratio, output)
        yield (
            cell,
            {
                "worst_limit": _outwards(worst_limit(worst, len(error), chance), up=True) if np.isfinite(worst).all() else math.inf,
                "tightness_low": _outwards(low, up=False),
                "tightness_high": _outwards(high, up=True),
                "refused_limit": refused,
            },
        )


def _tightness(bound: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound over error; infinite where the error is zero."""
    found = np.full_like(bound, np.inf)
    np.divide(bound, error, out=found, where=error > 0)
    return found


def _short(x: float) -> float:
    """The number with few digits."""
    return float(f"{x:.{DIGITS - 1}e}")


def _outwards(x: float, *, up: bool) -> float:
    """The number with few digits, not smaller if up, else not larger."""
    if not math.isfinite(x) or x == 0:
        return x
    short = _short(x)
    if (short < x) if up else (short > x):
        step = 10.0 ** (math.floor(math.log10(abs(x))) - DIGITS + 1)
        short = _short(short + (step if up else -step))
    return short


def same_schema(baseline: Baseline) -> bool:
    """Whether its numbers mean what those of today's records mean."""
    return baseline.origin.schema_version == RUN_SCHEMA_VERSION
