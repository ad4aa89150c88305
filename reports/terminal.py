"""What a terminal is told at the end: the same sentence as the page, and the grid folded to formats and blocks.

Names from a record are put into ``Text``, never into markup, so that a block named "[red]" stays a block of that name.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.findings import GLYPHS, RunStanding, headline, taken_up
from reports.findings.cell_faults import notices_wrong_update, side_outside
from reports.findings.grid import WORST_FIRST, Square, grid
from reports.record import ClaimRecord, Experiments, RunRecord
from reports.record.claims import Counterexample, ErratumRecord
from reports.record.experiments import AdversarialRecord
from reports.text import count, counted, ratio, real, seconds
from symbolic.vocabulary import Verdict

_COLOURS = {
    **dict.fromkeys((Verdict.VIOLATED, Verdict.ERROR), "bold red"),
    **dict.fromkeys((Verdict.INCONCLUSIVE, Verdict.TIMEOUT), "yellow"),
    Verdict.HOLDS: "blue",
    Verdict.VACUOUS: "magenta",
    Verdict.SKIPPED: "dim",
}
"""Never the only sign: a glyph or the word itself stands beside each."""

_STANDING_COLOURS = {RunStanding.VIOLATED: "bold red", RunStanding.DISTRUSTED: "bold red", RunStanding.INCOMPLETE: "bold yellow"}

IN_WORDS = "in words, which no program checks"

ABREAST = 5
"""Scenarios that stand side by side on a terminal."""


def closing(record: RunRecord, report: Path | None = None, disagreeing: Sequence[str] = ()) -> RenderableType:
    """The end of a run: the sentence, what was not checked, a table of formats and blocks, the path of the report.  disagreeing: as for ``headline``."""
    verdict = headline(record, disagreeing)
    parts: list[RenderableType] = []
    again = taken_up(record)
    if again is not None:
        parts += [Text(again, style="dim"), Text()]
    if record.cells:
        parts += [_folded_grid(record), Text()]
    if record.experiments.watched:
        parts += [*_as_written(record.experiments), Text()]
    parts.append(Text(verdict.sentence, style=_STANDING_COLOURS.get(verdict.standing, "bold")))
    parts.append(Text(_checks(record), style="dim"))
    parts += [_bullet(line, "red") for line in verdict.failures]
    parts += [_bullet(line, "dim") for line in verdict.unchecked]
    if report is not None:
        parts.append(Text(f"report: {report}", overflow="fold"))
    return Group(*parts)


def _as_written(found: Experiments) -> list[RenderableType]:
    """What was found in each block as it is written, and how it did in float64."""
    parts: list[RenderableType] = []
    for block in found.watched:
        stream = f"; meets the stream in {block.stream}" if block.stream else ""
        takes = f", {block.absorber} takes what it lacks" if block.absorber else ""
        parts.append(Text.assemble((block.block, "bold"), f"  W: {', '.join(block.first)}, read by {', '.join(block.cuts)}{stream}{takes}"))
    table = _table("float64, measured")
    for name in ("cases", "unequal", "off by", "÷ allowed", "wrong noticed"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.in_double:
        noticed, tried = (sum(counts[which] for counts in row.planted.values()) for which in (0, 1))
        numbers = (*map(count, (row.cases, row.unequal)), real(row.off, 2), real(row.worst_ratio, 2), f"{count(noticed)} of {count(tried)}")
        table.add_row(Text.assemble((GLYPHS[row.verdict], _COLOURS[row.verdict]), f" {row.variant}, {row.scenario}"), *numbers)
    return [*parts, table]


_OF_SEARCHES = (
    "cases: of the search, and of as many random ones; random, ascent, evolution: the largest error ÷ bound; factor: of the search over random; "
    "at most: 1 ÷ random, since a true bound is never passed"
)


def searches(rows: Sequence[AdversarialRecord]) -> RenderableType:
    """Searches for the worst context, beside as many random ones: the largest error over bound of each stage."""
    if not rows:
        return Text("No search was made.")
    table = _table("block, format")
    for name in ("cases", "random", "ascent", "evolution", "factor", "at most"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        numbers = (count(row.evaluations), *map(ratio, (row.random, row.ascent, row.evolution)), real(row.factor), real(row.limit))
        table.add_row(Text(f"{row.block} {row.format}"), *(Text(number, style="bold red" if row.outside else "") for number in numbers))
    return Group(table, Text(_OF_SEARCHES, style="dim"))


def proofs(claims: Sequence[ClaimRecord], *, steps: bool = False) -> RenderableType:
    """Claims with their verdict, scope and refuted mutants; with each line of each proof, if steps."""
    if not claims:
        return Text("No claim was put to the prover.")
    if not steps:
        table = _table("claim", "verdict", "for", "false variants refuted", "took")
        for claim in claims:
            table.add_row(Text(claim.id), _word(claim.verdict), Text(claim.scope), _refuted(claim), Text(seconds(claim.seconds)))
        assumed = [Text.assemble((f"{claim.id} ", "bold"), (_assumed(claim), "dim")) for claim in claims]
        return Group(table, Text(), *assumed, Text(), _words(claims), *(part for claim in claims for part in _what_fails(claim)))
    return Group(*(part for claim in claims for part in _proof(claim)), _words(claims))


def _assumed(claim: ClaimRecord) -> str:
    """What a claim assumes."""
    hypotheses = [each.text for each in claim.hypotheses] + [f"{each.text} ({IN_WORDS})" for each in claim.hypotheses_in_words]
    return f"provided that {' and '.join(hypotheses)}" if hypotheses else "without any hypothesis"


def _words(claims: Sequence[ClaimRecord]) -> Text:
    """How many lines no program checks."""
    number = sum(claim.lines_in_words for claim in claims)
    return Text(f"{counted(number, 'line')} of {counted(sum(len(claim.steps) for claim in claims), 'line')} of proof and hypotheses {IN_WORDS}", style="dim")


def examination(environment: Mapping[str, object], answers: Sequence[Mapping[str, object]], refused: Sequence[Mapping[str, object]]) -> RenderableType:
    """What a machine answered, format by format, each question once with all that were answered alike."""
    machine = ", ".join(f"{name} {environment[name]}" for name in ("device", "processor", "torch", "blas", "python"))
    parts: list[RenderableType] = [Text(machine), Text("The reference answered every question whose answer is known.")]
    for name in dict.fromkeys(str(row["format"]) for row in answers):
        rows = [row for row in answers if row["format"] == name]
        parts += [Text(), Text.assemble((name, "bold"), " (emulated)" if rows[0]["emulated"] else "")]
        for row in rows:
            parts.append(Text.assemble("  ", (f"{row['question']} ", "dim"), str(row["answer"])))
    parts += [_bullet(f"{row['format']}: {row['reason']}", "red") for row in refused]
    return Group(*parts)


def errata(rows: Sequence[ErratumRecord]) -> RenderableType:
    """Each erratum: what is printed, where it fails, what is proved in its place."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(Text(f"{row.number:>3}"), Text(row.title, style="bold"))
        table.add_row(Text("printed"), Text(f"{row.wording} [{row.where}]"))
        table.add_row(Text("stated"), Text(row.literal.text))
        fails = "NOT REFUTED" if row.counterexample is None else numbers_of(row.counterexample)
        table.add_row(Text("fails"), Text(fails, style="bold red" if row.counterexample is None else ""))
        proved = f"proved: {row.claim}" if row.proved else f"NOT PROVED: {row.claim}"
        table.add_row(Text("correct"), Text.assemble(row.correction, "  ", (proved, "dim" if row.proved else "bold red")))
        if row.to_measure:
            table.add_row(Text("measured"), Text(row.measured or f"not measured here: {row.to_measure}"))
        table.add_row()
    return table


def _checks(record: RunRecord) -> str:
    totals = record.totals
    parts = []
    if record.claims:
        parts.append(f"{count(totals.mutants_refuted)} of {counted(totals.mutants, 'false statement')} refuted")
        words = sum(claim.lines_in_words for claim in record.claims)
        parts += [f"{counted(words, 'line')} of proof {IN_WORDS}"] if words else []
    if record.cells:
        noticed = f"{count(sum(map(notices_wrong_update, record.cells)))} of {counted(totals.wrong_updates, 'planted wrong update')} noticed"
        parts.append(f"{noticed} (one a cell, in at least half of its cases)")
        parts.append(f"worst error ÷ bound {ratio(totals.worst_ratio)}")
    return ", ".join(parts)


def _folded_grid(record: RunRecord) -> Table:
    """Format by scenario, then block by scenario: the gravest verdict and the worst ratio over all else. One after the other if they are many."""
    squares = grid(record).squares
    scenarios = list(dict.fromkeys(square.cell.scenario for square in squares))
    if len(scenarios) > ABREAST:
        return _folded_lists(squares)
    table = _table("error ÷ bound", *scenarios)
    for field in ("format", "block"):
        for name in dict.fromkeys(getattr(square.cell, field) for square in squares):
            rows = [square for square in squares if getattr(square.cell, field) == name]
            table.add_row(Text(name), *(_folded([square for square in rows if square.cell.scenario == scenario]) for scenario in scenarios))
        if field == "format":
            if len({square.cell.block for square in squares}) == 1:
                break
            table.add_row()
    return table


def _folded_lists(squares: Sequence[Square]) -> Table:
    """Formats, blocks and scenarios, each with the gravest verdict and the worst ratio over all else."""
    table = _table("error ÷ bound", "worst", "cells")
    for field in ("format", "block", "scenario"):
        names = list(dict.fromkeys(getattr(square.cell, field) for square in squares))
        if len(names) > 1:
            table.add_row(Text(field, style="dim"))
            for name in names:
                rows = [square for square in squares if getattr(square.cell, field) == name]
                table.add_row(Text(f"  {name}"), _folded(rows), count(len(rows)))
    return table


def _folded(squares: Sequence[Square]) -> Text:
    if not squares:
        return Text("·", style="dim")
    gravest = min((square.verdict for square in squares), key=WORST_FIRST.index)
    ratios = [square.cell.worst_ratio for square in squares if square.cell.worst_ratio is not None]
    worst = math.nan if any(math.isnan(value) for value in ratios) else max(ratios, default=None)
    text = Text.assemble((GLYPHS[gravest], _COLOURS[gravest]), " ", ratio(worst) if worst is not None else gravest.value.lower())
    if worst is not None:
        by_a_side = sum(side_outside(square.cell) for square in squares)
        for verdict in WORST_FIRST:
            number = sum(square.verdict is verdict for square in squares)
            if verdict is Verdict.VIOLATED and by_a_side:
                text.append(f", {count(by_a_side)} outside its own radius")
                number -= by_a_side
            if number and verdict is Verdict.SKIPPED:
                text.append(f" {GLYPHS[verdict]}{count(number)}", style="dim")
            elif number and verdict is not Verdict.HOLDS:
                text.append(f", {count(number)} {verdict.value.lower()}")
    if any(square.warning for square in squares):
        text.append(" !", style="bold red")
    return text


def _what_fails(claim: ClaimRecord) -> list[RenderableType]:
    """The step that does not follow, the numbers at which the claim is false, the false variants that were not refuted."""
    failures = [claim.reason] if claim.reason else []
    if claim.counterexample:
        failures.append(f"it fails {numbers_of(claim.counterexample)}")
    failures += [f"not refuted: {mutant.description}" for mutant in claim.mutants if not mutant.refuted]
    return [_bullet(f"{claim.id}: {words}", "red") for words in failures]


def _proof(claim: ClaimRecord) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text.assemble((claim.id, "bold"), " ", _word(claim.verdict), f" {claim.scope}: ", claim.statement.text),
        Text(f"  {_assumed(claim)}"),
        Text(f"  {IN_WORDS}: {claim.remark.text if claim.remark else 'the statement'}", style="dim"),
        *([_bullet(claim.reason, "red")] if claim.reason else []),
        *([_bullet(f"it fails {numbers_of(claim.counterexample)}", "red")] if claim.counterexample else []),
    ]
    for number, step in enumerate(claim.steps, start=1):
        uses = f"; uses {step.hypothesis}" if step.hypothesis else ""
        remark = f" ({step.remark})" if step.remark else ""
        mark = ("✎ ", "italic") if step.in_words else ""
        parts.append(Text.assemble(f"  {number:>2}. ", mark, step.expression.text, (f"   {step.rule}{uses}{remark}", "dim")))
    for mutant in claim.mutants:
        parts.append(Text(f"      {'refuted' if mutant.refuted else 'NOT REFUTED'}: {mutant.description}", style="" if mutant.refuted else "bold red"))
        if mutant.counterexample is not None:
            parts.append(Text(f"               {numbers_of(mutant.counterexample)}", style="dim"))
    return [*parts, Text()]


def numbers_of(found: Counterexample) -> str:
    """A counterexample in one line: the values of every symbol, and the two sides, which differ."""
    values = ", ".join(f"{name} = {_matrix(rows)}" for name, rows in found.values.items())
    note = f" ({found.note})" if found.note else ""
    return f"at {values}: {_matrix(found.left)} ≠ {_matrix(found.right)}{note}"


def instance(claim: str, sizes: Mapping[str, int], left: Sequence[Sequence[Sequence[str]]], right: Sequence[Sequence[Sequence[str]]]) -> RenderableType:
    """Both sides of a claim at one instance, part by part."""
    where = ", ".join(f"{name} = {size}" for name, size in sizes.items())
    same = "both sides are" if left == right else "the sides DIFFER:"
    sides = [left] if left == right else [left, right]
    values = " ≠ ".join(", ".join(_matrix(part) for part in side) for side in sides)
    return Text(f"{claim} at {where}, over exact rationals: {same} {values}", style="" if left == right else "bold red")


def _matrix(rows: Sequence[Sequence[str]]) -> str:
    """A matrix in one line, as in MATLAB: rows are separated by semicolons; a 1x1 matrix is its entry."""
    if len(rows) == 1 and len(rows[0]) == 1:
        return rows[0][0]
    return "[" + "; ".join(" ".join(row) for row in rows) + "]"


def _refuted(claim: ClaimRecord) -> Text:
    refuted = sum(mutant.refuted for mutant in claim.mutants)
    return Text(f"{refuted} of {len(claim.mutants)}", style="" if refuted == len(claim.mutants) else "bold red")


def _word(verdict: Verdict) -> Text:
    return Text(f"{GLYPHS[verdict]} {verdict.value.lower()}", style=_COLOURS[verdict])


def _bullet(line: str, style: str) -> Text:
    return Text(f"– {line}", style=style)


def _table(first: str, *rest: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column(first, no_wrap=True)
    for name in rest:
        table.add_column(Text(name), overflow="fold")
    return table
