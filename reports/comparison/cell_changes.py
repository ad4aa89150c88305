"""What a cell shows otherwise than a baseline's line of it.

    missing      a number, the witness, cases compared with balls, the planted wrong update; draws that were independent and are no more; or what no
                 draw and no machine changes is another: the expected bound's factor and failure probability, and that the context does something
    worst        error ÷ bound larger than another seed would show (``margins.worst_limit``)
    medians      bound ÷ error, bound ÷ effect (at the output, too), the expected bound ÷ error, the bound, or the error, outside what another seed would
                 show, on either side (``margins.order_interval``)
    counts       more cases refused, vacuous, unnoticed or beyond the expected bound than another seed would have (``margins.count_limit``)
    same         on the same operands (one seed, one machine, the same weights) another bound, count or other number; there nothing is left to chance
    batch        another number of cases computed at once, for which kernels may add in another order: then as on another machine

Margins are for as many cases as the run has, be they more or fewer than the baseline's: fewer cases are other, and so few that no margin is left of a median
show less, as fewer cases of a sweep do, which has no margins. What holds on another machine too is in ``floors.py``. A NaN lies
inside no margin.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reports.comparison.baseline_rows import CellLine
from reports.comparison.cell_lines import FIGURES, line_of
from reports.comparison.changes import Change, DifferenceKind, verdict_change
from reports.comparison.floors import floors, without_refinements
from reports.comparison.margins import count_limit, order_interval, tail_limit
from reports.findings.cell_faults import NOT_MEASURED
from reports.record import CellRecord
from reports.text import count, counted, joined, ratio, real

REORDERED = 2.0**-33
"""A bound's relative change that says nothing: what 2^20 roundings of float64, added in another order, may amount to."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What two cells have in common, and so what may be compared."""

    alike: bool
    """Whether the machine is the same, and the record's schema."""
    paired: bool
    """Whether the operands are the same, too."""
    same_order: bool
    """Whether the machine adds the products of the format in the same order, as far as it answers."""
    chance: float
    """That a margin is passed by the same code."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of some cases are marked, before and now."""

    what: str
    marked: tuple[int, int]
    size: tuple[int, int]
    never: bool = False
    """Whether none may be, if there was none: chance has no part in it."""

    def limit(self, chance: float) -> int:
        """The most that may be marked now."""
        had, before = self.marked[0], self.size[0]
        return 0 if self.never and not had else count_limit(had, before, self.size[1], chance)


def cell_changes(key: str, line: CellLine, cell: CellRecord, basis: Basis) -> Iterator[Change]:
    """The verdict first."""
    yield from verdict_change("cell", key, line.verdict, cell.verdict, cell.reason)
    if line.verdict in NOT_MEASURED or cell.verdict in NOT_MEASURED:
        return
    now = line_of(cell, {})
    if line.batch is not None and now.batch != line.batch:
        what = f"computed {count(now.batch or 0)} at once, {count(line.batch)} in the baseline: it is another measurement, which needs a baseline of its own"
        yield Change(DifferenceKind.REGRESSION, "cell", key, what, count(line.batch), count(now.batch or 0))
        basis = replace(basis, alike=False, paired=False, same_order=False)
    if now.independent and not line.independent:
        yield Change(DifferenceKind.CHANGED, "cell", key, "its cases are said to be drawn each by itself, which they were not", "in common", "independent")
    alike, paired = basis.alike, basis.paired and line.cases == now.cases
    found = [*_missing(line, now), *_worst(line, cell, basis)]
    if line.judged and not now.judged:
        found += [("no case was judged", count(line.judged), "0")] if cell.verdict is line.verdict else []
    else:
        if now.cases < line.cases:
            lost = _no_margin_left(line, now, basis.chance)
            what = (
                f"{counted(now.cases, 'case')}, {count(line.cases)} before: fewer show less{', and so few have no margin that could be passed' if lost else ''}"
            )
            yield Change(DifferenceKind.REGRESSION if lost else DifferenceKind.CHANGED, "cell", key, what, count(line.cases), count(now.cases))
        found += _certified(line, now)
        found += [*_medians(line, cell, basis), *without_refinements(line, cell, basis.chance)] if alike else floors(line, cell, basis.chance)
        found += _counts(_tallies(line, now), paired=paired, alike=alike and line.independent and now.independent, chance=basis.chance)
        found += _counts(_never(line, now), paired=paired, alike=True, chance=basis.chance)
        found += [*_same_bounds(line, cell), *_same_numbers(line, now)] if paired else []
    yield from (Change(DifferenceKind.REGRESSION, "cell", key, what, before, after) for what, before, after in found)


Worse = tuple[str, str, str]
"""What is worse, in words; what was; what is."""


def _missing(line: CellLine, now: CellLine) -> Iterator[Worse]:
    if now.judged:
        yield from ((f"no {FIGURES[name]} any more", "there", "missing") for name in now.absent if name not in line.absent)
    if line.mutant is not None and now.mutant != line.mutant:
        yield f"another wrong update was planted: {now.mutant or 'none'}, was {line.mutant}", line.mutant, now.mutant or "none"
    if line.expected_terms is not None and now.expected_terms is not None and any(map(_changed, line.expected_terms, now.expected_terms)):
        was, has = (f"{real(factor)} deviations, exceeded by {real(share)} of the cases" for factor, share in (line.expected_terms, now.expected_terms))
        yield f"another expected bound, whatever the draw: {has}, was {was}", was, has
    if line.effect is not None and now.effect is not None and 0 < line.effect < math.inf and not 0 < now.effect < math.inf:
        yield f"what the context does is {real(now.effect)} of A(C∖Y,x) in the median, was {real(line.effect)}", real(line.effect), real(now.effect)
    if line.independent and not now.independent:
        yield "its cases are said to have draws in common, which disarms the margins", "independent", "in common"


def _worst(line: CellLine, cell: CellRecord, basis: Basis) -> Iterator[Worse]:
    """The worst ratio against its limit for as many cases; where sums are added in another order, errors and bounds are other ones."""
    if line.worst_limit is None or cell.worst_ratio is None or not basis.same_order:
        return
    limit = line.worst_limit
    if line.tail is not None and cell.counts.judged > line.judged:
        limit = max(limit, tail_limit(line.tail, line.judged, cell.counts.judged, basis.chance))
    if not cell.worst_ratio <= limit:
        was, now = ratio(line.worst), ratio(cell.worst_ratio)
        yield f"worst error ÷ bound {now}, was {was}; another seed stays within {ratio(limit)}", was, now


def _certified(line: CellLine, now: CellLine) -> Iterator[Worse]:
    for had, has, what in ((line.certified, now.certified, "compared with balls"), (line.by_formula, now.by_formula, "in which the formula ran over balls")):
        if has < min(had, now.judged):
            yield f"{counted(has, 'case')} {what}, {count(had)} before", count(had), count(has)


def _medians(line: CellLine, cell: CellRecord, basis: Basis) -> Iterator[Worse]:
    """bound ÷ error, bound ÷ effect, and what they are made of; of cases with draws in common there are none."""
    of_error = None if cell.tightness is None else cell.tightness.median
    of_bound, itself = (None if spread is None else spread.median for spread in (cell.bound, cell.error))
    likely, judged = cell.expected, (line.judged, cell.counts.judged)
    asked = (line.expected_cases, 0 if likely is None else likely.cases)
    at_output, of_likely = cell.output_resolution, None if likely is None else likely.tightness_median
    wide = cell.unrefined
    first, batch = (None, 0) if wide is None else (wide.refined, wide.cases)
    lost, grown = "the bound has lost a term", "the bound has grown"
    sides = (
        ("bound ÷ error", line.tightness_order, line.tightness, of_error, judged, f"errors have grown, or {lost}", grown),
        ("bound ÷ effect", line.resolution_order, line.resolution, cell.resolution, judged, lost, grown),
        ("bound ÷ effect of the first batch", line.resolution_order, line.resolution, first, (line.judged, batch), lost, grown),
        ("bound", line.bound_order, line.bound, of_bound, judged, lost, grown),
        ("error", line.error_order, line.error, itself, judged, "less is measured", "errors have grown"),
        ("bound ÷ effect at the block's output", line.output_order, line.output_resolution, at_output, judged, lost, grown),
        ("expected bound ÷ error", line.expected_order, line.expected, of_likely, asked, f"errors have grown, or {lost}", grown),
    )
    for what, order, before, middle, sizes, below, above in sides:
        if not order or middle is None:
            continue
        low, high = order_interval(order, *sizes, basis.chance)
        if not low <= middle <= high:
            side = f"smaller: {below}" if middle < low else f"larger: {above}"
            limits = f"another seed stays within {real(low)} to {real(high)}"
            yield (
                f"{what}, median {real(middle)}, was {real(before)}; {limits}; {side}",
                real(before),
                real(middle),
            )


def _tallies(line: CellLine, now: CellLine) -> Iterator[Tally]:
    """What another seed moves by chance."""
    cases, judged, holds = (line.cases, now.cases), (line.judged, now.judged), (line.holds, now.holds)
    yield Tally("refused", (line.refused, now.refused), cases)
    for reason in dict.fromkeys((*line.reasons, *now.reasons)):
        if {*line.reasons, *now.reasons} != {reason}:  # else it is all of them
            yield Tally(f"refused as {reason}", (line.reasons.get(reason, 0), now.reasons.get(reason, 0)), cases)
    yield Tally("whose bound shows nothing", (line.vacuous, now.vacuous), judged)
    yield Tally("that hold with a wrong update unnoticed", (line.holds - line.noticed, now.holds - now.noticed), holds)
    yield Tally("untested at the block's output", (line.blind, now.blind), holds)
    if line.expected_terms is not None:
        yield Tally("whose error exceeds what was expected", (line.exceeded, now.exceeded), (line.expected_cases, now.expected_cases))
    if "well_inside" not in (*line.absent, *now.absent):
        yield Tally("not well inside the range limits", (line.cases - line.inside, now.cases - now.inside), cases)
    if "recomputed" not in (*line.absent, *now.absent):
        yield Tally("in which A(C∖Y,x) was not recomputed otherwise", (line.judged - line.moved, now.judged - now.moved), judged)
        yield Tally("in which what it moves went unnoticed", (line.judged - line.moves_noticed, now.judged - now.moves_noticed), judged)


def _never(line: CellLine, now: CellLine) -> Iterator[Tally]:
    """What no seed and no machine may bring where there was none."""
    if line.violated:
        yield Tally("outside the bound", (line.violated, now.violated), (line.judged, now.judged))
    yield Tally("refused although well inside the range limits", (line.timid, now.timid), (line.inside, now.inside), never=True)


def _counts(tallies: Iterator[Tally], *, paired: bool, alike: bool, chance: float) -> Iterator[Worse]:
    for tally in tallies:
        had, has = tally.marked
        if paired and had != has:
            yield f"{counted(has, 'case')} {tally.what}, {count(had)} before, on the same operands", count(had), count(has)
        elif not paired and alike and has > (limit := tally.limit(chance)):
            yield f"{counted(has, 'case')} {tally.what}, {count(had)} before; another seed stays within {count(limit)}", count(had), count(has)


def _no_margin_left(line: CellLine, now: CellLine, chance: float) -> bool:
    """Whether the median of so few cases may be anything, although that of the baseline's could not; where there was no margin before, none is left either."""
    order = line.resolution_order or line.tightness_order
    low, high = order_interval(order, line.judged, max(now.judged, 1), chance)
    return not (math.isfinite(low) and math.isfinite(high))


def _same_numbers(line: CellLine, now: CellLine) -> Iterator[Worse]:
    """Digests that are others. More cases that balls were compared in have other errors."""
    more = (now.certified, now.by_formula) != (line.certified, line.by_formula)
    names = [name for name in now.figures if now.figures[name] != line.figures.get(name, now.figures[name]) and not (more and name == "certified")]
    if names:
        yield f"other numbers on the same operands: {joined(names)}", "the same", joined(names)


def _same_bounds(line: CellLine, cell: CellRecord) -> Iterator[Worse]:
    sites: Sequence[tuple[str, float | None, float | None]] = (
        ("", line.resolution, cell.resolution),
        (" at the block's output", line.output_resolution, cell.output_resolution),
        (" without refinements", line.unrefined, None if cell.unrefined is None else cell.unrefined.resolution),
    )
    for site, old, new in sites:
        if old is not None and new is not None and _changed(old, new):
            yield f"another bound{site} on the same operands: bound ÷ effect, median, is {_by(old, new)}", real(old), real(new)


def _by(before: float, after: float) -> str:
    """How two numbers differ, in words; digits would hide a small difference."""
    share = (after - before) / before if before else math.nan
    if math.isnan(share):
        return f"{real(after)}, was {real(before)}"
    return f"{real(abs(share))} of itself {'smaller' if share < 0 else 'larger'} than {real(before)}"


def _changed(before: float, after: float) -> bool:
    """Whether a bound is another one, and not the same added in another order."""
    if before == after:
        return False
    return not abs(after - before) <= REORDERED * abs(before)
