"""What a run found, small enough to keep under version control: one line a claim, an erratum, a cell, a sweep.

Beside each number of a cell stands what a run of the same code with another seed may show, by ``margins.py``; margins are taken from the
cases themselves and never typed in. A file is sorted and keeps the reasons of those that it replaced, so a diff of it can be reviewed.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from reports.comparison.amounts import allowed_by, amounts_of
from reports.comparison.baseline_rows import Accepted, Baseline, ClaimLine, ErratumLine, Origin, SweepLine
from reports.comparison.cell_lines import line_of, margins_of
from reports.comparison.shown_numbers import digest, digests_of, shown_numbers
from reports.findings import Outcome, Status, outcomes
from reports.record import CellRecord, ClaimRecord, DamagedRun, NearZeroSweep, RunRecord
from reports.record.cells import NotSwept
from reports.record.claims import ErratumRecord
from reports.record.contradictions import SUITE
from reports.record.environment import Probe
from reports.record.run_record import RUN_SCHEMA_VERSION
from symbolic.vocabulary import CellId

CHANCE = 2.0**-16
"""That one of all margins of a baseline is passed by a run of the same code with another seed. Each margin gets its share of it."""

MARGINS = 27
"""Of a cell at most: two ends of seven medians, a worst case, nine counts, and cases refused for up to three reasons."""

OTHERS = ("trained blocks", "experiments")
"""Kinds of ``outcomes`` whose rows have no numbers here."""


def cell_key(cell: CellRecord) -> str:
    """A cell's name on any machine: its numerics are left out, for they say what a probe of the machine answered."""
    return str(CellId(cell.claim, cell.block, cell.format, cell.variant, cell.scenario))


def sweep_key(sweep: NearZeroSweep | NotSwept) -> str:
    """A sweep's name."""
    return "/".join((sweep.block, sweep.format, sweep.variant))


def others_of(rows: Sequence[Outcome]) -> dict[str, tuple[Status, str]]:
    """What the trained blocks and the experiments came to, with the reason, by name.  rows: the run's ``outcomes``."""
    return {f"{row.kind}/{row.title}": (row.status, row.reason) for row in rows if row.kind in OTHERS}


def sweep_statuses(record: RunRecord, rows: Sequence[Outcome]) -> dict[str, tuple[Status, str]]:
    """What each sweep came to, with the reason, by its name.  rows: the run's ``outcomes``."""
    found = [row for row in rows if row.kind == "near-zero sweeps"]
    return {sweep_key(sweep): (row.status, row.reason) for sweep, row in zip(record.near_zero, found, strict=False)}  # those that did not run come behind


def origin_of(record: RunRecord) -> Origin:
    """Where a run comes from."""
    env, bounds = record.environment, record.bounds
    machine = {name: str(getattr(env, name)) for name in ("device", "processor", "torch", "blas", "threads")}
    return Origin(
        run=record.run.id,
        profile=record.run.profile,
        seed=record.run.seed,
        schema_version=record.schema_version,
        exit_status=record.run.exit_status,
        machine=machine,
        probes={name: hashlib.sha256("\n".join(answers).encode()).hexdigest()[:12] for name, answers in _answers(env.probes).items()},
        recipes={model.block: model.recipe for model in record.models},
        refinements=[] if bounds is None else sorted(row.id for row in bounds.refinements if row.used),
        assumptions=[] if bounds is None else sorted(bounds.assumptions),
        weights={model.block: model.weights for model in record.models},
        suite=env.versions.get(SUITE, ""),
    )


def _answers(probes: Sequence[Probe]) -> dict[str, list[str]]:
    """All that was answered to a question, by its name; in more than one format a library's function may be asked about the same numbers."""
    found: dict[str, list[str]] = {}
    for probe in probes:
        answers = found.setdefault(probe.id, [])
        if probe.answer not in answers:
            answers.append(probe.answer)
    return found


def baseline_of(record: RunRecord, folder: Path | None, *, reason: str = "", before: Sequence[Accepted] = ()) -> Baseline:
    """A run as a baseline.

    folder: where its cases are; without it, or where it holds none, cells have no margins. Raises DamagedRun if they cannot be read.
    """
    cells, rows = by_name(record), outcomes(record)
    chance = CHANCE / (MARGINS * max(len(cells), 1))
    margins = {} if folder is None else dict(margins_of(record, folder, chance))
    statuses = sweep_statuses(record, rows)
    return Baseline(
        accepted=[*before, Accepted(date=record.run.finished or record.run.started, run=record.run.id, reason=reason)],
        origin=origin_of(record),
        chance=chance,
        claims={claim.id: claim_line(claim) for claim in record.claims},
        errata={str(erratum.number): erratum_line(erratum) for erratum in record.errata},
        cells={key: line_of(cell, margins.get(cell.id, {})) for key, cell in sorted(cells.items())},
        sweeps={(key := sweep_key(sweep)): sweep_line(sweep, statuses[key][0]) for sweep in record.near_zero},
        others={key: status for key, (status, _) in others_of(rows).items()},
        figures=shown_numbers(record),
        amounts=amounts_of(record),
        not_measured=left_out(record),
        allowed=allowed_by(record),
    )


def left_out(record: RunRecord) -> dict[str, dict[str, str]]:
    """What is not measured, by the block, with the reason."""
    found: dict[str, dict[str, str]] = {}
    for row in sorted(record.not_measured, key=lambda row: (row.block, row.what)):
        found.setdefault(row.block, {})[row.what] = row.reason
    return found


def claim_line(claim: ClaimRecord) -> ClaimLine:
    """A claim's line."""
    refuted = [mutant for mutant in sorted(claim.mutants, key=lambda mutant: mutant.id) if mutant.refuted]
    return ClaimLine(
        verdict=claim.verdict,
        scope=claim.scope,
        statement=claim.statement.text,
        hypotheses=sorted(each.text for each in (*claim.hypotheses, *claim.hypotheses_in_words)),
        lines=len(claim.steps),
        proof=digest([[step.expression.text, step.rule, step.hypothesis, step.in_words] for step in claim.steps]),
        in_words=claim.lines_in_words,
        kernel=claim.kernel.status,
        kernel_assumes=sorted(claim.kernel.assumptions),
        refuted={mutant.id: mutant.statement.text for mutant in refuted},
        numbers={mutant.id: digest(mutant.counterexample.model_dump(exclude={"note"})) for mutant in refuted if mutant.counterexample is not None},
        typeset={
            "statement": digest(claim.statement.latex),
            "hypotheses": digest(sorted(each.latex for each in (*claim.hypotheses, *claim.hypotheses_in_words))),
        },
    )


def erratum_line(erratum: ErratumRecord) -> ErratumLine:
    """An erratum's line."""
    return ErratumLine(
        shown=erratum.shown,
        printed=erratum.literal.text,
        corrected=erratum.corrected.text,
        measured=erratum.measured is not None,
        claim=erratum.claim,
        typeset={"what is printed": digest(erratum.literal.latex), "what is proved in its place": digest(erratum.corrected.latex)},
    )


def sweep_line(sweep: NearZeroSweep, status: Status) -> SweepLine:
    """A sweep's line."""
    distances = [level.norm for level in sweep.levels]
    norms = sorted(norm for norm in distances if norm > 0)
    return SweepLine(
        status=status,
        measured=sweep.measured_radius,
        predicted=sweep.predicted_radius,
        timid_by=sweep.timid_by,
        figures=digests_of(sweep, ("levels", "predicted_by")),
        cases=min((level.cases for level in sweep.levels), default=0),
        nearest=min(distances, default=float("inf")),
        apart=max((further / nearer for nearer, further in pairwise(norms)), default=float("inf")),
    )


def by_name(record: RunRecord) -> dict[str, CellRecord]:
    """The cells by their names. Raises DamagedRun if two have one name, or two claims, errata or sweeps."""
    cells = [cell_key(cell) for cell in record.cells]
    claims, errata = [claim.id for claim in record.claims], [str(erratum.number) for erratum in record.errata]
    sweeps = [sweep_key(sweep) for sweep in record.near_zero]
    for kind, names in {"claims": claims, "errata": errata, "sweeps": sweeps, "cells": cells}.items():
        twice = next((name for name, times in Counter(names).items() if times > 1), None)
        if twice is not None:
            raise DamagedRun(f"the run {record.run.id} holds two {kind} named {twice}; run the suite again into another folder.")
    return dict(zip(cells, record.cells, strict=True))


def same_schema(baseline: Baseline) -> bool:
    """Whether its numbers mean what those of today's records mean."""
    return baseline.origin.schema_version == RUN_SCHEMA_VERSION
