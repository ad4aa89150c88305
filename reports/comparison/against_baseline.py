"""A run held to a baseline: what is worse, missing, new, better, or moved beyond its margin.

A verdict that is graver than it was is a regression; a known failure that is none any more is *stale*, and must be taken out of the baseline.
On another machine, or with another torch, kernels add in another order: what no machine changes is compared then (``floors.py``); if the record's schema
was another, verdicts and worst ratios alone. Times are never compared.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from reports.comparison.baseline import by_name, cell_key, origin_of, others_of, same_schema, sweep_key, sweep_statuses
from reports.comparison.baseline_rows import Baseline, CellLine, ClaimLine, ErratumLine, SweepLine
from reports.comparison.cell_changes import Basis, cell_changes
from reports.comparison.changes import KNOWN_FAILURES, Change, Comparison, DifferenceKind, gravity, verdict_change
from reports.comparison.claim_changes import claim_changes, erratum_changes
from reports.comparison.other_weights import other_suite, other_weights, same_weights
from reports.comparison.run_changes import run_changes
from reports.comparison.sweep_changes import sweep_changes
from reports.findings import Status, outcomes
from reports.record import CellRecord, ClaimRecord, NearZeroSweep, RunRecord
from reports.record.claims import ErratumRecord
from reports.text import counted, joined

FAILING_WORDS = (*(each.value for each in KNOWN_FAILURES), "not shown")
"""What a row that no baseline knows may not be."""


def differences(baseline: Baseline, record: RunRecord, disagreeing: Sequence[str] = (), *, lost: Sequence[str] = (), same_machine: bool = False) -> Comparison:
    """Hold a run to a baseline.

    disagreeing: as for ``headline``; lost: what the run's folder has lost (``reports.record.agreement``); same_machine: whether a run from
    elsewhere is a regression by that alone.
    """
    here, there = origin_of(record), baseline.origin
    other_machine = sorted(name for name in here.machine if here.machine[name] != there.machine.get(name))
    alike = not other_machine and same_schema(baseline)
    finished = record.run.finished is not None
    gone = DifferenceKind.REGRESSION if finished else DifferenceKind.NOT_RUN
    cells, rows = by_name(record), outcomes(record)
    statuses = sweep_statuses(record, rows)

    def paired(block: str) -> bool:
        """Whether both had the same operands."""
        return alike and here.seed == there.seed and same_weights(here, there, block)

    def of_cell(key: str, line: CellLine, cell: CellRecord) -> Iterator[Change]:
        if same_schema(baseline):
            order = f"{cell.format}/order"
            same_order = alike or (cell.numerics == line.numerics and here.probes.get(order) == there.probes.get(order))
            yield from cell_changes(key, line, cell, Basis(alike, paired(cell.block), same_order, baseline.chance))
        else:
            yield from verdict_change("cell", key, line.verdict, cell.verdict, cell.reason)

    def of_sweep(key: str, line: SweepLine, sweep: NearZeroSweep) -> Iterator[Change]:
        yield from verdict_change("sweep", key, line.status, *statuses[key])
        yield from sweep_changes(key, line, sweep, paired=paired(sweep.block), alike=alike and here.recipes.get(sweep.block) == there.recipes.get(sweep.block))

    sides = (
        ("claim", baseline.claims, {claim.id: claim for claim in record.claims}, claim_changes, _verdict_of),
        ("erratum", baseline.errata, {str(erratum.number): erratum for erratum in record.errata}, erratum_changes, _shown),
        ("cell", baseline.cells, cells, of_cell, _verdict_of),
        ("sweep", baseline.sweeps, {sweep_key(sweep): sweep for sweep in record.near_zero}, of_sweep, lambda row: _status_of(row, statuses)),
        ("other", baseline.others, others_of(rows), _other, lambda row: (row if isinstance(row, Status) else row[0]).value),
    )
    changes: list[Change] = []
    compared = {}
    for kind, before, after, judge, word in sides:
        found, number = _matched(kind, before, after, judge, word, gone)  # type: ignore[arg-type]  # each kind with its own rows
        changes += found
        compared[kind] = number
    changes += run_changes(baseline, record, disagreeing, alike=alike)
    changes += other_weights(baseline, record)
    changes += [Change(DifferenceKind.NOT_RUN, "run", record.run.id, f"its folder has lost {name}, so it was not held to its digests", "", "") for name in lost]
    if same_machine:
        changes += [
            Change(DifferenceKind.REGRESSION, "run", record.run.id, f"another {name}: {here.machine[name]}, was {there.machine.get(name)}", "", "")
            for name in other_machine
        ]
    order = list(DifferenceKind)
    changes.sort(key=lambda each: (order.index(each.standing), each.kind != "claim", gravity(each.after)))
    return Comparison(tuple(changes), compared, tuple(_limits(baseline, record, other_machine, alike=alike)), finished)


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


def _other(key: str, before: Status, found: tuple[Status, str]) -> Iterator[Change]:
    yield from verdict_change("other", key, before, *found)


def _limits(baseline: Baseline, record: RunRecord, other_machine: list[str], *, alike: bool) -> Iterator[str]:
    """What was not compared, and known failures that fail as they did, in words."""
    known = [key for rows in (baseline.claims, baseline.cells) for key, line in rows.items() if line.verdict in KNOWN_FAILURES]
    if known:
        yield f"{counted(len(known), 'known failure')} in the baseline: {joined(known)}."
    if record.run.finished is None:
        yield "The run is not finished: what it lacks may still have come."
    if not same_schema(baseline):
        yield (
            f"The baseline was made from a record of schema {baseline.origin.schema_version}, this one is of {record.schema_version}: "
            "of cells their verdicts are compared, and nothing else."
        )
    elif other_machine:
        yield (
            f"The baseline is from elsewhere (another {joined(other_machine)}): medians are compared with what they may be on any machine alone, "
            "counts that depend on the bounds with those without refinements, and worst ratios where sums are added in the same order."
        )
        summed = sum(cell.numerics != baseline.cells[key].numerics for key, cell in by_name(record).items() if key in baseline.cells)
        if summed:
            yield f"{counted(summed, 'cell')} of products that are summed in another format here: their bounds are not compared."
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
    other = sum(cell.cases != baseline.cells[key].cases for key, cell in by_name(record).items() if key in baseline.cells)
    if other and alike:
        yield f"{counted(other, 'cell')} of another number of cases: margins are for as many as there are now."
    together = sum(not cell.independent for cell in record.cells if cell_key(cell) in baseline.cells)
    if together and alike:
        yield f"{counted(together, 'cell')} of cases with draws in common, which hide another seed's spread: medians are compared on the same operands alone."
    if baseline.cells and not baseline.has_margins:
        yield "The cases that the baseline was made from were not at hand, so there are no margins of medians and worst cases."
    if alike:
        yield "Of blocks and experiments what they came to, how much of them there is and, on the same weights, all numbers are compared; times are not."
    else:
        yield "Of blocks and experiments what they came to and how much of them there is are compared, not their numbers; times are not."


def _verdict_of(row: ClaimLine | ClaimRecord | CellLine | CellRecord) -> str:
    return row.verdict.value


def _shown(row: ErratumLine | ErratumRecord) -> str:
    return "shown" if row.shown else "not shown"


def _status_of(row: SweepLine | NearZeroSweep, statuses: Mapping[str, tuple[Status, str]]) -> str:
    return (row.status if isinstance(row, SweepLine) else statuses[sweep_key(row)][0]).value
