"""A comparison of two runs, told: as a sentence, on a terminal, as JSON, and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.text import Text

from reports.comparison.against_baseline import differences
from reports.comparison.baseline_rows import Baseline
from reports.comparison.changes import FAILING, UNACCEPTED, Comparison, DifferenceKind
from reports.findings import Outcome, Status
from reports.html import rendered
from reports.record import RunRecord, write_whole
from reports.text import count, counted, joined

IN_OVERVIEW = 5
"""Differences that the overview of a report names."""

LINES_PER_STANDING = 40
"""Lines on a terminal for each standing; the page and ``--json`` have all."""

_COLOURS = {
    **dict.fromkeys(FAILING, "bold red"),
    DifferenceKind.NOT_RUN: "yellow",
    **dict.fromkeys((DifferenceKind.NEW, DifferenceKind.CHANGED), "cyan"),
    DifferenceKind.BETTER: "blue",
}
"""Never the only sign: the word stands beside each."""

KINDS = {"erratum": ("erratum", "errata"), "other": ("block or experiment", "blocks and experiments")}
"""Nouns of the kinds whose own name is none."""

_NOUNS = {
    DifferenceKind.REGRESSION: ("regression", None),
    DifferenceKind.STALE: ("stale known failure", None),
    DifferenceKind.NOT_RUN: ("that did not run", "that did not run"),
    DifferenceKind.NEW: ("new", "new"),
    DifferenceKind.CHANGED: ("of another verdict", "of another verdict"),
    DifferenceKind.BETTER: ("better", "better"),
}


@dataclass(frozen=True, slots=True)
class RunLabel:
    """One of the two, in words."""

    name: str
    """A run's id, or a baseline's file."""
    about: str


def about(record: RunRecord) -> str:
    """A run in a few words."""
    where = f"{record.environment.device}, torch {record.environment.torch}"
    return f"{record.run.profile}, seed {record.run.seed}, {record.run.started}, {where}" + ("" if record.run.finished else "; not finished")


def sentence(comparison: Comparison) -> str:
    """What came out, in one sentence."""
    if comparison.nothing:
        return "Nothing was compared: no claim, erratum, cell, sweep, block or experiment stands on both sides."
    what = joined([counted(number, *KINDS.get(kind, (kind, None))) for kind, number in comparison.compared.items() if number])
    if not comparison.differences:
        return f"Nothing differs beyond what another seed may show: {what} compared."
    parts = []
    for standing in DifferenceKind:
        number = len(comparison.of(standing))
        if number:
            parts.append(counted(number, *_NOUNS[standing]))
    return f"{joined(parts)}; {what} compared."


def since_baseline(kept: Baseline, record: RunRecord, disagreeing: Sequence[str] = ()) -> Markup:
    """What a run shows otherwise than a baseline, in a few lines for the overview of its report.  disagreeing: as for ``headline``."""
    comparison = differences(kept, record, disagreeing)
    lines = [Markup("<li><span class=id>{}</span> {}</li>").format(row.id, row.what) for row in comparison.differences[:IN_OVERVIEW]]
    if len(comparison.differences) > IN_OVERVIEW:
        lines.append(Markup("<li>and {} more: <code>verify gate</code></li>").format(count(len(comparison.differences) - IN_OVERVIEW)))
    reason = f", kept as: {kept.accepted[-1].reason}" if kept.accepted else ""
    parts = [
        Markup('<p class="{}">{}</p>').format(
            "tone violated" if comparison.of(*FAILING) else "tone nothing" if comparison.nothing else "", sentence(comparison)
        ),
        Markup("<ul>{}</ul>").format(Markup("").join(lines)) if lines else Markup(""),
        Markup('<p class="mute">The baseline is run {}{}. {}</p>').format(kept.origin.run, reason, " ".join(comparison.limits)),
    ]
    return Markup("").join(parts)


def as_outcomes(comparison: Comparison, *, strict: bool = False) -> list[Outcome]:
    """What a gate says, as rows for a CI: the whole first, then each regression."""
    failing = comparison.of(*FAILING, *(UNACCEPTED if strict else ()))
    status, word = (
        (Status.FAILED, "REGRESSION") if failing else (Status.BROKE, "INCOMPLETE") if comparison.nothing or not comparison.finished else (Status.PASSED, "")
    )
    whole = Outcome("baseline", "", "held to the baseline", status, word, sentence(comparison))
    return [whole, *(Outcome("baseline", row.kind, row.id, Status.FAILED, row.standing.value, f"{row.what}.") for row in failing)]


def comparison_on_terminal(comparison: Comparison, before: RunLabel, after: RunLabel) -> RenderableType:
    """The sentence, every difference in a line, and what was not compared."""
    grave = comparison.of(*FAILING)
    parts: list[RenderableType] = [
        Text.assemble((f"{after.name}", "bold"), f" ({after.about}) against ", (before.name, "bold"), f" ({before.about})"),
        Text(sentence(comparison), style="bold red" if grave else "bold yellow" if comparison.nothing else "bold"),
    ]
    for standing in DifferenceKind:
        rows = comparison.of(standing)
        if rows:
            parts += [Text(), Text(f"{standing.value} ({count(len(rows))})", style=_COLOURS[standing])]
            parts += [Text.assemble(f"  {row.kind} ", (row.id, "bold"), f"  {row.what}") for row in rows[:LINES_PER_STANDING]]
            if len(rows) > LINES_PER_STANDING:
                parts.append(Text(f"… and {counted(len(rows) - LINES_PER_STANDING, 'line')} more; --json and the page have all", style="dim"))
    return Group(*parts, *(Text(f"– {line}", style="dim") for line in comparison.limits))


def comparison_as_data(comparison: Comparison, before: RunLabel, after: RunLabel) -> Mapping[str, object]:
    """For ``--json``."""
    return {
        "before": asdict(before),
        "after": asdict(after),
        "sentence": sentence(comparison),
        "finished": comparison.finished,
        "compared": dict(comparison.compared),
        "differences": [{**asdict(row), "standing": row.standing.value} for row in comparison.differences],
        "not_compared": list(comparison.limits),
    }


def write_comparison(comparison: Comparison, before: RunLabel, after: RunLabel, path: Path) -> Path:
    """One HTML file that needs nothing else; returns its path."""
    values = {
        "sentence": sentence(comparison),
        "tone": "violated" if comparison.of(*FAILING) else "nothing" if comparison.nothing else "held",
        "groups": [(standing.value, rows) for standing in DifferenceKind if (rows := comparison.of(standing))],
        "limits": comparison.limits,
    }
    return write_whole(path, rendered("comparison.html.j2", before=before, after=after, **values))
