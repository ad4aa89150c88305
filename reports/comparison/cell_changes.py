"""What a cell shows otherwise than a baseline's line of it.

    worst        error ÷ bound larger than another seed would show (``margins.worst_limit``)
    tightness    the median of bound ÷ error outside what another seed would show, on either side: above it the bound is wider or the
                 error smaller, below it the error is larger or the bound has lost a term (``margins.median_interval``)
    refused      more cases than another seed would have refused (``margins.count_limit``)
    bound        on the same operands (one seed, one machine, the same weights) another bound; there nothing is left to chance

A NaN lies inside no margin.
"""

import math
from collections.abc import Iterator

from reports.comparison.baseline import CellLine
from reports.comparison.changes import Change, DifferenceKind, verdict_change
from reports.record import CellRecord
from reports.text import count, counted, ratio, real

REORDERED = 2.0**-33
"""A bound's relative change that says nothing: what 2^20 roundings of float64, added in another order, may amount to."""


def cell_changes(key: str, line: CellLine, cell: CellRecord, *, margins: bool, paired: bool) -> Iterator[Change]:
    """margins: whether medians and refusals may be compared; paired: whether the operands are the same."""
    yield from verdict_change("cell", key, line.verdict, cell.verdict, cell.reason)

    def worse(what: str, before: str, after: str) -> Change:
        return Change(DifferenceKind.REGRESSION, "cell", key, what, before, after)

    judged = cell.counts.judged
    known = {"worst error ÷ bound": (line.worst, cell.worst_ratio), "bound ÷ effect": (line.resolution, cell.resolution)}
    known["bound ÷ error"] = line.tightness, None if cell.tightness is None else cell.tightness.median
    for name, (known_as, found_as) in known.items():
        if judged and known_as is not None and found_as is None:
            yield worse(f"no {name} any more", real(known_as), "missing")
    worst = cell.worst_ratio
    as_many = judged + cell.counts.inconclusive <= line.judged + line.refused  # a limit is made for so many; more of them go further
    if as_many and worst is not None and line.worst_limit is not None and not worst <= line.worst_limit:
        was, now, limit = ratio(line.worst), ratio(worst), ratio(line.worst_limit)
        yield worse(f"worst error ÷ bound {now}, was {was}; another seed stays within {limit}", was, now)
    if line.judged and not judged:
        if cell.verdict is line.verdict:
            yield worse("no case was judged", count(line.judged), "0")
        return
    if judged + cell.counts.inconclusive < line.judged + line.refused:
        was, now = count(line.judged + line.refused), count(judged + cell.counts.inconclusive)
        yield Change(DifferenceKind.CHANGED, "cell", key, f"{now} cases, {was} before: fewer show less", was, now)
    certified = 0 if cell.certified is None else cell.certified.cases
    if certified < min(line.certified, judged):
        yield worse(f"{counted(certified, 'case')} compared with balls, {count(line.certified)} before", count(line.certified), count(certified))
    if margins and cell.tightness is not None and line.tightness_low is not None and line.tightness_high is not None:
        middle = cell.tightness.median
        if not line.tightness_low <= middle <= line.tightness_high:
            side = "smaller: errors have grown, or the bound has lost a term" if middle < line.tightness_low else "larger: the bound has grown"
            was, now = real(line.tightness), real(middle)
            limits = f"{real(line.tightness_low)} to {real(line.tightness_high)}"
            yield worse(f"bound ÷ error, median {now}, was {was}; another seed stays within {limits}; {side}", was, now)
    refused = cell.counts.inconclusive
    numbers = {
        "refused": (line.refused, refused, line.refused_limit),
        "outside the bound": (line.violated, cell.counts.violated, line.violated_limit if line.violated else None),
        "untested at the block's output": (line.blind, cell.output_blind, line.blind_limit),
    }
    for name, (had, has, most) in numbers.items():
        if paired and had != has:
            yield worse(f"{counted(has, 'case')} {name}, {count(had)} before, on the same operands", count(had), count(has))
        elif margins and most is not None and has > most:
            yield worse(f"{counted(has, 'case')} {name}, {count(had)} before; another seed stays within {count(most)}", count(had), count(has))
    sites = {"": (line.resolution, cell.resolution), " at the block's output": (line.output_resolution, cell.output_resolution)}
    for site, (old, new) in sites.items():
        if paired and old is not None and new is not None and _changed(old, new):
            yield worse(f"another bound{site} on the same operands: bound ÷ effect, median, is {_by(old, new)}", real(old), real(new))


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
