"""What each row of a record came to, for readers that know four words: passed, failed, broke, not judged.

A row is judged alone by what judges the whole run (``judge.py``), so that a list of rows and the headline cannot disagree.
Only a row with a verdict that holds has passed; ``VACUOUS``, ``INCONCLUSIVE`` and ``SKIPPED`` are not judged, with the reason.
What a run shows and judges by nothing (Figures 2 and 3, one update for many queries) is a row only if something speaks against it.
"""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reports.findings.cell_faults import over_its_bound
from reports.findings.dynamics import dynamics_not_shown
from reports.findings.faults import NOT_RUN
from reports.findings.judge import RunStanding, judged
from reports.findings.run_standing import headline
from reports.record import CellRecord, ClaimRecord, Experiments, NearZeroSweep, RunRecord
from reports.record.cell_reason import OWN_VARIANT
from reports.record.claims import ErratumRecord
from reports.text import joined, ratio
from symbolic.vocabulary import Verdict


class Status(StrEnum):
    """What a row came to, the gravest first."""

    FAILED = "failed"
    """Violated, or a check that failed its own test."""
    BROKE = "broke"
    """Asked for, and not done."""
    NOT_JUDGED = "not judged"
    """Done or left out, and without a verdict."""
    PASSED = "passed"


DISTRUSTED = "DISTRUSTED"
"""The word for a check that failed its own test; every other word is a Verdict."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row."""

    kind: str
    """The kind of row, in the plural: "claims", "mutants", "cells"."""
    of: str
    """What it is a row of, within its kind: a block, a claim; empty where the kind says it."""
    name: str
    """Unique within both."""
    status: Status
    word: str = ""
    """The verdict's word; empty if it passed."""
    reason: str = ""
    """Why it did not pass, in words."""
    seconds: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)
    """Numbers worth telling, by the record's names."""
    witness: str | None = None
    """Path of its witness in the run's folder."""
    replayable: bool = True
    """Whether its witness can be run again without what it came from."""

    @property
    def title(self) -> str:
        """What it is, in one line."""
        return "/".join(part for part in (self.of, self.name) if part)

    @property
    def replay(self) -> str | None:
        """The command, in the run's folder, that runs its gravest case again."""
        return None if self.witness is None or not self.replayable else f"verify replay {shlex.quote(self.witness)}"


def outcomes(record: RunRecord, disagreeing: Sequence[str] = ()) -> list[Outcome]:
    """Every row of a record, the run as a whole first.  disagreeing: as for ``headline``."""
    return [
        _whole_run(record, disagreeing),
        *(_claim(record, row) for row in record.claims),
        *_mutants(record),
        *_errata(record),
        *_models(record),
        *(_cell(record, row, disagreeing) for row in record.cells),
        *(_sweep(record, row) for row in record.near_zero),
        *(Outcome("near-zero sweeps", row.block, f"{row.format}/{row.variant}", Status.BROKE, row.verdict.value, row.reason) for row in record.not_swept),
        *_experiments(record),
        *(Outcome("not measured", row.block, row.what, Status.NOT_JUDGED, "SKIPPED", row.reason) for row in record.not_measured),
    ]


def gravest_first(rows: Sequence[Outcome]) -> list[Outcome]:
    """The rows that did not pass: failed, broke, not judged; among equals the largest error over bound first, NaN before all."""
    order = list(Status)

    def gravity(row: Outcome) -> tuple[int, float]:
        found = row.figures.get("worst_ratio", 0.0)
        return order.index(row.status), -math.inf if math.isnan(found) else -found

    return sorted((row for row in rows if row.status is not Status.PASSED), key=gravity)


def _whole_run(record: RunRecord, disagreeing: Sequence[str]) -> Outcome:
    """The run's own verdict: what is wrong with no row, such as that a run did not finish, is wrong here."""
    verdict = headline(record, disagreeing)
    status, word = {
        RunStanding.VIOLATED: (Status.FAILED, Verdict.VIOLATED.value),
        RunStanding.DISTRUSTED: (Status.FAILED, DISTRUSTED),
        RunStanding.INCOMPLETE: (Status.BROKE, Verdict.ERROR.value),
        RunStanding.NOTHING: (Status.BROKE, Verdict.SKIPPED.value),
        RunStanding.HELD: (Status.PASSED, ""),
    }[verdict.standing]
    return Outcome("run", "", "verdict", status, word, "" if status is Status.PASSED else verdict.sentence)


def _alone(record: RunRecord, **rows: object) -> RunRecord:
    """The record with nothing but some rows: whatever else a record may hold is as in one that holds nothing."""
    nothing = {name: field.get_default(call_default_factory=True) for name, field in RunRecord.model_fields.items() if not field.is_required()}
    return record.model_copy(update={**nothing, **rows})


def _judged(alone: RunRecord, verdict: Verdict = Verdict.HOLDS, reason: str | None = None, disagreeing: Sequence[str] = ()) -> tuple[Status, str, str]:
    """What rows that stand alone came to, by the judge of whole runs.  verdict, reason: the row's own, where it has one."""
    found = judged(alone, disagreeing)
    for word, faults in ((Verdict.VIOLATED.value, found.violated), (DISTRUSTED, found.doubted)):
        if faults:
            return Status.FAILED, word, _sentence(joined(faults) + (f"; {reason}" if reason else ""))
    if found.missing or found.broken:
        return Status.BROKE, (verdict if verdict in NOT_RUN else Verdict.ERROR).value, _sentence(reason or joined([*found.missing, *found.broken]))
    if found.undecided:
        word = (Verdict.INCONCLUSIVE if verdict is Verdict.HOLDS else verdict).value
        return Status.NOT_JUDGED, word, _sentence(reason or (_no_reason(verdict) if verdict is not Verdict.HOLDS else joined(found.undecided)))
    if verdict is Verdict.HOLDS:
        return Status.PASSED, "", ""
    return Status.NOT_JUDGED, verdict.value, _sentence(reason or _no_reason(verdict))


def _no_reason(verdict: Verdict) -> str:
    return "the bound could not have noticed a wrong update" if verdict is Verdict.VACUOUS else "no reason recorded"


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."


def _claim(record: RunRecord, row: ClaimRecord) -> Outcome:
    status, word, reason = _judged(_alone(record, claims=[row]), row.verdict, row.reason)
    return Outcome("claims", "", row.id, status, word, reason, row.seconds)


def _mutants(record: RunRecord) -> Iterator[Outcome]:
    for claim in record.claims:
        for row in claim.mutants:
            reason = "" if row.refuted else f"A false statement was not refuted, so the prover may accept anything: {row.description}."
            yield Outcome("mutants", claim.id, row.id, Status.PASSED if row.refuted else Status.FAILED, "" if row.refuted else DISTRUSTED, reason)


def _errata(record: RunRecord) -> Iterator[Outcome]:
    for row in record.errata:
        status, word, reason = _judged(_alone(record, errata=[row]), reason=_lacking(row))
        yield Outcome("errata", "", f"{row.number}. {row.title}", status, word, reason)


def _lacking(row: ErratumRecord) -> str | None:
    refuted = row.counterexample is not None and row.counterexample.differs
    lacks = [words for words, there in (("what is printed was not refuted", refuted), (f"{row.claim} was not proved", row.proved)) if not there]
    return joined(lacks) if lacks else None


def _models(record: RunRecord) -> Iterator[Outcome]:
    for row in record.models:
        status, word, reason = _judged(_alone(record, models=[row]))
        figures = {"validation_loss": row.validation_loss, "required_loss": row.required_loss}
        yield Outcome("trained blocks", "", row.block, status, word, reason, 0.0 if row.cached else row.seconds, figures)


def _cell(record: RunRecord, row: CellRecord, disagreeing: Sequence[str]) -> Outcome:
    status, word, reason = _judged(_alone(record, cells=[row]), row.verdict, row.reason, [row.id] if row.id in disagreeing else [])
    if status is Status.FAILED and row.verdict is not Verdict.VIOLATED and over_its_bound(row):
        reason = f"{reason} The cell says {row.verdict.value}, which its figures contradict."
    figures = {
        "worst_ratio": row.worst_ratio,
        "resolution": row.resolution,
        **{f"tightness_{share}": quantile for share, quantile in row.tightness or ()},
        "cases": row.cases,
        **{f"cases_{name}": number for name, number in row.counts},
    }
    known = {name: number for name, number in figures.items() if number is not None}
    name = "/".join((row.claim, row.numerics, row.variant, row.scenario))
    return Outcome("cells", row.block, name, status, word, reason, row.seconds, known, row.witness, row.variant != OWN_VARIANT)


def _sweep(record: RunRecord, row: NearZeroSweep) -> Outcome:
    """Where cases were refused both error and bound are infinite, and show nothing."""
    figures = {"predicted_radius": row.predicted_radius, "measured_radius": row.measured_radius}
    status, word, reason = _judged(_alone(record, near_zero=[row]))
    return Outcome("near-zero sweeps", row.block, f"{row.numerics}/{row.variant}", status, word, reason, figures=figures)


def _experiments(record: RunRecord) -> Iterator[Outcome]:
    found = record.experiments
    parts: list[tuple[str, str, Experiments, dict[str, float]]] = []
    if found.figure_1:
        parts.append((found.figure_1.block, "Figure 1: both losses", Experiments(figure_1=found.figure_1), {}))
    for row in found.dynamics:
        for each in row.formats:
            parts.append((row.block, f"implicit dynamics in {each.format}", Experiments(dynamics=[row.model_copy(update={"formats": [each]})]), {}))
    parts += [(stack.block, "patched stack and generations", Experiments(stacks=[stack]), {}) for stack in found.stacks]
    if found.post_norm:
        parts.append((found.post_norm.block, "patched post-norm", Experiments(post_norm=found.post_norm), {}))
    for search in found.adversarial:
        figures = {} if search.worst is None else {"worst_ratio": search.worst}
        parts.append((search.block, f"worst context in {search.format}/{search.variant}", Experiments(adversarial=[search]), figures))
    parts += [(row.block, "float64 check of the block", Experiments(watched=[row]), {}) for row in found.watched]
    for measured in found.in_double:
        figures = {name: getattr(measured, name) for name in ("worst_ratio", "cases", "unequal", "refused")}
        parts.append((measured.block, f"float64/{measured.variant}/{measured.scenario}", Experiments(in_double=[measured]), figures))
    for block, name, alone, figures in parts:
        status, word, reason = _judged(_alone(record, experiments=alone), reason=joined(dynamics_not_shown(alone)) or None)
        yield Outcome("experiments", block, name, status, word, reason, figures=figures)
    shown = [(layer.block, "Figure 2: steps of the update", Experiments(layers=[layer])) for layer in found.layers]
    shown += [(found.figure_3.block, "Figure 3: beside finetuning", Experiments(figure_3=found.figure_3))] if found.figure_3 else []
    shown += [(each.block, "one update for many queries", Experiments(static_patch=[each])) for each in found.static_patch]
    for block, name, alone in shown:
        status, word, reason = _judged(_alone(record, experiments=alone))
        if status is not Status.PASSED:
            yield Outcome("experiments", block, name, status, word, reason)
    for verdict, rows in ((Verdict.ERROR, found.broken), (Verdict.TIMEOUT, found.out_of_time)):
        yield from (Outcome("experiments", row.block, row.what, Status.BROKE, verdict.value, row.reason) for row in rows)


def in_short(row: Outcome) -> str:
    """The word, the reason, and by how much: what a reader of a list needs."""
    worst = row.figures.get("worst_ratio")
    message = row.reason if row.reason.lower().startswith(row.word.lower()) else f"{row.word}: {row.reason}"  # a run's own sentence begins with its word
    return message + (f" Error ÷ bound: {ratio(worst)}." if row.status is Status.FAILED and worst is not None else "")
