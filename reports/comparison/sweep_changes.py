"""What a sweep towards a = 0 shows otherwise than a baseline's line of it.

radii       on the same operands the same. With other ones, the measured radius is a power of two above the predicted one at most (range limits say where a
            case may fail), and the predicted one so many above the measured one as the sweep itself allows (``timid_by``): both, where it was so before
allowance   the same on the same machine, whatever the draw; on any, without limit only where it was so of the same range limit
amounts     as many cases at a distance, as near to a = 0, in steps as small
figures     on the same operands the same
"""

import math
from collections.abc import Iterator

from reports.comparison.baseline import sweep_line
from reports.comparison.baseline_rows import SweepLine
from reports.comparison.changes import Change, DifferenceKind
from reports.record import NearZeroSweep
from reports.text import count, counted, joined, real

A_LEVEL = 2.0
"""From one distance to the next: a radius is known to a power of two. Range limits say where a case may fail, so chance lets it fail later, and not earlier."""


def sweep_changes(key: str, line: SweepLine, sweep: NearZeroSweep, *, paired: bool, alike: bool) -> Iterator[Change]:
    """All of it.  paired: whether the operands are the same; alike: whether the machine and the recipe are."""
    found = sweep_line(sweep, line.status)
    was, now = (f"{real(measured)}, {real(predicted)} predicted" for measured, predicted in ((line.measured, line.predicted), _radii(sweep)))
    if math.isnan(sweep.measured_radius) and not math.isnan(line.measured):
        yield Change(DifferenceKind.CHANGED, "sweep", key, f"nothing failed any more, so there is no radius; it was {was}", was, now)
    elif paired and (line.measured, line.predicted) != _radii(sweep) and was != now:
        yield Change(DifferenceKind.REGRESSION, "sweep", key, f"another radius on the same operands: {now}, was {was}", was, now)
    elif _in_time(line.measured, line.predicted) and not _in_time(*_radii(sweep)):
        yield Change(DifferenceKind.REGRESSION, "sweep", key, f"it fails earlier than range limits allow: {now}, was {was}", was, now)
    elif not _timid(line) and _timid(found):
        what = f"it is predicted to fail further from zero than range limits can be mistaken: {now}, was {was}"
        yield Change(DifferenceKind.REGRESSION, "sweep", key, what, was, now)
    yield from _allowance(key, line, found, alike=alike)
    others = [name for name in found.figures if found.figures[name] != line.figures.get(name, found.figures[name])] if paired else []
    if others:
        yield Change(DifferenceKind.REGRESSION, "sweep", key, f"other numbers on the same operands: {joined(others)}", "the same", joined(others))
    if found.cases < line.cases:
        was, now = count(line.cases), count(found.cases)
        yield Change(DifferenceKind.REGRESSION, "sweep", key, f"{counted(found.cases, 'case')} at a distance, {was} before: fewer show less", was, now)
    for what, had, has in (("its nearest distance from a = 0", line.nearest, found.nearest), ("the largest quotient of distances", line.apart, found.apart)):
        if has > had:
            yield Change(DifferenceKind.REGRESSION, "sweep", key, f"{what} is {real(has)}, was {real(had)}", real(had), real(has))


def _allowance(key: str, line: SweepLine, found: SweepLine, *, alike: bool) -> Iterator[Change]:
    """Another draw may meet another limit, of which more may be known, or less; of the same limit no machine knows nothing where another knows something."""
    was, now = line.timid_by, found.timid_by
    if was is None or now is None or was == now:
        return
    same, without_limit = found.figures["predicted_by"] == line.figures.get("predicted_by"), math.isinf(now) is not math.isinf(was)
    if alike or (same and without_limit):
        standing = DifferenceKind.REGRESSION if same or not without_limit else DifferenceKind.CHANGED
        yield Change(standing, "sweep", key, f"its prediction may be mistaken by {real(now)} powers of two, was {real(was)}", real(was), real(now))


def _radii(sweep: NearZeroSweep) -> tuple[float, float]:
    return sweep.measured_radius, sweep.predicted_radius


def _in_time(measured: float, predicted: float) -> bool:
    """Whether nothing failed earlier than it was foretold; a sweep in which nothing failed has a NaN for a radius."""
    return math.isnan(measured) or measured <= A_LEVEL * predicted


def _timid(line: SweepLine) -> bool:
    """Whether the predicted radius lies further above the measured one than the sweep allows; where nothing failed, above the nearest distance."""
    if line.timid_by is None:
        return False
    return line.predicted > (line.measured if line.measured > 0 else line.nearest) * 2.0**line.timid_by
