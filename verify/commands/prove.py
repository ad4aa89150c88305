"""The commands that make no run folder: prove, train, list, report."""

import json
import os
import sys
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from symbolic.vocabulary.errors import CallError, unknown
from verify.exit_status import FAILED, HELD, INCOMPLETE
from verify.plan.profiles import PROFILES
from verify.progress import ProgressBars


class UnknownKind(CallError):
    """There is no list of that."""


Row = dict[str, object]

LISTED = 4
"""Columns of a list that a terminal shows; ``--json`` has the rest."""


def prove_claims(names: Sequence[str] | None, *, steps: bool, n: int | None, as_json: bool) -> int:
    """Prove claims and print them. Returns 0 if all hold and every mutant is refuted, 1 if not, 3 if a proof broke."""
    from reports.terminal import instance, proofs
    from symbolic.claims import load_claims
    from symbolic.counterexamples import show
    from symbolic.prover import prove
    from symbolic.vocabulary.verdict import Verdict
    from verify.records.claim_rows import claim_record

    claims = load_claims(None if names is None else list(dict.fromkeys(names)))
    # Of all claims, those about every n are shown; one that was asked for by name and is about no n is a wrong call.
    shown = [] if n is None else [show(claim, n) for claim in claims if names or claim.about_every_n]
    found = []
    with ProgressBars() as ui:
        for index, claim in enumerate(claims):
            ui.step("prove", index, len(claims))
            found.append(claim_record(prove(claim)))
        ui.step("prove", len(claims), len(claims))
    if as_json:
        instances = {} if n is None else {"instances": [asdict(each) | {"agree": each.agree} for each in shown]}
        print_json({"claims": [record.model_dump(mode="json") for record in found], **instances})
    else:
        Console().print(proofs(found, steps=steps))
        for each in shown:
            Console().print(instance(each.claim, each.sizes, each.left, each.right))
    if not all(each.agree for each in shown):
        return FAILED
    # A claim without a mutant that was tried says nothing of the prover.
    refuted = all(record.mutants and all(mutant.verdict is Verdict.VIOLATED for mutant in record.mutants) for record in found)
    if not refuted or any(record.verdict is Verdict.VIOLATED for record in found):
        return FAILED
    return HELD if found and all(record.verdict is Verdict.HOLDS for record in found) else INCOMPLETE


def train_blocks(names: Sequence[str] | None, *, again: bool, as_json: bool) -> int:
    """Train blocks and print their losses. Returns 0 if every block has learned, 3 if one has not."""
    from numeric.architecture.block import blocks_named
    from numeric.training.train import TrainedBlock
    from verify.engine.processes import Workers
    from verify.engine.training_jobs import Training
    from verify.records.cell_rows import model_record

    rows, failures = [], []
    chosen = blocks_named(None if names is None else list(dict.fromkeys(names)))
    with ProgressBars() as ui, Workers(min(os.cpu_count() or 1, len(chosen))) as pool:
        for _, found in Training(chosen, pool, step=ui.step, again=again).results():
            if isinstance(found, TrainedBlock):
                rows.append(model_record(found).model_dump(mode="json"))
            else:
                failures.append(str(found))
    if as_json:
        print_json({"models": rows, "failures": failures})
    else:
        shown = ("block", "validation_loss", "zero_loss", "required_loss", "parameters", "seconds", "cached")
        Console().print(_table([{key: row[key] for key in shown} for row in rows]))
    for said in failures:
        print(said, file=sys.stderr)
    return INCOMPLETE if failures else HELD


def render_report(folder: Path, *, open_it: bool, as_json: bool) -> int:
    """Render the report of a run's folder, and what a CI reads of it, and print the report's path. Returns 0."""
    from reports.ci.files import write_for_ci
    from reports.findings.headline import CASES_MISSING
    from reports.page import write_report
    from reports.record.agreement import cases_missing
    from reports.record.run_folder import load_run

    path = write_report(folder)
    junit, summary = write_for_ci(folder)
    if cases_missing(load_run(folder), folder):
        print(f"warning: {CASES_MISSING}", file=sys.stderr)
    if as_json:
        print_json({"report": str(path), "junit": str(junit), "summary": str(summary)})
    else:
        print(path)
    if open_it:
        webbrowser.open(path.resolve().as_uri())
    return HELD


def list_kind(kind: str, *, as_json: bool) -> int:
    """Print what there is of a kind. Raises UnknownKind. Returns 0."""
    lists: dict[str, Callable[[], list[Row]]] = {
        "claims": _claims,
        "blocks": _blocks,
        "formats": _formats,
        "scenarios": _scenarios,
        "variants": _variants,
        "refinements": _refinements,
        "profiles": lambda: [{"id": row.id, "title": row.title, "cases": row.cases} for row in PROFILES],
    }
    if kind == "errata":
        return list_errata(as_json=as_json)
    if kind not in lists:
        kinds = [*lists, "errata"]
        near = unknown("list", kind, kinds).split("`")[0].strip()
        raise UnknownKind(f"{near} There are {', '.join(kinds)}.")
    rows = lists[kind]()
    if as_json:
        print_json(rows)
    else:
        Console().print(_table([{name: row[name] for name in list(row)[:LISTED]} for row in rows]))
    return HELD


def examine(*, device: str, as_json: bool) -> int:
    """Probe every mode that the machine has, at the shapes of the blocks, and let the reference test itself. Returns 0."""
    from numeric.architecture.block import all_blocks
    from numeric.architecture.shapes import asked_shapes
    from numeric.arithmetics.balls import check_reference
    from numeric.formats.mode import MODES
    from numeric.machine.device import device_named, use_one_thread
    from numeric.machine.probe import UnsupportedNumerics, probe
    from numeric.rules.library_probe import probe_elementary
    from verify.run_folder.environment import describe_environment

    use_one_thread()
    check_reference()
    where = device_named(device)
    shapes = asked_shapes(block.build(block.recipe) for block in all_blocks())
    modes = [mode for mode in MODES if where in mode.runs_on]
    answers: list[Row] = []
    refused: list[Row] = []
    with ProgressBars() as ui:
        for index, mode in enumerate(modes):
            ui.step("probe the machine", index, len(modes))
            try:
                found = probe(mode, **shapes, device=where)
            except UnsupportedNumerics as error:
                refused.append({"format": mode.id, "reason": str(error)})
                continue
            emulated = where in mode.emulated_on
            answers += [{"id": a.id, "format": mode.id, "emulated": emulated, "question": a.question, "answer": a.answer} for a in found.answers]
            if mode.id == mode.activations.name:  # a mode of its own format: asked about its elementary functions, which no other mode changes
                answers += [
                    {"id": a.id, "format": mode.id, "emulated": False, "question": a.question, "answer": a.answer}
                    for a in probe_elementary(mode.activations, where)
                ]
        ui.step("probe the machine", len(modes), len(modes))
    environment = describe_environment(where, []).model_dump(mode="json", exclude={"probes"})
    if as_json:
        print_json({"environment": environment, "reference": "python-flint answered every question with a known answer", "probes": answers, "refused": refused})
        return HELD
    from reports.terminal import examination

    Console().print(examination(environment, answers, refused))
    return HELD


def list_errata(*, as_json: bool) -> int:
    """Prove what corrects each erratum, refute what is printed, and print both. Returns 0 if all are shown, 1 if not."""
    from reports.terminal import errata
    from symbolic.claims import load_claims
    from symbolic.errata import load_errata
    from symbolic.prover import prove
    from verify.records.claim_rows import claim_record, erratum_record

    known = load_errata()
    claims = load_claims(list(dict.fromkeys(erratum.claim for erratum in known)))
    proved = {}
    with ProgressBars() as ui:
        for index, claim in enumerate(claims):
            ui.step("prove", index, len(claims))
            proved[claim.id] = claim_record(prove(claim))
        ui.step("prove", len(claims), len(claims))
    rows = [row for row in (erratum_record(erratum, proved) for erratum in known) if row is not None]
    if as_json:
        print_json([{"id": f"erratum-{row.number}", **row.model_dump(mode="json")} for row in rows])
    else:
        Console().print(errata(rows))
    return HELD if all(row.shown for row in rows) else FAILED


def _claims() -> list[Row]:
    from symbolic.claims import load_claims

    return [{"id": claim.id, "title": claim.title, "source": claim.source, "mutants": len(claim.mutants)} for claim in load_claims()]


def _blocks() -> list[Row]:
    from numeric.architecture.block import all_blocks
    from numeric.cells.scenario import all_scenarios
    from numeric.formats.mode import MODES
    from verify.plan.applicable_claims import claims_measured, claims_that_apply

    return [
        {
            "id": block.id,
            "title": block.title,
            "required_loss": block.recipe.required_loss,
            "recipe": block.fingerprint,
            "claims": claims_that_apply(block),
            "measured": claims_measured(block),
            "scenarios": [scenario.id for scenario in all_scenarios() if any(scenario.refuses(block, mode) is None for mode in MODES)],
        }
        for block in all_blocks()
    ]


def _formats() -> list[Row]:
    from numeric.formats.mode import MODES

    return [
        {
            "id": row.id,
            "title": row.title,
            "unit_roundoff": (row.operands or row.activations).unit_roundoff,
            "emulated_on": ", ".join(row.emulated_on),
            "runs_on": list(row.runs_on),
            "weights": row.weights.name,
            "activations": row.activations.name,
            "layer_inputs": row.range.name,
            "operands": None if row.operands is None else row.operands.name,
            "update": row.update.name,
        }
        for row in MODES
    ]


def _scenarios() -> list[Row]:
    from numeric.cells.scenario import all_scenarios

    return [
        {"id": row.id, "title": row.title, "claim": row.claim, "usual_formats": "all" if row.usual is None else ", ".join(row.usual)} for row in all_scenarios()
    ]


def _variants() -> list[Row]:
    from numeric.sides.variant import VARIANTS

    return [{"id": row.id, "title": row.title} for row in VARIANTS]


def _refinements() -> list[Row]:
    from numeric.machine.refinements import TITLES

    return [{"id": row.value, "title": title} for row, title in TITLES.items()]


def print_json(value: object) -> None:
    """JSON alone on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0] if rows else ():
        numeric = isinstance(rows[0][name], int | float) and not isinstance(rows[0][name], bool)
        # Names and numbers stay whole; what is prose gives way on a narrow terminal.
        prose = name in ("title", "source")
        table.add_column(name.replace("_", "\n"), justify="right" if numeric else "left", no_wrap=not prose, overflow="fold" if prose else "crop")
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    return table
