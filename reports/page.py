"""The report: one HTML file that needs nothing else, from a run's record and its cases.

A page forbids itself every request and every script but its own, which it names by its hash; so a name in a record can be
nothing but text.
"""

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from reports.comparison import BASELINE_FILE, load_baseline
from reports.comparison.rendering import since_baseline
from reports.figures import dynamics_table, paper_pictures, radii_table, static_picture, sweep_picture, training_picture
from reports.figures.data_tables import paper_tables, static_points, training_losses
from reports.figures.drawable import drawable
from reports.figures.error_and_bound import VIOLATIONS_DRAWN, panels
from reports.findings import GLYPHS, headline, taken_up
from reports.findings.as_written import noticed_in_double, written_blocks
from reports.findings.cell_faults import notices_wrong_update
from reports.findings.grid import STANDING_GLYPHS, gravest, grid, unique
from reports.findings.overview import WORST_CELLS, checked, omissions
from reports.findings.run_standing import cases_inside
from reports.findings.shown_figures import doubtful_figures
from reports.findings.sweeps import doubtful_sweeps, silent_sweeps, strayed_sweeps
from reports.html import GLOSSARY, TEMPLATES, VERDICTS, rendered
from reports.record import Experiments, NearZeroSweep, RunRecord, load_run, write_whole
from reports.record.agreement import cases_missing, disagreeing_cells
from reports.record.experiments import StaticPatchRecord
from symbolic.vocabulary import Verdict

DETAILED_CELLS = 2000
"""Cells beyond these many have no row of figures on the page, so that its size stays bounded; the gravest come first."""

SECTIONS = (
    *(("overview", "Overview"), ("claims", "Claims"), ("errata", "Errata"), ("grid", "Grid"), ("density", "Cases"), ("near-zero", "Near zero")),
    *(("adversarial", "Worst contexts"), ("dynamics", "Dynamics"), ("static", "One update"), ("stacks", "Stacks"), ("as-written", "As written")),
    ("figures", "Figures"),
    *(("blocks", "Blocks"), ("run", "The run"), ("words", "Words")),
)


def write_report(folder: Path) -> Path:
    """Render the run in a folder into ``report/index.html`` inside it; returns that file's path.

    If the folder holds a baseline that the run was held to, the overview says what changed. Raises NotARun, DamagedRun or NotABaseline.
    """
    record, kept = load_run(folder), folder / BASELINE_FILE
    since = since_baseline(load_baseline(kept), record, disagreeing_cells(record, folder)) if kept.exists() else None
    return write_whole(folder / "report" / "index.html", render(record, folder, since_baseline=since))


def render(record: RunRecord, folder: Path | None = None, *, since_baseline: Markup | None = None) -> str:
    """The page as HTML.

    folder: where the run's cases are; without it, or if it holds none, the page has no picture of them.
    since_baseline: what changed since a baseline, as a few lines of HTML for the overview; without it the overview has no such part.
    Raises DamagedRun if the cases cannot be read.
    """
    verdict = headline(record, disagreeing_cells(record, folder), cases_missing=cases_missing(record, folder)) if folder else headline(record)
    figure_faults = [*doubtful_figures(record.experiments)]
    record = record.model_copy(update={"experiments": drawable(record.experiments)})
    cells = grid(record)
    formats = list(dict.fromkeys(sweep.format for sweep in record.near_zero))
    sweeps = sorted(record.near_zero, key=lambda sweep: formats.index(sweep.format))  # a format's blocks side by side
    dynamics = dynamics_table(record.experiments)
    totals = record.totals  # counted from the rows each time that it is asked for
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    values: dict[str, Any] = {
        "record": record,
        "totals": totals,
        "inside": cases_inside(record),
        "wrong_updates_noticed": sum(map(notices_wrong_update, record.cells)),
        "patches_noticed": noticed_in_double(record.experiments),
        "written": written_blocks(record.experiments),
        "headline": verdict,
        "checked": checked(record),
        "left_out": omissions(record),
        "worst_cells": gravest(cells.squares)[:WORST_CELLS],
        "since_baseline": since_baseline,
        "taken_up": taken_up(record),
        "sections": SECTIONS,
        "script": Markup(script),
        "script_hash": f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        "claim_anchors": unique(f"claim-{claim.id}" for claim in record.claims),
        "grid": cells,
        "gaps": any(not squares for block in cells.blocks for row in block.rows for squares in row.squares),
        "detailed": {square.anchor for square in gravest(cells.squares)[:DETAILED_CELLS]},
        "worst": next((square for square in cells.squares if square.cell.id == totals.worst_cell), None),
        "shown_verdicts": [verdict for verdict in Verdict if any(square.verdict is verdict for square in cells.squares)],
        "shown_shares": [verdict for verdict in Verdict if any(verdict in dict(square.shares) for square in cells.squares)],
        "verdicts": list(Verdict),
        "glyphs": GLYPHS,
        "standing_glyphs": STANDING_GLYPHS,
        "panels": panels(record, folder) if folder else [],
        "violations_drawn": VIOLATIONS_DRAWN,
        "sweeps": sweeps,
        "sweep_faults": [*strayed_sweeps(sweeps), *doubtful_sweeps(sweeps), *silent_sweeps(sweeps)],
        "figure_faults": figure_faults,
        "radii": radii_table(sweeps),
        "worst_factor": _worst_factor(sweeps),
        "limits": _limits(sweeps),
        "sweep_pictures": list(_sweep_pictures(sweeps)),
        "paper": paper_pictures(record.experiments),
        "paper_tables": paper_tables(record.experiments),
        **_of_figures(record.experiments),
        "dynamics": dynamics,
        **_of_static_patches(record.experiments.static_patch),
        "models": [(model, training_picture(model, index)) for index, model in enumerate(record.models)],
        "training_losses": training_losses(record.models),
        "mutants": Counter(cell.mutant for cell in record.cells if cell.mutant and cell.mutant_verdict),
        "expected": [cell.expected for cell in record.cells if cell.expected],
        "words": GLOSSARY,
        "verdict_words": VERDICTS,
    }
    return rendered("page.html.j2", **values)


def _of_figures(found: Experiments) -> dict[str, Any]:
    """What the captions of the paper's figures say."""
    rows = found.figure_1.checkpoints if found.figure_1 else []
    return {
        "outside": sum(not row.difference <= row.bound for row in rows),
        "largest_difference": max((row.difference for row in rows), default=None),
        "least_planted": min((abs(row.with_context - row.planted) for row in rows), default=None),
        "vanishing": [layer.block for layer in found.layers if layer.vanishes_at is not None],
        "staying": [layer.block for layer in found.layers if layer.vanishes_at is None],
    }


def _of_static_patches(found: Sequence[StaticPatchRecord]) -> dict[str, Any]:
    """The first block's picture, which patches were refused, and how far the others are from exact ones at most."""
    by_block = [(f"{row.block}, of {row.trials}", [f"{point.refused} at K = {point.queries}" for point in row.points if point.refused]) for row in found]
    return {
        "static_picture": static_picture(found[0]) if found else None,
        "static_points": static_points(found[0]) if found else None,
        "static_refused": [f"{block}: {', '.join(refused)}" for block, refused in by_block if refused],
        "static_distance": max((point.distance for row in found for point in row.points if point.distance is not None), default=None),
    }


def _sweep_pictures(sweeps: Sequence[NearZeroSweep]) -> Iterable[tuple[str, Markup]]:
    """One picture a format, of the first block that was swept in it; the table has the others."""
    drawn: dict[str, str] = {}
    for sweep in sweeps:
        drawn.setdefault(sweep.format, sweep.block)
    sweeps = [sweep for sweep in sweeps if drawn[sweep.format] == sweep.block]
    panel: dict[tuple[str, str], list[NearZeroSweep]] = {}
    for sweep in sweeps:
        panel.setdefault((sweep.format, sweep.block), []).append(sweep)
    for index, ((name, block), together) in enumerate(panel.items()):
        yield f"{name}, {block}", sweep_picture(together, index)


def _worst_factor(sweeps: Iterable[NearZeroSweep]) -> float | None:
    """How far the worst prediction is off, as a factor of 1 or more; infinite if a radius is 0 or infinite and the other is not."""
    pairs = [(sweep.measured_radius, sweep.predicted_radius) for sweep in sweeps if sweep.measured_radius != sweep.predicted_radius]
    factors = [max(math.exp2(abs(math.log2(m) - math.log2(p))), 1.0) if 0 < m < math.inf and 0 < p < math.inf else math.inf for m, p in pairs]
    return max(factors, default=1.0 if sweeps else None)


def _limits(sweeps: Iterable[NearZeroSweep]) -> dict[str, list[str]]:
    """Each range limit, with the variants and formats whose radius it sets."""
    found: dict[str, dict[str, list[str]]] = {}
    for sweep in sweeps:
        formats = found.setdefault(sweep.predicted_by, {}).setdefault(sweep.variant, [])
        if sweep.format not in formats:
            formats.append(sweep.format)
    return {reason: [f"{variant} in {', '.join(formats)}" for variant, formats in of.items()] for reason, of in found.items()}
