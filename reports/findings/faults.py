"""What went wrong in a run, in words: what is violated, what makes its checks doubtful, what broke."""

from collections.abc import Iterable, Sequence

from reports.findings.as_written import undecided_in_double, unequal_blocks, unnoticed_in_double
from reports.findings.cell_faults import DOUBTS, over_its_bound, side_outside
from reports.findings.dynamics import strayed_dynamics, undecided_dynamics, unnoticed_readings
from reports.findings.shown_figures import doubtful_figures, doubtful_losses
from reports.findings.stacks import strayed_stacks, unnoticed_patches
from reports.findings.sweeps import doubtful_sweeps, silent_sweeps, strayed_sweeps
from reports.findings.unresolved import missed_formats, unresolved
from reports.record import Experiments, RunRecord
from reports.record.agreement import altered_claims
from reports.record.cell_reason import OWN_VARIANT
from reports.text import count, counted, joined, ratio
from symbolic.vocabulary import Verdict

RESULTS = {
    Verdict.HOLDS: "hold",
    Verdict.VIOLATED: "violated",
    Verdict.VACUOUS: "vacuous",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.SKIPPED: "skipped",
    Verdict.ERROR: "broke",
    Verdict.TIMEOUT: "ran out of time",
}
"""What became of several claims or cells."""

NOT_RUN = {verdict: RESULTS[verdict] for verdict in (Verdict.ERROR, Verdict.TIMEOUT)}
"""Verdicts on what was asked for and not done."""


def violations(record: RunRecord) -> Iterable[str]:
    """What is false, or lies outside its bound."""
    for claim in record.claims:
        if claim.verdict is Verdict.VIOLATED:
            yield f"the claim {claim.id} is refuted"
    cells = [cell for cell in record.cells if over_its_bound(cell) and not side_outside(cell)]
    if cells:
        cases = sum(cell.counts.violated for cell in cells)
        ratios = [(cell.worst_ratio, cell.id) for cell in cells if cell.worst_ratio is not None and cell.worst_ratio > 1]
        what = f"{counted(cases, 'case')} in {counted(len(cells), 'cell')}" if cases else counted(len(cells), "cell")
        example = cells[0].id if len(cells) == 1 else f"{cells[0].id} for one"
        where = f", the worst with an error of {ratio(max(ratios)[0])} times its bound in {max(ratios)[1]}" if ratios else f" ({example})"
        lie = "lies outside its bound" if (cases or len(cells)) == 1 else "lie outside their bounds"
        yield f"{what} {lie}{where}"
    by_a_side = [cell for cell in record.cells if side_outside(cell)]
    for own, fault in ((True, "; the fault is the update's, which computes another matrix than ΔW"), (False, "")):
        cells = [cell for cell in by_a_side if (cell.variant == OWN_VARIANT) is own]
        if cells:
            example = cells[0].id if len(cells) == 1 else f"{cells[0].id} for one"
            yield f"in {counted(len(cells), 'cell')} a side lies outside its own radius, by ball arithmetic ({example}){fault}"
    yield from strayed_sweeps(record.near_zero)
    yield from _figure_1(record)
    yield from strayed_dynamics(record.experiments)
    yield from strayed_stacks(record.experiments)
    yield from unequal_blocks(record.experiments)
    yield from _adversarial(record)


def _figure_1(record: RunRecord) -> Iterable[str]:
    """Checkpoints of Figure 1 at which the two losses differ by more than rounding can make of it."""
    figure = record.experiments.figure_1
    outside = [row.step for row in figure.checkpoints if not row.difference <= row.bound] if figure else []
    if outside:
        yield f"at {counted(len(outside), 'checkpoint')} of Figure 1 the two losses differ by more than their bound (step {outside[0]} for one)"


def _adversarial(record: RunRecord) -> Iterable[str]:
    """Searches that found a context outside its bound."""
    for row in record.experiments.adversarial:
        if row.outside:
            yield f"the search for the worst context found an error of {ratio(row.worst)} times its bound in {row.block}, {row.format}"


def doubts(record: RunRecord) -> Iterable[str]:
    """Checks that failed their own test, so that what they say of the rest means nothing."""
    totals = record.totals
    missed = totals.mutants - totals.mutants_refuted
    if missed:
        were = "was" if missed == 1 else "were"
        yield f"{count(missed)} of {counted(totals.mutants, 'false statement')} {were} not refuted, so the prover may accept anything"
    untried = [claim.id for claim in record.claims if claim.verdict is Verdict.HOLDS and not claim.mutants]
    if untried:
        yield f"the prover was tried on no false variant of {joined(untried)}"
    figure = record.experiments.figure_1
    unseen = [row.step for row in figure.checkpoints if not abs(row.with_context - row.planted) > row.bound] if figure else []
    if unseen:
        yield f"at {counted(len(unseen), 'checkpoint')} of Figure 1 the bound would not have noticed a wrong update (step {unseen[0]} for one)"
    yield from unnoticed_readings(record.experiments)
    yield from unnoticed_patches(record.experiments)
    yield from unnoticed_in_double(record.experiments)
    altered = [*altered_claims(record)]
    if altered:
        yield f"the record has other words for {joined(altered)} than those that it has the digests of"
    failed = [claim.id for claim in record.claims if claim.kernel.status == "failed"]
    if failed:
        yield f"the proof assistant's kernel did not accept {joined(failed)}"
    yield from doubtful_figures(record.experiments)
    yield from doubtful_losses(record.models)
    yield from doubtful_sweeps(record.near_zero)
    for doubt in DOUBTS:
        wrong = [cell for cell in record.cells if doubt.found(cell)]
        if wrong:
            verbs = {"has": "has", "is": "is"} if len(wrong) == 1 else {"has": "have", "is": "are"}
            example = wrong[0].id if len(wrong) == 1 else f"{wrong[0].id} for one"
            yield f"{counted(len(wrong), 'cell')} {doubt.message.format(**verbs)} ({example})"


def mismatch(disagreeing: Sequence[str]) -> Iterable[str]:
    """That cells have other cases or another witness on disk than the record tells of, if any have."""
    if disagreeing:
        has, example = ("has", disagreeing[0]) if len(disagreeing) == 1 else ("have", f"{disagreeing[0]} for one")
        yield f"{counted(len(disagreeing), 'cell')} {has} other cases or another witness on disk than the record tells of ({example})"


def undecided(record: RunRecord) -> Iterable[str]:
    """What ran and told nothing: a bound that a wrong update would satisfy, too, or no case, distance, prompt or context that could be judged."""
    tolerated = {row.id for row in unresolved(record)}
    for verdict in (Verdict.VACUOUS, Verdict.INCONCLUSIVE):
        for noun, rows in (("claim", record.claims), ("cell", [row for row in record.cells if row.id not in tolerated])):
            number = sum(row.verdict is verdict for row in rows)
            if number:
                yield f"{counted(number, noun)} {'is' if number == 1 else 'are'} {verdict.value.lower()}"
    yield from silent_sweeps(record.near_zero)
    yield from undecided_dynamics(record.experiments)
    yield from unjudged_searches(record.experiments)
    yield from undecided_in_double(record.experiments)
    missed = missed_formats(record)
    if missed and record.cells:
        yield f"nothing was measured in {joined(missed)}, asked for by name"


def unjudged_searches(experiments: Experiments) -> Iterable[str]:
    """Comparisons that compared nothing: a figure without a checkpoint, a search in which no context could be judged."""
    if experiments.figure_1 is not None and not experiments.figure_1.checkpoints:
        yield "Figure 1 has no checkpoint"
    unjudged = [f"{row.block} in {row.format}/{row.variant}" for row in experiments.adversarial if row.worst is None]
    if unjudged:
        yield f"the search for the worst context could judge none for {joined(unjudged)}"


def not_run(record: RunRecord) -> Iterable[str]:
    """How many claims and cells broke or ran out of time; their reasons are among what was not checked."""
    for verdict, did in NOT_RUN.items():
        for noun, rows in (("claim", record.claims), ("cell", record.cells)):
            number = sum(row.verdict is verdict for row in rows)
            if number:
                yield f"{counted(number, noun)} {did}"


def breaks(record: RunRecord) -> Iterable[str]:
    """Other parts of a run that it could not do."""
    for verdict, did in NOT_RUN.items():
        sweeps = [row for row in record.not_swept if row.verdict is verdict]
        if sweeps:
            first = sweeps[0]
            yield f"{counted(len(sweeps), 'near-zero sweep')} {did} ({first.block}, {first.format}, {first.variant}: {first.reason})"
    for row in record.experiments.broken:
        yield f"{row.what} broke ({row.block}: {row.reason})"
    for reason in dict.fromkeys(row.reason for row in record.experiments.out_of_time):
        rows = [row for row in record.experiments.out_of_time if row.reason == reason]
        yield f"{joined([f'{row.what} ({row.block})' for row in rows])} ran out of time ({reason})"
    unshown = [str(erratum.number) for erratum in record.errata if not erratum.shown]
    if unshown:
        yield f"{'erratum' if len(unshown) == 1 else 'errata'} {joined(unshown)} not shown: refuted as printed, and proved as corrected"
    untrained = [model.block for model in record.models if not model.validation_loss <= model.required_loss]
    if untrained:
        yield f"{joined(untrained)} {'has' if len(untrained) == 1 else 'have'} not learned the task"
