"""What a run did not check, in words: never left out, however well the rest held."""

from collections import Counter
from collections.abc import Iterable

from reports.findings.dynamics import dynamics_not_shown
from reports.findings.faults import NOT_RUN, RESULTS, unjudged_searches
from reports.findings.sweeps import silent_sweeps
from reports.findings.unresolved import how_far
from reports.record import CellRecord, ClaimRecord, RunRecord
from reports.record.as_written import WatchedRecord
from reports.text import count, counted, joined, words
from symbolic.vocabulary import Verdict

_NO_REASON = dict.fromkeys(Verdict, "no reason recorded") | {Verdict.VACUOUS: "the bound is too wide to have noticed a wrong update"}


def unchecked(record: RunRecord) -> Iterable[str]:
    """One sentence for each kind of thing that was not checked, with its number and its reasons."""
    if not record.claims:
        yield "No claim was put to the prover."
    for verdict in (Verdict.SKIPPED, Verdict.INCONCLUSIVE, Verdict.VACUOUS, *NOT_RUN):
        yield from _claims_with(record.claims, verdict)
    bare = sum(claim.verdict is Verdict.HOLDS and not claim.mutants for claim in record.claims)
    if bare:
        yield f"For {counted(bare, 'claim')} no false variant was tried, so nothing shows that the prover would have refused one."
    if not record.cells:
        bounded = " against a bound" if record.experiments.in_double else ""
        yield f"No block was measured{bounded} in any format."
    for row in record.experiments.watched:
        yield from _of_watched(row)
    for each in record.experiments.in_double:
        if each.refused:
            why = "there is no update where a number is not finite, or what W reads, or the absorber divides by, cannot be told from 0"
            yield f"{counted(each.refused, 'case')} of {each.name} refused in float64: {why}."
    for reason in dict.fromkeys(row.reason for row in record.not_measured):
        rows = [row for row in record.not_measured if row.reason == reason]
        what, blocks = (joined([*dict.fromkeys(getattr(row, field) for row in rows)]) for field in ("what", "block"))
        if {row.block for row in rows} == {model.block for model in record.models}:
            blocks = "any block"
        yield f"Not measured on {blocks}: {what}. {reason[0].upper()}{reason[1:]}."
    for verdict in (Verdict.SKIPPED, Verdict.INCONCLUSIVE, Verdict.VACUOUS, *NOT_RUN):
        cells = [cell for cell in record.cells if cell.verdict is verdict]
        if cells:
            reasons = Counter(cell.reason or _NO_REASON[verdict] for cell in cells)
            yield f"{counted(len(cells), 'cell')} {RESULTS[verdict]}: {_tally(reasons)}."
    yield from how_far(record)
    refused = sum(cell.counts.inconclusive for cell in record.cells)
    if refused:
        reasons = sum((Counter(cell.reasons) for cell in record.cells), Counter[str]())
        yield f"{counted(refused, 'case')} refused, as their operands foretold{': ' + _tally(reasons) if reasons else ', with no reason recorded'}."
    timid = [cell.well_inside for cell in record.cells if cell.well_inside and cell.well_inside.refused]
    if timid:
        inside = sum(row.cases for row in timid)
        yield f"{count(sum(row.refused for row in timid))} of {counted(inside, 'case')} were refused although a factor of 4 inside every range limit."
    if record.bounds and not all(row.used for row in record.bounds.refinements):
        yield f"The bounds did without {joined([row.id for row in record.bounds.refinements if not row.used])}, so they are wider than they need to be."
    vacuous = sum(cell.counts.vacuous for cell in record.cells)
    if vacuous:
        yield f"{counted(vacuous, 'case')} inside a bound too wide to have noticed a wrong update."
    apart = sum(cell.counts.holds for cell in record.cells if cell.verdict is not Verdict.HOLDS)
    if apart:
        yield f"{counted(apart, 'case')} inside their bounds in cells that do not hold as a whole, and so not counted."
    unjudged = sum(_unjudged(cell) for cell in record.cells)
    if unjudged:
        yield f"{counted(unjudged, 'case')} without a verdict."
    patchy = [cell for cell in record.cells if cell.mutant_verdict is Verdict.VIOLATED and cell.mutant_caught < cell.counts.holds]
    if patchy:
        unnoticed, held = sum(cell.counts.holds - cell.mutant_caught for cell in patchy), sum(cell.counts.holds for cell in patchy)
        did = "cell noticed its planted wrong update" if len(patchy) == 1 else "cells noticed their planted wrong updates"
        yield f"{count(len(patchy))} {did} in most cases that hold, and not in {count(unnoticed)} of {count(held)}."
    blind = [cell for cell in record.cells if cell.verdict is Verdict.HOLDS and cell.output_blind]
    if blind:
        unseen, held = sum(cell.output_blind for cell in blind), sum(cell.counts.holds for cell in blind)
        yield (
            f"In {counted(len(blind), 'cell')} the bound at the block's output was too wide to show a wrong update "
            f"in {count(unseen)} of {counted(held, 'case')} that hold; there only the first dense layer tests it."
        )
    yield from dynamics_not_shown(record.experiments)
    yield from (f"{line[0].upper()}{line[1:]}." for line in (*silent_sweeps(record.near_zero), *unjudged_searches(record.experiments)))


def _of_watched(row: WatchedRecord) -> Iterable[str]:
    """What the judgement of a block as it is written leaves open."""
    if row.unproved:
        claims = "claim" if len(row.claims) == 1 else "claims"
        yield f"{row.block} needs the {claims} {joined(row.claims)} beside the scenario's; not proved yet, and so measured alone: {joined(row.unproved)}."
    if row.casts:
        where = joined(row.casts)
        yield f"{row.block} casts to shorter formats, at {where}; in float64 these casts are left out, so what they do to it was not seen."
    yield from (f"{row.block}: {note}." for note in row.notes)


def _claims_with(claims: Iterable[ClaimRecord], verdict: Verdict) -> Iterable[str]:
    for claim in claims:
        if claim.verdict is verdict:
            yield f"Claim {claim.id} {RESULTS[verdict]}: {claim.reason or _NO_REASON[verdict]}."


def _unjudged(cell: CellRecord) -> int:
    if cell.verdict in (Verdict.SKIPPED, *NOT_RUN):
        return 0  # told already, cell by cell
    return max(0, cell.cases - cell.counts.judged - cell.counts.inconclusive)


def _tally(reasons: Counter[str]) -> str:
    """Reasons with their counts, the most frequent first; a single one without, since its count has just been told."""
    if len(reasons) == 1:
        return words(next(iter(reasons)))
    return "; ".join(f"{words(reason)} ({count(number)})" for reason, number in reasons.most_common())
