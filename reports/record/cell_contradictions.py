"""What no run can write into the row of a cell: numbers that contradict each other, or the verdict.

Each rule follows from how a row is made (``numeric.cells.measurement``, ``verify.records.cell_rows``); where a number may be NaN, the rule
leaves it alone, since a comparison with NaN says nothing.
"""

import math
from collections.abc import Iterator

from reports.record.cell_reason import reason_of
from reports.record.cells import CellRecord, Counts, Expected, Recomputed, Spread, witness_name
from symbolic.vocabulary import Verdict
from symbolic.vocabulary.sampling import expected_cases

UNMEASURED = (Verdict.SKIPPED, Verdict.ERROR, Verdict.TIMEOUT)
"""Verdicts on a cell of which nothing is known."""

NAMES = ("id", "claim", "block", "format", "numerics", "variant", "scenario", "device", "cases", "verdict", "reason")
"""What such a cell has all the same."""

MOST_ENTRIES = 64
"""λ²/2 above this would be of more entries than any layer has: e⁶⁴ of them are 2⁹²."""

OF_JUDGED = ("error", "bound", "tightness", "worst_ratio", "worst_site", "resolution", "output_resolution", "context_effect")
"""What is there if and only if a case was judged."""


def cell_contradictions(cell: CellRecord) -> Iterator[str]:
    """Each in words."""
    if cell.verdict in UNMEASURED:
        yield from _unmeasured(cell)
        return
    yield from _counts(cell)
    if any((getattr(cell, name) is None) is (cell.counts.judged > 0) for name in OF_JUDGED):
        yield f"of {cell.counts.judged} judged cases it must have {'all' if cell.counts.judged else 'none'} of {', '.join(OF_JUDGED)}"
        return
    yield from _sizes(cell)
    yield from _references(cell)
    if cell.verdict is not (found := _verdict(cell)):
        yield f"its verdict is {cell.verdict.value}, and its numbers say {found.value}"
    if cell.reason != (words := reason_of(cell)):
        yield f"its reason is {cell.reason or 'none'}, and its numbers say {words or 'none'}"


def _unmeasured(cell: CellRecord) -> Iterator[str]:
    """Nothing but its names and the reason: every other field is as in a row that says nothing."""
    for name, field in CellRecord.model_fields.items():
        if name not in NAMES and getattr(cell, name) != field.get_default():
            yield f"its verdict is {cell.verdict.value}, and it has {name}"
    if cell.cases:
        yield f"its verdict is {cell.verdict.value}, and it has {cell.cases} cases"
    if cell.reason is None:
        yield f"its verdict is {cell.verdict.value}, without a reason"


def _counts(cell: CellRecord) -> Iterator[str]:
    """How many of how many."""
    counts, judged = cell.counts, cell.counts.judged
    if cell.cases == 0 or judged + counts.inconclusive != cell.cases:
        yield f"its counts come to {judged + counts.inconclusive} of {cell.cases} cases"
    if sum(cell.reasons.values()) != counts.inconclusive or 0 in cell.reasons.values():
        yield f"its reasons come to {sum(cell.reasons.values())} of {counts.inconclusive} cases"
    parts = {
        "mutant_caught": (cell.mutant_caught, counts.holds),
        "output_blind": (cell.output_blind, counts.holds),
        "expected.exceeded": (cell.expected.exceeded, cell.expected.cases) if cell.expected else (0, 0),
        "expected.cases": (cell.expected.cases, min(cell.expected.asked, judged)) if cell.expected else (0, 0),
        "expected.asked": (cell.expected.asked, cell.cases) if cell.expected else (0, 0),
        "recomputed.cases": (cell.recomputed.cases, judged) if cell.recomputed else (0, 0),
        "recomputed.noticed": (cell.recomputed.noticed, judged) if cell.recomputed else (0, 0),
    }
    for name, (part, whole) in parts.items():
        if part > whole:
            yield f"{name} is {part} of {whole}"
    if not cell.batch:
        yield "no case was computed at once"
        return
    planned = expected_cases(cell.cases, cell.batch)
    asked, among = (cell.expected.asked, cell.expected.cases) if cell.expected else (planned, 0)
    if asked != planned or among < asked - counts.inconclusive or (cell.expected and among == 0):
        yield f"expected.cases is {among} of {asked} asked, and {counts.inconclusive} were refused"
    if cell.as_written and cell.witness:
        yield "it is of a block as it is written, and has a witness"
    if cell.expected and not _of_whole_entries(cell.expected):
        yield f"{cell.expected.factor!r} deviations are exceeded with {cell.expected.failure_probability!r} by no whole number of entries"
    wide = cell.unrefined
    if wide and not wide.noticed <= wide.holds <= wide.cases <= judged:
        yield f"without refinements {wide.noticed} were noticed of {wide.holds} that hold of {wide.cases} judged of {judged}"
    if wide and wide.cases == judged and cell.cases <= cell.batch and wide.refined != cell.resolution and not math.isnan(wide.refined):
        yield f"its only batch has a bound over effect of {wide.refined!r}, and the cell of {cell.resolution!r}"
    inside = cell.well_inside
    if inside is None or not inside.refused <= counts.inconclusive or not 0 <= inside.cases - inside.refused <= judged:
        yield "its cases well inside the range are missing, or more than it has"
    noticed = None if not counts.holds else Verdict.VIOLATED if 2 * cell.mutant_caught >= counts.holds else Verdict.HOLDS
    if cell.mutant is None or cell.mutant_verdict is not noticed:
        words = f"its planted wrong update was noticed in {cell.mutant_caught} of {counts.holds}"
        yield f"{words}, which is {noticed.value if noticed else 'no verdict'}, and it says {cell.mutant_verdict or 'none'}"


def _of_whole_entries(expected: Expected) -> bool:
    """Whether 2m exp(-λ²/2) is the failure probability for a whole number m of entries, to within the roundings of λ = √(2 log(2m/p)).

    λ is computed by a quotient, a logarithm, a product and a root, so it errs by at most 2⁻⁵⁰ of itself, and exp(λ²/2) by λ² times as much.
    """
    exponent = expected.factor**2 / 2
    if not 0 < expected.failure_probability <= 1 or not exponent < MOST_ENTRIES:
        return False
    entries = expected.failure_probability / 2 * math.exp(exponent)
    return round(entries) >= 1 and abs(entries - round(entries)) <= entries * (2 * exponent + 4) * 2.0**-50


def _sizes(cell: CellRecord) -> Iterator[str]:
    """How large beside what."""
    for name in ("error", "bound"):
        spread: Spread | None = getattr(cell, name)
        if spread and spread.max < spread.median:
            yield f"{name}.max is below {name}.median"
    if cell.recomputed:
        yield from _moves(cell.recomputed, cell.counts)
    if cell.tightness and (cell.tightness.p10 > cell.tightness.median or cell.tightness.median > cell.tightness.p90):
        yield "its quantiles of bound over error are not in their order"
    worst, error, bound = cell.worst_ratio, cell.error, cell.bound
    if worst is None or error is None or bound is None:
        return
    if worst > 1 and not cell.counts.violated:
        yield f"its worst error is {worst!r} times its bound, and no case is violated"
    if not cell.counts.violated and (error.max > bound.max or error.median > bound.median):
        yield "its error is above its bound, and no case is violated"
    if not cell.counts.violated and cell.tightness and cell.tightness.p10 < 1:
        yield "its bound over error is below 1, and no case is violated"
    # The case of the largest error has a bound of at most the largest one. A division that rounds down is one number below ours.
    if worst < math.nextafter(_over(error.max, bound.max), 0):
        yield f"its worst error over bound is {worst!r}, and its largest error over its largest bound is {_over(error.max, bound.max)!r}"


def _moves(found: Recomputed, counts: Counts) -> Iterator[str]:
    """A vector that came out the same moves nothing, so no case notices it; a violated one may."""
    largest, middle = found.moved.max, found.moved.median
    if largest < middle:
        yield "recomputed.moved.max is below its median"
    if found.noticed > found.cases + counts.violated:
        yield f"{found.noticed} cases noticed what moved in {found.cases}"
    if (largest > 0) is not (found.cases > 0) and not math.isnan(largest):
        yield f"{found.cases} vectors came out different, and the largest move is {largest!r}"
    elif (middle > 0 and 2 * found.cases < counts.judged) or (middle == 0 and 2 * found.cases >= counts.judged + 2):
        yield f"{found.cases} of {counts.judged} vectors came out different, and the median move is {middle!r}"


def _over(error: float, bound: float) -> float:
    """Error over bound; NaN, which is above and below nothing, where both are infinite."""
    if error == 0:
        return 0.0
    return error / bound if bound else math.inf


def _references(cell: CellRecord) -> Iterator[str]:
    """What stands beside the cell: balls, and files."""
    found = cell.certified
    if found is not None:
        if found.cases > cell.counts.judged or found.seconded > found.by_formula or not found.cases + found.by_formula:
            yield f"balls were compared in {found.cases} of {cell.counts.judged} judged cases, by formula in {found.by_formula}, seconded in {found.seconded}"
        if found.inside and found.seconded < found.by_formula:
            yield "it says that both references agreed, and counts a case in which they did not"
    if cell.cases_digest is None:
        yield "it has cases, and no digest of them"
    if (cell.witness is None) is not (cell.witness_digest is None):
        yield "it has a witness without a digest, or a digest of none"
    if cell.witness is not None and cell.witness != witness_name(cell.id):
        yield f"its witness is {cell.witness}, which is another cell's"


def _verdict(cell: CellRecord) -> Verdict:
    """The verdict that the numbers make, as ``numeric.cells.measurement`` has it."""
    if cell.counts.violated or (cell.certified is not None and not cell.certified.inside):
        return Verdict.VIOLATED
    if not cell.counts.judged:
        return Verdict.INCONCLUSIVE
    blunt = cell.resolution is not None and cell.resolution >= 1
    if not cell.counts.holds or blunt or cell.mutant_verdict is not Verdict.VIOLATED or (cell.recomputed is not None and not cell.recomputed.noticed):
        return Verdict.VACUOUS
    return Verdict.HOLDS
