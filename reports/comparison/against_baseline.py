"""A run held to a baseline: what is worse, missing, new, better, or moved beyond its margin.

A verdict that is graver than it was is a regression; a known failure that is none any more is *stale*, and must be taken out of the baseline.
On another machine, or with another torch, kernels add in another order: verdicts and the worst ratios are compared then, and nothing else;
the same if the record's schema was another. Times are never compared.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from reports.comparison.baseline import Baseline, CellLine, ClaimLine, SweepLine, by_name, cell_key, origin_of, others_of, same_schema, sweep_key
from reports.comparison.cell_changes import cell_changes
from reports.comparison.changes import KNOWN_FAILURES, Change, Comparison, DifferenceKind, gravity, verdict_change
from reports.comparison.other_weights import other_suite, other_weights
from reports.findings import Status
from reports.findings.faults import doubts, over_its_bound
from reports.record import CellRecord, ClaimRecord, NearZeroSweep, RunRecord
from reports.record.claims import ErratumRecord
from reports.text import counted, joined, real
from symbolic.vocabulary import Verdict

FAILING_WORDS = (*(each.value for each in KNOWN_FAILURES), "not shown")
"""What a row that no baseline knows may not be."""

A_LEVEL = 2.0
"""From one distance to the next: a radius is known to a power of two. Range limits say where a case may fail, so chance lets it fail later, and not earlier."""


def differences(baseline: Baseline, record: RunRecord) -> Comparison:
    """Hold a run to a baseline."""
    here, there = origin_of(record), baseline.origin
    other_machine = sorted(name for name in here.machine if here.machine[name] != there.machine.get(name))
    alike = not other_machine and same_schema(baseline)
    finished = record.run.finished is not None
    gone = DifferenceKind.REGRESSION if finished else DifferenceKind.NOT_RUN
    cells = by_name(record)
    fewer = [key for key, cell in cells.items() if alike and key in baseline.cells and not _as_many(baseline.cells[key], cell)]

    def paired(block: str) -> bool:
        """Whether both had the same operands."""
        return alike and here.seed == there.seed and block in here.recipes and here.recipes[block] == there.recipes.get(block)

    def of_cell(key: str, line: CellLine, cell: CellRecord) -> Iterator[Change]:
        yield from cell_changes(key, line, cell, margins=alike and key not in fewer, paired=paired(cell.block) and key not in fewer)

    def of_sweep(key: str, line: SweepLine, sweep: NearZeroSweep) -> Iterator[Change]:
        yield from _sweep(key, line, sweep, paired=paired(sweep.block))

    sides = (
        ("claim", baseline.claims, {claim.id: claim for claim in record.claims}, _claim, _verdict_of),
        ("erratum", baseline.errata, {str(erratum.number): erratum for erratum in record.errata}, _erratum, _shown),
        ("cell", baseline.cells, cells, of_cell, _verdict_of),
        ("sweep", baseline.sweeps, {sweep_key(sweep): sweep for sweep in record.near_zero}, of_sweep, lambda _: "measured"),
        ("other", baseline.others, others_of(record), _other, lambda row: (row if isinstance(row, Status) else row[0]).value),
    )
    changes: list[Change] = []
    compared = {}
    for kind, before, after, judge, word in sides:
        rows, number = _matched(kind, before, after, judge, word, gone)  # type: ignore[arg-type]  # each kind with its own rows
        changes += rows
        compared[kind] = number
    changes += _against_itself(record, baseline)
    changes += other_weights(baseline, record)
    order = list(DifferenceKind)
    changes.sort(key=lambda each: (order.index(each.standing), each.kind != "claim", gravity(each.after)))
    return Comparison(tuple(changes), compared, tuple(_limits(baseline, record, other_machine, fewer, alike=alike)), finished)


def _against_itself(record: RunRecord, baseline: Baseline) -> Iterator[Change]:
    """What makes the run's own checks doubtful, or did not run, and stands in no row that is compared. No baseline accepts it."""
    for words in doubts(record):
        yield Change(DifferenceKind.REGRESSION, "run", record.run.id, f"not to be trusted: {words}", "", "distrusted")
    for cell in record.cells:
        if over_its_bound(cell) and cell.verdict is not Verdict.VIOLATED:
            what = f"called {cell.verdict.value}, and its figures tell of a violation"
            yield Change(DifferenceKind.REGRESSION, "cell", cell_key(cell), what, "", Verdict.VIOLATED.value)
        elif cell.verdict is Verdict.HOLDS and cell.mutant_verdict is None:
            yield Change(
                DifferenceKind.REGRESSION, "cell", cell_key(cell), "no wrong update was planted, so nothing shows that one would be noticed", "", "distrusted"
            )
    for row in record.not_swept:
        if (key := sweep_key(row)) not in baseline.sweeps:
            yield Change(DifferenceKind.NOT_RUN, "sweep", key, f"it did not run: {row.reason}", "missing", row.verdict.value)


B = TypeVar("B")
A = TypeVar("A")


def _matched(
    kind: str,
    before: Mapping[str, B],
    after: Mapping[str, A],
    judge: Callable[[str, B, A], Iterable[Change]],
    word: Callable[[B | A], str],
    gone: DifferenceKind,
) -> tuple[list[Change], int]:
    """The differences of one kind, and how many stood on both sides."""
    changes = [Change(gone, kind, key, "missing from the run", word(row), "missing") for key, row in before.items() if key not in after]
    for key, row in after.items():
        if key not in before:
            failing = word(row) in FAILING_WORDS
            standing = DifferenceKind.REGRESSION if failing else DifferenceKind.NEW
            changes.append(Change(standing, kind, key, f"not in the baseline{', and ' + word(row) if failing else ''}", "missing", word(row)))
    both = [key for key in after if key in before]
    for key in both:
        changes += judge(key, before[key], after[key])
    return changes, len(both)


def _claim(key: str, line: ClaimLine, claim: ClaimRecord) -> Iterator[Change]:
    yield from verdict_change("claim", key, line.verdict, claim.verdict, claim.reason)
    if claim.scope != line.scope and claim.verdict is line.verdict:
        yield Change(DifferenceKind.REGRESSION, "claim", key, f"shown for {claim.scope}, was {line.scope}", line.scope, claim.scope)
    refuted = {mutant.id for mutant in claim.mutants if mutant.verdict is Verdict.VIOLATED}
    for name in sorted(set(line.refuted) - refuted):
        known = any(mutant.id == name for mutant in claim.mutants)
        yield Change(DifferenceKind.REGRESSION, "claim", key, f"the false variant {name} is {'not refuted' if known else 'missing'}", "refuted", "not refuted")
    for name in sorted({mutant.id for mutant in claim.mutants} - set(line.refuted)):
        if name in refuted:
            yield Change(DifferenceKind.NEW, "claim", key, f"the false variant {name} is refuted, and not in the baseline", "missing", "refuted")


def _erratum(key: str, shown: bool, erratum: ErratumRecord) -> Iterator[Change]:
    if shown and not erratum.shown:
        yield Change(DifferenceKind.REGRESSION, "erratum", key, "not shown any more: refuted as printed and proved as corrected", "shown", "not shown")
    elif erratum.shown and not shown:
        yield Change(DifferenceKind.STALE, "erratum", key, "known as not shown, now shown; take it into the baseline", "not shown", "shown")


def _sweep(key: str, line: SweepLine, sweep: NearZeroSweep, *, paired: bool) -> Iterator[Change]:
    was, now = (f"{real(measured)}, {real(predicted)} predicted" for measured, predicted in ((line.measured, line.predicted), _radii(sweep)))
    if math.isnan(sweep.measured_radius) and not math.isnan(line.measured):
        yield Change(DifferenceKind.CHANGED, "sweep", key, f"nothing failed any more, so there is no radius; it was {was}", was, now)
    elif paired and (line.measured, line.predicted) != _radii(sweep) and was != now:
        yield Change(DifferenceKind.REGRESSION, "sweep", key, f"another radius on the same operands: {now}, was {was}", was, now)
    elif _in_time(line.measured, line.predicted) and not _in_time(*_radii(sweep)):
        yield Change(DifferenceKind.REGRESSION, "sweep", key, f"it fails earlier than range limits allow: {now}, was {was}", was, now)


def _radii(sweep: NearZeroSweep) -> tuple[float, float]:
    return sweep.measured_radius, sweep.predicted_radius


def _in_time(measured: float, predicted: float) -> bool:
    """Whether nothing failed earlier than it was foretold; a sweep in which nothing failed has a NaN for a radius."""
    return math.isnan(measured) or measured <= A_LEVEL * predicted


def _other(key: str, before: Status, found: tuple[Status, str]) -> Iterator[Change]:
    yield from verdict_change("other", key, before, *found)


def _as_many(line: CellLine, cell: CellRecord) -> bool:
    """Whether the run's cell has as many cases as the margins are made for."""
    return line.judged + line.refused == cell.counts.judged + cell.counts.inconclusive


def _limits(baseline: Baseline, record: RunRecord, other_machine: list[str], fewer: list[str], *, alike: bool) -> Iterator[str]:
    """What was not compared, and known failures that fail as they did, in words."""
    known = [key for rows in (baseline.claims, baseline.cells) for key, line in rows.items() if line.verdict in KNOWN_FAILURES]
    if known:
        yield f"{counted(len(known), 'known failure')} in the baseline: {joined(known)}."
    if record.run.finished is None:
        yield "The run is not finished: what it lacks may still have come."
    if not same_schema(baseline):
        yield (
            f"The baseline was made from a record of schema {baseline.origin.schema_version}, this one is of {record.schema_version}: "
            "verdicts and the worst ratios are compared, and nothing else."
        )
    elif other_machine:
        yield f"The baseline is from elsewhere (another {joined(other_machine)}): verdicts and the worst ratios are compared, and nothing else."
    answers = origin_of(record).probes
    otherwise = [name for name, answer in answers.items() if baseline.origin.probes.get(name, answer) != answer]
    if otherwise and not other_machine:
        yield (
            f"The same machine gave {counted(len(otherwise), 'other answer')} to probes ({joined(otherwise[:3])}{' ...' if len(otherwise) > 3 else ''}): "
            "blocks of other shapes were asked about, or the probes have changed. All is compared as if they had not."
        )
    yield from other_suite(baseline, record)
    if record.run.profile != baseline.origin.profile:
        yield f"The baseline is of the profile {baseline.origin.profile}, this run of {record.run.profile}."
    if fewer:
        yield f"{counted(len(fewer), 'cell')} of another number of cases: the verdict is compared and, unless they are more, the worst ratio."
    together = sum(not cell.independent for cell in record.cells if cell_key(cell) in baseline.cells)
    if together and alike:
        yield f"{counted(together, 'cell')} of cases with draws in common, which hide another seed's spread: medians are compared on the same operands alone."
    if baseline.cells and not baseline.has_margins:
        yield "The cases that the baseline was made from were not at hand, so there are no margins: verdicts are compared, and nothing else."
    yield "Of blocks and experiments it is compared what they came to, not their numbers; times are not compared."


def _verdict_of(row: ClaimLine | ClaimRecord | CellLine | CellRecord) -> str:
    return row.verdict.value


def _shown(row: bool | ErratumRecord) -> str:
    return "shown" if (row if isinstance(row, bool) else row.shown) else "not shown"
