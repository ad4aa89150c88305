"""What each row of a record came to, for readers that know four words: passed, failed, broke, not judged.

A row is judged alone by what judges the whole run (``faults.py``), so that a list of rows and the headline cannot disagree.
Only a row with a verdict that holds has passed; ``VACUOUS``, ``INCONCLUSIVE`` and ``SKIPPED`` are not judged, with the reason.
What a run shows and judges by nothing (Figures 2 and 3, one update for many queries) is no row here.
"""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reports.findings.dynamics import dynamics_not_shown
from reports.findings.faults import NOT_RUN, OWN_VARIANT, breaks, doubts, mismatch, over_its_bound, violations
from reports.findings.run_standing import RunStanding, headline
from reports.record import CellRecord, ClaimRecord, Experiments, NearZeroSweep, RunRecord
from reports.record.experiments import DynamicsInFormat, DynamicsRecord
from reports.text import counted, joined, ratio
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
        *(_sweep(row) for row in record.near_zero),
        *(Outcome("near-zero sweeps", row.block, f"{row.format}/{row.variant}", Status.BROKE, "ERROR", row.reason) for row in record.not_swept),
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


def _judged(alone: RunRecord, verdict: Verdict, reason: str | None, disagreeing: Sequence[str] = ()) -> tuple[Status, str, str]:
    """What rows that stand alone came to, by what judges a whole run."""
    for word, found in ((Verdict.VIOLATED.value, [*violations(alone)]), (DISTRUSTED, [*doubts(alone), *mismatch(disagreeing)])):
        if found:
            return Status.FAILED, word, _sentence(joined(found) + (f"; {reason}" if reason else ""))
    if verdict is Verdict.HOLDS:
        return Status.PASSED, "", ""
    return Status.BROKE if verdict in NOT_RUN else Status.NOT_JUDGED, verdict.value, _sentence(reason or _no_reason(verdict))


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
        lacks = [words for words, there in (("what is printed was not refuted", row.counterexample), (f"{row.claim} was not proved", row.proved)) if not there]
        status, word = (Status.BROKE, Verdict.ERROR.value) if lacks else (Status.PASSED, "")
        yield Outcome("errata", "", f"{row.number}. {row.title}", status, word, _sentence(joined(lacks)) if lacks else "")


def _models(record: RunRecord) -> Iterator[Outcome]:
    for row in record.models:
        found = [*breaks(_alone(record, models=[row]))]
        status, word = (Status.BROKE, Verdict.ERROR.value) if found else (Status.PASSED, "")
        figures = {"validation_loss": row.validation_loss, "required_loss": row.required_loss}
        yield Outcome("trained blocks", "", row.block, status, word, _sentence(joined(found)) if found else "", 0.0 if row.cached else row.seconds, figures)


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


def _sweep(row: NearZeroSweep) -> Outcome:
    """Whether the error stays inside its bound at every distance; where cases were refused both are infinite, and show nothing."""
    outside = [level for level in row.levels if not level.error <= level.bound]
    shown = [level for level in row.levels if math.isfinite(level.bound)]
    figures = {"predicted_radius": row.predicted_radius, "measured_radius": row.measured_radius}
    status, word, reason = Status.PASSED, "", ""
    if outside:
        status, word = Status.FAILED, Verdict.VIOLATED.value
        reason = f"At {counted(len(outside), 'distance')} from a = 0 the error is outside its bound (‖a‖ = {outside[0].norm:.3g} for one)."
    elif not shown:
        status, word, reason = Status.NOT_JUDGED, Verdict.INCONCLUSIVE.value, "Cases were refused at every distance from a = 0."
    return Outcome("near-zero sweeps", row.block, f"{row.numerics}/{row.variant}", status, word, reason, figures=figures)


def _experiments(record: RunRecord) -> Iterator[Outcome]:
    found = record.experiments
    parts: list[tuple[str, str, Experiments, tuple[Verdict, str | None], dict[str, float]]] = []
    holds: tuple[Verdict, str | None] = Verdict.HOLDS, None
    unjudged = Verdict.INCONCLUSIVE, "no context that was tried could be judged"
    if found.figure_1:
        parts.append((found.figure_1.block, "Figure 1: both losses", Experiments(figure_1=found.figure_1), holds, {}))
    for row in found.dynamics:
        for each in row.formats:
            alone = Experiments(dynamics=[row.model_copy(update={"formats": [each]})])
            parts.append((row.block, f"implicit dynamics in {each.format}", alone, _of_dynamics(row, each, alone), {}))
    parts += [(stack.block, "patched stack and generations", Experiments(stacks=[stack]), holds, {}) for stack in found.stacks]
    if found.post_norm:
        parts.append((found.post_norm.block, "patched post-norm", Experiments(post_norm=found.post_norm), holds, {}))
    for search in found.adversarial:
        judged, figures = (unjudged, {}) if search.worst is None else (holds, {"worst_ratio": search.worst})
        parts.append((search.block, f"worst context in {search.format}/{search.variant}", Experiments(adversarial=[search]), judged, figures))
    for block, name, alone, (verdict, why), figures in parts:
        status, word, reason = _judged(_alone(record, experiments=alone), verdict, why)
        yield Outcome("experiments", block, name, status, word, reason, figures=figures)
    for broken in found.broken:
        yield Outcome("experiments", broken.block, broken.what, Status.BROKE, Verdict.ERROR.value, broken.reason)


def _of_dynamics(row: DynamicsRecord, each: DynamicsInFormat, alone: Experiments) -> tuple[Verdict, str | None]:
    """Whether anything was judged at all."""
    if each.prompts == 0:
        return Verdict.INCONCLUSIVE, joined(dynamics_not_shown(alone))
    blind = any(len(identity.vacuous) >= row.tokens for identity in (each.moved, each.factored, each.descended, each.telescoped))
    return (Verdict.VACUOUS, joined(dynamics_not_shown(alone))) if blind else (Verdict.HOLDS, None)


def in_short(row: Outcome) -> str:
    """The word, the reason, and by how much: what a reader of a list needs."""
    worst = row.figures.get("worst_ratio")
    message = row.reason if row.reason.lower().startswith(row.word.lower()) else f"{row.word}: {row.reason}"  # a run's own sentence begins with its word
    return message + (f" Error ÷ bound: {ratio(worst)}." if row.status is Status.FAILED and worst is not None else "")
