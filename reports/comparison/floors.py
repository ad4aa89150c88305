"""What a cell must show on any machine: another processor, torch or number of threads.

Another machine adds in another order, which may be known or not, and it may round once more where this one rounds once: before it adds a bias, or between a
product and its sum. So a bound there is at most ROUNDED_AGAIN times the bound without any refinement. How many times as large as the refined one that is
(w) was measured on a batch of each cell of one scenario: in others it is several times as large or as small, so their medians are not compared.

    resolution   bound ÷ effect has no error in it: at most ROUNDED_AGAIN w times what another seed would show
    tightness    bound ÷ error likewise, from above; the errors of another order are other ones, so nothing is said from below
    unrefined    the bound without refinements is the same on both machines but for that factor: at least a ROUNDED_AGAIN-th, at most ROUNDED_AGAIN times
    judged       range limits are the format's: what lies a factor of 4 inside all of them is refused nowhere, so no more are refused than do not lie there
    expected     of the cases no more exceed their expected bound than its model's failure probability lets, by chance
    noticed      without refinements, of the batch, where the bound is the same: no smaller share of the cases holds, or notices a wrong update

Only where products are summed in the same format on both; the verdict, and what is left to no machine's choice, is compared in any case.
"""

import math
from collections.abc import Iterator

from reports.comparison.baseline_rows import CellLine
from reports.comparison.margins import binomial_limit, count_limit, order_interval
from reports.record import CellRecord
from reports.text import count, counted, real

ROUNDED_AGAIN = 2.0
"""A rounding where a machine rounds twice, over that where it rounds once; u + u (1 + u) counts as 2u here, and the rest is far inside the margins."""


def floors(line: CellLine, cell: CellRecord, chance: float) -> Iterator[tuple[str, str, str]]:
    """What is below them, in words; what was; what is."""
    yield from _judged(line, cell, chance)
    yield from _as_expected(line, cell, chance)
    if cell.numerics != line.numerics:
        return
    if line.wider is not None:
        yield from _bounds(line, cell, chance, ROUNDED_AGAIN * max(line.wider, 1.0))
    yield from without_refinements(line, cell, chance)


def without_refinements(line: CellLine, cell: CellRecord, chance: float) -> Iterator[tuple[str, str, str]]:
    """What the cell's first batch shows with bounds that no machine's order of sums makes tighter."""
    now = cell.unrefined
    if now is None or line.unrefined is None or line.unrefined_counts is None:
        return
    low, high = _spread(line, now.cases, chance)
    if now.resolution < (least := line.unrefined / ROUNDED_AGAIN * low):
        was, has = real(line.unrefined), real(now.resolution)
        yield f"bound ÷ effect without refinements, median {has}, was {was}; on any machine at least {real(least)}: the bound has lost a term", was, has
    if not now.resolution <= (most := line.unrefined * high * ROUNDED_AGAIN):
        was, has = real(line.unrefined), real(now.resolution)
        yield f"bound ÷ effect without refinements, median {has}, was {was}; on any machine at most {real(most)}: the bound has grown", was, has
    if not now.resolution <= line.unrefined * high:
        return  # a machine that rounds again
    cases, holds, noticed = line.unrefined_counts
    for what, (had, before), (has_, of) in (
        ("shown without refinements", (cases - holds, cases), (now.cases - now.holds, now.cases)),
        ("with a wrong update unnoticed without refinements", (holds - noticed, holds), (now.holds - now.noticed, now.holds)),
    ):
        limit = count_limit(had, before, of, chance)
        if has_ > limit:
            message = f"{counted(has_, 'case')} of {count(of)} not {what}" if what.startswith("shown") else f"{counted(has_, 'case')} of {count(of)} {what}"
            yield f"{message}, {count(had)} of {count(before)} before; on any machine at most {count(limit)}", count(had), count(has_)


def _judged(line: CellLine, cell: CellRecord, chance: float) -> Iterator[tuple[str, str, str]]:
    """The share of the cases that is judged."""
    if cell.well_inside is None or not line.independent:
        return
    limit = max(count_limit(line.cases - line.inside, line.cases, cell.cases, chance), count_limit(line.refused, line.cases, cell.cases, chance))
    refused = cell.counts.inconclusive
    if refused > limit:
        yield f"{counted(refused, 'case')} refused, {count(line.refused)} before; on any machine at most {count(limit)}", count(line.refused), count(refused)


def _as_expected(line: CellLine, cell: CellRecord, chance: float) -> Iterator[tuple[str, str, str]]:
    """How many cases exceed their expected bound: by its own model no more than its failure probability allows, on any machine."""
    if cell.expected is None or line.expected_terms is None:
        return
    share = line.expected_terms[1]
    limit = binomial_limit(cell.expected.cases, share, chance)
    if line.exceeded <= binomial_limit(line.expected_cases, share, chance) and cell.expected.exceeded > limit:
        was, has = count(line.exceeded), count(cell.expected.exceeded)
        yield f"{counted(cell.expected.exceeded, 'case')} whose error exceeds what was expected, {was} before; on any machine at most {count(limit)}", was, has


def _bounds(line: CellLine, cell: CellRecord, chance: float, factor: float) -> Iterator[tuple[str, str, str]]:
    of_error = None if cell.tightness is None else cell.tightness.median
    for what, order, before, middle in (
        ("bound ÷ effect", line.resolution_order, line.resolution, cell.resolution),
        ("bound ÷ error", line.tightness_order, line.tightness, of_error),
    ):
        if not order or middle is None or before is None:
            continue
        most = order_interval(order, line.judged, cell.counts.judged, chance)[1] * factor
        if not middle <= most:
            yield f"{what}, median {real(middle)}, was {real(before)}; on any machine at most {real(most)}: the bound has grown", real(before), real(middle)


def _spread(line: CellLine, fresh: int, chance: float) -> tuple[float, float]:
    """How far from the median that of another seed may lie, as factors: of bound ÷ effect with refinements, of as many cases as the batch has."""
    if not line.resolution_order or not line.resolution:
        return 0.0, math.inf
    low, high = order_interval(line.resolution_order, line.judged, fresh, chance)
    return max(low, 0.0) / line.resolution, high / line.resolution
