"""What a run as a whole shows otherwise than a baseline: its checks of itself, what its bounds rest on, and how much of each experiment there is."""

from collections.abc import Iterator, Mapping, Sequence

from reports.comparison.amounts import allowed_by, amounts_of, parts_by_draw
from reports.comparison.baseline import by_name, cell_key, left_out, origin_of, sweep_key
from reports.comparison.baseline_rows import Baseline
from reports.comparison.changes import Change, DifferenceKind
from reports.comparison.margins import count_limit
from reports.comparison.other_weights import same_weights
from reports.comparison.shown_numbers import ON_ANY_MACHINE, digest_of_weights, on_a_seed, shown_numbers, written_as
from reports.findings import headline
from reports.findings.cell_faults import over_its_bound
from reports.findings.judge import judged
from reports.record import RunRecord
from reports.text import count, joined, real
from symbolic.vocabulary import Verdict


def run_changes(baseline: Baseline, record: RunRecord, disagreeing: Sequence[str], *, alike: bool) -> Iterator[Change]:
    """All of it.  disagreeing: as for ``headline``; alike: whether the machine is the same, and the record's schema."""
    yield from _against_itself(baseline, record, disagreeing)
    yield from _foundations(baseline, record)
    yield from _amounts(baseline, record, alike=alike)
    yield from _left_out(baseline, record)
    yield from _numbers(baseline, record, alike=alike)


def _against_itself(baseline: Baseline, record: RunRecord, disagreeing: Sequence[str]) -> Iterator[Change]:
    """What makes the run's own checks doubtful, or did not run, and stands in no row that is compared. No baseline accepts it."""
    for words in judged(record, disagreeing).doubted:
        yield Change(DifferenceKind.REGRESSION, "run", record.run.id, f"not to be trusted: {words}", "", "distrusted")
    for cell in record.cells:
        if over_its_bound(cell) and cell.verdict is not Verdict.VIOLATED:
            what = f"called {cell.verdict.value}, and its figures tell of a violation"
            yield Change(DifferenceKind.REGRESSION, "cell", cell_key(cell), what, "", Verdict.VIOLATED.value)
    for row in record.not_swept:
        if (key := sweep_key(row)) not in baseline.sweeps:
            yield Change(DifferenceKind.NOT_RUN, "sweep", key, f"it did not run: {row.reason}", "missing", row.verdict.value)
    yield from _exit_status(baseline.origin.exit_status, record)


def _exit_status(before: int | None, record: RunRecord) -> Iterator[Change]:
    """That a run's exit status is not the one that its rows come to, or another one than that of the baseline's run."""
    stored = record.run.exit_status
    if record.run.finished is None or stored is None:
        return
    by_rows = headline(record.model_copy(update={"run": record.run.model_copy(update={"exit_status": None})})).standing.exit_status
    if stored != by_rows:
        what = f"its exit status is {stored}, and its rows come to {by_rows}"
        yield Change(DifferenceKind.REGRESSION, "run", record.run.id, what, str(by_rows), str(stored))
    elif before is not None and stored != before:
        better = DifferenceKind.BETTER if stored == 0 else DifferenceKind.CHANGED
        yield Change(better, "run", record.run.id, f"its exit status is {stored}, was {before}", str(before), str(stored))


def _foundations(baseline: Baseline, record: RunRecord) -> Iterator[Change]:
    """Refinements that were used, what is taken for granted, and the questions that the machine was asked."""
    here, there, run = origin_of(record), baseline.origin, record.run.id
    finished = record.bounds is not None or record.run.finished is not None
    for name in there.refinements if finished else ():
        if name not in here.refinements:
            yield Change(DifferenceKind.REGRESSION, "run", run, f"the bounds did without {name}", "used", "not used")
    for name in here.refinements:
        if name not in there.refinements:
            yield Change(DifferenceKind.NEW, "run", run, f"the bounds used {name}, which is not in the baseline", "not used", "used")
    for words in here.assumptions:
        if words not in there.assumptions:
            yield Change(DifferenceKind.REGRESSION, "run", run, f"the bounds take for granted what they did not: {words}", "missing", words)
    for words in there.assumptions if finished else ():
        if words not in here.assumptions:
            yield Change(DifferenceKind.BETTER, "run", run, f"the bounds no longer take for granted: {words}", words, "missing")
    yield from _probes(there.probes, here.probes, record, alike=here.machine == there.machine and here.recipes.keys() >= there.recipes.keys())
    for block, recipe in there.recipes.items():
        if here.recipes.get(block, recipe) != recipe:
            yield Change(DifferenceKind.CHANGED, "other", f"trained blocks/{block}", "other weights: its recipe is another", recipe, here.recipes[block])


def _probes(before: Mapping[str, str], after: Mapping[str, str], record: RunRecord, *, alike: bool) -> Iterator[Change]:
    """alike: whether the same machine was asked about the same blocks, or more, so that it has to be asked the same, and to answer so."""
    formats = {cell.format for cell in record.cells}
    asked, were = ({name.split("/")[0] for name in names} for names in (after, before))
    if not alike and record.run.finished is not None:
        for name in sorted((formats & were) - asked):
            yield Change(DifferenceKind.REGRESSION, "run", record.run.id, f"the machine was not asked anything of {name}", "asked", "missing")
    for name in before if alike and record.run.finished is not None else ():
        if name not in after and name.split("/")[0] in formats:
            yield Change(DifferenceKind.REGRESSION, "run", record.run.id, f"the machine was not asked {name}", "asked", "missing")
        elif name in after and before[name] != after[name]:
            yield Change(DifferenceKind.CHANGED, "run", record.run.id, f"the same machine answers {name} otherwise", before[name], after[name])


def _numbers(baseline: Baseline, record: RunRecord, *, alike: bool) -> Iterator[Change]:
    """Blocks and experiments with other numbers, where nothing that they depend on is another: neither the weights nor, for a search, the seed.

    Where there is more of an experiment, or less, which is told as that, its numbers are others. On another machine what follows from a block alone is
    compared.
    """
    here, there, now, before = origin_of(record), baseline.origin, shown_numbers(record), amounts_of(record)
    drawn, parts = on_a_seed(record) if here.seed != there.seed else set(), parts_by_draw(record)
    for name in now.keys() & baseline.figures.keys() - drawn:
        resized = any(number != before.get(amount) for amount, number in baseline.amounts.items() if amount.startswith(f"{name}/") and amount not in parts)
        block = name.split("/")[1]
        weights, known = (digest_of_weights(shown, block) for shown in (now, baseline.figures))
        other_block = weights != known
        if other_block and name == written_as(block):
            what = "other weights: it is another block, whose numbers are not compared"
            yield Change(DifferenceKind.CHANGED, "experiment", name, what, known or "", weights or "")
        trained = block in here.recipes.keys() | there.recipes.keys()
        same = same_weights(here, there, block) if alike else here.recipes.get(block) == there.recipes.get(block)
        if resized or other_block or (trained and not same):
            continue
        was = baseline.figures[name]
        compared = now[name].keys() | was.keys() if alike else ON_ANY_MACHINE.get(name.split("/")[0], ())
        others = sorted(field for field in compared if now[name].get(field) != was.get(field))
        if others:
            what = f"other numbers of the same weights: {joined(others)}"
            yield Change(DifferenceKind.REGRESSION, "experiment", name, what, "the same", joined(others))


def _fewest(baseline: Baseline, here: Mapping[str, int], name: str, whole: str) -> int:
    """How many of the whole another seed's draw leaves of a part at least, but for the chance that a baseline allows for: cases judged, or noticed."""
    part = baseline.amounts[name]
    before, now = max(baseline.amounts.get(whole, 0), part), here[whole]
    return now - count_limit(before - part, before, now, baseline.chance)


def _left_out(baseline: Baseline, record: RunRecord) -> Iterator[Change]:
    """What the baseline lists as not measured is so here, or is measured: else nobody would know that it is not.

    What a profile leaves out bears the names of its formats. So where the block has rows that the baseline does not know, a name that is gone is only other.
    """
    now, before = left_out(record), baseline.not_measured
    gone = DifferenceKind.REGRESSION if record.run.finished is not None else DifferenceKind.NOT_RUN
    measured = {cell.block for key, cell in by_name(record).items() if key not in baseline.cells}
    measured |= {sweep.block for sweep in record.near_zero if sweep_key(sweep) not in baseline.sweeps}
    measured |= {name.split("/")[1] for name in amounts_of(record) if name not in baseline.amounts}
    for block, rows in before.items():
        here = now.get(block, {})
        for what, reason in rows.items():
            name = f"{block}: {what}"
            if what in here and here[what] != reason:
                yield Change(DifferenceKind.CHANGED, "other", name, f"left out for another reason: {here[what]}, was {reason}", reason, here[what])
            elif what not in here and (block in measured or here.keys() - rows.keys()):
                said = "not left out by that name any more; the block has rows that are new"
                yield Change(DifferenceKind.CHANGED, "other", name, said, "left out", "not listed")
            elif what not in here:
                yield Change(gone, "other", name, f"neither measured nor listed as not measured; it was left out: {reason}", "left out", "not listed")


def _amounts(baseline: Baseline, record: RunRecord, *, alike: bool) -> Iterator[Change]:
    """How much there is. Of what the draw decides another seed, another number of cases, or a machine that rounds otherwise has as much but for chance.

    Other weights may have anything of it.
    """
    finished = record.run.finished is not None
    here, parts, now = amounts_of(record), parts_by_draw(record), shown_numbers(record)
    drawn = not alike or origin_of(record).seed != baseline.origin.seed
    for name, number in baseline.amounts.items():
        whole = parts.get(name)
        whole = whole if drawn or (whole is not None and here.get(whole) != baseline.amounts.get(whole)) else None
        if name in parts and len({digest_of_weights(shown, name.split("/")[1]) for shown in (now, baseline.figures)}) > 1:
            continue
        if name not in here:
            gone = DifferenceKind.REGRESSION if finished else DifferenceKind.NOT_RUN
            yield Change(gone, "experiment", name, "missing from the run", count(number), "missing")
        elif here[name] < (number if whole is None else _fewest(baseline, here, name, whole)):
            yield Change(DifferenceKind.REGRESSION, "experiment", name, f"{count(here[name])}, {count(number)} before", count(number), count(here[name]))
    allowed = allowed_by(record)
    for name, limit in baseline.allowed.items():
        if name in allowed and not allowed[name] <= limit:
            what = f"more is allowed: {real(allowed[name])}, was {real(limit)}"
            yield Change(DifferenceKind.REGRESSION, "experiment", name, what, real(limit), real(allowed[name]))
