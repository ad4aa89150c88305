"""What a run shows otherwise than a baseline: what is worse, missing, new, better, or moved beyond its margin.

    verdict      graver than it was; a known failure that is none any more is *stale*, and must be taken out of the baseline
    worst        error ÷ bound larger than another seed would show (``prediction.worst_limit``)
    tightness    the median of bound ÷ error outside what another seed would show, on either side: above it the bound is wider or the
                 error smaller, below it the error is larger or the bound has lost a term (``prediction.median_interval``)
    refused      more cases than another seed would have refused (``prediction.count_limit``)
    bound        on the same operands (one seed, one machine, the same weights) another bound; there nothing is left to chance

A NaN lies inside no margin. On another machine, or with another torch, kernels add in another order: verdicts and the worst ratios are
compared then, and nothing else; the same if the record's schema was another. Times are never compared.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from reports.comparison.baseline import Baseline, CellLine, ClaimLine, SweepLine, by_name, cell_key, judged_cases, origin_of, others_of, same_schema, sweep_key
from reports.findings.findings import doubts, over_its_bound
from reports.findings.outcomes import Status
from reports.record.record import CellRecord, ClaimRecord, ErratumRecord, NearZeroSweep, RunRecord
from reports.text.numbers import count, counted, joined, ratio, real
from symbolic.vocabulary import Verdict

REORDERED = 2.0**-33
"""A bound's relative change that says nothing: what 2^20 roundings of float64, added in another order, may amount to."""

KNOWN_FAILURES = (Verdict.VIOLATED, Verdict.ERROR, Verdict.TIMEOUT)

FAILING_WORDS = (*(verdict.value for verdict in KNOWN_FAILURES), Status.FAILED.value, Status.BROKE.value, "not shown")
"""What a row that no baseline knows may not be."""

UNCHECKED = (Verdict.VACUOUS, Verdict.INCONCLUSIVE, Verdict.SKIPPED)

GRAVEST_FIRST: tuple[tuple[Verdict, ...], ...] = ((Verdict.VIOLATED,), (Verdict.ERROR, Verdict.TIMEOUT), UNCHECKED, (Verdict.HOLDS,))
"""Of one rank none is better than another: nothing was checked."""

A_LEVEL = 2.0
"""From one distance to the next: a radius is known to a power of two. Range limits say where a case may fail, so chance lets it fail later, and not earlier."""


class DifferenceKind(Enum):
    """What a difference means to a gate. The gravest first."""

    REGRESSION = "regression"
    STALE = "stale known failure"
    NOT_RUN = "not run"
    NEW = "new, not accepted"
    CHANGED = "other, not accepted"
    BETTER = "better"


FAILING = (DifferenceKind.REGRESSION, DifferenceKind.STALE)
UNACCEPTED = (DifferenceKind.NEW, DifferenceKind.CHANGED, DifferenceKind.BETTER)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is otherwise."""

    standing: DifferenceKind
    kind: str
    """claim, erratum, cell, sweep, run, or other: a trained block or an experiment."""
    id: str
    what: str
    """In words, with what was and what is."""
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run held to a baseline."""

    differences: tuple[Difference, ...]
    """The gravest first."""
    compared: Mapping[str, int]
    """How many of each kind stood on both sides."""
    limits: tuple[str, ...]
    """What was not compared, and why."""
    finished: bool
    """Whether the run was."""

    def of(self, *standings: DifferenceKind) -> list[Difference]:
        """Those of some standings."""
        return [found for found in self.differences if found.standing in standings]

    @property
    def nothing(self) -> bool:
        """Whether there was nothing on both sides."""
        return not any(self.compared.values())


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

    def of_cell(key: str, line: CellLine, cell: CellRecord) -> Iterator[Difference]:
        yield from _cell(key, line, cell, margins=alike and key not in fewer, paired=paired(cell.block) and key not in fewer)

    def of_sweep(key: str, line: SweepLine, sweep: NearZeroSweep) -> Iterator[Difference]:
        yield from _sweep(key, line, sweep, paired=paired(sweep.block))

    sides = (
        ("claim", baseline.claims, {claim.id: claim for claim in record.claims}, _claim, _verdict_of),
        ("erratum", baseline.errata, {str(erratum.number): erratum for erratum in record.errata}, _erratum, _shown),
        ("cell", baseline.cells, cells, of_cell, _verdict_of),
        ("sweep", baseline.sweeps, {sweep_key(sweep): sweep for sweep in record.near_zero}, of_sweep, lambda _: "measured"),
        ("other", baseline.others, others_of(record), _other, lambda row: (row if isinstance(row, Status) else row[0]).value),
    )
    found: list[Difference] = []
    compared = {}
    for kind, before, after, judge, word in sides:
        rows, number = _matched(kind, before, after, judge, word, gone)  # type: ignore[arg-type]  # each kind with its own rows
        found += rows
        compared[kind] = number
    found += _against_itself(record, baseline)
    order = list(DifferenceKind)
    found.sort(key=lambda each: (order.index(each.standing), each.kind != "claim", _gravity(each.after)))
    return Comparison(tuple(found), compared, tuple(_limits(baseline, record, other_machine, fewer, alike=alike)), finished)


def _against_itself(record: RunRecord, baseline: Baseline) -> Iterator[Difference]:
    """What makes the run's own checks doubtful, or did not run, and stands in no row that is compared. No baseline accepts it."""
    for words in doubts(record):
        yield Difference(DifferenceKind.REGRESSION, "run", record.run.id, f"not to be trusted: {words}", "", "distrusted")
    for cell in record.cells:
        if over_its_bound(cell) and cell.verdict is not Verdict.VIOLATED:
            what = f"called {cell.verdict.value}, and its figures tell of a violation"
            yield Difference(DifferenceKind.REGRESSION, "cell", cell_key(cell), what, "", Verdict.VIOLATED.value)
        elif cell.verdict is Verdict.HOLDS and cell.mutant_verdict is None:
            yield Difference(
                DifferenceKind.REGRESSION, "cell", cell_key(cell), "no wrong update was planted, so nothing shows that one would be noticed", "", "distrusted"
            )
    for row in record.not_swept:
        if (key := "/".join((row.block, row.format, row.variant))) not in baseline.sweeps:
            yield Difference(DifferenceKind.NOT_RUN, "sweep", key, f"it did not run: {row.reason}", "missing", row.verdict.value)


B = TypeVar("B")
A = TypeVar("A")


def _matched(
    kind: str,
    before: Mapping[str, B],
    after: Mapping[str, A],
    judge: Callable[[str, B, A], Iterable[Difference]],
    word: Callable[[B | A], str],
    gone: DifferenceKind,
) -> tuple[list[Difference], int]:
    """The differences of one kind, and how many stood on both sides."""
    found = [Difference(gone, kind, key, "missing from the run", word(row), "missing") for key, row in before.items() if key not in after]
    for key, row in after.items():
        if key not in before:
            failing = word(row) in FAILING_WORDS
            standing = DifferenceKind.REGRESSION if failing else DifferenceKind.NEW
            found.append(Difference(standing, kind, key, f"not in the baseline{', and ' + word(row) if failing else ''}", "missing", word(row)))
    both = [key for key in after if key in before]
    for key in both:
        found += judge(key, before[key], after[key])
    return found, len(both)


def _verdict(kind: str, key: str, before: Verdict, after: Verdict, reason: str | None) -> Iterator[Difference]:
    """Graver, stale, or better."""
    was, now = (next(rank for rank, verdicts in enumerate(GRAVEST_FIRST) if verdict in verdicts) for verdict in (before, after))
    if now == was and before is not after:
        yield Difference(DifferenceKind.CHANGED, kind, key, f"{before.value} became {after.value}{': ' + reason if reason else ''}", before.value, after.value)
    elif now < was:
        yield Difference(
            DifferenceKind.REGRESSION, kind, key, f"{before.value} became {after.value}{': ' + reason if reason else ''}", before.value, after.value
        )
    elif now > was:
        stale = before in KNOWN_FAILURES
        what = f"known as {before.value}, now {after.value}" + ("; take it out of the baseline" if stale else "")
        yield Difference(DifferenceKind.STALE if stale else DifferenceKind.BETTER, kind, key, what, before.value, after.value)


def _claim(key: str, line: ClaimLine, claim: ClaimRecord) -> Iterator[Difference]:
    yield from _verdict("claim", key, line.verdict, claim.verdict, claim.reason)
    if claim.scope != line.scope and claim.verdict is line.verdict:
        yield Difference(DifferenceKind.REGRESSION, "claim", key, f"shown for {claim.scope}, was {line.scope}", line.scope, claim.scope)
    refuted = {mutant.id for mutant in claim.mutants if mutant.verdict is Verdict.VIOLATED}
    for name in sorted(set(line.refuted) - refuted):
        known = any(mutant.id == name for mutant in claim.mutants)
        yield Difference(
            DifferenceKind.REGRESSION, "claim", key, f"the false variant {name} is {'not refuted' if known else 'missing'}", "refuted", "not refuted"
        )
    for name in sorted({mutant.id for mutant in claim.mutants} - set(line.refuted)):
        if name in refuted:
            yield Difference(DifferenceKind.NEW, "claim", key, f"the false variant {name} is refuted, and not in the baseline", "missing", "refuted")


def _erratum(key: str, shown: bool, erratum: ErratumRecord) -> Iterator[Difference]:
    if shown and not erratum.shown:
        yield Difference(DifferenceKind.REGRESSION, "erratum", key, "not shown any more: refuted as printed and proved as corrected", "shown", "not shown")
    elif erratum.shown and not shown:
        yield Difference(DifferenceKind.STALE, "erratum", key, "known as not shown, now shown; take it into the baseline", "not shown", "shown")


def _cell(key: str, line: CellLine, cell: CellRecord, *, margins: bool, paired: bool) -> Iterator[Difference]:
    """margins: whether medians and refusals may be compared; paired: whether the operands are the same."""
    yield from _verdict("cell", key, line.verdict, cell.verdict, cell.reason)

    def worse(what: str, before: str, after: str) -> Difference:
        return Difference(DifferenceKind.REGRESSION, "cell", key, what, before, after)

    judged = judged_cases(cell)
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
        yield Difference(DifferenceKind.CHANGED, "cell", key, f"{now} cases, {was} before: fewer show less", was, now)
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


def _sweep(key: str, line: SweepLine, sweep: NearZeroSweep, *, paired: bool) -> Iterator[Difference]:
    was, now = (f"{real(measured)}, {real(predicted)} predicted" for measured, predicted in ((line.measured, line.predicted), _radii(sweep)))
    if math.isnan(sweep.measured_radius) and not math.isnan(line.measured):
        yield Difference(DifferenceKind.CHANGED, "sweep", key, f"nothing failed any more, so there is no radius; it was {was}", was, now)
    elif paired and (line.measured, line.predicted) != _radii(sweep) and was != now:
        yield Difference(DifferenceKind.REGRESSION, "sweep", key, f"another radius on the same operands: {now}, was {was}", was, now)
    elif _in_time(line.measured, line.predicted) and not _in_time(*_radii(sweep)):
        yield Difference(DifferenceKind.REGRESSION, "sweep", key, f"it fails earlier than range limits allow: {now}, was {was}", was, now)


def _radii(sweep: NearZeroSweep) -> tuple[float, float]:
    return sweep.measured_radius, sweep.predicted_radius


def _in_time(measured: float, predicted: float) -> bool:
    """Whether nothing failed earlier than it was foretold; a sweep in which nothing failed has a NaN for a radius."""
    return math.isnan(measured) or measured <= A_LEVEL * predicted


def _other(key: str, before: Status, found: tuple[Status, str]) -> Iterator[Difference]:
    after, reason = found
    was, now = (list(Status).index(status) for status in (before, after))
    if now < was:
        yield Difference(DifferenceKind.REGRESSION, "other", key, f"{before.value} became {after.value}: {reason}", before.value, after.value)
    elif now > was:
        stale = before in (Status.FAILED, Status.BROKE)
        what = f"known as {before.value}, now {after.value}" + ("; take it out of the baseline" if stale else "")
        yield Difference(DifferenceKind.STALE if stale else DifferenceKind.BETTER, "other", key, what, before.value, after.value)


def _as_many(line: CellLine, cell: CellRecord) -> bool:
    """Whether the run's cell has as many cases as the margins are made for."""
    return line.judged + line.refused == judged_cases(cell) + cell.counts.inconclusive


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


def _gravity(word: str) -> int:
    """The place of a verdict's word, the gravest first; other words after all."""
    names = [verdict.value for verdicts in GRAVEST_FIRST for verdict in verdicts]
    return names.index(word) if word in names else len(names)
