"""What a run may be said to have shown, in one sentence, and what it may not.

The sentence is built from the rows alone and claims only what they carry. Cases are counted only in cells whose verdict
is HOLDS, and not at all while one such cell could not have noticed a wrong update, or did not. Whatever else the record
holds is told as a failure, as a reason for distrust, or as not checked.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reports.numbers import count, counted, ratio, words
from reports.record import CellRecord, ClaimRecord, RunRecord
from symbolic.verdict import Verdict

ALL_SIZES = "all sizes"

_NOT_RUN = {Verdict.ERROR: "broke", Verdict.TIMEOUT: "ran out of time"}


class Standing(StrEnum):
    """How a run stands, the gravest first."""

    VIOLATED = "violated"
    """A claim is refuted, or a case lies outside its bound."""
    DISTRUSTED = "distrusted"
    """A check failed its own test: it would not have noticed something false."""
    UNFINISHED = "unfinished"
    """The run did not end, or parts of it broke."""
    NOTHING = "nothing"
    """Nothing was established."""
    HELD = "held"
    """Everything that was checked held."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict on a run."""

    standing: Standing
    sentence: str
    """One sentence, which never claims more than was checked."""
    failures: tuple[str, ...]
    """What else failed and is neither in the sentence, which tells the gravest kind, nor among what was not checked."""
    unchecked: tuple[str, ...]
    """What was not checked, with counts and reasons."""


def headline(record: RunRecord, disagreeing: Sequence[str] = ()) -> Headline:
    """The verdict on a run, from its rows.

    disagreeing: cells whose cases on disk are not those that the record counts; see ``reports.agreement``.
    """
    violations, doubts = [*_violations(record)], [*_doubts(record), *_mismatch(disagreeing)]
    not_run, breaks = [*_not_run(record)], [*_breaks(record)]
    unchecked = tuple(_unchecked(record))
    shown = _shown(record)
    unfinished = record.run.finished is None
    if violations:
        lead = "Violated, in a run that did not finish" if unfinished else "Violated"
        return Headline(Standing.VIOLATED, f"{lead}: {_joined(violations)}.", (*doubts, *breaks), unchecked)
    if doubts:
        lead = "Not to be trusted, and not finished" if unfinished else "Not to be trusted"
        return Headline(Standing.DISTRUSTED, f"{lead}: {_joined(doubts)}.", tuple(breaks), unchecked)
    if unfinished:
        so_far = f"so far {shown}" if shown else "nothing was checked so far"
        return Headline(Standing.UNFINISHED, f"The run did not finish: {so_far}.", tuple(breaks), unchecked)
    if not_run or breaks:
        rest = f"; of the rest, {shown}" if shown else ", and nothing else was established"
        return Headline(Standing.UNFINISHED, f"Incomplete: {_joined([*not_run, *breaks])}{rest}.", (), unchecked)
    if not shown:
        nothing = "Nothing was established" if record.claims or record.cells else "Nothing was checked"
        return Headline(Standing.NOTHING, f"{nothing}.", (), unchecked)
    return Headline(Standing.HELD, f"Everything that was checked held: {shown}.", (), unchecked)


def noticed_nothing(cell: CellRecord) -> bool:
    """Whether a cell says HOLDS although its bound, by its own figures, could not have noticed a wrong update."""
    blind = cell.resolution is not None and not cell.resolution < 1  # NaN is blind too
    return cell.verdict is Verdict.HOLDS and (blind or cell.counts.holds == 0)


def over_its_bound(cell: CellRecord) -> bool:
    """Whether a cell's verdict, counts or worst ratio tells of a violation."""
    return cell.verdict is Verdict.VIOLATED or cell.counts.violated > 0 or (cell.worst_ratio is not None and cell.worst_ratio > 1)


def wrong_update_missed(cell: CellRecord) -> bool:
    """Whether a cell with judged cases let its planted wrong update pass."""
    return cell.verdict is Verdict.HOLDS and cell.mutant_verdict is not None and cell.mutant_verdict is not Verdict.VIOLATED


def _shown(record: RunRecord) -> str:
    """What was established, or nothing."""
    proved = [claim for claim in record.claims if claim.verdict is Verdict.HOLDS]
    general = sum(claim.scope == ALL_SIZES for claim in proved)
    inside = sum(cell.counts.holds for cell in record.cells if cell.verdict is Verdict.HOLDS)
    return _joined(
        part
        for number, part in (
            (general, f"{counted(general, 'claim')} proved for all sizes"),
            (len(proved) - general, f"{counted(len(proved) - general, 'claim')} shown for the sizes stated"),
            (inside, f"{counted(inside, 'case')} inside {'its bound' if inside == 1 else 'their bounds'}"),
        )
        if number
    )


def _violations(record: RunRecord) -> Iterable[str]:
    for claim in record.claims:
        if claim.verdict is Verdict.VIOLATED:
            yield f"the claim {claim.id} is refuted"
    cells = [cell for cell in record.cells if over_its_bound(cell)]
    if cells:
        cases = sum(cell.counts.violated for cell in cells)
        worst = max((cell for cell in cells if cell.worst_ratio is not None), key=lambda cell: cell.worst_ratio or 0, default=None)
        what = f"{counted(cases, 'case')} in {counted(len(cells), 'cell')}" if cases else counted(len(cells), "cell")
        where = f", the worst with an error of {ratio(worst.worst_ratio)} times its bound in {worst.id}" if worst else ""
        lie = "lies outside its bound" if (cases or len(cells)) == 1 else "lie outside their bounds"
        yield f"{what} {lie}{where}"


def _doubts(record: RunRecord) -> Iterable[str]:
    totals = record.totals
    missed = totals.mutants - totals.mutants_refuted
    if missed:
        were = "was" if missed == 1 else "were"
        yield f"{count(missed)} of {counted(totals.mutants, 'false statement')} {were} not refuted, so the prover may accept anything"
    failed = [claim.id for claim in record.claims if claim.kernel.status == "failed"]
    if failed:
        yield f"the proof assistant's kernel did not accept {_joined(failed)}"
    for message, wrong in (
        ("let a planted wrong update pass", [cell for cell in record.cells if wrong_update_missed(cell)]),
        ("{has} an error over bound that is not a number", [cell for cell in record.cells if cell.worst_ratio != cell.worst_ratio]),
        ("{is} called HOLDS without a case that could have noticed a wrong update", [cell for cell in record.cells if noticed_nothing(cell)]),
        ("{has} a bound that ball arithmetic contradicts", [cell for cell in record.cells if cell.certified is not None and not cell.certified.inside]),
    ):
        if wrong:
            verbs = {"has": "has", "is": "is"} if len(wrong) == 1 else {"has": "have", "is": "are"}
            example = wrong[0].id if len(wrong) == 1 else f"{wrong[0].id} for one"
            yield f"{counted(len(wrong), 'cell')} {message.format(**verbs)} ({example})"


def _mismatch(disagreeing: Sequence[str]) -> Iterable[str]:
    if disagreeing:
        has, example = ("has", disagreeing[0]) if len(disagreeing) == 1 else ("have", f"{disagreeing[0]} for one")
        yield f"{counted(len(disagreeing), 'cell')} {has} other cases on disk than the record counts ({example})"


def _not_run(record: RunRecord) -> Iterable[str]:
    for verdict, did in _NOT_RUN.items():
        for noun, rows in (("claim", record.claims), ("cell", record.cells)):
            number = sum(row.verdict is verdict for row in rows)
            if number:
                yield f"{counted(number, noun)} {did}"


def _breaks(record: RunRecord) -> Iterable[str]:
    untrained = [model.block for model in record.models if not model.validation_loss <= model.required_loss]
    if untrained:
        yield f"{_joined(untrained)} {'has' if len(untrained) == 1 else 'have'} not learned the task"
    status = record.run.exit_status
    explained = any(row.verdict in _NOT_RUN for row in record.claims) or any(row.verdict in _NOT_RUN for row in record.cells)
    if record.run.finished is not None and status not in (0, None) and not explained:
        yield f"the run ended with exit status {status}"


def _unchecked(record: RunRecord) -> Iterable[str]:
    if not record.claims:
        yield "No claim was put to the prover."
    for verdict in (Verdict.SKIPPED, Verdict.INCONCLUSIVE, Verdict.VACUOUS, *_NOT_RUN):
        yield from _claims_with(record.claims, verdict)
    bare = sum(claim.verdict is Verdict.HOLDS and not claim.mutants for claim in record.claims)
    if bare:
        yield f"For {counted(bare, 'claim')} no false variant was tried, so nothing shows that the prover would have refused one."
    if not record.cells:
        yield "No block was measured in any format."
    for verdict in (Verdict.SKIPPED, Verdict.INCONCLUSIVE, Verdict.VACUOUS, *_NOT_RUN):
        cells = [cell for cell in record.cells if cell.verdict is verdict]
        if cells:
            reasons = Counter(cell.reason or _NO_REASON[verdict] for cell in cells)
            yield f"{counted(len(cells), 'cell')} {_WHAT[verdict]}: {_tally(reasons)}."
    refused = sum(cell.counts.inconclusive for cell in record.cells)
    if refused:
        reasons = Counter()
        for cell in record.cells:
            reasons.update(cell.reasons)
        yield f"{counted(refused, 'case')} refused before the measurement{': ' + _tally(reasons) if reasons else ', with no reason recorded'}."
    vacuous = sum(cell.counts.vacuous for cell in record.cells)
    if vacuous:
        yield f"{counted(vacuous, 'case')} inside a bound too wide to have noticed a wrong update."
    unjudged = sum(_unjudged(cell) for cell in record.cells)
    if unjudged:
        yield f"{counted(unjudged, 'case')} without a verdict."
    patchy = [cell for cell in record.cells if cell.mutant_verdict is Verdict.VIOLATED and cell.mutant_caught < cell.counts.holds]
    if patchy:
        unnoticed, held = sum(cell.counts.holds - cell.mutant_caught for cell in patchy), sum(cell.counts.holds for cell in patchy)
        yield f"In {counted(len(patchy), 'cell')} the planted wrong update went unnoticed in {count(unnoticed)} of {counted(held, 'case')} that hold."
    unplanted = sum(cell.verdict is Verdict.HOLDS and cell.mutant_verdict is None for cell in record.cells)
    if unplanted:
        yield f"In {counted(unplanted, 'cell')} no wrong update was planted, so nothing shows that one would have been noticed."


_WHAT = {
    Verdict.SKIPPED: "skipped",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.VACUOUS: "vacuous",
    Verdict.ERROR: "broke",
    Verdict.TIMEOUT: "ran out of time",
}

_NO_REASON = dict.fromkeys(_WHAT, "no reason recorded") | {Verdict.VACUOUS: "the bound is too wide to have noticed a wrong update"}


def _claims_with(claims: Iterable[ClaimRecord], verdict: Verdict) -> Iterable[str]:
    for claim in claims:
        if claim.verdict is verdict:
            yield f"Claim {claim.id} {_WHAT[verdict]}: {claim.reason or _NO_REASON[verdict]}."


def _unjudged(cell: CellRecord) -> int:
    if cell.verdict in (Verdict.SKIPPED, *_NOT_RUN):
        return 0  # told already, cell by cell
    judged = cell.counts
    return max(0, cell.cases - judged.holds - judged.violated - judged.vacuous - judged.inconclusive)


def _tally(reasons: Counter[str]) -> str:
    """Reasons with their counts, the most frequent first; a single one without, since its count has just been told."""
    if len(reasons) == 1:
        return words(next(iter(reasons)))
    return "; ".join(f"{words(reason)} ({count(number)})" for reason, number in reasons.most_common())


def _joined(parts: Iterable[str]) -> str:
    *most, last = [*parts] or [""]
    return f"{', '.join(most)} and {last}" if most else last
